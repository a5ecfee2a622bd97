-- What replay.sql did, for people; it leaves the variable "seconds".

\pset footer off
\pset null ''
\echo
SELECT count(*) AS rows, count(DISTINCT user_id) AS users, min(ts) AS from, max(ts) AS to FROM trace;
SELECT count(*) FILTER (WHERE allowed) AS admitted, count(*) FILTER (WHERE NOT allowed) AS denied,
	round(:seconds, 1) AS seconds, round(count(*) / :seconds) AS "rows a second"
FROM answer;
\echo The heaviest users:
SELECT user_id, count(*) AS rows, count(*) FILTER (WHERE allowed) AS admitted,
	count(*) FILTER (WHERE NOT allowed) AS denied,
	coalesce(sum(CASE :'measure' WHEN 'calls' THEN 1 ELSE amount END) FILTER (WHERE allowed), 0)
		AS :"measure"
FROM trace JOIN answer USING (n)
GROUP BY user_id ORDER BY rows DESC, user_id LIMIT 5;
