-- Members of accounts: what a member uses is booked on both, and the limits of
-- both hold.
SET usage_limits.test_clock = '2026-03-10 12:00:00+00';
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SELECT FROM usage_set_limit('mem_daily', 10, usage_type => 'mem');
SELECT FROM usage_set_limit('mem_monthly', 1000, usage_type => 'mem');
SELECT FROM usage_set_limit('mem_daily', 8, tier => 'team');
SELECT FROM usage_set_tier('mem-acme', 'team');

CREATE VIEW mem_rows AS
SELECT user_id, usage_type, event_subtype, slot, amount, member_amount, tokens_used, duration_ms, events,
	failed_events AS failed, to_char(first_at, 'HH24:MI') AS first_at, to_char(last_at, 'HH24:MI') AS last_at
FROM usage_counters WHERE user_id LIKE 'mem-%' ORDER BY 1, 2, bucket_start, 3, 4;
CREATE FUNCTION mem(d usage_decision) RETURNS text LANGUAGE sql AS
$$ SELECT format('%s %s %s %s of %s, %s left', d.allowed, d.reason, d.limit_type, d.current, d."limit", d.remaining) $$;

-- Who belongs to an account.
SELECT user_id, account_id, created_at FROM usage_set_member('mem-ann', 'mem-acme');
SELECT user_id, account_id, created_at FROM usage_set_member('mem-bob', 'mem-acme');
SET usage_limits.test_clock = '2026-03-10 12:01:00+00';
SELECT user_id, account_id, created_at FROM usage_set_member('mem-bob', 'mem-acme');
SELECT user_id, account_id FROM usage_set_member('mem-none', NULL);

-- Accounts do not nest, in neither direction, and not within one statement.
SELECT usage_set_member('mem-acme', 'mem-holding');
SELECT usage_set_member('mem-cid', 'mem-ann');
SELECT usage_set_member('mem-ann', 'mem-ann');
INSERT INTO usage_members (user_id, account_id) VALUES ('mem-1', 'mem-2'), ('mem-2', 'mem-3');
SELECT usage_set_member(NULL, 'mem-acme');
SELECT usage_set_member('', 'mem-acme');
SELECT usage_set_member('mem-ann', repeat('x', 256));

-- One decision over both: the one that has least left is named, with what it has.
SELECT mem(d) FROM usage_consume('mem-ann', 'mem', 3) d;
SELECT mem(d) FROM usage_consume('mem-bob', 'mem', 4) d;
SELECT mem(d) FROM usage_consume('mem-bob', 'mem', 2) d;
SELECT mem(d) FROM usage_consume('mem-acme', 'mem', 1) d;
SELECT mem(d) FROM usage_consume('mem-ann', 'mem') d;
SELECT mem(d) FROM usage_check('mem-ann', 'mem') d;
SELECT mem(d) FROM usage_check('mem-bob', 'mem', 0) d;
SELECT mem(d) FROM usage_check_limit('mem-ann', 'mem_daily') d;
SELECT mem(d) FROM usage_check_limit('mem-ann', 'mem_monthly') d;
SELECT FROM usage_enforce('mem-ann', 'mem');
SELECT * FROM mem_rows;
-- The event is the member's alone, and says where it was booked.
SELECT user_id, amount, account_id, bucket_start, account_bucket_start FROM usage_events WHERE event_type = 'mem' ORDER BY id;
-- A denial booked nothing on either.
SELECT mem(d) FROM usage_consume('mem-eve', 'mem', 11) d;
SELECT user_id, sum(amount), sum(member_amount) FROM usage_counters WHERE usage_type = 'mem' GROUP BY 1 ORDER BY 1;

-- What is read: a limit's row is the account's where that has less left.
SELECT limit_type, tier, allowed, current, "limit", remaining, source FROM usage_status('mem-ann') WHERE usage_type = 'mem';
SELECT limit_type, value, source, current, remaining, allowed, reason FROM usage_explain('mem-ann', 'mem');
SELECT usage_summary('mem-ann') -> 'limits' -> 'mem_daily' AS daily;
SELECT limit_type, current, "limit", source FROM usage_status('mem-acme') WHERE usage_type = 'mem';
-- Analytics count what was used once, by who used it.
SELECT * FROM usage_top_users('mem', 1);
SELECT user_id, usage_type, count FROM user_usage WHERE usage_type = 'mem' ORDER BY 1;
SELECT usage_stats('mem-acme', 1) -> 'totals' AS totals;
SELECT total_count, unique_users FROM usage_trends(1) WHERE usage_type = 'mem';

