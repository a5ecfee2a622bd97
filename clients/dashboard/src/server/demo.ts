/**
 * A made-up application for an empty database: a studio where people write
 * prompts, render scenes and export videos, some of them on paid tiers. All by
 * the extension's functions, and the same every time: chance() is a hash.
 */
import { Database } from "./database";

const setUp = `
SELECT @.usage_install_defaults();
SELECT @.usage_set_limit('projects_total', 25, tier => 'free');
SELECT @.usage_set_limit('prompt_tokens_monthly', 400000, usage_type => 'prompt', measure => 'tokens',
  description => 'Tokens of AI prompts per month');
SELECT @.usage_set_limit('prompt_tokens_monthly', 20000000, tier => 'pro');
SELECT @.usage_set_limit('prompt_tokens_monthly', -1, tier => 'team');
SELECT @.usage_set_limit('prompt_tokens_monthly', -1, tier => 'enterprise');
SELECT @.usage_set_limit('uploads_daily', 25, enforcement => 'soft', description => 'Uploads per day');
SELECT @.usage_set_limit('uploads_daily', 250, tier => 'pro');
SELECT @.usage_set_limit('uploads_daily', -1, tier => 'team');
SELECT @.usage_set_limit('uploads_daily', -1, tier => 'enterprise');
SELECT @.usage_set_limit('large_prompts_daily', 3, usage_type => 'prompt', event_subtype => 'gpt-4o',
  enforcement => 'shadow', description => 'Prompts to the large model per day, on trial');
SELECT @.usage_set_limit('large_prompts_daily', 100, tier => 'pro');
SELECT @.usage_set_limit('large_prompts_daily', -1, tier => 'team');
SELECT @.usage_set_limit('large_prompts_daily', -1, tier => 'enterprise');

CREATE FUNCTION pg_temp.chance(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS
  'SELECT (pg_catalog.hashtextextended(seed, 7) & 1048575) / 1048576.0';

CREATE TEMP TABLE people ON COMMIT DROP AS
SELECT p.user_id, p.joined,
  CASE WHEN p.luck < 0.72 THEN 'free' WHEN p.luck < 0.92 THEN 'pro' WHEN p.luck < 0.985 THEN 'team'
    ELSE 'enterprise' END AS tier,
  pg_temp.chance('keen' || p.user_id) AS keen
FROM (
  SELECT lower(f || '.' || l) || '@example.com' AS user_id, pg_temp.chance('luck' || f || l) AS luck,
    floor(90 * sqrt(pg_temp.chance('joined' || f || l)))::int AS joined
  FROM unnest('{Ada,Ben,Chloe,Dario,Elif,Femi,Grace,Hugo,Ines,Jun,Kaya,Liam,Mina,Noor,Olga,Pablo,Quinn,Rosa,Sven,Tara,Uma,Vera,Wes,Yuki,Zoe}'::text[]) f,
    unnest('{Adler,Berg,Castro,Diaz,Evans,Fischer,Gupta,Haas,Ito,Jansen,Kovacs,Lopez,Moreau,Novak,Okafor,Park}'::text[]) l
) p;

SELECT @.usage_set_tier(p.user_id, p.tier,
  status => CASE WHEN p.tier <> 'free' AND pg_temp.chance('due' || p.user_id) < 0.04 THEN 'past_due'
    WHEN p.tier <> 'free' AND pg_temp.chance('trial' || p.user_id) < 0.08 THEN 'trialing' ELSE 'active' END,
  started_at => @.usage_now() - p.joined * interval '1 day',
  time_zone => CASE WHEN pg_temp.chance('zone' || p.user_id) < 0.15 THEN 'America/New_York' END)
FROM people p;
`;

