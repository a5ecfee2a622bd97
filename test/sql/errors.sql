-- Mistakes: every function, every argument.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.outcome(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE 'SELECT ' || expression;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' / ', SQLSTATE || ': ' || SQLERRM, nullif(hint, ''));
END $$;

-- Null where a value must be is 22004.
SELECT e, pg_temp.outcome(e) FROM unnest(ARRAY[
	$$usage_track(NULL, 'prompt')$$, $$usage_track('error-1', NULL)$$, $$usage_track('error-1', 'prompt', NULL)$$,
	$$usage_track('error-1', 'prompt', status => NULL)$$,
	$$usage_check_limit(NULL, 'prompts_daily')$$, $$usage_check_limit('error-1', NULL)$$, $$usage_check_limit('error-1', 'prompts_daily', NULL)$$,
	$$usage_check(NULL, 'prompt')$$, $$usage_check('error-1', NULL)$$, $$usage_check('error-1', 'prompt', NULL)$$,
	$$usage_consume(NULL, 'prompt')$$, $$usage_consume('error-1', NULL)$$, $$usage_consume('error-1', 'prompt', NULL)$$,
	$$usage_enforce(NULL, 'prompt')$$, $$usage_enforce('error-1', NULL)$$, $$usage_enforce('error-1', 'prompt', NULL)$$,
	$$usage_consume_many(NULL, '{"prompt": 1}')$$, $$usage_consume_many('error-1', NULL)$$,
	$$usage_check_action(NULL, 'export_video')$$, $$usage_check_action('error-1', NULL)$$, $$usage_check_action('error-1', 'export_video', NULL)$$,
	$$usage_adjust(NULL, 'prompt', 1)$$, $$usage_adjust('error-1', NULL, 1)$$, $$usage_adjust('error-1', 'prompt', NULL)$$,
	$$usage_refund(NULL)$$,
	$$usage_set_gauge(NULL, 'storage_mb', 1)$$, $$usage_set_gauge('error-1', NULL, 1)$$, $$usage_set_gauge('error-1', 'storage_mb', NULL)$$,
	$$usage_reset(NULL, 'prompt')$$, $$usage_reset('error-1', NULL)$$,
	$$usage_status(NULL)$$,
	$$usage_set_limit(NULL, 1)$$, $$usage_set_limit('errors_daily', NULL)$$,
	$$usage_set_tier(NULL, 'pro')$$, $$usage_set_tier('error-1', NULL)$$, $$usage_set_tier('error-1', 'pro', NULL)$$,
	$$usage_set_override(NULL, 1, user_id => 'error-1')$$, $$usage_set_override('prompts_daily', NULL, user_id => 'error-1')$$,
	$$usage_grant(NULL, 'app')$$, $$usage_grant(current_user, NULL)$$, $$usage_revoke(NULL)$$
]) WITH ORDINALITY AS t(e, n) ORDER BY n;

