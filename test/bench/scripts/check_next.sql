\set n :n + 1
SELECT allowed FROM usage.usage_check_limit('user' || :n, 'views_monthly');
