-- Tracking and deciding.

CREATE FUNCTION usage_track(
	user_id text,
	usage_type text,
	amount bigint DEFAULT 1,
	event_subtype text DEFAULT NULL,
	project_id uuid DEFAULT NULL,
	scene_id uuid DEFAULT NULL,
	tokens_used bigint DEFAULT NULL,
	credits_used bigint DEFAULT NULL,
	duration_ms bigint DEFAULT NULL,
	status text DEFAULT 'success',
	error_message text DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	occurred_at timestamptz DEFAULT NULL,
	idempotency_key text DEFAULT NULL
) RETURNS bigint AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_track IS
'Records a use without enforcing anything: one event and its counters. Rate limits, which count what asks them, stay as they are. Returns the event''s id, null when no event row was written. Events with status failed or cancelled are logged and counted apart, never towards a limit. occurred_at books into the past; more than a minute ahead is 22023. Amounts are 0 to 10^15. Errors: 22004 (null), 22023, 23505 (idempotency_key used for another request), 25006 (read only).';

CREATE FUNCTION usage_check_limit(
	user_id text,
	limit_type text,
	amount bigint DEFAULT 1
) RETURNS usage_decision AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_check_limit IS
'Asks whether one limit would admit the amount now; reads only, never waits. An unknown limit is allowed, reason no_limit (42704 with usage_limits.strict_names on).';

CREATE FUNCTION usage_check(
	user_id text,
	usage_type text,
	amount bigint DEFAULT 1,
	event_subtype text DEFAULT NULL,
	tokens_used bigint DEFAULT NULL
) RETURNS usage_decision AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_check IS
'A dry run of usage_consume over every limit of the type; reads only, never waits.';

CREATE FUNCTION usage_consume(
	user_id text,
	usage_type text,
	amount bigint DEFAULT 1,
	event_subtype text DEFAULT NULL,
	project_id uuid DEFAULT NULL,
	scene_id uuid DEFAULT NULL,
	tokens_used bigint DEFAULT NULL,
	credits_used bigint DEFAULT NULL,
	duration_ms bigint DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL
) RETURNS usage_decision AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_consume IS
'Checks every limit of the type and, if all admit it, records the use: one atomic step, part of the caller''s transaction and given back when that (or its savepoint) rolls back. A denial is an answer, not an error, and leaves nothing. Amount 0 asks without consuming. With usage_limits.credits_enabled it is charged, in the same step, what credit_costs says. Errors: 22004 (null), 22023, 23505 (idempotency_key used for another request), 25006 (read only).';

CREATE FUNCTION usage_enforce(
	user_id text,
	usage_type text,
	amount bigint DEFAULT 1,
	event_subtype text DEFAULT NULL,
	project_id uuid DEFAULT NULL,
	scene_id uuid DEFAULT NULL,
	tokens_used bigint DEFAULT NULL,
	credits_used bigint DEFAULT NULL,
	duration_ms bigint DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL
) RETURNS usage_decision AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_enforce IS
'As usage_consume, but a denial is an error: PT429, or PT402 where credits are wanting, its detail a JSON object with limitType, usageType, title, current, limit, requested, resetAt and retryAfter, for PT402 also available (credits that are not held).';

CREATE FUNCTION usage_consume_many(
	user_id text,
	items jsonb,
	idempotency_key text DEFAULT NULL
) RETURNS usage_decision AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_consume_many IS
'Consumes several types at once, all or nothing. items is an object of amounts, {"prompt": 2, "export": 1}, or an array of objects whose keys are usage_consume''s parameter names. Errors as usage_consume.';

CREATE FUNCTION usage_check_action(
	user_id text,
	action text,
	throw_on_exceed boolean DEFAULT true
) RETURNS boolean AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_check_action IS
'Asks whether the limits allow an action of usage_actions; consumes nothing. An unknown action is allowed. When denied: PT429 or PT402 as usage_enforce, or false with throw_on_exceed => false.';

CREATE FUNCTION usage_adjust(
	user_id text,
	usage_type text,
	delta bigint,
	reason text DEFAULT NULL,
	event_subtype text DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL
) RETURNS usage_decision AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_adjust IS
'Corrects usage by delta units, booked now and never refused by a limit. A delta that would bring a window that contains now (a gauge: the level) below 0 is 22023 and changes nothing. Leaves an event.';

CREATE FUNCTION usage_refund(
	event_id bigint,
	amount bigint DEFAULT NULL,
	user_id text DEFAULT NULL
) RETURNS usage_decision AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_refund IS
'Gives back what an event used, in the event''s own bucket; tokens, credits and duration in proportion, and so what it was charged. Without an amount: all that is left. More than is left is 22023 and changes nothing. Rate limits stay as they are: a request was made. An unknown event, one that was not booked, or another user''s than user_id: 42704.';

CREATE FUNCTION usage_set_gauge(
	user_id text,
	usage_type text,
	value bigint
) RETURNS usage_decision AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_set_gauge IS
'Sets a gauge''s level, booked now as the difference and never refused by a limit. A negative value, or a type that is limited but has no gauge, is 22023. Leaves an event.';