/** What people did on the days before today, and today until now. */
const useIt = `
CREATE TEMP TABLE active ON COMMIT DROP AS
SELECT p.user_id, p.tier, p.keen, d.ago, x.day, p.user_id || d.ago AS seed
FROM people p
  CROSS JOIN generate_series(0, 89) AS d (ago)
  CROSS JOIN LATERAL (SELECT date_trunc('day', @.usage_now(), 'UTC') - d.ago * interval '1 day' AS day) x
WHERE d.ago <= p.joined
  AND pg_temp.chance('active' || p.user_id || d.ago) < (0.08 + 0.5 * p.keen) * CASE WHEN extract(isodow FROM x.day) > 5 THEN 0.5 ELSE 1 END;

SELECT count(@.usage_track(e.user_id, 'prompt', event_subtype => e.model,
  tokens_used => CASE WHEN e.luck >= 0.06 THEN (200 + 3800 * e.luck * CASE e.model WHEN 'gpt-4o' THEN 1 ELSE 0.4 END)::bigint END,
  duration_ms => CASE WHEN e.luck >= 0.06 THEN (700 + 6500 * pg_temp.chance('ms' || e.seed))::bigint END,
  status => CASE WHEN e.luck < 0.015 THEN 'cancelled' WHEN e.luck < CASE e.model WHEN 'gpt-4o' THEN 0.06 ELSE 0.035 END
    THEN 'failed' ELSE 'success' END,
  error_message => CASE WHEN e.luck >= 0.015 AND e.luck < 0.06 THEN 'the model did not answer in time' END,
  occurred_at => e.at))
FROM (
  SELECT a.user_id, a.seed || n AS seed, pg_temp.chance('p' || a.seed || n) AS luck,
    CASE WHEN pg_temp.chance('model' || a.seed || n) < 0.25 THEN 'gpt-4o' ELSE 'gpt-4o-mini' END AS model,
    a.day + (7 + 15 * pg_temp.chance('at' || a.seed || n)) * interval '1 hour' AS at
  FROM active a, generate_series(1, (1 + CASE a.tier WHEN 'free' THEN 8 ELSE 14 END * a.keen * pg_temp.chance('n' || a.seed))::int) n
  WHERE pg_temp.chance('makes' || a.user_id) < 0.82
) e WHERE e.at <= @.usage_now();

SELECT count(@.usage_track(e.user_id, 'export', event_subtype => e.format,
  duration_ms => (8000 + 90000 * e.luck)::bigint,
  status => CASE WHEN e.luck < CASE e.format WHEN 'mov' THEN 0.14 ELSE 0.05 END THEN 'failed' ELSE 'success' END,
  error_message => CASE WHEN e.luck < 0.05 THEN 'the encoder ran out of memory' END,
  occurred_at => e.at))
FROM (
  SELECT a.user_id, pg_temp.chance('e' || a.seed || n) AS luck,
    (ARRAY['mp4', 'mp4', 'mp4', 'gif', 'mov'])[1 + floor(5 * pg_temp.chance('format' || a.seed || n))::int] AS format,
    a.day + (9 + 13 * pg_temp.chance('eat' || a.seed || n)) * interval '1 hour' AS at
  FROM active a, generate_series(1, (3 * pg_temp.chance('en' || a.seed))::int) n
  WHERE pg_temp.chance('exports' || a.user_id) < 0.45
) e WHERE e.at <= @.usage_now();

SELECT count(@.usage_track(a.user_id, 'project_create', occurred_at => a.day + interval '8 hours'))
FROM active a
WHERE a.day + interval '8 hours' <= @.usage_now() AND pg_temp.chance('project' || a.seed) < 0.24;

SELECT count(@.usage_track(a.user_id, 'web_agent', (1 + 4 * pg_temp.chance('w' || a.seed))::bigint,
  duration_ms => 1500, occurred_at => a.day + interval '10 hours'))
FROM active a
WHERE a.day + interval '10 hours' <= @.usage_now() AND pg_temp.chance('web' || a.user_id) < 0.3;

SELECT count(@.usage_track(a.user_id, 'upload', (1 + 12 * pg_temp.chance('u' || a.seed))::bigint,
  event_subtype => 'image', occurred_at => a.day + interval '11 hours'))
FROM active a
WHERE a.day + interval '11 hours' <= @.usage_now() AND pg_temp.chance('upload' || a.seed) < 0.3;

SELECT count(@.usage_track(p.user_id, 'storage_mb', (20 + 400 * p.keen)::bigint,
  occurred_at => @.usage_now() - p.joined * interval '1 day'))
FROM people p WHERE p.keen > 0.3;

-- some go on until a limit stops them
SELECT count(*) FROM (
  SELECT p.user_id FROM people p WHERE p.tier = 'free' ORDER BY p.keen DESC LIMIT 12
) p, generate_series(1, 14) n, @.usage_consume(p.user_id, 'prompt', event_subtype => 'gpt-4o-mini', tokens_used => 900) d
WHERE NOT d.allowed;
SELECT count(*) FROM (
  SELECT p.user_id FROM people p WHERE p.tier = 'free' ORDER BY p.keen DESC LIMIT 7
) p, generate_series(1, 6) n, @.usage_consume(p.user_id, 'export', event_subtype => 'mp4') d
WHERE NOT d.allowed;
`;

/** What administrators did. */
const administer = `
SELECT @.usage_set_limit('exports_daily', 5, tier => 'free');
SELECT @.usage_set_limit('exports_daily', 3, tier => 'free');
SELECT @.usage_set_limit('exports_daily', 25, tier => 'pro');
SELECT @.usage_set_limit('web_agent_daily', 8, tier => 'free');
SELECT @.usage_set_override('prompts_daily', 60, user_id => p.user_id, expires_at => @.usage_now() + interval '5 days',
  reason => 'conference demo')
FROM people p WHERE p.tier = 'free' ORDER BY p.keen DESC LIMIT 1;
SELECT @.usage_set_override('exports_monthly', 50, user_id => p.user_id, starts_at => @.usage_now() - interval '20 days',
  expires_at => @.usage_now() - interval '6 days', reason => 'apology for the outage')
FROM people p WHERE p.tier = 'free' ORDER BY p.keen DESC LIMIT 1;
SELECT @.usage_set_override('exports_daily', 40, tier => 'pro', expires_at => @.usage_now() + interval '3 days',
  reason => 'spring campaign');
`;

/** What is reserved now, and what people bought and spent. */
const holdAndBuy = `
SELECT @.usage_hold(p.user_id, 'concurrent_renders', ttl => interval '2 hours') FROM people p WHERE p.keen > 0.95;
SELECT @.credit_grant(p.user_id, 1000, 'purchase', 'order-' || p.user_id, 'Starter pack') FROM people p WHERE p.keen > 0.6;
SELECT @.credit_spend(p.user_id, (20 + 60 * pg_temp.chance('c' || n || p.user_id))::bigint, 'Scene in 4K')
FROM people p, generate_series(1, 5) n WHERE p.keen > 0.6;
`;

export async function fillWithDemoData(
	databaseUrl: string | undefined,
	log: (line: string) => void,
): Promise<void> {
	const database = new Database(databaseUrl);
	try {
		await database.write(async (query) => {
			const users = await query("SELECT 1 FROM @.usage_users(max_rows => 1)");
			if (users.length > 0)
				throw new Error("this database has users already: demo data goes into an empty one");
			await query(`SET LOCAL statement_timeout = 0`);
			log("making up three months of use ...");
			await query(setUp);
			await query(useIt);
			await query(administer);
			await query(holdAndBuy);
		});
		log("done");
	} finally {
		await database.close();
	}
}
