-- Usage that costs credits: prices, charges, overage, all or nothing.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2024-07-01 10:00Z';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, usage_type, limit_type, requested, current, "limit", remaining, reset_at, retry_after, event_id IS NOT NULL AS event'

-- Not enabled, nothing is charged.
SET usage_limits.credit_costs = 'cu_prompt=10, cu_export = 50';
SELECT :decision FROM usage_consume('cu', 'cu_prompt');
SET usage_limits.credits_enabled = on;
SELECT :decision FROM usage_consume('cu', 'cu_prompt');
SELECT balance FROM credit_grant('cu', 100);
SELECT :decision FROM usage_consume('cu', 'cu_prompt', 3);
SELECT :decision FROM usage_check('cu', 'cu_prompt', 7);
SELECT :decision FROM usage_check('cu', 'cu_prompt', 8);
SELECT :decision FROM usage_consume('cu', 'cu_prompt', 8);
SELECT usage_enforce('cu', 'cu_prompt', 8);
SELECT usage_check_action('cu', 'unknown');
INSERT INTO usage_actions VALUES ('cu_big_export', 'cu_export', 2);
SELECT usage_check_action('cu', 'cu_big_export');
SELECT usage_check_action('cu', 'cu_big_export', throw_on_exceed => false);
-- asking for nothing costs nothing, what is only tracked either
SELECT :decision FROM usage_consume('cu', 'cu_prompt', 0);
SELECT usage_track('cu', 'cu_prompt') IS NOT NULL AS tracked;
SELECT credit_balance('cu');
-- the event says what it cost, unless the caller says another number
SELECT event_id AS dear FROM usage_consume('cu', 'cu_prompt', 2, credits_used => 3) \gset
SELECT amount, credits_used FROM usage_events WHERE user_id = 'cu' ORDER BY id;
SELECT amount, balance_after, transaction_type, description, reference_id = 'event:' || :dear AS of_the_last_event
FROM credit_transactions WHERE user_id = 'cu' ORDER BY sequence_no;

-- The price: a subtype's rows before the type's, these before the setting; measures add up; rounded up.
CREATE FUNCTION pg_temp.price(usage_type text, amount bigint, event_subtype text DEFAULT NULL, tokens_used bigint DEFAULT NULL) RETURNS bigint
LANGUAGE sql AS $$ SELECT "limit" FROM usage_check('cu_poor', usage_type, amount, event_subtype, tokens_used) WHERE reason = 'insufficient_credits' $$;
SELECT pg_temp.price('cu_prompt', 1), pg_temp.price('cu_prompt', 1, 'gpt-4o'), pg_temp.price('cu_free', 1);
INSERT INTO credit_costs (usage_type, event_subtype, credits) VALUES ('cu_prompt', 'gpt-4o', 25);
SELECT pg_temp.price('cu_prompt', 1), pg_temp.price('cu_prompt', 2, 'gpt-4o'), pg_temp.price('cu_prompt', 1, 'gpt-4o-mini');
INSERT INTO credit_costs (usage_type, credits) VALUES ('cu_prompt', 4);
SELECT pg_temp.price('cu_prompt', 1), pg_temp.price('cu_prompt', 2, 'gpt-4o'), pg_temp.price('cu_prompt', 1, 'gpt-4o-mini');
INSERT INTO credit_costs (usage_type, event_subtype, measure, credits, per) VALUES ('cu_prompt', 'gpt-4o', 'tokens', 3, 1000);
SELECT pg_temp.price('cu_prompt', 1, 'gpt-4o', 0) AS none, pg_temp.price('cu_prompt', 1, 'gpt-4o', 1) AS one,
	pg_temp.price('cu_prompt', 1, 'gpt-4o', 333) AS third, pg_temp.price('cu_prompt', 1, 'gpt-4o', 334) AS more,
	pg_temp.price('cu_prompt', 1, 'gpt-4o', 1000) AS thousand, pg_temp.price('cu_prompt', 1, 'gpt-4o', 1001) AS over;
