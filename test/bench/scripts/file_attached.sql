\set key random(1, :keys)
INSERT INTO attached.files (owner, mb) VALUES ('user' || :key, 1);
