\set key random(1, :keys)
INSERT INTO bare.log (user_id, count) VALUES ('user' || :key, 1);
