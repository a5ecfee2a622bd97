-- Maintenance: partitions, slots, and what is forgotten.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never

-- Other files' rows are tidied first, and the year is one that no other file uses.
SET usage_limits.test_clock = '2060-11-20 12:00:00+00';
DO $$
BEGIN
	-- a run makes a number of partitions at most
	FOR run IN 1..20 LOOP
		EXIT WHEN (SELECT sum(count) FROM usage_maintain()) = 0;
	END LOOP;
END $$;
CREATE TEMP VIEW partitions AS
SELECT c.oid, c.relname::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'usage_events'::regclass;
CREATE TEMP VIEW maintain AS SELECT what, count FROM usage_maintain();

-- A partition for this month and each of the next twelve; a second run finds nothing to do.
SELECT count(*) FROM maintain;
SELECT name, bounds FROM partitions WHERE name >= 'usage_events_2060_11' AND name <> 'usage_events_default' ORDER BY name;
SELECT * FROM maintain;
-- a month later there is one to make
SET usage_limits.test_clock = '2060-12-01 00:00:00+00';
SELECT * FROM maintain WHERE count > 0;
SELECT max(name) FROM partitions WHERE name <> 'usage_events_default';

-- The parent has neither key nor index nor constraint; each partition has what the default partition has.
SELECT count(*) FROM pg_index WHERE indrelid = 'usage_events'::regclass;
SELECT count(*) FROM pg_constraint WHERE conrelid = 'usage_events'::regclass AND contype <> 'n';
SELECT replace(indexdef, 'usage_events_2061_12', '…') AS definition FROM (
	SELECT regexp_replace(pg_get_indexdef(x.indexrelid), 'ON \S.* USING', 'ON … USING') AS indexdef FROM pg_index x
	WHERE x.indrelid = (SELECT oid FROM partitions WHERE name = 'usage_events_2061_12')) i ORDER BY 1;
