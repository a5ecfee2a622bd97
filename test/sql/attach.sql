-- An attached table: its rows are the level of a gauge.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-11-03 10:30:00+00';
\set SHOW_CONTEXT never
SELECT limit_type, kind FROM usage_set_limit('attach_mb', 100);
CREATE VIEW pg_temp.levels AS
SELECT user_id, sum(amount) AS level FROM usage_counters WHERE usage_type = 'attach_mb' GROUP BY 1;

-- A table with rows is counted when it is attached, beyond a limit too.
CREATE TABLE files (id int PRIMARY KEY, owner text, "sizeMb" int, deleted boolean NOT NULL DEFAULT false);
INSERT INTO files SELECT g, 'at-' || g % 3, g * 10 FROM generate_series(1, 6) g;
INSERT INTO files VALUES (7, NULL, 1000, false), (8, 'at-1', NULL, false), (9, 'at-1', 1000, true), (10, 'at-9', 999, false);
SELECT usage_attach('files', 'attach_mb', 'owner', 'sizeMb', 'NOT deleted');
SELECT * FROM levels ORDER BY user_id;
SELECT * FROM usage_attachments();
SELECT tgname, tgtype, tgenabled FROM pg_trigger WHERE tgrelid = 'files'::regclass ORDER BY tgname;
SELECT user_id, operation, amount, status, error_message, metadata FROM usage_events WHERE event_type = 'attach_mb' ORDER BY user_id;
SELECT * FROM usage_drift();
-- once for each type
SELECT usage_attach('files', 'attach_mb', 'owner');
SELECT usage_attach('files', 'attach_count', 'owner');
SELECT target, usage_type, amount, predicate, state FROM usage_attachments();
SELECT usage_detach('files', 'attach_count');

-- INSERT: what fits, what does not, and what counts for nobody or nothing.
INSERT INTO files VALUES (11, 'at-0', 10);
INSERT INTO files VALUES (12, 'at-0', 0, false), (13, 'at-0', NULL, false), (14, NULL, 5000, false), (15, 'at-0', 5000, true);
INSERT INTO files VALUES (16, 'at-0', 0), (17, 'at-0', 1);
SELECT level FROM levels WHERE user_id = 'at-0';
DO $$ BEGIN INSERT INTO files VALUES (17, 'at-0', 1);
EXCEPTION WHEN SQLSTATE 'PT429' THEN RAISE NOTICE '% %', SQLSTATE, SQLERRM; END $$;
INSERT INTO files SELECT g, 'at-2', 3 FROM generate_series(20, 29) g;
-- all or nothing over several users
INSERT INTO files VALUES (30, 'at-1', 1), (31, 'at-2', 1), (32, 'at-0', 1);
SELECT count(*) FROM files WHERE id >= 30;
SELECT * FROM levels ORDER BY user_id;
-- a limit that is not hard is counted
SELECT enforcement FROM usage_set_limit('attach_mb', 100, enforcement => 'soft');
INSERT INTO files VALUES (33, 'at-0', 7);
SELECT enforcement FROM usage_set_limit('attach_mb', 100, enforcement => 'hard');
SELECT level FROM levels WHERE user_id = 'at-0';

