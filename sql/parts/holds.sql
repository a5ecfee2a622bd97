-- Holds: usage that is reserved now, and settled or given back later.
--
-- usage_holds has no CHECK constraints, for the reason that usage_counters has
-- none.

CREATE TABLE usage_holds (
	hold_id text COLLATE "C" PRIMARY KEY,
	user_id text COLLATE "C" NOT NULL,
	usage_type text COLLATE "C",
	event_subtype text COLLATE "C",
	account_id text COLLATE "C",
	amount bigint NOT NULL,
	tokens_used bigint,
	credits bigint NOT NULL DEFAULT 0,
	bucket_start timestamptz,
	created_at timestamptz NOT NULL DEFAULT usage_now(),
	expires_at timestamptz NOT NULL,
	backend_pid bigint,
	backend_start timestamptz,
	metadata jsonb,
	state text NOT NULL DEFAULT 'open',
	ended_at timestamptz,
	settled_amount bigint,
	settled_tokens bigint,
	answer usage_decision,
	overage bigint NOT NULL DEFAULT 0,
	overage_tokens bigint NOT NULL DEFAULT 0,
	account_bucket_start timestamptz
) WITH (fillfactor = 70);
CREATE INDEX usage_holds_open_idx ON usage_holds (user_id, usage_type, expires_at) WHERE ended_at IS NULL;
CREATE INDEX usage_holds_credits_idx ON usage_holds (user_id, expires_at) WHERE ended_at IS NULL AND credits > 0;
CREATE INDEX usage_holds_account_idx ON usage_holds (account_id, usage_type, expires_at) WHERE ended_at IS NULL AND account_id IS NOT NULL;
COMMENT ON TABLE usage_holds IS 'Holds, kept for 30 days after their end. One is open until it is settled or released, until expires_at, or until the session it is bound to ends; while it is open it counts as used.';
COMMENT ON COLUMN usage_holds.hold_id IS 'The hold''s id, 1 to 255 bytes; no two users share one.';
COMMENT ON COLUMN usage_holds.user_id IS 'The user, 1 to 255 bytes.';
COMMENT ON COLUMN usage_holds.usage_type IS 'What is held; null for credits alone.';
COMMENT ON COLUMN usage_holds.event_subtype IS 'A dimension of the type, as given.';
COMMENT ON COLUMN usage_holds.account_id IS 'The account that the user belonged to when the hold was taken, for which it counts too; null for none.';
COMMENT ON COLUMN usage_holds.amount IS 'Units held; of a hold of credits alone: the credits.';
COMMENT ON COLUMN usage_holds.tokens_used IS 'Tokens held.';
COMMENT ON COLUMN usage_holds.credits IS 'Credits held: the price, or what credit_hold asked for.';
COMMENT ON COLUMN usage_holds.bucket_start IS 'The bucket of usage_counters in which it counts, and what settles it is booked.';
COMMENT ON COLUMN usage_holds.created_at IS 'When it was taken.';
COMMENT ON COLUMN usage_holds.expires_at IS 'It is open before this instant.';
COMMENT ON COLUMN usage_holds.backend_pid IS 'The process of the session it is bound to; null for none.';
COMMENT ON COLUMN usage_holds.backend_start IS 'When that process started.';
COMMENT ON COLUMN usage_holds.metadata IS 'The application''s own; goes to the event.';
COMMENT ON COLUMN usage_holds.state IS 'open, settled or released; a hold whose time is over, or whose session is gone, stays open here.';
COMMENT ON COLUMN usage_holds.ended_at IS 'When it was settled or released.';
COMMENT ON COLUMN usage_holds.settled_amount IS 'Units it was settled with.';
COMMENT ON COLUMN usage_holds.settled_tokens IS 'Tokens it was settled with.';
COMMENT ON COLUMN usage_holds.answer IS 'The answer that a repeat of the call that took it, or settled it, gets.';
COMMENT ON COLUMN usage_holds.overage IS 'Of amount, units over a limit that its credits pay for.';
COMMENT ON COLUMN usage_holds.overage_tokens IS 'Of tokens_used, the same.';
COMMENT ON COLUMN usage_holds.account_bucket_start IS 'The account''s bucket of usage_counters in which it counts.';

-- the columns that say of what it is: settling a hold must cost no more
CREATE TRIGGER counted AFTER INSERT OR UPDATE OF user_id, usage_type, account_id ON usage_holds
	FOR EACH ROW EXECUTE FUNCTION usage_limits_counted();
ALTER TABLE usage_holds ENABLE ALWAYS TRIGGER counted;