UPDATE credit_costs SET credits = 0 WHERE usage_type = 'cu_prompt' AND event_subtype IS NULL;
SELECT pg_temp.price('cu_prompt', 1) AS free;
DELETE FROM credit_costs WHERE usage_type = 'cu_prompt' AND event_subtype IS NULL;
SELECT pg_temp.price('cu_prompt', 1) AS of_the_setting;
SELECT operation, old_row ->> 'credits' AS old, new_row ->> 'credits' AS new FROM usage_config_log WHERE table_name = 'credit_costs' ORDER BY id;
-- a change counts for its own transaction at once
BEGIN;
INSERT INTO credit_costs (usage_type, credits) VALUES ('cu_prompt', 6);
SELECT pg_temp.price('cu_prompt', 1);
ROLLBACK;
SELECT pg_temp.price('cu_prompt', 1);
INSERT INTO credit_costs (usage_type, credits) VALUES ('cu_gold', 1000000000000000);
SELECT pg_temp.price('cu_gold', 1);
SELECT pg_temp.price('cu_gold', 2);

-- Limits and credits in one decision: what is denied by either leaves nothing of both.
SELECT limit_type FROM usage_set_limit('cu_renders_daily', 3);
INSERT INTO credit_costs (usage_type, credits) VALUES ('cu_render', 10);
SELECT balance FROM credit_grant('cu2', 25);
SELECT :decision FROM usage_consume('cu2', 'cu_render', 4);
SELECT :decision FROM usage_consume('cu2', 'cu_render', 3);
SELECT :decision FROM usage_consume('cu2', 'cu_render', 2);
-- both deny: what does so for longer is named
SELECT :decision FROM usage_consume('cu2', 'cu_render', 2);
SELECT balance FROM credit_grant('cu2', 100, effective_at => '2024-07-01 12:00Z');
SELECT :decision FROM usage_consume('cu2', 'cu_render', 2);
SELECT :decision FROM usage_consume('cu2', 'cu_render', 1);
SELECT credit_balance('cu2'), current FROM usage_check_limit('cu2', 'cu_renders_daily');

-- Several at once are paid for together, each with its own line.
SELECT balance FROM credit_grant('cu3', 100);
SELECT :decision FROM usage_consume_many('cu3', '{"cu_render": 3, "cu_export": 2}');
SELECT :decision FROM usage_consume_many('cu3', '{"cu_render": 3, "cu_export": 1}');
SELECT amount, balance_after, description FROM credit_transactions WHERE user_id = 'cu3' ORDER BY sequence_no;
-- they may take from several grants
SELECT balance FROM credit_grant('cu3', 50);
SELECT :decision FROM usage_consume_many('cu3', '[{"usageType": "cu_prompt", "amount": 1}]');
SELECT :decision FROM usage_consume_many('cu3', '[{"usage_type": "cu_prompt", "amount": 1}, {"usage_type": "cu_prompt", "amount": 4}]');
SELECT amount, balance_after, description FROM credit_transactions WHERE user_id = 'cu3' ORDER BY sequence_no;

-- Overage: credits pay for what a limit would have denied, and for no more.
SELECT limit_type FROM usage_set_limit('cu_chats_daily', 10);
INSERT INTO credit_costs (usage_type, credits, charge) VALUES ('cu_chat', 2, 'overage');
SELECT balance FROM credit_grant('cu4', 20);
SELECT :decision FROM usage_consume('cu4', 'cu_chat', 8);
SELECT :decision FROM usage_check('cu4', 'cu_chat', 5);
SELECT :decision FROM usage_consume('cu4', 'cu_chat', 5);
SELECT credit_balance('cu4');
SELECT :decision FROM usage_consume('cu4', 'cu_chat', 4);
SELECT :decision FROM usage_consume('cu4', 'cu_chat', 4);
SELECT :decision FROM usage_consume_many('cu4', '[{"usage_type": "cu_chat", "amount": 1}, {"usage_type": "cu_chat", "amount": 2}]');
SELECT credit_balance('cu4');
SELECT amount, credits_used FROM usage_events WHERE user_id = 'cu4' ORDER BY id;
-- a limit on another measure goes on denying
SELECT limit_type FROM usage_set_limit('cu_chat_tokens_daily', 100, usage_type => 'cu_chat', measure => 'tokens');
SELECT balance FROM credit_grant('cu4', 100);
SELECT :decision FROM usage_consume('cu4', 'cu_chat', 1, tokens_used => 101);
SELECT :decision FROM usage_consume('cu4', 'cu_chat', 1, tokens_used => 100);
-- the next day is free again
SET usage_limits.test_clock = '2024-07-02 10:00Z';
SELECT :decision FROM usage_consume('cu4', 'cu_chat', 10);
SELECT credit_balance('cu4');