-- UPDATE: amount, owner, predicate; down is never refused, beyond the limit neither.
UPDATE files SET "sizeMb" = "sizeMb" - 1 WHERE owner = 'at-9';
UPDATE files SET "sizeMb" = "sizeMb" + 1 WHERE owner = 'at-9';
UPDATE files SET "sizeMb" = 5 WHERE id = 33;
UPDATE files SET owner = 'at-1' WHERE id = 33;
UPDATE files SET deleted = true WHERE id = 11;
UPDATE files SET deleted = false WHERE id = 15;
UPDATE files SET deleted = false, "sizeMb" = 6 WHERE id = 15;
UPDATE files SET id = id + 100, owner = owner;
-- from one to the other and back, in one statement: the sum counts
UPDATE files SET owner = CASE owner WHEN 'at-1' THEN 'at-2' ELSE 'at-1' END WHERE owner IN ('at-1', 'at-2');
UPDATE files SET owner = NULL WHERE id = 110;
UPDATE files SET owner = 'at-9' WHERE id = 110;
UPDATE files SET owner = 'at-9', "sizeMb" = 99 WHERE id = 110;
SELECT * FROM levels ORDER BY user_id;
SELECT * FROM usage_drift();
-- a trigger before it may change what counts
CREATE FUNCTION pg_temp.double() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW."sizeMb" := 2 * OLD."sizeMb"; RETURN NEW; END $$;
CREATE TRIGGER double BEFORE UPDATE ON files FOR EACH ROW EXECUTE FUNCTION pg_temp.double();
UPDATE files SET id = 200 WHERE id = 101;
DROP TRIGGER double ON files;
SELECT * FROM usage_drift();

-- DELETE gives back, in the transaction at once.
DELETE FROM files WHERE id = 200;
BEGIN;
DELETE FROM files WHERE owner = 'at-9';
INSERT INTO files VALUES (40, 'at-9', 100);
INSERT INTO files VALUES (41, 'at-9', 1);
ROLLBACK;
BEGIN;
DELETE FROM files WHERE owner = 'at-9';
SAVEPOINT s;
INSERT INTO files VALUES (40, 'at-9', 100);
SELECT * FROM usage_drift();
ROLLBACK TO s;
INSERT INTO files VALUES (40, 'at-9', 90);
COMMIT;
SELECT level FROM levels WHERE user_id = 'at-9';
SELECT * FROM usage_drift();

-- COPY, ON CONFLICT, MERGE, data-modifying CTEs, cascades.
COPY files (id, owner, "sizeMb") FROM stdin;
50	at-50	60
51	at-50	40
\.
COPY files (id, owner, "sizeMb") FROM stdin;
52	at-50	1
\.
INSERT INTO files VALUES (50, 'at-51', 61), (53, 'at-51', 3) ON CONFLICT (id) DO NOTHING;
INSERT INTO files VALUES (50, 'at-50', 59), (54, 'at-50', 1) ON CONFLICT (id) DO UPDATE SET "sizeMb" = excluded."sizeMb";
MERGE INTO files f USING (VALUES (50, 10), (51, NULL), (55, 30)) v (id, size) ON f.id = v.id
	WHEN MATCHED AND v.size IS NULL THEN DELETE
	WHEN MATCHED THEN UPDATE SET "sizeMb" = v.size
	WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'at-50', v.size);
WITH gone AS (DELETE FROM files WHERE id = 54 RETURNING *) INSERT INTO files SELECT 56, owner, "sizeMb" FROM gone;
SELECT * FROM levels WHERE user_id >= 'at-50' ORDER BY user_id;
CREATE TABLE owners (name text PRIMARY KEY);
INSERT INTO owners SELECT DISTINCT owner FROM files WHERE owner IS NOT NULL;
ALTER TABLE files ADD FOREIGN KEY (owner) REFERENCES owners ON DELETE CASCADE ON UPDATE CASCADE;
DELETE FROM owners WHERE name = 'at-51';
UPDATE owners SET name = 'at-52' WHERE name = 'at-50';
SELECT * FROM levels WHERE user_id >= 'at-50' ORDER BY user_id;
ALTER TABLE files DROP CONSTRAINT files_owner_fkey;
DROP TABLE owners;
SELECT * FROM usage_drift();

-- The events: one a statement and user.
SELECT operation, amount, metadata FROM usage_events WHERE user_id = 'at-50' ORDER BY id;

