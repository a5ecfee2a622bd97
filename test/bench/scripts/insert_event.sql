\set key random(1, :keys)
INSERT INTO bare.events (user_id, event_type, event_subtype, created_at, bucket_start)
VALUES ('user' || :key, 'prompt', 'gpt-4o', clock_timestamp(), '2026-01-01 00:00+00');
