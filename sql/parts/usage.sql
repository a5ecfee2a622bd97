-- Counters, events and what is remembered about them.
--
-- usage_counters and usage_events have no CHECK constraints: PostgreSQL parses
-- the stored text of each one again in every statement that writes a row, and
-- that costs more than writing the row.  The functions check what they write.

CREATE TABLE usage_counters (
	user_id text COLLATE "C" NOT NULL,
	usage_type text COLLATE "C" NOT NULL,
	bucket_start timestamptz NOT NULL,
	event_subtype text COLLATE "C" NOT NULL DEFAULT '',
	slot bigint NOT NULL DEFAULT 0,
	amount bigint NOT NULL DEFAULT 0,
	tokens_used bigint NOT NULL DEFAULT 0,
	credits_used bigint NOT NULL DEFAULT 0,
	duration_ms bigint NOT NULL DEFAULT 0,
	events bigint NOT NULL DEFAULT 0,
	failed_events bigint NOT NULL DEFAULT 0,
	cancelled_events bigint NOT NULL DEFAULT 0,
	first_at timestamptz NOT NULL DEFAULT usage_now(),
	last_at timestamptz NOT NULL DEFAULT usage_now(),
	member_amount bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (user_id, usage_type, bucket_start, event_subtype, slot)
) WITH (fillfactor = 70);
-- rows come in the order of time: where a range of dates is costs next to nothing
CREATE INDEX usage_counters_bucket_start_idx ON usage_counters USING brin (bucket_start) WITH (autosummarize = on);
COMMENT ON TABLE usage_counters IS 'The truth about usage: sums by user, type, bucket and subtype. A sum over the rows of a window is its usage; the slots of one bucket are added.';
COMMENT ON COLUMN usage_counters.user_id IS 'The user, 1 to 255 bytes.';
COMMENT ON COLUMN usage_counters.usage_type IS 'What is counted.';
COMMENT ON COLUMN usage_counters.bucket_start IS 'Start of the bucket: the latest of the UTC day''s start and the window starts of the type''s limits for that user. It counts in the window its start lies in.';
COMMENT ON COLUMN usage_counters.event_subtype IS 'The subtype; empty for none.';
COMMENT ON COLUMN usage_counters.slot IS '0, or another number where a writer would have had to wait for slot 0; below 0: an account''s share of what its members used, -1 or, for the same reason, another number.';
COMMENT ON COLUMN usage_counters.amount IS 'Sum of the amounts, in the type''s unit.';
COMMENT ON COLUMN usage_counters.tokens_used IS 'Sum of tokens.';
COMMENT ON COLUMN usage_counters.credits_used IS 'Sum of credits.';
COMMENT ON COLUMN usage_counters.duration_ms IS 'Sum of durations, in milliseconds.';
COMMENT ON COLUMN usage_counters.events IS 'How many successful uses.';
COMMENT ON COLUMN usage_counters.failed_events IS 'How many failed events; they count towards no limit.';
COMMENT ON COLUMN usage_counters.cancelled_events IS 'How many cancelled events; they count towards no limit.';
COMMENT ON COLUMN usage_counters.first_at IS 'Time of the first use in the row; without any, of the first failed or cancelled event.';
COMMENT ON COLUMN usage_counters.last_at IS 'Time of the last use in the row; without any, of the last failed or cancelled event.';
COMMENT ON COLUMN usage_counters.member_amount IS 'Sum of the amounts that members of the account used, in rows with a slot below 0. Limits count it with amount; analytics do not, since it is in the members'' own rows.';

CREATE VIEW user_usage AS
SELECT c.user_id || ':' || c.usage_type || ':' || to_char((c.bucket_start AT TIME ZONE 'UTC')::date::timestamp, 'YYYY-MM-DD') AS id,
	c.user_id,
	c.usage_type,
	(c.bucket_start AT TIME ZONE 'UTC')::date AS usage_date,
	sum(c.amount)::bigint AS count,
	jsonb_build_object('lastEventSubtype',
		(array_agg(nullif(c.event_subtype, '') ORDER BY c.last_at DESC, c.event_subtype DESC)
			FILTER (WHERE c.events > 0))[1]) AS metadata,
	min(c.first_at) FILTER (WHERE c.events <> 0 OR c.amount <> 0) AS created_at,
	max(c.last_at) FILTER (WHERE c.events <> 0 OR c.amount <> 0) AS updated_at
