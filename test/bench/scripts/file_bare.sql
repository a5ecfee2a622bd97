\set key random(1, :keys)
INSERT INTO bare.files (owner, mb) VALUES ('user' || :key, 1);
