-- An event is put into its partition without a statement, unless something hangs
-- on the table that only a statement heeds.
\set ON_ERROR_STOP on
SELECT count(*) > 0 AS partitions FROM usage_maintain() WHERE what = 'partitions created';
SELECT to_char(usage_now() AT TIME ZONE 'UTC', '"usage_events_"YYYY_MM') AS month \gset
CREATE VIEW gizmos AS SELECT user_id, event_subtype, tokens_used, status, metadata, amount, tableoid::regclass::text = current_schema() || '.' || :'month' OR tableoid::regclass::text = :'month' AS in_month FROM usage_events WHERE event_type = 'gizmo';

-- all columns, and every index
SELECT usage_track('ann', 'gizmo', 3, event_subtype => 'big', tokens_used => 7, status => 'failed', error_message => 'no', metadata => jsonb_build_object('long', repeat('x', 10000))) AS id \gset
SELECT user_id, event_subtype, tokens_used, status, length(metadata ->> 'long'), amount, in_month FROM gizmos;
SET enable_seqscan = off;
SELECT amount FROM usage_events WHERE id = :id;
SELECT amount FROM usage_events WHERE user_id = 'ann' AND event_type = 'gizmo' AND created_at > usage_now() - interval '1 hour';
SELECT amount FROM usage_events WHERE event_type = 'gizmo' AND event_subtype = 'big';
SELECT usage_track('ann', 'gizmo', 5) AS id \gset
SELECT allowed FROM usage_refund(:id, 2);
SELECT amount, operation FROM usage_events WHERE refund_of = :id;
RESET enable_seqscan;

-- the rest of the transaction sees it, and a savepoint takes it back
BEGIN;
SELECT usage_track('bob', 'gizmo') IS NOT NULL AS tracked;
SELECT count(*) FROM gizmos WHERE user_id = 'bob';
SAVEPOINT a;
SELECT usage_track('bob', 'gizmo') IS NOT NULL AS tracked;
ROLLBACK TO a;
SELECT count(*) FROM gizmos WHERE user_id = 'bob';
COMMIT;
SELECT count(*) FROM gizmos WHERE user_id = 'bob';

-- a month without a partition has the default one
SELECT usage_track('old', 'gizmo', occurred_at => '2001-05-05') IS NOT NULL AS tracked;
SELECT count(*) FROM usage_events_default WHERE user_id = 'old';

-- triggers of the administrator's fire, of the partition and of the whole
CREATE FUNCTION regress_event_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE '% %', TG_WHEN, TG_LEVEL;
	RETURN NEW;
END $$;
CREATE TRIGGER note_row BEFORE INSERT ON :month FOR EACH ROW EXECUTE FUNCTION regress_event_note();
SELECT usage_track('ann', 'gizmo') IS NOT NULL AS tracked;
DROP TRIGGER note_row ON :month;
CREATE TRIGGER note_statement AFTER INSERT ON usage_events FOR EACH STATEMENT EXECUTE FUNCTION regress_event_note();
SELECT usage_track('ann', 'gizmo') IS NOT NULL AS tracked;
DROP TRIGGER note_statement ON usage_events;

-- so do rules, constraints, and what an index evaluates as our owner
CREATE RULE quiet AS ON INSERT TO usage_events WHERE NEW.user_id = 'quiet' DO INSTEAD NOTHING;
SELECT usage_track('quiet', 'gizmo') IS NOT NULL AS tracked;
SELECT count(*) FROM gizmos WHERE user_id = 'quiet';
DROP RULE quiet ON usage_events;
\set ON_ERROR_STOP off
\set VERBOSITY sqlstate
ALTER TABLE usage_events ADD CONSTRAINT few CHECK (event_type <> 'gizmo' OR amount < 100);
SELECT usage_track('ann', 'gizmo', 100);
ALTER TABLE usage_events DROP CONSTRAINT few;
BEGIN;
UPDATE :month SET project_id = '00000000-0000-0000-0000-000000000001';
ALTER TABLE :month ALTER project_id SET NOT NULL;
SELECT usage_track('ann', 'gizmo') IS NOT NULL AS tracked;
ROLLBACK;
\set VERBOSITY default
\set ON_ERROR_STOP on
CREATE FUNCTION regress_event_owner(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF $1 = 'cancelled' THEN
		RAISE NOTICE 'evaluated by %', CASE WHEN current_user = session_user THEN 'the session''s user' ELSE 'our owner' END;
	END IF;
	RETURN $1;
END $$;
SET client_min_messages = warning;
CREATE INDEX regress_expression ON :month (regress_event_owner(status));
RESET client_min_messages;
CREATE ROLE regress_eventer;
DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO regress_eventer', current_schema()); END $$;
SELECT count(usage_grant('regress_eventer', 'app'));
SET SESSION AUTHORIZATION regress_eventer;
SELECT usage_track('ann', 'gizmo', status => 'cancelled') IS NOT NULL AS tracked;
RESET SESSION AUTHORIZATION;
DROP INDEX regress_expression;
SET client_min_messages = warning;
CREATE INDEX regress_condition ON :month (id) WHERE regress_event_owner(status) = 'failed';
RESET client_min_messages;
SET SESSION AUTHORIZATION regress_eventer;
SELECT usage_track('ann', 'gizmo', status => 'cancelled') IS NOT NULL AS tracked;
RESET SESSION AUTHORIZATION;
DROP INDEX regress_condition;

-- columns of his are filled by what he says
ALTER TABLE usage_events ADD COLUMN region text DEFAULT 'here';
SELECT usage_track('cat', 'gizmo') IS NOT NULL AS tracked;
SELECT region FROM usage_events WHERE user_id = 'cat' AND event_type = 'gizmo';
ALTER TABLE usage_events DROP COLUMN region;
SELECT usage_track('dan', 'gizmo', 4) IS NOT NULL AS tracked;
SELECT amount, in_month FROM gizmos WHERE user_id = 'dan';

-- a partition whose columns are in another order
CREATE TABLE regress_odd (LIKE usage_events_default INCLUDING DEFAULTS);
ALTER TABLE regress_odd DROP COLUMN amount, ADD COLUMN amount bigint NOT NULL DEFAULT 1;
ALTER TABLE usage_events ATTACH PARTITION regress_odd FOR VALUES FROM ('1999-05-01') TO ('1999-06-01');
SELECT usage_track('odd', 'gizmo', 9, occurred_at => '1999-05-05') IS NOT NULL AS tracked;
SELECT tableoid::regclass::text LIKE '%regress_odd' AS odd, amount FROM usage_events WHERE user_id = 'odd';
ALTER TABLE usage_events DETACH PARTITION regress_odd;

DROP VIEW gizmos;
DROP TABLE regress_odd;
DROP FUNCTION regress_event_note(), regress_event_owner(text);
DROP OWNED BY regress_eventer;
DROP ROLE regress_eventer;
DELETE FROM usage_counters WHERE usage_type LIKE 'gizmo%';
DELETE FROM usage_events WHERE event_type LIKE 'gizmo%';
