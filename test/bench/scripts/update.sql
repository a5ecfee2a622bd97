\set key random(1, :keys)
UPDATE bare.counters SET count = count + 1 WHERE user_id = 'user' || :key;
