-- Requests with a key are admitted once; a repeat gets the first answer.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, limit_type, requested, current, "limit", remaining, reset_at'

-- usage_consume: the same request again, whatever has happened since.
SELECT to_jsonb(d) AS first FROM usage_consume('once-1', 'export', 2, 'mp4', tokens_used => 5, idempotency_key => 'k') d \gset
SELECT :decision FROM usage_consume('once-1', 'export', 1);
SELECT to_jsonb(d) = :'first' AS same_answer FROM usage_consume('once-1', 'export', 2, 'mp4', tokens_used => 5, idempotency_key => 'k') d;
SET usage_limits.test_clock = '2025-03-13 10:30:00+00';
SELECT to_jsonb(d) = :'first' AS same_answer FROM usage_consume('once-1', 'export', 2, 'mp4', tokens_used => 5, idempotency_key => 'k') d;
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
SELECT count FROM user_usage WHERE user_id = 'once-1';
SELECT count(*) FROM usage_events WHERE user_id = 'once-1';
-- metadata, times, durations and ids of projects may differ: it is the same request
SELECT to_jsonb(d) = :'first' AS same_answer FROM usage_consume('once-1', 'export', 2, 'mp4', '11111111-2222-3333-4444-555555555555',
	tokens_used => 5, duration_ms => 9, metadata => '{"try": 2}', idempotency_key => 'k') d;

-- Another request under the key is 23505.
SELECT usage_consume('once-1', 'export', 1, 'mp4', tokens_used => 5, idempotency_key => 'k');
\echo :LAST_ERROR_SQLSTATE
SELECT usage_consume('once-1', 'export', 2, 'gif', tokens_used => 5, idempotency_key => 'k');
SELECT usage_consume('once-1', 'export', 2, tokens_used => 5, idempotency_key => 'k');
SELECT usage_consume('once-1', 'export', 2, 'mp4', tokens_used => 6, idempotency_key => 'k');
SELECT usage_consume('once-1', 'export', 2, 'mp4', idempotency_key => 'k');
SELECT usage_consume('once-1', 'export', 2, 'mp4', tokens_used => 5, credits_used => 1, idempotency_key => 'k');
SELECT usage_consume('once-1', 'prompt', 2, 'mp4', tokens_used => 5, idempotency_key => 'k');
SELECT usage_enforce('once-1', 'export', 2, 'mp4', tokens_used => 5, idempotency_key => 'k');
SELECT usage_track('once-1', 'export', 2, 'mp4', tokens_used => 5, idempotency_key => 'k');
SELECT usage_consume_many('once-1', '[{"usage_type": "export", "amount": 2, "event_subtype": "mp4", "tokens_used": 5}]', 'k');
SELECT usage_adjust('once-1', 'export', 2, event_subtype => 'mp4', idempotency_key => 'k');
-- fields that read alike when put together are told apart
SELECT reason FROM usage_consume('once-2', 'ab', 1, 'c', idempotency_key => 'k');
SELECT usage_consume('once-2', 'a', 1, 'bc', idempotency_key => 'k');
-- other users and other keys have nothing to do with it
SELECT :decision FROM usage_consume('once-3', 'export', 1, idempotency_key => 'k');
SELECT :decision FROM usage_consume('once-3', 'export', 1, idempotency_key => 'K');
SELECT :decision FROM usage_consume('once-3', 'export', 1, idempotency_key => 'it''s "k"');

-- A denied request leaves nothing: its retry is decided anew.
SELECT :decision FROM usage_consume('once-3', 'export', 1, idempotency_key => 'later');
SELECT count(*) FROM usage_idempotency WHERE user_id = 'once-3' AND key = 'later';
SET usage_limits.test_clock = '2025-03-13 00:00:00+00';
SELECT :decision FROM usage_consume('once-3', 'export', 1, idempotency_key => 'later');
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
SELECT usage_enforce('once-3', 'export', 1, idempotency_key => 'never');
SELECT count(*) FROM usage_idempotency WHERE user_id = 'once-3' AND key = 'never';

-- usage_track gives the same event's id; one without an event, null again.
SELECT usage_track('once-4', 'prompt', 2, idempotency_key => 'k') AS first \gset
SELECT usage_track('once-4', 'prompt', 2, idempotency_key => 'k', occurred_at => '2025-03-11 10:00:00+00', status => 'success', error_message => 'x') = :first AS same;
SELECT count FROM user_usage WHERE user_id = 'once-4';
SET usage_limits.analytics_enabled = off;
SELECT usage_track('once-4', 'prompt', 3, idempotency_key => 'k2') AS event_id;
RESET usage_limits.analytics_enabled;
SELECT usage_track('once-4', 'prompt', 3, idempotency_key => 'k2') AS event_id;
SELECT count FROM user_usage WHERE user_id = 'once-4';