-- Null is nothing where a value may be.
SELECT usage_track('error-2', 'prompt', 1, NULL, NULL, NULL, NULL, NULL, NULL, 'success', NULL, NULL, NULL, NULL) > 0 AS tracked;
SELECT reason FROM usage_consume('error-2', 'prompt', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT reason FROM usage_enforce('error-2', 'prompt', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT reason FROM usage_check('error-2', 'prompt', 1, NULL, NULL);
SELECT reason FROM usage_consume_many('error-2', '{"prompt": 1}', NULL);
SELECT reason FROM usage_adjust('error-2', 'prompt', 1, NULL, NULL, NULL, NULL);

-- Empty, too long, negative, or no such value is 22023.  Ids are 1 to 255 bytes, types 1 to 50 characters.
SELECT replace(replace(e, repeat('x', 256), '256 x'), repeat('é', 128), '128 é') AS e, pg_temp.outcome(e) FROM unnest(ARRAY[
	$$usage_track('', 'prompt')$$, format('usage_track(%L, %L)', repeat('x', 256), 'prompt'), format('usage_track(%L, %L)', repeat('é', 128), 'prompt'),
	$$usage_track('error-3', '')$$, format('usage_track(%L, %L)', 'error-3', repeat('x', 51)), format('usage_track(%L, %L)', 'error-3', repeat('é', 51)),
	$$usage_track('error-3', 'prompt', -1)$$, $$usage_track('error-3', 'prompt', tokens_used => -1)$$,
	$$usage_track('error-3', 'prompt', credits_used => -1)$$, $$usage_track('error-3', 'prompt', duration_ms => -1)$$,
	format('usage_track(%L, %L, event_subtype => %L)', 'error-3', 'prompt', repeat('x', 256)),
	$$usage_track('error-3', 'prompt', status => '')$$, $$usage_track('error-3', 'prompt', status => 'done')$$, $$usage_track('error-3', 'prompt', status => 'SUCCESS')$$,
	$$usage_track('error-3', 'prompt', idempotency_key => '')$$, format('usage_track(%L, %L, idempotency_key => %L)', 'error-3', 'prompt', repeat('x', 256)),
	$$usage_check_limit('', 'prompts_daily')$$, $$usage_check_limit('error-3', '')$$, $$usage_check_limit('error-3', 'prompts_daily', -1)$$,
	format('usage_check_limit(%L, %L)', 'error-3', repeat('x', 256)),
	$$usage_check('', 'prompt')$$, $$usage_check('error-3', '')$$, $$usage_check('error-3', 'prompt', -1)$$, $$usage_check('error-3', 'prompt', tokens_used => -1)$$,
	format('usage_check(%L, %L, event_subtype => %L)', 'error-3', 'prompt', repeat('x', 256)),
	$$usage_consume('', 'prompt')$$, $$usage_consume('error-3', '')$$, $$usage_consume('error-3', 'prompt', -1)$$, $$usage_consume('error-3', 'prompt', idempotency_key => '')$$,
	$$usage_consume('error-3', 'prompt', tokens_used => -1)$$, $$usage_consume('error-3', 'prompt', credits_used => -1)$$, $$usage_consume('error-3', 'prompt', duration_ms => -1)$$,
	$$usage_enforce('', 'prompt')$$, $$usage_enforce('error-3', '')$$, $$usage_enforce('error-3', 'prompt', -1)$$,
	$$usage_consume_many('', '{"prompt": 1}')$$, $$usage_consume_many('error-3', '{"prompt": 1}', '')$$, $$usage_consume_many('error-3', '{"prompt": -1}')$$,
	$$usage_check_action('', 'export_video')$$, $$usage_check_action('error-3', '')$$,
	$$usage_adjust('', 'prompt', 1)$$, $$usage_adjust('error-3', '', 1)$$, $$usage_adjust('error-3', 'prompt', 1, idempotency_key => '')$$,
	$$usage_refund(1, -1)$$, $$usage_refund(1, 1, '')$$,
	$$usage_set_gauge('', 'storage_mb', 1)$$, $$usage_set_gauge('error-3', '', 1)$$, $$usage_set_gauge('error-3', 'storage_mb', -1)$$,
	$$usage_reset('', 'prompt')$$, $$usage_reset('error-3', '')$$,
	$$usage_status('')$$, format('usage_status(%L)', repeat('x', 256)),
	$$usage_grant(current_user, 'owner')$$, $$usage_grant('', 'app')$$, $$usage_revoke('')$$
]) WITH ORDINALITY AS t(e, n) ORDER BY n;

-- A limit's name, or its name without the period, is no usage type; nor is it where the limit counts another type.
SELECT name, pg_temp.outcome(format('usage_track(%L, %L)', 'error-4', name)) FROM unnest(ARRAY[
	'prompts', 'prompts_daily', 'exports', 'exports_monthly', 'projects', 'projects_total', 'api_calls', 'web_agent_daily'])
	WITH ORDINALITY AS t(name, n) ORDER BY n;
SELECT e, pg_temp.outcome(e) FROM unnest(ARRAY[
	$$usage_consume('error-4', 'prompts')$$, $$usage_enforce('error-4', 'prompts')$$, $$usage_check('error-4', 'prompts')$$,
	$$usage_adjust('error-4', 'prompts', 1)$$, $$usage_set_gauge('error-4', 'projects', 1)$$, $$usage_reset('error-4', 'prompts')$$,
	$$usage_consume_many('error-4', '{"prompts": 1}')$$
]) WITH ORDINALITY AS t(e, n) ORDER BY n;
-- a name that a type has as well is the type's
SELECT pg_temp.outcome($$usage_track('error-4', 'storage_mb')$$), pg_temp.outcome($$usage_track('error-4', 'web_agent')$$);
INSERT INTO usage_limits_config (limit_type, usage_type) VALUES ('of_prompts', 'prompts');
SELECT pg_temp.outcome($$usage_track('error-4', 'prompts')$$);
UPDATE usage_limits_config SET is_active = false WHERE limit_type = 'of_prompts';
SELECT pg_temp.outcome($$usage_track('error-4', 'prompts')$$);
DELETE FROM usage_limits_config WHERE limit_type = 'of_prompts';
-- a limit that is not active has no name to mistake
UPDATE usage_limits_config SET is_active = false WHERE limit_type = 'prompts_daily';
SELECT pg_temp.outcome($$usage_track('error-4', 'prompts_daily')$$);
UPDATE usage_limits_config SET is_active = true WHERE limit_type = 'prompts_daily';

-- What is open at once is not consumed.
SELECT e, pg_temp.outcome(e) FROM unnest(ARRAY[
	$$usage_track('error-5', 'concurrent_renders')$$, $$usage_consume('error-5', 'concurrent_renders')$$, $$usage_enforce('error-5', 'concurrent_renders')$$,
	$$usage_consume_many('error-5', '{"concurrent_renders": 1}')$$, $$usage_adjust('error-5', 'concurrent_renders', 1)$$,
	$$usage_set_gauge('error-5', 'concurrent_renders', 1)$$, $$usage_reset('error-5', 'concurrent_renders')$$, $$usage_check('error-5', 'concurrent_renders')$$
]) WITH ORDINALITY AS t(e, n) ORDER BY n;

-- An unknown name where one must exist is 42704.
SELECT e, pg_temp.outcome(e) FROM unnest(ARRAY[
	$$usage_set_tier('error-6', 'platinum')$$, $$usage_set_override('no_such_limit', 1, tier => 'free')$$, $$usage_refund(0)$$,
	$$usage_grant('regress_no_such_role', 'app')$$, $$usage_revoke('regress_no_such_role')$$
]) WITH ORDINALITY AS t(e, n) ORDER BY n;

-- In a read-only transaction what writes is 25006, what reads works.
CREATE TEMP TABLE read_only AS SELECT e, n FROM unnest(ARRAY[
	$$usage_track('error-7', 'prompt')$$, $$usage_consume('error-7', 'prompt')$$, $$usage_consume('error-7', 'prompt', 0)$$, $$usage_enforce('error-7', 'prompt')$$,
	$$usage_consume_many('error-7', '{"prompt": 1}')$$, $$usage_adjust('error-7', 'prompt', 1)$$, $$usage_refund(1)$$,
	$$usage_set_gauge('error-7', 'storage_mb', 1)$$, $$usage_reset('error-7', 'prompt')$$,
	$$usage_set_limit('errors_daily', 1)$$, $$usage_set_tier('error-7', 'pro')$$, $$usage_set_override('prompts_daily', 1, user_id => 'error-7')$$,
	$$usage_install_defaults()$$, $$usage_grant(current_user, 'app')$$, $$usage_revoke(current_user)$$, $$usage_maintain()$$,
	$$usage_check('error-7', 'prompt')$$, $$usage_check_limit('error-7', 'prompts_daily')$$, $$usage_check_action('error-7', 'export_video')$$,
	$$usage_status('error-7')$$, $$usage_limits_version()$$, $$usage_now()$$
]) WITH ORDINALITY AS t(e, n);
BEGIN READ ONLY;
SELECT e, pg_temp.outcome(e) FROM read_only ORDER BY n;
COMMIT;
-- also with the error of a track turned into a warning, which would not go away by itself
SET usage_limits.on_track_error = 'warning';
BEGIN READ ONLY;
SELECT usage_track('error-7', 'prompt');
ROLLBACK;
RESET usage_limits.on_track_error;
-- with tracking off nothing is written, so that nothing is refused
SET usage_limits.tracking_enabled = off;
BEGIN READ ONLY;
SELECT usage_track('error-7', 'prompt') AS event_id, (usage_consume('error-7', 'prompt')).reason;
COMMIT;
RESET usage_limits.tracking_enabled;

-- None of these left anything.
SELECT count(*) FROM usage_counters WHERE user_id IN ('error-1', 'error-3', 'error-5', 'error-6', 'error-7');
SELECT count(*) FROM usage_events WHERE user_id IN ('error-1', 'error-3', 'error-5', 'error-6', 'error-7');

-- The functions of our triggers serve no other purpose.
SELECT usage_limits_changed();
CREATE FUNCTION pg_temp.not_a_trigger() RETURNS int AS '$libdir/usage_limits', 'usage_limits_changed' LANGUAGE C;
SELECT pg_temp.not_a_trigger();

-- A partition without the indexes of the others is told of when it is looked into.
BEGIN;
CREATE TABLE usage_events_1899 (LIKE usage_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE usage_events ATTACH PARTITION usage_events_1899 FOR VALUES FROM ('1899-01-01') TO ('1900-01-01');
SELECT usage_refund(9223372036854775807);
ROLLBACK;
-- one may be partitioned itself
BEGIN;
CREATE TABLE usage_events_1899 (LIKE usage_events INCLUDING ALL) PARTITION BY LIST (user_id);
CREATE TABLE usage_events_1899_rest PARTITION OF usage_events_1899 DEFAULT;
CREATE INDEX ON usage_events_1899_rest (id);
CREATE INDEX ON usage_events_1899_rest (refund_of);
ALTER TABLE usage_events ATTACH PARTITION usage_events_1899 FOR VALUES FROM ('1899-01-01') TO ('1900-01-01');
SELECT usage_track('error-9', 'free_text', 3, occurred_at => '1899-12-31 12:00:00+00') AS event_id \gset
SELECT usage_type, requested FROM usage_refund(:event_id, 1);
SELECT usage_type, requested FROM usage_refund(:event_id);
ROLLBACK;
-- a partition's columns may be in other places than its parent's
BEGIN;
CREATE TABLE usage_events_1899 (gone int, LIKE usage_events INCLUDING ALL, PRIMARY KEY (id));
ALTER TABLE usage_events_1899 DROP COLUMN gone;
CREATE INDEX ON usage_events_1899 (refund_of);
ALTER TABLE usage_events ATTACH PARTITION usage_events_1899 FOR VALUES FROM ('1899-01-01') TO ('1900-01-01');
SELECT usage_track('error-8', 'free_text', 3, 'x', tokens_used => 9, occurred_at => '1899-12-31 12:00:00+00') AS event_id \gset
SELECT count(*) FROM usage_events_1899 WHERE id = :event_id;
SELECT usage_type, requested FROM usage_refund(:event_id, 1);
SELECT usage_type, requested FROM usage_refund(:event_id);
SELECT usage_type, requested FROM usage_refund(:event_id);
COMMIT;
SELECT event_subtype, amount, tokens_used FROM usage_counters WHERE user_id = 'error-8';
ALTER TABLE usage_events DETACH PARTITION usage_events_1899;
DROP TABLE usage_events_1899;