-- A member who is tighter than his account is named himself; of the same, too.
SELECT FROM usage_set_override('mem_daily', 3, user_id => 'mem-ann');
SELECT mem(d) FROM usage_check('mem-ann', 'mem', 0) d;
SELECT FROM usage_set_override('mem_daily', 20, user_id => 'mem-acme');
SELECT mem(d) FROM usage_consume('mem-ann', 'mem') d;
SELECT mem(d) FROM usage_consume('mem-bob', 'mem', 2) d;
-- Denied by both: the one that denies for longer is named.
SELECT FROM usage_set_override('mem_monthly', 12, user_id => 'mem-acme');
SELECT mem(d), reset_at FROM usage_consume('mem-ann', 'mem', 3) d;

-- Several types at once, all or nothing.
SELECT FROM usage_set_limit('mem2_daily', 5, usage_type => 'mem2');
SELECT mem(d) FROM usage_consume_many('mem-bob', '{"mem2": 1, "mem": 5}') d;
SELECT mem(d) FROM usage_consume_many('mem-bob', '{"mem2": 2, "mem": 1}') d;
SELECT user_id, usage_type, sum(amount), sum(member_amount) FROM usage_counters WHERE usage_type LIKE 'mem%' GROUP BY 1, 2 ORDER BY 1, 2;

-- Track books on both, and denies nobody; what failed is the member's alone.
SET usage_limits.test_clock = '2026-03-10 13:00:00+00';
SELECT usage_track('mem-bob', 'mem', 5, event_subtype => 'a', tokens_used => 7, duration_ms => 40) > 0 AS tracked;
SELECT usage_track('mem-bob', 'mem', 1, event_subtype => 'a', status => 'failed') > 0 AS tracked;
SELECT usage_track('mem-acme', 'mem', 1, event_subtype => 'a', duration_ms => 20) > 0 AS tracked;
SELECT * FROM mem_rows WHERE event_subtype = 'a';
SELECT total_events, failed_events, avg_duration_ms FROM usage_error_rates(1, 1) WHERE event_type = 'mem' AND event_subtype = 'a';

-- What the transaction has not committed counts for both, and goes with a savepoint.
BEGIN;
SELECT mem(d) FROM usage_check_limit('mem-acme', 'mem_daily') d;
SELECT mem(d) FROM usage_consume('mem-bob', 'mem2', 1) d;
SAVEPOINT s;
SELECT mem(d) FROM usage_consume('mem-ann', 'mem2', 2) d;
SELECT mem(d) FROM usage_consume('mem-acme', 'mem2', 1) d;
ROLLBACK TO s;
SELECT mem(d) FROM usage_check_limit('mem-acme', 'mem2_daily') d;
COMMIT;
SELECT mem(d) FROM usage_check_limit('mem-acme', 'mem2_daily') d;

-- Corrections move both; the account's windows are its own.
SELECT FROM usage_set_limit('mem3_daily', 100, usage_type => 'mem3');
SELECT FROM usage_set_tier('mem-acme', 'team', time_zone => 'America/New_York');
SELECT d.event_id AS event FROM usage_consume('mem-ann', 'mem3', 6, tokens_used => 3) d \gset
SELECT bucket_start, account_bucket_start FROM usage_events WHERE id = :event;
SET usage_limits.test_clock = '2026-03-11 13:00:00+00';
SELECT mem(d) FROM usage_refund(:event, 4) d;
SELECT user_id, bucket_start, amount, member_amount, tokens_used FROM usage_counters WHERE usage_type = 'mem3' ORDER BY 1, 2;
SELECT mem(d) FROM usage_adjust('mem-bob', 'mem3', 9, 'forgotten') d;
SELECT mem(d) FROM usage_adjust('mem-bob', 'mem3', -2, 'too much') d;
SELECT mem(d) FROM usage_adjust('mem-bob', 'mem3', -8, 'too much') d;
SELECT mem(d) FROM usage_check_limit('mem-acme', 'mem3_daily') d;
-- A reset is of the member's windows: what his account has counted, it has.
SELECT mem(d) FROM usage_reset('mem-bob', 'mem3') d;
SELECT mem(d) FROM usage_check_limit('mem-acme', 'mem3_daily') d;
SELECT mem(d) FROM usage_consume('mem-bob', 'mem3', 1) d;
-- A reset of the account is not one of its members.
SELECT mem(d) FROM usage_reset('mem-acme', 'mem3') d;
SELECT mem(d) FROM usage_consume('mem-bob', 'mem3', 1) d;
SELECT mem(d) FROM usage_check_limit('mem-bob', 'mem3_daily') d;