CREATE FUNCTION usage_limits_session_lives(backend_pid bigint, backend_start timestamptz) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_session_lives IS
'Whether the process of that number is the one that started at that instant, as in pg_stat_activity but as of now. True for null, and on a standby, which does not see the primary''s sessions.';

CREATE VIEW usage_open_holds AS
SELECT h.hold_id,
	h.user_id,
	h.usage_type,
	h.event_subtype,
	h.amount,
	h.tokens_used,
	h.created_at,
	h.expires_at,
	usage_now() - h.created_at AS age,
	h.backend_pid,
	h.metadata,
	h.credits
FROM usage_holds h
WHERE h.ended_at IS NULL AND h.expires_at > usage_now()
	AND usage_limits_session_lives(h.backend_pid, h.backend_start);
COMMENT ON VIEW usage_open_holds IS 'The holds that count now.';
COMMENT ON COLUMN usage_open_holds.hold_id IS 'The hold''s id.';
COMMENT ON COLUMN usage_open_holds.user_id IS 'The user.';
COMMENT ON COLUMN usage_open_holds.usage_type IS 'What is held; null for credits alone.';
COMMENT ON COLUMN usage_open_holds.event_subtype IS 'A dimension of the type.';
COMMENT ON COLUMN usage_open_holds.amount IS 'Units held.';
COMMENT ON COLUMN usage_open_holds.tokens_used IS 'Tokens held.';
COMMENT ON COLUMN usage_open_holds.created_at IS 'When it was taken.';
COMMENT ON COLUMN usage_open_holds.expires_at IS 'When it expires.';
COMMENT ON COLUMN usage_open_holds.age IS 'How long ago it was taken.';
COMMENT ON COLUMN usage_open_holds.backend_pid IS 'The process of the session it is bound to; null for none.';
COMMENT ON COLUMN usage_open_holds.metadata IS 'The application''s own.';
COMMENT ON COLUMN usage_open_holds.credits IS 'Credits held.';

CREATE FUNCTION usage_hold(
	user_id text,
	usage_type text,
	amount bigint DEFAULT 1,
	ttl interval DEFAULT '15 minutes',
	hold_id text DEFAULT NULL,
	session_bound boolean DEFAULT false,
	event_subtype text DEFAULT NULL,
	tokens_used bigint DEFAULT NULL,
	metadata jsonb DEFAULT NULL
) RETURNS usage_decision AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_hold IS
'Reserves usage for work that takes a while: it counts as used, in the windows of this instant, until usage_settle, usage_release, the end of ttl (a month is 30 days, a day 24 hours) or, with session_bound, the end of this session. A concurrency limit counts open holds, whatever their amount. Where usage costs credits, its price is held with it, all or nothing. Amount 0 asks only. The same hold_id and request again is the same hold. Errors: 22004 (null), 22023, 23505 (hold_id used for another request), 25006 (read only), 55000 (that hold is over).';

CREATE FUNCTION usage_settle(
	hold_id text,
	amount bigint DEFAULT NULL,
	tokens_used bigint DEFAULT NULL,
	duration_ms bigint DEFAULT NULL,
	scene_id uuid DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	user_id text DEFAULT NULL
) RETURNS usage_decision AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_settle IS
'Turns a hold into usage, in the windows in which it was taken, and writes its event. amount and tokens_used default to what was held, tokens_used to none with amount 0; less gives the rest back, 0 all of it; more must be admitted: a denial leaves the hold as it is. The price of what was used is paid, out of the credits held first. A hold of credits alone becomes a spend of amount: current is the balance then, remaining what of it is not held, limit the price. Again with the same amounts repeats the answer, with others is 23505. An unknown hold, or another user''s than user_id, is 42704; one that was released or has expired 55000.';

CREATE FUNCTION usage_release(
	hold_id text,
	status text DEFAULT NULL,
	error_message text DEFAULT NULL,
	duration_ms bigint DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	user_id text DEFAULT NULL
) RETURNS boolean AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_release IS
'Gives a hold back; with status failed or cancelled it writes an event that says so, but for a hold of credits alone. True if this call ended the hold, false if there was nothing to end. A hold that was settled is 55000, another user''s than user_id 42704.';

CREATE FUNCTION usage_release_all(
	user_id text,
	usage_type text DEFAULT NULL,
	status text DEFAULT NULL,
	error_message text DEFAULT NULL
) RETURNS bigint AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_release_all IS
'Gives back all open holds of a user, of one usage type or of all and of credits alone, each as by usage_release. Returns how many.';

CREATE FUNCTION usage_renew(
	hold_id text,
	ttl interval,
	user_id text DEFAULT NULL
) RETURNS timestamptz AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_renew IS
'Lets an open hold last for ttl from now on; returns until when. An unknown hold, or another user''s than user_id, is 42704; one that is over 55000.';