CREATE TEMP VIEW definitions AS
SELECT p.name, (SELECT array_agg(i.definition ORDER BY i.definition)
		FROM pg_index x, LATERAL (SELECT substring(pg_get_indexdef(x.indexrelid) FROM ' USING .*') || x.indisprimary AS definition) i WHERE x.indrelid = p.oid) AS indexes,
	(SELECT array_agg(pg_get_constraintdef(k.oid) ORDER BY pg_get_constraintdef(k.oid)) FROM pg_constraint k WHERE k.conrelid = p.oid AND k.contype <> 'n') AS constraints,
	(SELECT array_agg(format('%s %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation) ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = p.oid AND a.attnum > 0) AS columns
FROM partitions p;
SELECT d.name FROM definitions d, definitions m
WHERE m.name = 'usage_events_default' AND (d.indexes, d.columns) IS DISTINCT FROM (m.indexes, m.columns);
-- the CHECK that spared a scan is gone
SELECT DISTINCT constraints FROM definitions WHERE name <> 'usage_events_default';
SELECT count(DISTINCT c.relowner), count(*) FILTER (WHERE c.relacl IS NOT NULL) AS granted FROM pg_class c WHERE c.oid IN (SELECT oid FROM partitions);

-- Events go into the partition of their month, the first instant to the month that begins.
SELECT count(usage_track('maintain-1', 'maintain', occurred_at => at)) FROM unnest(ARRAY[timestamptz '2060-11-20 00:00+00', '2060-11-30 23:59:59.999999+00', '2060-12-01 00:00:00+00']) at;
SELECT tableoid::regclass::text ~ 'usage_events_2060_11' AS november, created_at FROM usage_events WHERE user_id = 'maintain-1' ORDER BY created_at;
SELECT count(*) FROM ONLY usage_events_default WHERE user_id ~ '^maintain';

-- Rows of months without a partition wait in the default partition; maintenance makes the months, past ones too, and moves them.
SET usage_limits.test_clock = '2062-03-15 00:00:00+00';
SELECT count(usage_track('maintain-2', 'maintain', 1 + n, event_subtype => 'say "' || n, metadata => jsonb_build_object('n', n), occurred_at => at))
FROM (VALUES (1, timestamptz '2058-02-28 23:59:59.999999+00'), (2, '2058-03-01 00:00+00'), (3, '2062-02-01 00:00+00'), (4, '2062-03-15 00:00:00+00'), (5, '2058-02-01 00:00+00'), (6, '1987-12-31 23:59+00')) v (n, at);
SELECT count(usage_track('maintain-3', 'maintain', occurred_at => '-infinity')) AS infinite;
SELECT count(*) FROM ONLY usage_events_default WHERE user_id ~ '^maintain';
CREATE TEMP TABLE before AS SELECT * FROM usage_events WHERE user_id ~ '^maintain';
SELECT * FROM maintain WHERE what IN ('partitions created', 'events moved');
SELECT count(*) FROM ONLY usage_events_default WHERE user_id ~ '^maintain';
SELECT substring(tableoid::regclass::text FROM 'usage_events_\d+_\d+') AS partition, created_at, amount FROM usage_events WHERE user_id = 'maintain-2' ORDER BY created_at;
SELECT count(*) FROM (SELECT * FROM before EXCEPT SELECT * FROM usage_events) lost;
SELECT count(*) = (SELECT count(*) FROM before) AS each_once FROM usage_events WHERE user_id ~ '^maintain';
SELECT * FROM maintain WHERE count > 0;
SELECT name FROM partitions WHERE name ~ '_(1987|2058|2062)_' ORDER BY name;
-- a moved event can be refunded
SELECT id FROM usage_events WHERE user_id = 'maintain-2' AND amount = 7 \gset
SELECT allowed FROM usage_refund(:id, 2);
SELECT operation, amount, refund_of = :id AS of_it FROM usage_events WHERE refund_of = :id;
-- whatever the session's time zone
SET timezone = 'Asia/Kathmandu';
SET datestyle = 'German, DMY';
SET usage_limits.test_clock = '2062-03-31 23:00:00+00';
SELECT * FROM maintain WHERE count > 0;
SET usage_limits.test_clock = '2062-04-01 00:00:00+00';
SELECT * FROM maintain WHERE count > 0;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT name, bounds FROM partitions ORDER BY name COLLATE "C" DESC OFFSET 1 LIMIT 1;

-- Folding: rows of other slots are added to slot 0; sums, first and last times stay.
INSERT INTO usage_counters (user_id, usage_type, bucket_start, event_subtype, slot, amount, tokens_used, credits_used, duration_ms, events, failed_events, cancelled_events, first_at, last_at)
SELECT 'maintain-4', 'maintain', timestamptz '2062-03-01 00:00+00' + b * interval '1 day', CASE WHEN b = 2 THEN s.subtype ELSE '' END, n, 1000 * n + b, n, 2 * n, 3 * n, 1, n % 2, n % 3,
	timestamptz '2062-03-01 00:00+00' + b * interval '1 day' + (10 - n) * interval '1 minute', timestamptz '2062-03-01 00:00+00' + b * interval '1 day' + n * interval '1 hour'
FROM generate_series(0, 5) n, generate_series(1, 3) b, (VALUES (''), ('a "b"')) s (subtype)
-- of bucket 3 there is no slot 0; only bucket 2 has subtypes
WHERE NOT (b = 3 AND n = 0) AND (b = 2 OR s.subtype = '');
CREATE TEMP VIEW sums AS SELECT bucket_start, event_subtype, sum(amount) AS amount, sum(tokens_used) AS tokens, sum(credits_used) AS credits, sum(duration_ms) AS duration,
	sum(events) AS events, sum(failed_events) AS failed, sum(cancelled_events) AS cancelled, min(first_at) AS first_at, max(last_at) AS last_at
FROM usage_counters WHERE user_id = 'maintain-4' GROUP BY 1, 2;
CREATE TEMP TABLE sums_before AS SELECT * FROM sums;
SELECT count(*), count(*) FILTER (WHERE slot <> 0) AS apart FROM usage_counters WHERE user_id = 'maintain-4';
SELECT * FROM maintain WHERE count > 0;
SELECT count(*), count(*) FILTER (WHERE slot <> 0) AS apart FROM usage_counters WHERE user_id = 'maintain-4';
SELECT * FROM sums EXCEPT SELECT * FROM sums_before;
SELECT * FROM sums_before EXCEPT SELECT * FROM sums;
SELECT * FROM maintain WHERE count > 0;
-- the first and the last use, not those of failed events, where there are uses
INSERT INTO usage_counters (user_id, usage_type, bucket_start, slot, amount, events, failed_events, first_at, last_at)
VALUES ('maintain-5', 'maintain', '2062-04-01 00:00+00', 3, 0, 0, 1, '2062-04-01 01:00+00', '2062-04-01 09:00+00'),
	('maintain-5', 'maintain', '2062-04-01 00:00+00', 4, 2, 1, 0, '2062-04-01 02:00+00', '2062-04-01 03:00+00'),
	('maintain-5', 'maintain', '2062-04-01 00:00+00', 5, -2, 0, 0, '2062-04-01 04:00+00', '2062-04-01 05:00+00');
SELECT * FROM maintain WHERE count > 0;
SELECT slot, amount, events, failed_events, first_at, last_at FROM usage_counters WHERE user_id = 'maintain-5';
-- what a limit sees is the same, and what is used next goes on
SELECT limit_type FROM usage_set_limit('maintain_total', 100);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT allowed, current FROM usage_consume('maintain-6', 'maintain', 60);
COMMIT;
SELECT allowed, current FROM usage_consume('maintain-6', 'maintain', 30);
SELECT * FROM maintain WHERE count > 0;
SELECT slot, amount, events FROM usage_counters WHERE user_id = 'maintain-6';
SELECT allowed, current FROM usage_consume('maintain-6', 'maintain', 11);
SELECT allowed, current FROM usage_consume('maintain-6', 'maintain', 10);
-- at any isolation level
INSERT INTO usage_counters (user_id, usage_type, bucket_start, slot, amount, events) VALUES ('maintain-5', 'maintain', '2062-04-01 00:00+00', 6, 5, 1);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM maintain WHERE count > 0;
COMMIT;
-- a key that is in use is left for the next run
INSERT INTO usage_counters (user_id, usage_type, bucket_start, slot, amount, events) VALUES ('maintain-5', 'maintain', '2062-04-01 00:00+00', 7, 3, 1);
BEGIN;
SELECT current FROM usage_consume('maintain-5', 'maintain', 1);
PREPARE TRANSACTION 'maintain';
SELECT * FROM maintain WHERE count > 0;
ROLLBACK PREPARED 'maintain';
SELECT * FROM maintain WHERE count > 0;

-- An idempotency key is forgotten once idempotency_retention is past.
SET usage_limits.test_clock = '2062-04-02 00:00:00+00';
SELECT allowed, current FROM usage_consume('maintain-7', 'maintain', 1, idempotency_key => 'k');
SET usage_limits.test_clock = '2062-04-09 00:00:00+00';
SELECT * FROM maintain WHERE count > 0;
SELECT allowed, current FROM usage_consume('maintain-7', 'maintain', 1, idempotency_key => 'k');
SET usage_limits.test_clock = '2062-04-09 00:00:00.000001+00';
SELECT * FROM maintain WHERE count > 0;
SELECT allowed, current FROM usage_consume('maintain-7', 'maintain', 1, idempotency_key => 'k');
SET usage_limits.idempotency_retention = '1h';
SET usage_limits.test_clock = '2062-04-09 02:00:00+00';
SELECT * FROM maintain WHERE count > 0;
RESET usage_limits.idempotency_retention;

-- Event rows past their retention: the type's own, else the setting's; counters stay.
SELECT count(usage_track('maintain-8', 'maintain_' || t, occurred_at => timestamptz '2062-04-09 02:00+00' - d * interval '1 day'))
FROM generate_series(0, 40, 10) d, unnest(ARRAY['short', 'long', 'other']) t;
SELECT * FROM maintain WHERE count > 0;
INSERT INTO usage_types (usage_type, retention) VALUES ('maintain_short', '10 days'), ('maintain_long', '30 days');
SELECT * FROM maintain WHERE count > 0;
SELECT event_type, count(*), min(created_at) FROM usage_events WHERE user_id = 'maintain-8' GROUP BY 1 ORDER BY 1;
SELECT * FROM maintain WHERE count > 0;
BEGIN;
SET LOCAL usage_limits.event_retention = '20d';
-- other files' events are older than that
SELECT count > 0 AS deleted FROM maintain WHERE what = 'events deleted';
SELECT event_type, count(*), min(created_at) FROM usage_events WHERE user_id = 'maintain-8' GROUP BY 1 ORDER BY 1;
SELECT count(*) AS older FROM usage_events e WHERE created_at < timestamptz '2062-04-09 02:00+00' - interval '20 days' AND event_type <> 'maintain_long';
ROLLBACK;
SELECT usage_type, sum(amount) FROM usage_counters WHERE user_id = 'maintain-8' GROUP BY 1 ORDER BY 1;

-- What maintenance did is undone with the transaction that it ran in.
SET usage_limits.test_clock = '2062-05-01 00:00:00+00';
BEGIN;
SELECT count FROM maintain WHERE what = 'partitions created';
ROLLBACK;
SELECT count FROM maintain WHERE what = 'partitions created';
BEGIN READ ONLY;
SELECT * FROM usage_maintain();
ROLLBACK;

DELETE FROM usage_limits_config WHERE limit_type = 'maintain_total';
DELETE FROM usage_types WHERE usage_type ~ '^maintain';
DELETE FROM usage_counters WHERE user_id ~ '^maintain-';
