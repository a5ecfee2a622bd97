\set key random(1, :keys)
SELECT 1;
