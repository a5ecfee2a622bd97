-- Attached tables that have partitions or children, and tables that cannot be
-- attached.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-11-05 10:30:00+00';
\set SHOW_CONTEXT never
SELECT limit_type FROM usage_set_limit('tree_mb', 100);
CREATE VIEW pg_temp.levels AS
SELECT user_id, sum(amount) AS level FROM usage_counters WHERE usage_type = 'tree_mb' GROUP BY 1 HAVING sum(amount) <> 0;

-- Partitions, of two levels, one with its columns in another order.
CREATE TABLE parts (id int, owner text, mb int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (300) PARTITION BY RANGE (id);
CREATE TABLE parts_2a PARTITION OF parts_2 FOR VALUES FROM (100) TO (200);
CREATE TABLE parts_2b (gone int, mb int, owner text, id int);
ALTER TABLE parts_2b DROP gone;
ALTER TABLE parts_2 ATTACH PARTITION parts_2b FOR VALUES FROM (200) TO (300);
INSERT INTO parts VALUES (1, 'pt-1', 10), (101, 'pt-1', 20), (201, 'pt-2', 30);
SELECT usage_attach('parts_1', 'tree_mb', 'owner', 'mb');
SELECT usage_attach('parts_2', 'tree_mb', 'owner', 'mb');
SELECT usage_attach('parts', 'tree_mb', 'owner', 'mb', 'id <> 99');
SELECT * FROM levels ORDER BY 1;
SELECT * FROM usage_attachments();
SELECT tgrelid::regclass, count(*) FROM pg_trigger WHERE tgrelid::regclass::text ~ '^parts' GROUP BY 1 ORDER BY 1;
-- by the parent and by a partition
INSERT INTO parts VALUES (2, 'pt-1', 1), (102, 'pt-1', 1), (202, 'pt-1', 1);
INSERT INTO parts_2 VALUES (103, 'pt-1', 2), (203, 'pt-1', 2);
INSERT INTO parts_2b (mb, owner, id) VALUES (4, 'pt-1', 204);
INSERT INTO parts_1 VALUES (3, 'pt-1', 60);
COPY parts FROM stdin;
205	pt-2	1
5	pt-2	1
\.
COPY parts_2b (id, owner, mb) FROM stdin;
206	pt-2	1
\.
SELECT * FROM levels ORDER BY 1;
SELECT * FROM usage_drift();
-- a row that moves from partition to partition
UPDATE parts SET id = 207, owner = 'pt-3' WHERE id = 1;
UPDATE parts_2 SET id = 104, mb = 21 WHERE id = 207;
UPDATE parts_2b SET mb = 0 WHERE id = 206;
UPDATE parts_1 SET id = 99 WHERE id = 5;
MERGE INTO parts p USING (VALUES (104, 7), (8, 8)) v (id, mb) ON p.id = v.id
	WHEN MATCHED THEN UPDATE SET mb = v.mb WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'pt-3', v.mb);
DELETE FROM parts WHERE id = 201;
DELETE FROM parts_2a WHERE id = 101;
SELECT * FROM levels ORDER BY 1;
SELECT * FROM usage_drift();
-- TRUNCATE of one, and of all
TRUNCATE parts_2b;
SELECT * FROM usage_drift();
TRUNCATE parts;
SELECT * FROM levels;
SELECT * FROM usage_drift();
-- a partition that is new
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (300) TO (400);
SELECT target, state FROM usage_attachments();
INSERT INTO parts VALUES (301, 'pt-1', 5);
INSERT INTO parts_3 VALUES (302, 'pt-1', 5);
SELECT * FROM usage_drift();
SELECT usage_repair('parts');
SELECT target, state FROM usage_attachments();
INSERT INTO parts_3 VALUES (303, 'pt-1', 5);
SELECT * FROM usage_drift();
SELECT * FROM levels;
-- one that is detached: what is in it does not count any more
ALTER TABLE parts DETACH PARTITION parts_3;
INSERT INTO parts_3 VALUES (304, 'pt-1', 1000);
SELECT * FROM usage_drift();
SELECT usage_repair('parts');
SELECT * FROM levels;
SELECT usage_attach('parts_3', 'tree_mb', 'owner', 'mb');
SELECT usage_detach('parts_3', 'tree_mb');
SELECT usage_attach('parts_3', 'tree_mb', 'owner', 'mb');
SELECT * FROM levels;
SELECT target FROM usage_attachments();
SELECT usage_detach('parts_3', 'tree_mb');
DROP TABLE parts_3;
SELECT usage_repair('parts');
SELECT usage_detach('parts', 'tree_mb');
SELECT count(*) FROM pg_trigger WHERE tgrelid::regclass::text ~ '^parts';
DROP TABLE parts;

