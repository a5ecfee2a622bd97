\set key random(1, :keys)
BEGIN;
INSERT INTO bare.counters AS c (user_id, count) VALUES ('user' || :key, 1)
ON CONFLICT (user_id) DO UPDATE SET count = c.count + 1 WHERE c.count < 1000000000 RETURNING count;
\sleep 20 ms
COMMIT;
