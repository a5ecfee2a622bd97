\set key random(1, :keys)
INSERT INTO bare.files (owner, mb) SELECT 'user' || :key, 1 FROM generate_series(1, 10000);