FROM usage_counters c
GROUP BY c.user_id, c.usage_type, (c.bucket_start AT TIME ZONE 'UTC')::date
HAVING sum(c.events) > 0 OR sum(c.amount) <> 0;
COMMENT ON VIEW user_usage IS 'Usage by user, type and UTC date, as committed. Read only: usage is written by usage_track and its relatives.';
COMMENT ON COLUMN user_usage.id IS 'user_id:usage_type:usage_date.';
COMMENT ON COLUMN user_usage.user_id IS 'The user.';
COMMENT ON COLUMN user_usage.usage_type IS 'What is counted.';
COMMENT ON COLUMN user_usage.usage_date IS 'The UTC date.';
COMMENT ON COLUMN user_usage.count IS 'Sum of the day''s amounts.';
COMMENT ON COLUMN user_usage.metadata IS '{"lastEventSubtype": the subtype of the day''s last use}.';
COMMENT ON COLUMN user_usage.created_at IS 'Time of the day''s first use.';
COMMENT ON COLUMN user_usage.updated_at IS 'Time of the day''s last use.';

CREATE SEQUENCE usage_events_id_seq AS bigint;
CREATE TABLE usage_events (
	id bigint NOT NULL DEFAULT nextval('usage_events_id_seq'),
	user_id text COLLATE "C" NOT NULL,
	event_type text COLLATE "C" NOT NULL,
	event_subtype text COLLATE "C",
	project_id uuid,
	scene_id uuid,
	tokens_used bigint,
	credits_used bigint,
	duration_ms bigint,
	status text NOT NULL DEFAULT 'success',
	error_message text,
	metadata jsonb,
	created_at timestamptz NOT NULL DEFAULT usage_now(),
	amount bigint NOT NULL DEFAULT 1,
	operation text NOT NULL DEFAULT 'use',
	bucket_start timestamptz,
	refund_of bigint,
	account_id text COLLATE "C",
	account_bucket_start timestamptz
) PARTITION BY RANGE (created_at);
ALTER SEQUENCE usage_events_id_seq OWNED BY usage_events.id;
COMMENT ON SEQUENCE usage_events_id_seq IS 'Ids of usage_events.';
COMMENT ON TABLE usage_events IS 'The log of what users did, partitioned by month. usage_maintain() makes the partitions; the parent has no key, so that a dump with partitions can be restored.';
COMMENT ON COLUMN usage_events.id IS 'The event''s id.';
COMMENT ON COLUMN usage_events.user_id IS 'The user, 1 to 255 bytes.';
COMMENT ON COLUMN usage_events.event_type IS 'The usage type.';
COMMENT ON COLUMN usage_events.event_subtype IS 'A dimension of the type (a model, a format), as given.';
COMMENT ON COLUMN usage_events.project_id IS 'The application''s project.';
COMMENT ON COLUMN usage_events.scene_id IS 'The application''s scene.';
COMMENT ON COLUMN usage_events.tokens_used IS 'Tokens used.';
COMMENT ON COLUMN usage_events.credits_used IS 'Credits used.';
COMMENT ON COLUMN usage_events.duration_ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN usage_events.status IS 'success, failed or cancelled; only success counts towards limits.';
COMMENT ON COLUMN usage_events.error_message IS 'Why it failed; for an adjustment or a reset, the reason given.';
COMMENT ON COLUMN usage_events.metadata IS 'The application''s own.';
COMMENT ON COLUMN usage_events.created_at IS 'When it happened.';
COMMENT ON COLUMN usage_events.amount IS 'Units; negative for what was given back.';
COMMENT ON COLUMN usage_events.operation IS 'use, adjust, refund, reset or settle.';
COMMENT ON COLUMN usage_events.bucket_start IS 'The bucket of usage_counters it was booked in; null when it was not booked.';
COMMENT ON COLUMN usage_events.refund_of IS 'For a refund: the id of the event refunded.';
COMMENT ON COLUMN usage_events.account_id IS 'The account that it was booked on too; null when it was not.';
COMMENT ON COLUMN usage_events.account_bucket_start IS 'The account''s bucket of usage_counters it was booked in.';