-- TRUNCATE.
BEGIN;
TRUNCATE files;
SELECT * FROM usage_drift();
INSERT INTO files VALUES (1, 'at-0', 100);
ROLLBACK;
SELECT * FROM usage_drift();
TRUNCATE files;
SELECT * FROM levels WHERE level <> 0;
SELECT operation, amount, metadata FROM usage_events WHERE user_id = 'at-52' ORDER BY id DESC LIMIT 1;
-- a REPEATABLE READ transaction takes away what it does not see
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO files VALUES (1, 'at-0', 60);
SELECT current FROM usage_adjust('at-0', 'other', 1);
TRUNCATE files;
COMMIT;
SELECT * FROM usage_drift();

-- Rows that make no sense.
INSERT INTO files VALUES (60, 'at-6', -1);
INSERT INTO files VALUES (60, '', 1);
INSERT INTO files VALUES (60, repeat('x', 256), 1);
ALTER TABLE files ALTER "sizeMb" TYPE bigint;
INSERT INTO files VALUES (60, 'at-6', 1000000000000001);
SELECT * FROM files;

-- Drift: what nobody's triggers have seen; both are repaired.
INSERT INTO files VALUES (70, 'at-7', 10), (71, 'at-8', 20);
ALTER TABLE files DISABLE TRIGGER USER;
SELECT state FROM usage_attachments();
SELECT severity, what, hint FROM usage_doctor() WHERE what ~ 'attachment';
UPDATE files SET "sizeMb" = 300 WHERE owner = 'at-7';
DELETE FROM files WHERE owner = 'at-8';
INSERT INTO files VALUES (72, 'at-71', 5);
ALTER TABLE files ENABLE TRIGGER USER;
SELECT current FROM usage_adjust('at-72', 'attach_mb', 3, 'by hand');
SELECT * FROM usage_drift();
SELECT * FROM usage_drift('files');
BEGIN;
SELECT usage_repair('files');
SELECT * FROM usage_drift();
ROLLBACK;
SELECT usage_repair('files');
SELECT usage_repair('files');
SELECT * FROM usage_drift();
SELECT user_id, level FROM levels WHERE user_id ~ '^at-[78]' ORDER BY user_id;
SELECT user_id, operation, amount, error_message FROM usage_events WHERE error_message = 'repaired' ORDER BY user_id;
SET session_replication_role = replica;
INSERT INTO files VALUES (73, 'at-71', 1);
RESET session_replication_role;
SELECT * FROM usage_drift();
SELECT usage_repair('files');
-- a reset begins anew: the rows are there all the same
SELECT current FROM usage_reset('at-7', 'attach_mb');
SELECT * FROM usage_drift();
SELECT usage_repair('files');
SELECT * FROM usage_drift();

-- Several tables share a type, and a table has several types.
CREATE TABLE images (id int PRIMARY KEY, account uuid, bytes bigint);
INSERT INTO images VALUES (1, '00000000-0000-0000-0000-000000000001', 2500000), (2, '00000000-0000-0000-0000-000000000001', 400000);
SELECT usage_attach('images', 'attach_mb', 'account', 'ceil(bytes / 1000000.0)', 'bytes > 500000');
SELECT usage_attach('images', 'attach_image', 'account');
SELECT * FROM usage_attachments();
INSERT INTO images VALUES (3, '00000000-0000-0000-0000-000000000001', 1500000), (4, '00000000-0000-0000-0000-000000000001', 98000000);
INSERT INTO images VALUES (3, '00000000-0000-0000-0000-000000000001', 1500000), (4, '00000000-0000-0000-0000-000000000001', 0);
SELECT user_id, usage_type, sum(amount) FROM usage_counters WHERE user_id ~ '^0000' GROUP BY 1, 2 ORDER BY 2;
SELECT * FROM usage_drift();
ALTER TABLE images DISABLE TRIGGER USER;
DELETE FROM images WHERE id = 3;
ALTER TABLE images ENABLE TRIGGER USER;
SELECT * FROM usage_drift();
SELECT usage_repair('files');
SELECT * FROM usage_drift();
SELECT usage_repair('images');