-- usage_enforce, usage_consume_many, usage_adjust.
SELECT to_jsonb(d) AS first FROM usage_enforce('once-5', 'export', 2, idempotency_key => 'k') d \gset
SELECT to_jsonb(d) = :'first' AS same_answer FROM usage_enforce('once-5', 'export', 2, idempotency_key => 'k') d;
SELECT to_jsonb(d) AS first FROM usage_consume_many('once-5', '{"export": 1, "prompt": 2}', 'k2') d \gset
SELECT to_jsonb(d) = :'first' AS same_answer FROM usage_consume_many('once-5', '{"prompt": 2, "export": 1}', 'k2') d;
SELECT usage_consume_many('once-5', '{"prompt": 1, "export": 1}', 'k2');
SELECT to_jsonb(d) AS first FROM usage_adjust('once-5', 'export', -2, 'oops', idempotency_key => 'k3') d \gset
SELECT to_jsonb(d) = :'first' AS same_answer FROM usage_adjust('once-5', 'export', -2, 'again', idempotency_key => 'k3') d;
SELECT usage_adjust('once-5', 'export', 2, idempotency_key => 'k3');
SELECT usage_type, count FROM user_usage WHERE user_id = 'once-5' ORDER BY usage_type;

-- Amount 0 asks, and is remembered as any admitted request.
SELECT :decision FROM usage_consume('once-6', 'export', 0, idempotency_key => 'k');
SELECT allowed FROM usage_consume('once-6', 'export', 3);
SELECT :decision FROM usage_consume('once-6', 'export', 0, idempotency_key => 'k');

-- What rolls back is forgotten.
BEGIN;
SELECT :decision FROM usage_consume('once-7', 'export', 2, idempotency_key => 'k');
SELECT :decision FROM usage_consume('once-7', 'export', 2, idempotency_key => 'k');
ROLLBACK;
SELECT :decision FROM usage_consume('once-7', 'export', 1, idempotency_key => 'k');
BEGIN;
SAVEPOINT s;
SELECT :decision FROM usage_consume('once-7', 'export', 1, idempotency_key => 'k2');
ROLLBACK TO s;
SELECT :decision FROM usage_consume('once-7', 'export', 2, idempotency_key => 'k2');
COMMIT;
SELECT count FROM user_usage WHERE user_id = 'once-7';

-- Also in transactions whose snapshot is older.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT :decision FROM usage_consume('once-8', 'export', 1, idempotency_key => 'k');
SELECT :decision FROM usage_consume('once-8', 'export', 1, idempotency_key => 'k');
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT :decision FROM usage_consume('once-8', 'export', 1, idempotency_key => 'k');
COMMIT;
SELECT count FROM user_usage WHERE user_id = 'once-8';

-- A key is forgotten after the retention, to the instant.
SET usage_limits.idempotency_retention = '1h';
SELECT :decision FROM usage_consume('once-9', 'prompt', 1, idempotency_key => 'k');
SET usage_limits.test_clock = '2025-03-12 11:29:59.999999+00';
SELECT :decision FROM usage_consume('once-9', 'prompt', 1, idempotency_key => 'k');
SELECT usage_consume('once-9', 'prompt', 2, idempotency_key => 'k');
SET usage_limits.test_clock = '2025-03-12 11:30:00+00';
SELECT :decision FROM usage_consume('once-9', 'prompt', 2, idempotency_key => 'k');
SELECT created_at FROM usage_idempotency WHERE user_id = 'once-9';
RESET usage_limits.idempotency_retention;
SHOW usage_limits.idempotency_retention;
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';

-- With a relaxed limit a key is not possible.
INSERT INTO usage_limits_config (limit_type, durability, free_tier_limit) VALUES ('pings_daily', 'relaxed', 3);
SELECT usage_consume('once-10', 'ping', idempotency_key => 'k');
\echo :LAST_ERROR_SQLSTATE
SELECT usage_consume_many('once-10', '{"prompt": 1, "ping": 1}', 'k');
SELECT :decision FROM usage_consume('once-10', 'ping', 3);
SELECT :decision FROM usage_consume('once-10', 'ping', 1);
DELETE FROM usage_limits_config WHERE limit_type = 'pings_daily';

-- With tracking off a key is not looked at.
SET usage_limits.tracking_enabled = off;
SELECT reason FROM usage_consume('once-1', 'export', 1, idempotency_key => 'k');
RESET usage_limits.tracking_enabled;