CREATE TABLE usage_events_default PARTITION OF usage_events DEFAULT;
ALTER TABLE usage_events_default ADD CONSTRAINT usage_events_default_pkey PRIMARY KEY (id);
CREATE INDEX usage_events_default_user_id_created_at_idx ON usage_events_default (user_id, created_at);
CREATE INDEX usage_events_default_event_type_idx ON usage_events_default (event_type, event_subtype);
CREATE INDEX usage_events_default_refund_of_idx ON usage_events_default (refund_of) WHERE refund_of IS NOT NULL;
COMMENT ON TABLE usage_events_default IS 'Events of months that have no partition yet; usage_maintain() makes the partition and moves them. Partitions are copies of this table''s definition.';

CREATE TABLE usage_resets (
	user_id text COLLATE "C" NOT NULL
		CONSTRAINT usage_resets_user_id_check CHECK (octet_length(user_id) BETWEEN 1 AND 255),
	usage_type text COLLATE "C" NOT NULL
		CONSTRAINT usage_resets_usage_type_check CHECK (char_length(usage_type) BETWEEN 1 AND 50),
	reset_at timestamptz NOT NULL,
	PRIMARY KEY (user_id, usage_type, reset_at)
);
COMMENT ON TABLE usage_resets IS 'Resets: no window of that user and type starts before the latest one.';
COMMENT ON COLUMN usage_resets.user_id IS 'The user.';
COMMENT ON COLUMN usage_resets.usage_type IS 'The type whose usage was reset.';
COMMENT ON COLUMN usage_resets.reset_at IS 'The instant from which usage counts again.';

CREATE TYPE usage_decision AS (
	allowed boolean,
	reason text,
	usage_type text,
	limit_type text,
	requested bigint,
	current bigint,
	"limit" bigint,
	remaining bigint,
	reset_at timestamptz,
	retry_after integer,
	event_id bigint,
	hold_id text
);
COMMENT ON TYPE usage_decision IS 'The answer to "may this happen". Denied: the limit with the latest time at which the request could succeed is named. Allowed: the limit with the least remaining.';
COMMENT ON COLUMN usage_decision.allowed IS 'Whether the request is admitted.';
COMMENT ON COLUMN usage_decision.reason IS 'ok, unlimited, no_limit, limit_exceeded, amount_exceeds_limit, insufficient_credits, over_limit (soft, or paid for with credits), shadow (would have been denied) or not_enforced.';
COMMENT ON COLUMN usage_decision.usage_type IS 'The usage type.';
COMMENT ON COLUMN usage_decision.limit_type IS 'The limit named; null where there is none.';
COMMENT ON COLUMN usage_decision.requested IS 'Units requested, in the limit''s measure.';
COMMENT ON COLUMN usage_decision.current IS 'Usage in the limit''s window, with what this call consumed; of a rate, what has not left yet; without a limit, that of the UTC day. With insufficient_credits: the balance.';
COMMENT ON COLUMN usage_decision."limit" IS 'The limit''s value for this user; -1 is unlimited. Of a rate: how many units it allows at once. With insufficient_credits: the price.';
COMMENT ON COLUMN usage_decision.remaining IS 'What is left, never negative; null when unlimited. With insufficient_credits: what of the balance is not held.';
COMMENT ON COLUMN usage_decision.reset_at IS 'Calendar and anniversary: the window''s end. Sliding and rate: when denied, the earliest instant at which the amount would fit; when allowed, the instant at which the usage counted now will have left. With insufficient_credits: the next refill, or what is paid for becomes free. Null where there is none.';
COMMENT ON COLUMN usage_decision.retry_after IS 'Denied: seconds to reset_at, rounded up; null when allowed, or when the amount can never fit.';
COMMENT ON COLUMN usage_decision.event_id IS 'The event written; null when none was.';
COMMENT ON COLUMN usage_decision.hold_id IS 'The hold made; null when none was.';

