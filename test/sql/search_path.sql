-- Whatever lies earlier in the search_path, nothing of ours looks there.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2031-07-14 10:00:00+00';
\set SHOW_CONTEXT never
SELECT quote_ident(n.nspname) AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'usage_limits' \gset
SELECT limit_type, usage_type FROM usage_set_limit('path_daily', 10);
SELECT limit_type FROM usage_set_limit('path_hourly', 8);

-- A schema of traps: each of its functions and operators raises an error, each of its tables and views is not ours.
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
DO $$
DECLARE
	arg text;
	name text;
BEGIN
	-- operators that our statements use, for every type in them
	FOREACH arg IN ARRAY ARRAY['text', 'bigint', 'integer', 'timestamptz', 'timestamp', 'boolean', 'date', 'interval', 'numeric', 'bytea', 'oid', 'name', 'jsonb', '"char"', 'tid'] LOOP
		EXECUTE format('CREATE FUNCTION hostile.compare(a %s, b %1$s) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION ''trapped by an operator of %1$s''; END $f$', arg);
		EXECUTE format('CREATE FUNCTION hostile.compute(a %s, b %1$s) RETURNS %1$s LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION ''trapped by an operator of %1$s''; END $f$', arg);
		FOREACH name IN ARRAY ARRAY['=', '<>', '<', '<=', '>', '>=', '~', '~~', '~*', '^@', '@>', '!~~'] LOOP
			EXECUTE format('CREATE OPERATOR hostile.%s (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION = hostile.compare)', name, arg);
		END LOOP;
		FOREACH name IN ARRAY ARRAY['+', '-', '*', '/', '||', '%'] LOOP
			EXECUTE format('CREATE OPERATOR hostile.%s (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION = hostile.compute)', name, arg);
		END LOOP;
	END LOOP;
END $$;
CREATE FUNCTION hostile.add(a timestamptz, b interval) RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR hostile.+ (LEFTARG = timestamptz, RIGHTARG = interval, FUNCTION = hostile.add);
CREATE OPERATOR hostile.- (LEFTARG = timestamptz, RIGHTARG = interval, FUNCTION = hostile.add);

-- functions of the names and arguments of all that our statements call, and of all of ours
DO $$
DECLARE
	f record;
	kind text;
BEGIN
	FOR f IN SELECT p.oid, p.proname, pg_get_function_identity_arguments(p.oid) AS args, p.prorettype::regtype AS result, p.proretset,
				(SELECT string_agg(t::regtype::text, ', ') FROM unnest(p.proargtypes) t) AS types
			FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
			WHERE p.prokind = 'f' AND p.provariadic = 0 AND 'internal' <> ALL (coalesce(p.proargtypes::regtype[]::text[], '{}'))
				AND (n.nspname = 'pg_catalog' AND p.proname IN ('now', 'date_trunc', 'date_part', 'timezone', 'to_char', 'to_jsonb', 'clock_timestamp',
						'current_setting', 'set_config', 'left', 'lower', 'upper', 'replace', 'strpos', 'starts_with', 'char_length', 'octet_length', 'isfinite', 'abs', 'round', 'ceil', 'generate_series', 'quote_ident', 'nextval', 'currval')
					OR p.proname ~ '^usage_' AND p.oid IN (SELECT objid FROM pg_depend d WHERE d.deptype = 'e' AND d.classid = 'pg_proc'::regclass)) LOOP
		EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION ''trapped by a function''; END $f$',
			f.proname, coalesce(f.types, ''), CASE WHEN f.proretset THEN 'SETOF ' ELSE '' END || f.result);
	END LOOP;
	-- aggregates
	FOREACH kind IN ARRAY ARRAY['bigint', 'numeric', 'text', 'timestamptz'] LOOP
		EXECUTE format('CREATE FUNCTION hostile.collect(a %s, b %1$s) RETURNS %1$s LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION ''trapped by an aggregate''; END $f$', kind);
		EXECUTE format('CREATE AGGREGATE hostile.sum(%s) (SFUNC = hostile.collect, STYPE = %1$s)', kind);
		EXECUTE format('CREATE AGGREGATE hostile.min(%s) (SFUNC = hostile.collect, STYPE = %1$s)', kind);
		EXECUTE format('CREATE AGGREGATE hostile.max(%s) (SFUNC = hostile.collect, STYPE = %1$s)', kind);
		EXECUTE format('CREATE AGGREGATE hostile.count(%s) (SFUNC = hostile.collect, STYPE = %1$s)', kind);
	END LOOP;
	-- tables of the names of ours, without a column, in the schema and as temporary ones
	FOR f IN SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
			WHERE c.relname ~ '^(usage|user)_' AND c.relkind IN ('r', 'v', 'p') LOOP
		EXECUTE format('CREATE TABLE hostile.%I ()', f.relname);
		EXECUTE format('CREATE TEMP TABLE %I ()', f.relname);
	END LOOP;
	CREATE TABLE hostile.pg_extension ();
	CREATE TEMP TABLE pg_extension ();
	CREATE TEMP TABLE pg_class ();
	CREATE TEMP TABLE pg_inherits ();