-- Children.
CREATE TABLE base (id int, owner text, mb int);
CREATE TABLE derived (extra text) INHERITS (base);
INSERT INTO base VALUES (1, 'in-1', 10);
INSERT INTO derived VALUES (2, 'in-1', 20);
SELECT usage_attach('derived', 'tree_mb', 'owner', 'mb');
SELECT usage_attach('base', 'tree_mb', 'owner', 'mb');
SELECT * FROM levels;
INSERT INTO derived VALUES (3, 'in-1', 5);
UPDATE base SET mb = mb + 1;
UPDATE ONLY base SET mb = mb + 1;
DELETE FROM base WHERE id = 3;
SELECT * FROM levels;
SELECT * FROM usage_drift();
TRUNCATE ONLY base;
SELECT * FROM levels;
TRUNCATE base;
SELECT * FROM levels;
INSERT INTO derived VALUES (4, 'in-1', 5);
ALTER TABLE derived NO INHERIT base;
INSERT INTO derived VALUES (5, 'in-1', 500);
SELECT * FROM usage_drift();
SELECT usage_repair('base');
-- other owners' tables below it
CREATE ROLE regress_attach_other;
CREATE TABLE others () INHERITS (base);
ALTER TABLE others OWNER TO regress_attach_other;
SELECT usage_repair('base');
ALTER TABLE others OWNER TO CURRENT_USER;
SELECT usage_repair('base');
DROP TABLE derived, others, base;
DROP ROLE regress_attach_other;

-- What cannot be attached.
CREATE TEMP TABLE temporary (owner text);
SELECT usage_attach('temporary', 'tree_mb', 'owner');
CREATE VIEW a_view AS SELECT 'x'::text AS owner;
SELECT usage_attach('a_view', 'tree_mb', 'owner');
DROP VIEW a_view;
CREATE MATERIALIZED VIEW a_matview AS SELECT 'x'::text AS owner;
SELECT usage_attach('a_matview', 'tree_mb', 'owner');
DROP MATERIALIZED VIEW a_matview;
CREATE SEQUENCE a_sequence;
SELECT usage_attach('a_sequence', 'tree_mb', 'last_value');
DROP SEQUENCE a_sequence;
CREATE TABLE a_table (owner text PRIMARY KEY);
SELECT usage_attach('a_table_pkey', 'tree_mb', 'owner');
DROP TABLE a_table;
SELECT usage_attach('pg_class', 'tree_mb', 'relname');
SELECT usage_attach('usage_events', 'tree_mb', 'user_id');
SELECT usage_attach('usage_events_default', 'tree_mb', 'user_id');
SELECT usage_attach('usage_counters', 'tree_mb', 'user_id');
CREATE FOREIGN DATA WRAPPER attach_wrapper;
CREATE SERVER attach_server FOREIGN DATA WRAPPER attach_wrapper;
CREATE FOREIGN TABLE a_foreign (id int, owner text) SERVER attach_server;
SELECT usage_attach('a_foreign', 'tree_mb', 'owner');
CREATE TABLE parts (id int, owner text) PARTITION BY RANGE (id);
ALTER TABLE parts ATTACH PARTITION a_foreign FOR VALUES FROM (1) TO (2);
SELECT usage_attach('parts', 'tree_mb', 'owner');
DROP TABLE parts;
DROP FOREIGN DATA WRAPPER attach_wrapper CASCADE;
-- unlogged ones can
CREATE UNLOGGED TABLE unlogged (owner text);
SELECT usage_attach('unlogged', 'tree_mb', 'owner');
INSERT INTO unlogged VALUES ('un-1');
SELECT * FROM levels;
DROP TABLE unlogged;
SELECT * FROM usage_attachments();
DELETE FROM usage_limits_config WHERE limit_type = 'tree_mb';
