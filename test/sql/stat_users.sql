-- A list of users, page by page: usage_users.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2033-06-15 12:00:00+00';
\set SHOW_CONTEXT never

-- Users have usage, a subscription, or both; some have many counter rows, and their ids hold what patterns and quotes are made of.
CREATE TEMP TABLE ids (id text COLLATE "C", has_usage boolean, has_subscription boolean);
INSERT INTO ids VALUES ('users-%', true, false), ('users-_', false, true), ('users-\', true, true), ('users-''"', true, false),
	('users-a', true, false), ('users-a%', true, false), ('users-aB', true, false), ('users-ab', false, true), ('users-a b', true, false),
	('users-b', true, true), ('users-é', true, false), ('users-日本', false, true), ('users-', true, false), ('users', true, false),
	('Users-a', true, false), ('users.', false, true);
INSERT INTO ids SELECT 'users-n' || n, n % 3 <> 0, n % 3 <> 1 FROM generate_series(1, 60) n;
SELECT count(usage_track(id, 'users_' || t, occurred_at => timestamptz '2033-06-15 12:00+00' - t * interval '9 hours')) > 0 AS tracked
FROM ids, generate_series(1, 4) t WHERE has_usage;
INSERT INTO user_subscriptions (user_id, tier, status, started_at, expires_at)
SELECT id, CASE WHEN id LIKE 'users-n%' THEN 'team' ELSE 'pro' END, CASE WHEN id = 'users-b' THEN 'canceled' ELSE 'active' END,
	'2033-01-01 00:00+00', CASE WHEN id = 'users-ab' THEN timestamptz '2033-06-15 12:00+00' END
FROM ids WHERE has_subscription;

-- A page in the order of the ids, byte by byte: the tier that counts now, the subscription's status, the last use.
SELECT * FROM usage_users('users-', max_rows => 12);
SELECT * FROM usage_users('users-', after => 'users-b', max_rows => 3);

-- A prefix is a prefix: nothing in it is a pattern.
SELECT user_id FROM usage_users('users-%');
SELECT user_id FROM usage_users('users-_');
SELECT user_id FROM usage_users('users-\');
SELECT user_id FROM usage_users('users-''"');
SELECT user_id FROM usage_users('users-a');
SELECT user_id FROM usage_users('users-日');
SELECT user_id FROM usage_users('USERS-');
SELECT user_id FROM usage_users('sers-');
SELECT user_id FROM usage_users('%');

-- From after an id, whether it is there or not, before, in and behind what is searched for.
SELECT user_id FROM usage_users('users-a', after => 'users-a');
SELECT user_id FROM usage_users('users-a', after => 'users-a$');
SELECT user_id FROM usage_users('users-a', after => 'a');
SELECT user_id FROM usage_users('users-a', after => 'users-ab');
SELECT user_id FROM usage_users('users-a', after => 'users-b');
SELECT user_id FROM usage_users('users', max_rows => 1);
SELECT user_id FROM usage_users('users', max_rows => 0);
SELECT count(*) FROM usage_users('users-n');

-- Every user of every page, and each once, whatever the size of a page.
CREATE TEMP VIEW plain_users AS
SELECT u.user_id, CASE WHEN s.status IN ('active', 'trialing') AND coalesce(s.started_at <= usage_now(), true) AND coalesce(s.expires_at > usage_now(), true) THEN s.tier ELSE 'free' END AS tier,
	s.status, (SELECT max(c.last_at) FROM usage_counters c WHERE c.user_id = u.user_id AND (c.events <> 0 OR c.amount <> 0)) AS last_used
FROM (SELECT user_id FROM usage_counters UNION SELECT user_id FROM user_subscriptions) u LEFT JOIN user_subscriptions s USING (user_id);
CREATE FUNCTION pg_temp.all_pages(size integer, search text) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	last text;
	page record;
	n integer;
BEGIN
	LOOP
		n := 0;
		FOR page IN SELECT * FROM usage_users(search, last, size) LOOP
			IF page.user_id COLLATE "C" <= last THEN
				RAISE 'user % comes after %', page.user_id, last;
			END IF;
			last := page.user_id;
			n := n + 1;
			RETURN NEXT page;
		END LOOP;
		EXIT WHEN n = 0;
	END LOOP;
END $$;
SELECT count(*) >= 76 AS users FROM plain_users;
SELECT * FROM pg_temp.all_pages(7, NULL) AS p (user_id text, tier text, status text, last_used timestamptz) EXCEPT ALL SELECT * FROM plain_users;
SELECT * FROM plain_users EXCEPT ALL SELECT * FROM pg_temp.all_pages(7, NULL) AS p (user_id text, tier text, status text, last_used timestamptz);
SELECT count(*) AS differ FROM (
	(SELECT * FROM pg_temp.all_pages(1, 'users') AS p (user_id text, tier text, status text, last_used timestamptz)
		EXCEPT ALL SELECT * FROM plain_users WHERE starts_with(user_id, 'users'))
	UNION ALL
	(SELECT * FROM plain_users WHERE starts_with(user_id, 'users')
		EXCEPT ALL SELECT * FROM pg_temp.all_pages(1, 'users') AS p (user_id text, tier text, status text, last_used timestamptz))) d;

-- 50 is a page.
SELECT count(*) FROM usage_users('users-');
SELECT count(*) = least(50, (SELECT count(*) FROM plain_users)) AS a_page FROM usage_users();

-- A failed event is no use, but whoever has one is a user.
SELECT usage_track('users.failed', 'users_1', status => 'failed') > 0 AS tracked;
SELECT * FROM usage_users('users.');

-- A tier is kept over a failed payment for as long as the grace period says.
INSERT INTO user_subscriptions (user_id, tier, status, status_since) VALUES ('users.past', 'pro', 'past_due', '2033-06-14 12:00+00');
SELECT user_id, tier, status FROM usage_users('users.past');
SET usage_limits.grace_period = '86401 s';
SELECT user_id, tier, status FROM usage_users('users.past');
RESET usage_limits.grace_period;
