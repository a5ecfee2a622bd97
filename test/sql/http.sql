-- Decisions in HTTP: the fields and the problem type of the IETF's draft
-- "RateLimit header fields for HTTP", retry-after, problem details.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\set SHOW_CONTEXT never
SET usage_limits.test_clock = '2025-03-12 10:30:20.5+00';
INSERT INTO usage_limits_config (limit_type, usage_type, kind, period, alignment, free_tier_limit, burst) VALUES
	('hits_daily', 'hit', 'counter', '1 day', 'calendar', 10, NULL), ('slide_hits', 'slide_hit', 'counter', '90 seconds', 'sliding', 2, NULL),
	('month_hits', 'month_hit', 'counter', '1 month', 'anniversary', 5, NULL), ('year_hits', 'year_hit', 'counter', '1 year', 'calendar', 5, NULL),
	('odd_hits', 'odd_hit', 'counter', '14 months', 'anniversary', 5, NULL), ('ever_hits', 'ever_hit', 'gauge', NULL, 'none', 5, NULL),
	('rate_hits', 'rate_hit', 'rate', '1 minute', 'none', 60, NULL), ('burst_hits', 'burst_hit', 'rate', '1 minute', 'none', 60, 2), ('quick_hits', 'quick_hit', 'rate', '0.3 seconds', 'none', 1, NULL),
	('free_hits', 'free_hit', 'counter', '1 day', 'calendar', -1, NULL), ('no_hits', 'no_hit', 'counter', '1 day', 'calendar', 0, NULL), ('many_hits', 'many_hit', 'counter', '1 day', 'calendar', 9223372036854775807, NULL);
INSERT INTO usage_limits_config (limit_type, free_tier_limit) VALUES ('concurrent_hits', 3);

-- Allowed: what there is of the limit that binds, and until when.
SELECT t, h.* FROM unnest(ARRAY['hit', 'slide_hit', 'month_hit', 'year_hit', 'odd_hit', 'ever_hit', 'rate_hit', 'burst_hit', 'quick_hit', 'many_hit']) AS t, usage_consume('http-1', t) d, usage_headers(d) h;
SELECT h.* FROM usage_check('http-1', 'concurrent_hits') d, usage_headers(d) h;
-- nothing of what is not limited
SELECT h.* FROM usage_consume('http-1', 'free_hit') d, usage_headers(d) h;
SELECT h.* FROM usage_consume('http-1', 'unknown_hit') d, usage_headers(d) h;
SELECT h.* FROM usage_check_limit('http-1', 'unknown_limit') d, usage_headers(d) h;
-- reset_at that has come meanwhile
SELECT h.* FROM (SELECT ROW(true, 'ok', 'hit', 'hits_daily', 1, 1, 10, 9, '2025-03-12 10:30:20+00', NULL, NULL, NULL)::usage_decision AS d) s, usage_headers(d) h;

-- Denied: retry-after, the same instant as the limit's; none where it will never be.
SELECT t, h.* FROM unnest(ARRAY['hit', 'slide_hit', 'month_hit', 'ever_hit', 'rate_hit', 'burst_hit', 'no_hit']) AS t,
	usage_check_limit('http-1', (SELECT c.limit_type FROM usage_limits_config c WHERE c.usage_type = t), CASE t WHEN 'hit' THEN 10 WHEN 'rate_hit' THEN 60 WHEN 'burst_hit' THEN 2 WHEN 'slide_hit' THEN 2 WHEN 'month_hit' THEN 5 ELSE 100 END) d, usage_headers(d) h;
SELECT jsonb_pretty(usage_problem(d)) FROM usage_check('http-1', 'hit', 10) d;
SELECT usage_problem(d) FROM usage_check('http-1', 'hit', 9) d;
SELECT usage_problem(d) IS NULL AS none FROM usage_check('http-1', 'unknown_hit', 9) d;

-- A limit of any name: a String has printable ASCII only.
INSERT INTO usage_limits_config (limit_type, usage_type, free_tier_limit) VALUES (E'a "limit", \\ é\n\u007f~', 'name_hit', 5);
SELECT h.* FROM usage_consume('http-1', 'name_hit') d, usage_headers(d) h;
SELECT usage_problem(d) FROM usage_check('http-1', 'name_hit', 5) d;
-- one that is gone meanwhile
SELECT h.* FROM (SELECT ROW(false, 'limit_exceeded', 'gone', 'gone_daily', 1, 10, 10, 0, '2025-03-13 00:00:00+00', 48580, NULL, NULL)::usage_decision AS d) s, usage_headers(d) h;
-- a balance is no quota of a policy
SELECT h.* FROM (SELECT ROW(false, 'insufficient_credits', 'hit', NULL, 7, 3, 7, 3, '2025-03-13 00:00:00+00', 48580, NULL, NULL)::usage_decision AS d) s, usage_headers(d) h;
SELECT usage_problem(d) FROM (SELECT ROW(false, 'insufficient_credits', 'hit', NULL, 7, 3, 7, 3, NULL, NULL, NULL, NULL)::usage_decision AS d) s;
-- remaining and limits as large as can be, and infinite times
SELECT h.* FROM (SELECT ROW(true, 'ok', 'hit', 'hits_daily', 1, 1, 9223372036854775807, 9223372036854775806, 'infinity', NULL, NULL, NULL)::usage_decision AS d) s, usage_headers(d) h;
SELECT h.* FROM (SELECT ROW(true, 'ok', 'hit', 'hits_daily', 1, 1, 10, 9, '294276-12-31 23:59:59.999999+00', NULL, NULL, NULL)::usage_decision AS d) s, usage_headers(d) h;

SELECT * FROM usage_headers(NULL);
SELECT * FROM usage_headers(ROW(NULL, 'ok', 'hit', 'hits_daily', 1, 1, 10, 9, NULL, NULL, NULL, NULL)::usage_decision);
SELECT usage_problem(NULL);

RESET usage_limits.test_clock;
DELETE FROM usage_limits_config WHERE usage_type LIKE '%hit' OR usage_type = 'concurrent_hits';
DELETE FROM usage_rates;