CREATE FUNCTION usage_reset(
	user_id text,
	usage_type text
) RETURNS usage_decision AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_reset IS
'Starts counting anew: no window of that user and type starts before this instant. Nothing is deleted. Leaves an event.';

CREATE FUNCTION usage_status(
	user_id text,
	OUT limit_type text,
	OUT usage_type text,
	OUT kind text,
	OUT period interval,
	OUT tier text,
	OUT allowed boolean,
	OUT current bigint,
	OUT "limit" bigint,
	OUT remaining bigint,
	OUT percent_used numeric,
	OUT reset_at timestamptz,
	OUT source text
) RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE ROWS 20;
COMMENT ON FUNCTION usage_status IS
'Every limit of a user: usage now, the value that holds and where it comes from (user_override, tier_override, setting, config). allowed: whether one more unit would be. percent_used is null when unlimited.';

-- Setting up.

CREATE FUNCTION usage_set_limit(
	limit_type text,
	value bigint,
	tier text DEFAULT NULL,
	usage_type text DEFAULT NULL,
	event_subtype text DEFAULT NULL,
	measure text DEFAULT NULL,
	kind text DEFAULT NULL,
	period interval DEFAULT NULL,
	alignment text DEFAULT NULL,
	time_zone text DEFAULT NULL,
	burst bigint DEFAULT NULL,
	durability text DEFAULT NULL,
	enforcement text DEFAULT NULL,
	description text DEFAULT NULL
) RETURNS usage_limits_config AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_set_limit IS
'Creates or changes a limit; what is not given stays, and for a new one is derived from the name. Without a tier the value is for every tier; a tier without a column gets a tier override. -1 is unlimited, 0 blocks, below -1 is 22023. Returns the limit''s row.';

CREATE FUNCTION usage_set_tier(
	user_id text,
	tier text,
	status text DEFAULT 'active',
	started_at timestamptz DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL,
	time_zone text DEFAULT NULL,
	anchor_at timestamptz DEFAULT NULL,
	stripe_customer_id text DEFAULT NULL,
	stripe_subscription_id text DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	event_at timestamptz DEFAULT NULL
) RETURNS user_subscriptions AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_set_tier IS
'Sets a user''s tier; what is not given stays (expires_at => ''infinity'' takes an expiry away). An event_at older than the stored one changes nothing: payment events may come out of order. A tier that no column, override or setting names is 42704. Returns the subscription''s row.';

CREATE FUNCTION usage_set_member(user_id text, account_id text) RETURNS usage_members
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_set_member IS
'Makes a user a member of an account, in place of any other; null: he leaves. From then on what he uses is booked on both, and the limits of both hold; what was booked before stays where it is. An account belongs to nobody, and who belongs to an account has no members: 22023. Returns the membership''s row, null when he left.';

CREATE FUNCTION usage_set_override(
	limit_type text,
	value bigint,
	user_id text DEFAULT NULL,
	tier text DEFAULT NULL,
	starts_at timestamptz DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL,
	reason text DEFAULT NULL
) RETURNS usage_limit_overrides AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_set_override IS
'Adds an override of a limit''s value for one user or one tier (exactly one: else 22023), from starts_at until before expires_at. An unknown limit is 42704. Returns the override''s row.';

CREATE FUNCTION usage_install_defaults() RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_install_defaults() IS
'Adds eight common limits and five actions where no limit or action of the same name exists. Returns how many rows were added.';

-- Operating.

CREATE FUNCTION usage_grant(role text, part text) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_grant IS
'Grants a role exactly what a part needs: reader, app, billing or admin. An unknown part is 22023.';

CREATE FUNCTION usage_revoke(role text) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_revoke IS 'Takes back all that usage_grant gave a role.';

CREATE FUNCTION usage_maintain(OUT what text, OUT count bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 9;
COMMENT ON FUNCTION usage_maintain IS
'Sums the UTC days that are over, makes the event partitions of the next twelve months, moves rows out of the default partition, folds the slots of a bucket into one row, and forgets idempotency keys and events past their retention, the states of rates of which nothing is used, and reports of alerts after 90 days; reports thresholds of usage_alerts that transactions which committed at the same instant have missed. Returns what was done and how often; a partition that could not be had within a second is left for the next run, with a notice.';

CREATE FUNCTION usage_import(from_schema text, OUT what text, OUT count bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 8;
COMMENT ON FUNCTION usage_import IS
'Takes over the rows of an application''s own tables usage_limits_config, user_subscriptions, user_usage and usage_events in a schema, read under the caller''s rights; timestamps without a zone are taken in the session''s. What is here already stays. Returns what was taken and what could not be. A schema is imported once: again is 55000.';

CREATE FUNCTION usage_limits_version(OUT library_version text, OUT sql_version text)
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION usage_limits_version IS 'The versions of the loaded library and of the installed SQL objects.';
