\set key random(1, :keys)
BEGIN;
SELECT allowed FROM usage.usage_consume('user' || :key, 'ping');
\sleep 20 ms
COMMIT;