CREATE TABLE usage_idempotency (
	user_id text COLLATE "C" NOT NULL
		CONSTRAINT usage_idempotency_user_id_check CHECK (octet_length(user_id) BETWEEN 1 AND 255),
	key text COLLATE "C" NOT NULL
		CONSTRAINT usage_idempotency_key_check CHECK (octet_length(key) BETWEEN 1 AND 255),
	request_digest bytea NOT NULL,
	answer usage_decision,
	created_at timestamptz NOT NULL DEFAULT usage_now(),
	PRIMARY KEY (user_id, key)
);
CREATE INDEX usage_idempotency_created_at_idx ON usage_idempotency (created_at);
COMMENT ON TABLE usage_idempotency IS 'Admitted requests that carried an idempotency key, kept for usage_limits.idempotency_retention.';
COMMENT ON COLUMN usage_idempotency.user_id IS 'The user.';
COMMENT ON COLUMN usage_idempotency.key IS 'The key, 1 to 255 bytes.';
COMMENT ON COLUMN usage_idempotency.request_digest IS 'SHA-256 of the request: function, usage_type, event_subtype, amount, tokens_used, credits_used.';
COMMENT ON COLUMN usage_idempotency.answer IS 'The answer that a repeat gets.';
COMMENT ON COLUMN usage_idempotency.created_at IS 'When the request was admitted.';

CREATE TABLE usage_denials (
	user_id text COLLATE "C" NOT NULL
		CONSTRAINT usage_denials_user_id_check CHECK (octet_length(user_id) BETWEEN 1 AND 255),
	limit_type text COLLATE "C" NOT NULL,
	usage_date date NOT NULL,
	count bigint NOT NULL DEFAULT 0,
	last_at timestamptz NOT NULL DEFAULT usage_now(),
	PRIMARY KEY (user_id, limit_type, usage_date)
);
CREATE INDEX usage_denials_usage_date_idx ON usage_denials (usage_date);
COMMENT ON TABLE usage_denials IS 'How often a limit denied a user on a UTC date. Filled where the library is preloaded and the worker enabled, within usage_limits.flush_interval; where shared memory is full, denials may be missing.';
COMMENT ON COLUMN usage_denials.user_id IS 'The user.';
COMMENT ON COLUMN usage_denials.limit_type IS 'The limit that denied.';
COMMENT ON COLUMN usage_denials.usage_date IS 'The UTC date.';
COMMENT ON COLUMN usage_denials.count IS 'How many denials.';
COMMENT ON COLUMN usage_denials.last_at IS 'Time of the last one.';

CREATE TABLE usage_alert_log (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	user_id text COLLATE "C" NOT NULL
		CONSTRAINT usage_alert_log_user_id_check CHECK (octet_length(user_id) BETWEEN 1 AND 255),
	limit_type text COLLATE "C" NOT NULL,
	alert_id bigint NOT NULL,
	window_start timestamptz,
	current bigint NOT NULL,
	"limit" bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT usage_now(),
	window_end timestamptz,
	threshold bigint
);
CREATE UNIQUE INDEX usage_alert_log_user_id_idx ON usage_alert_log (user_id, limit_type, alert_id, window_start) NULLS NOT DISTINCT;
COMMENT ON TABLE usage_alert_log IS 'Thresholds of usage_alerts that usage has reached, once a window, or that a balance of credits has fallen below; kept for 90 days, or until the window ends.';
COMMENT ON COLUMN usage_alert_log.id IS 'Surrogate key.';
COMMENT ON COLUMN usage_alert_log.user_id IS 'The user.';
COMMENT ON COLUMN usage_alert_log.limit_type IS 'The limit; or credits.';
COMMENT ON COLUMN usage_alert_log.alert_id IS 'The row of usage_alerts.';
COMMENT ON COLUMN usage_alert_log.window_start IS 'Start of the window, whatever was reset in it; null for a lifetime. For credits: when the balance fell.';
COMMENT ON COLUMN usage_alert_log.current IS 'Usage after the call that reached it, as far as it was committed or that transaction''s own. For credits: the balance.';
COMMENT ON COLUMN usage_alert_log."limit" IS 'The limit''s value for this user; for credits the threshold.';
COMMENT ON COLUMN usage_alert_log.created_at IS 'When it was reached.';
COMMENT ON COLUMN usage_alert_log.window_end IS 'End of the window; null for a lifetime and a sliding window.';
COMMENT ON COLUMN usage_alert_log.threshold IS 'The usage that had to be reached, in the limit''s units; the credits that the balance fell below.';
