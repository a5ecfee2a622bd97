\set key random(1, :keys)
SELECT * FROM usage.usage_consume_many('user' || :key, '{"prompt": 1, "export": 1}');