-- A level: the account's moves as the member's does.
SELECT FROM usage_set_limit('mem_mb', 100, usage_type => 'mem_mb', kind => 'gauge');
SELECT mem(d) FROM usage_set_gauge('mem-ann', 'mem_mb', 30) d;
SELECT mem(d) FROM usage_set_gauge('mem-bob', 'mem_mb', 50) d;
SELECT mem(d) FROM usage_set_gauge('mem-ann', 'mem_mb', 10) d;
SELECT mem(d) FROM usage_set_gauge('mem-acme', 'mem_mb', 65) d;
SELECT user_id, amount, member_amount FROM usage_counters WHERE usage_type = 'mem_mb' ORDER BY 1, 2, 3;
-- What a member brings along was never the account's: it cannot be given back there.
SELECT mem(d) FROM usage_set_gauge('mem-dan', 'mem_mb', 90) d;
SELECT account_id FROM usage_set_member('mem-dan', 'mem-globex');
SELECT mem(d) FROM usage_consume('mem-dan', 'mem_mb', 5) d;
SELECT mem(d) FROM usage_adjust('mem-dan', 'mem_mb', -20, 'deleted') d;
SELECT mem(d) FROM usage_check_limit('mem-globex', 'mem_mb') d;

-- A change of membership counts at once, for what follows.
BEGIN;
SELECT account_id FROM usage_set_member('mem-ann', 'mem-globex');
SELECT mem(d) FROM usage_consume('mem-ann', 'mem3', 1) d;
SELECT account_id FROM usage_set_member('mem-ann', NULL);
SELECT mem(d) FROM usage_consume('mem-ann', 'mem3', 1) d;
COMMIT;
SELECT mem(d) FROM usage_check_limit('mem-globex', 'mem3_daily') d;
-- What was booked on an account is given back there.
SELECT account_id FROM usage_set_member('mem-ann', 'mem-initech');
SELECT d.event_id AS event FROM usage_consume('mem-ann', 'mem3', 2) d \gset
SELECT account_id FROM usage_set_member('mem-ann', 'mem-globex');
SELECT mem(d) FROM usage_refund(:event) d;
SELECT user_id, usage_type, sum(member_amount) FROM usage_counters WHERE user_id IN ('mem-globex', 'mem-initech') AND usage_type = 'mem3' GROUP BY 1, 2 ORDER BY 1;
SELECT event_type, operation, amount, account_id FROM usage_events WHERE id = :event OR refund_of = :event ORDER BY id;
TRUNCATE usage_members;
SELECT mem(d) FROM usage_consume('mem-ann', 'mem3', 1) d;
INSERT INTO usage_members (user_id, account_id) VALUES ('mem-ann', 'mem-acme'), ('mem-bob', 'mem-acme');

-- Rates have a state of the account's.
SELECT FROM usage_set_limit('mem_rate', 3, usage_type => 'mem_call', kind => 'rate', period => '1 minute');
SELECT mem(d) FROM usage_consume('mem-ann', 'mem_call', 2) d;
SELECT mem(d) FROM usage_consume('mem-bob', 'mem_call', 1) d;
SELECT mem(d) FROM usage_consume('mem-bob', 'mem_call', 1) d;
SELECT count(*) > 0 AS flushed FROM usage_maintain();
SELECT user_id, limit_type FROM usage_rates WHERE limit_type = 'mem_rate' ORDER BY 1;

-- A hold counts for both.
SELECT FROM usage_set_limit('concurrent_mem', 2, usage_type => 'mem_run');
SELECT mem(d), hold_id FROM usage_hold('mem-ann', 'mem_run', hold_id => 'mem-h1') d;
SELECT mem(d), hold_id FROM usage_hold('mem-bob', 'mem_run', hold_id => 'mem-h2') d;
SELECT mem(d), hold_id FROM usage_hold('mem-ann', 'mem_run', hold_id => 'mem-h3') d;
SELECT limit_type, current, "limit", source FROM usage_status('mem-ann') WHERE limit_type = 'concurrent_mem';
SELECT usage_release('mem-h2');
SELECT mem(d), hold_id FROM usage_hold('mem-ann', 'mem_run', hold_id => 'mem-h3') d;
SELECT usage_release_all('mem-ann');
SELECT mem(d) FROM usage_check('mem-acme', 'mem_run') d;
-- Settled, it is booked on the account that it was held for.
SELECT mem(d) FROM usage_hold('mem-ann', 'mem3', 40, hold_id => 'mem-h4') d;
SELECT mem(d) FROM usage_check_limit('mem-acme', 'mem3_daily') d;
SELECT FROM usage_set_override('mem3_daily', 45, user_id => 'mem-acme');
SELECT account_id FROM usage_set_member('mem-ann', NULL);
SELECT mem(d) FROM usage_settle('mem-h4', 50) d;
SELECT mem(d) FROM usage_settle('mem-h4', 30) d;
SELECT mem(d) FROM usage_check_limit('mem-acme', 'mem3_daily') d;
SELECT amount, operation, account_id FROM usage_events WHERE event_type = 'mem3' AND operation = 'settle';