-- An attachment goes where its table goes.
ALTER TABLE images RENAME TO pictures;
CREATE SCHEMA "attach other";
ALTER TABLE pictures SET SCHEMA "attach other";
INSERT INTO "attach other".pictures VALUES (5, '00000000-0000-0000-0000-000000000001', 1);
SELECT target, usage_type, state FROM usage_attachments();
-- the columns must stay: what does not count is not admitted
ALTER TABLE "attach other".pictures RENAME bytes TO size;
INSERT INTO "attach other".pictures VALUES (6, '00000000-0000-0000-0000-000000000001', 1);
SELECT usage_drift();
ALTER TABLE "attach other".pictures RENAME size TO bytes;
ALTER TABLE "attach other".pictures RENAME account TO owner;
INSERT INTO "attach other".pictures VALUES (6, '00000000-0000-0000-0000-000000000001', 1);
ALTER TABLE "attach other".pictures RENAME owner TO account;
INSERT INTO "attach other".pictures VALUES (6, '00000000-0000-0000-0000-000000000001', 1);
DROP TRIGGER usage_limits_attach_image_truncate ON "attach other".pictures;
SELECT target, usage_type, state FROM usage_attachments();
SELECT severity, what, hint FROM usage_doctor() WHERE what ~ 'attachment';
SELECT usage_repair('"attach other".pictures');
SELECT target, usage_type, state FROM usage_attachments();
DROP SCHEMA "attach other" CASCADE;
SELECT target, usage_type, state FROM usage_attachments();
-- the rows that went with it are drift
SELECT user_id, usage_type, counted, actual FROM usage_drift();
SELECT usage_repair('files');

-- While usage is not tracked nothing moves.
SET usage_limits.tracking_enabled = off;
INSERT INTO files VALUES (80, 'at-80', 1000);
SELECT usage_repair('files');
SELECT usage_attach('files', 'attach_other', 'owner');
RESET usage_limits.tracking_enabled;
SELECT * FROM usage_drift();
DELETE FROM files WHERE id = 80;
SELECT level FROM levels WHERE user_id = 'at-80';
SELECT usage_repair('files');
SET usage_limits.enforcement = off;
INSERT INTO files VALUES (80, 'at-80', 1000);
RESET usage_limits.enforcement;
SELECT level FROM levels WHERE user_id = 'at-80';

-- Detached it stays as it is.
SELECT usage_detach('files', 'attach_mb');
SELECT usage_detach('files', 'attach_mb');
INSERT INTO files VALUES (81, 'at-80', 1000);
SELECT level FROM levels WHERE user_id = 'at-80';
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'files'::regclass;
SELECT * FROM usage_attachments();
-- attached again it is as the rows are
SELECT usage_attach('files', 'attach_mb', 'owner');
SELECT user_id, level FROM levels WHERE user_id IN ('at-71', 'at-80') ORDER BY user_id;
DROP TABLE files;
SELECT * FROM usage_attachments();

-- Names as long as they get.
CREATE TABLE "a table with quite a long name, ""quoted"", as long as they can be" ("the owner's ""id""" int, "Größe" float8);
SELECT usage_attach('"a table with quite a long name, ""quoted"", as long as they can be"', repeat('ä', 50), 'the owner''s "id"', 'Größe');
SELECT usage_attach('"a table with quite a long name, ""quoted"", as long as they can be"', repeat('ä', 49) || 'b', 'the owner''s "id"', '"Größe" * 2', $$'\' <> E'\\\\'$$);
INSERT INTO "a table with quite a long name, ""quoted"", as long as they can be" VALUES (1, 1.4), (1, 1.6);
SELECT usage_type, amount, predicate, state FROM usage_attachments() ORDER BY amount;
SELECT usage_type, user_id, sum(amount) FROM usage_counters WHERE usage_type ~ 'ä' GROUP BY 1, 2 ORDER BY 3;
SELECT * FROM usage_drift();
DROP TABLE "a table with quite a long name, ""quoted"", as long as they can be";

-- Cleaning up.
DELETE FROM usage_limits_config WHERE limit_type = 'attach_mb';
