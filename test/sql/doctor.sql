-- What is worth an administrator's attention: usage_doctor.
SET timezone = 'UTC';
\set SHOW_CONTEXT never

-- The clock is set so that nothing that other tests did is of these days, and what they left is taken away.
DELETE FROM usage_events_default;
SET usage_limits.test_clock = '2045-10-01 00:00:00+00';
SELECT * FROM usage_maintain() WHERE what = 'partitions created';
SET usage_limits.test_clock = '2045-11-20 12:00:00+00';
CREATE TEMP TABLE findings AS SELECT * FROM usage_doctor();
-- whether the library is preloaded is the server's
SELECT severity, what, hint FROM findings WHERE what <> 'the library is not preloaded' AND what NOT LIKE 'usage type % is tracked and has no limit';
SELECT count(*) FILTER (WHERE what = 'the library is not preloaded' AND severity = 'info')
	= CASE WHEN current_setting('shared_preload_libraries') ~ 'usage_limits' THEN 0 ELSE 1 END AS tells_of_preloading FROM findings;
CREATE TEMP VIEW doctor AS SELECT severity, what, hint FROM usage_doctor() EXCEPT ALL SELECT severity, what, hint FROM findings ORDER BY 1, 2;

-- A type that is tracked and has no limit, until it gets one, or is said to need none.
SELECT usage_track('doctor-1', 'doctor_a', occurred_at => '2045-10-22 00:00+00') > 0 AND usage_track('doctor-1', 'doctor_b "x"') > 0 AND usage_track('doctor-1', 'prompt') > 0 AS tracked;
SELECT * FROM doctor;
SELECT limit_type, usage_type FROM usage_set_limit('doctor_a_daily', 5);
SELECT what FROM doctor;
INSERT INTO usage_types (usage_type) VALUES ('doctor_b "x"');
SELECT what FROM doctor;
-- an inactive limit is none
UPDATE usage_limits_config SET is_active = false WHERE limit_type = 'doctor_a_daily';
SELECT what FROM doctor;
-- and what was tracked more than 30 dates ago is past
SET usage_limits.test_clock = '2045-11-21 00:00:00+00';
SELECT what FROM doctor;
DELETE FROM usage_limits_config WHERE limit_type = 'doctor_a_daily';
DELETE FROM usage_types WHERE usage_type = 'doctor_b "x"';
DELETE FROM usage_counters WHERE user_id = 'doctor-1';

-- Partitions: of this month and of the next.
SET usage_limits.test_clock = '2046-09-30 23:59:59+00';
SELECT * FROM doctor;
SET usage_limits.test_clock = '2046-10-01 00:00:00+00';
SELECT * FROM doctor;
SET usage_limits.test_clock = '2046-11-30 23:59:59+00';
SELECT what FROM doctor;
-- rows that lie in the default partition
SELECT usage_track('doctor-2', 'prompt') > 0 AS tracked;
SELECT * FROM doctor;
SELECT * FROM usage_maintain() WHERE what IN ('partitions created', 'events moved');
SELECT * FROM doctor;

-- Values that a setting hides: of limits that are there and tiers that have a value in the table, each once.
SET usage_limits.overrides = 'prompts_daily.free=10, prompts_daily.free = 20,	exports_daily.pro= -1,exports_daily.gold=5,nothing_daily.free=3';
SELECT * FROM doctor;
RESET usage_limits.overrides;
SELECT * FROM doctor;

-- A transaction that was prepared more than an hour ago.
BEGIN;
SELECT count(*) FROM usage_consume('doctor-3', 'prompt');
PREPARE TRANSACTION 'usage_limits doctor';
SELECT prepared + interval '1 hour' AS hour FROM pg_prepared_xacts WHERE gid = 'usage_limits doctor' \gset
SET usage_limits.test_clock = :'hour';
SELECT severity, what, hint FROM usage_doctor() WHERE what LIKE 'transaction %';
SELECT timestamptz :'hour' + interval '1 microsecond' AS later \gset
SET usage_limits.test_clock = :'later';
SELECT severity, regexp_replace(what, 'since .*', 'since …') AS what, hint FROM usage_doctor() WHERE what LIKE 'transaction %';
ROLLBACK PREPARED 'usage_limits doctor';
SELECT count(*) FROM usage_doctor() WHERE what LIKE 'transaction %';

-- SQL objects of another version than the library's.
SET usage_limits.test_clock = '2046-11-30 23:59:59+00';
BEGIN;
UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'usage_limits';
SELECT severity, regexp_replace(what, 'version \d+\.\d+\.\d+', 'version …') AS what, hint FROM doctor;
ROLLBACK;
SELECT * FROM doctor;

-- It answers in a session that has not used the extension before, whatever was set there before the library was loaded.
\c -
SET usage_limits.overrides = 'prompts_daily.free=10';
SELECT count(*) FROM usage_doctor() WHERE what LIKE '%overrides%';
RESET usage_limits.overrides;