-- Without enforcement usage is charged as far as there is anything.
SET usage_limits.enforcement = off;
SELECT :decision FROM usage_consume('cu2', 'cu_render', 1);
SELECT :decision FROM usage_consume('cu2', 'cu_render', 20);
SET usage_limits.enforcement = shadow;
SELECT :decision FROM usage_consume('cu2', 'cu_render', 20);
RESET usage_limits.enforcement;
SELECT credit_balance('cu2');

-- What a refund of usage gives back, it gives back of the price; once.
SELECT balance FROM credit_grant('cu5', 100);
SELECT event_id FROM usage_consume('cu5', 'cu_render', 3) \gset
SELECT allowed FROM usage_refund(:event_id, 1);
SELECT credit_balance('cu5');
SELECT id AS charge FROM credit_transactions WHERE user_id = 'cu5' AND transaction_type = 'usage' \gset
SELECT balance FROM credit_refund(:charge, 10);
SELECT allowed FROM usage_refund(:event_id);
SELECT credit_balance('cu5');
SELECT amount, credits_used, operation FROM usage_events WHERE user_id = 'cu5' ORDER BY id;

-- A repeated request is charged once.
SELECT :decision FROM usage_consume('cu5', 'cu_render', idempotency_key => 'k');
SELECT :decision FROM usage_consume('cu5', 'cu_render', idempotency_key => 'k');
SELECT credit_balance('cu5');

-- A type with a relaxed limit cannot cost anything.
INSERT INTO usage_limits_config (limit_type, durability, free_tier_limit) VALUES ('cu_pings_daily', 'relaxed', 5);
INSERT INTO credit_costs (usage_type, credits) VALUES ('cu_ping', 1);
UPDATE credit_costs SET usage_type = 'cu_ping' WHERE usage_type = 'cu_chat';
SELECT usage_set_limit('cu_chats_daily', 10, durability => 'relaxed');
SET usage_limits.credit_costs = 'cu_ping=1';
SELECT usage_consume('cu5', 'cu_ping');

-- Costs and settings that make no sense.
INSERT INTO credit_costs (usage_type, credits) VALUES ('cu_x', -1);
INSERT INTO credit_costs (usage_type, credits, per) VALUES ('cu_x', 1, 0);
INSERT INTO credit_costs (usage_type, credits, measure) VALUES ('cu_x', 1, 'credits');
INSERT INTO credit_costs (usage_type, credits, charge) VALUES ('cu_x', 1, 'never');
INSERT INTO credit_costs (usage_type, credits) VALUES ('cu_chat', 1);
SET usage_limits.credit_costs = 'prompt';
SET usage_limits.credit_costs = 'prompt=x';
SET usage_limits.credit_costs = 'prompt=-1';
SET usage_limits.credit_costs = 'prompt=1000000000000001';
SET usage_limits.credit_daily_refill = 'free=1 2';
SET usage_limits.credit_costs = ' , prompt = 1 ,';

RESET usage_limits.credits_enabled;
RESET usage_limits.credit_costs;
DELETE FROM credit_costs;
DELETE FROM usage_limits_config WHERE limit_type ~ '^cu_';
SELECT * FROM usage_reconcile();