END $$;
CREATE TYPE hostile.usage_decision AS (trapped boolean);
CREATE TYPE pg_temp.usage_decision AS (trapped boolean);
CREATE DOMAIN hostile.timestamptz AS integer;
CREATE DOMAIN hostile.int8 AS text CHECK (false);
CREATE DOMAIN pg_temp.text AS integer CHECK (false);
CREATE DOMAIN pg_temp.jsonb AS integer CHECK (false);
CREATE SEQUENCE hostile.usage_events_id_seq START 1000000000;
CREATE FUNCTION hostile.to_number(uuid) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped by a cast'; END $$;
CREATE CAST (uuid AS bigint) WITH FUNCTION hostile.to_number(uuid) AS IMPLICIT;

-- The traps work.
SET search_path = pg_temp, hostile, pg_catalog, public;
SELECT 1::pg_catalog.int8 = 1::pg_catalog.int8;
SELECT now();
SELECT usage_now();
SELECT uuid '00000000-0000-0000-0000-000000000001' OPERATOR(pg_catalog.=) 1::pg_catalog.int8;
TABLE usage_counters;

-- Every function of ours, under its full name.
SELECT :schema.usage_track('path-1', 'path') OPERATOR(pg_catalog.<) 1000000000 AS ours;
SELECT d.allowed, d.current, d.remaining FROM :schema.usage_consume('path-1', 'path', 2, event_subtype => 'a', idempotency_key => 'k') d;
SELECT d.allowed, d.current, d.event_id OPERATOR(pg_catalog.<) 1000000000 AS ours FROM :schema.usage_consume('path-1', 'path', 2, event_subtype => 'a', idempotency_key => 'k') d;
SELECT :schema.usage_track('path-1', 'path', 3, event_subtype => 'b', tokens_used => 10, metadata => '{"a": 1}') OPERATOR(pg_catalog.<) 1000000000 AS ours;
SELECT d.allowed, d.current, d.remaining FROM :schema.usage_enforce('path-1', 'path', 1) d;
SELECT d.allowed, d.reason, d.limit_type, d.current FROM :schema.usage_consume_many('path-1', '{"path": 1, "path_other": 2}') d;
SELECT d.allowed, d.reason, d.current FROM :schema.usage_consume('path-1', 'path', 4) d;
SELECT :schema.usage_enforce('path-1', 'path', 4);
SELECT d.allowed, d.current, d.hold_id FROM :schema.usage_hold('path-h', 'path', 2, hold_id => 'path-h-1') d;
SELECT d.allowed, d.current, d.hold_id FROM :schema.usage_hold('path-h', 'path', 2, hold_id => 'path-h-1') d;
SELECT :schema.usage_renew('path-h-1', '1 hour') OPERATOR(pg_catalog.>) :schema.usage_now() AS renewed;
SELECT h.hold_id, h.amount FROM :schema.usage_open_holds h WHERE h.user_id OPERATOR(pg_catalog.=) 'path-h';
SELECT d.allowed, d.current, d.event_id OPERATOR(pg_catalog.<) 1000000000 AS ours FROM :schema.usage_settle('path-h-1', 1) d;
SELECT :schema.usage_release('path-h-1');
SELECT :schema.usage_release(h.hold_id, 'failed') FROM :schema.usage_hold('path-h', 'path') h;
SELECT :schema.usage_release_all('path-h');
SELECT d.allowed, d.current FROM :schema.usage_check('path-1', 'path') d;
SELECT d.allowed, d.current FROM :schema.usage_check_limit('path-1', 'path_daily') d;
SELECT :schema.usage_check_action('path-1', 'export_video');
SELECT d.event_id AS event FROM :schema.usage_consume('path-2', 'path', 5) d \gset
SELECT d.current FROM :schema.usage_refund(:event, 2) d;
SELECT d.current FROM :schema.usage_adjust('path-2', 'path', -1, reason => 'wrong', idempotency_key => 'k') d;
SELECT d.current FROM :schema.usage_set_gauge('path-2', 'path_level', 7) d;
SELECT d.allowed, d.current FROM :schema.usage_reset('path-2', 'path_level') d;
SELECT d.allowed, d.current FROM :schema.usage_consume('path-2', 'path_level', 3) d;
SELECT r.limit_type, r.pro_tier_limit FROM :schema.usage_set_limit('path_daily', 20, tier => 'pro') r;
SELECT r.limit_value FROM :schema.usage_set_limit('path_weekly', 20) w, :schema.usage_set_override('path_daily', 15, user_id => 'path-1') r;
SELECT r.tier, r.status FROM :schema.usage_set_tier('path-1', 'pro', metadata => '{}') r;
SELECT s.limit_type, s.tier, s.current, s."limit", s.source FROM :schema.usage_status('path-1') s WHERE s.limit_type OPERATOR(pg_catalog.~) '^path' ORDER BY pg_catalog.array_position(ARRAY['path_daily', 'path_hourly', 'path_weekly'], s.limit_type);
SELECT :schema.usage_summary('path-1') OPERATOR(pg_catalog.->) 'path' AS path;
SELECT e.limit_type, e.applies, e.value, e.current FROM :schema.usage_explain('path-1', 'path') e;
SELECT :schema.usage_stats('path-1', 1) OPERATOR(pg_catalog.->) 'totals' AS totals;
SELECT t.user_id, t.total_usage FROM :schema.usage_top_users('path', 1) t;
SELECT t.usage_type, t.total_count, t.unique_users FROM :schema.usage_trends(1) t WHERE t.usage_type OPERATOR(pg_catalog.=) 'path';
SELECT :schema.usage_funnel(1) OPERATOR(pg_catalog.->) 'exportedVideo' AS exported;
SELECT r.event_type, r.total_events FROM :schema.usage_error_rates(1, 1) r WHERE r.event_type OPERATOR(pg_catalog.=) 'path';
SELECT d.tier, d.users FROM :schema.usage_distribution('path', 1) d;
SELECT pg_catalog.count(*) FROM :schema.usage_anomalies(7);
SELECT u.user_id, u.tier FROM :schema.usage_users('path-') u;
SELECT pg_catalog.bool_and(d.hint IS NOT NULL) AS hints FROM :schema.usage_doctor() d;
SELECT v.library_version OPERATOR(pg_catalog.=) v.sql_version AS same FROM :schema.usage_limits_version() v;
SELECT :schema.usage_now();
SELECT m.what FROM :schema.usage_maintain() m;
SELECT :schema.usage_install_defaults();
-- triggers, defaults and the view
INSERT INTO :schema.usage_limits_config (limit_type) VALUES ('path_monthly') RETURNING usage_type, kind, created_at;
UPDATE :schema.usage_limits_config SET is_active = false WHERE limit_type OPERATOR(pg_catalog.=) 'path_monthly';
DELETE FROM :schema.usage_limits_config WHERE limit_type OPERATOR(pg_catalog.=) 'path_monthly';
INSERT INTO :schema.user_subscriptions (user_id) VALUES ('path-3') RETURNING tier, started_at;
UPDATE :schema.user_subscriptions SET status = 'canceled' WHERE user_id OPERATOR(pg_catalog.=) 'path-3' RETURNING status_since;
INSERT INTO :schema.usage_types (usage_type) VALUES ('path_other') RETURNING log_events;
UPDATE :schema.user_usage SET count = 0;
SELECT u.user_id, u.usage_type, u.usage_date, u.count, u.metadata FROM :schema.user_usage u WHERE u.user_id OPERATOR(pg_catalog.~) '^path-';
SELECT :schema.usage_grant('pg_monitor', 'reader');
SELECT :schema.usage_revoke('pg_monitor');

-- Nothing was read from a trap, or written to one.
RESET search_path;
DROP CAST (uuid AS bigint);
SELECT last_value, is_called FROM hostile.usage_events_id_seq;
SELECT count(*) FROM hostile.usage_counters;
SELECT count(*) FROM pg_temp.usage_counters;
SET client_min_messages = warning;
DROP SCHEMA hostile CASCADE;
DISCARD TEMP;
RESET client_min_messages;
SELECT user_id, usage_type, slot, event_subtype, amount FROM usage_counters WHERE user_id ~ '^path-' ORDER BY 1, 2, 3, 4, 5;
SELECT user_id, event_type, operation, amount FROM usage_events WHERE user_id ~ '^path-' ORDER BY id;
DELETE FROM usage_limits_config WHERE limit_type ~ '^path_';
DELETE FROM usage_limit_overrides WHERE limit_type = 'path_daily';
DELETE FROM usage_types WHERE usage_type = 'path_other';
DELETE FROM user_subscriptions WHERE user_id ~ '^path-';