-- Folding keeps an account's share apart.
INSERT INTO usage_counters (user_id, usage_type, bucket_start, slot, amount) VALUES ('mem-fold', 'mem', '2026-03-11', 70, 2), ('mem-fold', 'mem', '2026-03-11', 71, 3);
INSERT INTO usage_counters (user_id, usage_type, bucket_start, slot, member_amount) VALUES ('mem-fold', 'mem', '2026-03-11', -70, 4), ('mem-fold', 'mem', '2026-03-11', -71, 5);
SELECT mem(d) FROM usage_check_limit('mem-fold', 'mem_monthly') d;
SELECT FROM usage_maintain() LIMIT 1;
SELECT slot, amount, member_amount FROM usage_counters WHERE user_id = 'mem-fold' ORDER BY slot;
SELECT mem(d) FROM usage_check_limit('mem-fold', 'mem_monthly') d;

-- Thresholds are the account's too.
INSERT INTO usage_alerts (limit_type, percent) VALUES ('mem2_daily', 80);
SET usage_limits.test_clock = '2026-03-12 13:00:00+00';
SELECT FROM usage_set_member('mem-ann', 'mem-acme');
UPDATE usage_alerts SET created_at = '2026-03-12' WHERE limit_type = 'mem2_daily';
SELECT mem(d) FROM usage_consume('mem-ann', 'mem2', 2) d;
SELECT mem(d) FROM usage_consume('mem-bob', 'mem2', 2) d;
SELECT user_id, limit_type, current, "limit" FROM usage_alert_log WHERE limit_type = 'mem2_daily';

-- Who would have been denied: the account, by what its members used, from
-- events, or from counters.
SELECT FROM usage_set_limit('mem7_daily', 100, usage_type => 'mem7');
SELECT FROM usage_set_limit('mem8_daily', 100, usage_type => 'mem8');
INSERT INTO usage_types (usage_type, log_events) VALUES ('mem8', false);
SELECT FROM unnest('{mem-x1,mem-x2}'::text[]) u, usage_set_member(u, 'mem-x');
SELECT count(*) FROM generate_series(1, 4) n, unnest('{mem7,mem8}'::text[]) t, usage_consume('mem-x1', t, n / n) c WHERE c.allowed;
SELECT count(*) FROM generate_series(1, 3) n, unnest('{mem7,mem8}'::text[]) t, usage_consume('mem-x2', t, n / n) c WHERE c.allowed;
SELECT user_id, would_deny, source FROM usage_preview('mem7_daily', 5);
SELECT user_id, would_deny, source FROM usage_preview('mem7_daily', 3);
SELECT user_id, would_deny, source FROM usage_preview('mem8_daily', 5);
DELETE FROM usage_types WHERE usage_type = 'mem8';

DELETE FROM usage_alerts WHERE limit_type = 'mem2_daily';
DELETE FROM usage_alert_log WHERE limit_type = 'mem2_daily';
DELETE FROM usage_limit_overrides WHERE user_id LIKE 'mem-%';
DELETE FROM usage_limits_config WHERE usage_type LIKE 'mem%';
DELETE FROM user_subscriptions WHERE user_id LIKE 'mem-%';
DELETE FROM usage_members;
DELETE FROM usage_rates WHERE user_id LIKE 'mem-%';
DELETE FROM usage_holds WHERE user_id LIKE 'mem-%';
DELETE FROM usage_counters WHERE user_id LIKE 'mem-%';
DELETE FROM usage_events WHERE user_id LIKE 'mem-%';
DELETE FROM usage_resets WHERE user_id LIKE 'mem-%';
DELETE FROM usage_config_log WHERE old_row ->> 'limit_type' LIKE '%mem%' OR old_row ->> 'user_id' LIKE 'mem-%';
DROP FUNCTION mem;
DROP VIEW mem_rows;
RESET usage_limits.test_clock;
RESET timezone;
