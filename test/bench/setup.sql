-- What test/bench/run and test/bench/profile run against: 10,000 users of a
-- paid tier under limits that nobody reaches, but for seat, which is full; the
-- seed's own tables; and bare tables that say how fast PostgreSQL itself is.
\set ON_ERROR_STOP on
SET client_min_messages = warning;

CREATE SCHEMA usage;
CREATE EXTENSION usage_limits SCHEMA usage;
SET search_path = usage;
SELECT count(*) FROM usage_maintain();
SELECT usage_set_limit(limit_type, 1000000000)
FROM unnest('{prompts_daily,exports_daily,exports_monthly,pings_daily}'::text[]) AS limit_type;
SELECT usage_set_limit('seats_total', 1, usage_type => 'seat');
SELECT usage_set_limit('bills', 1000000000, usage_type => 'bill', period => '1 month', alignment => 'anniversary');
SELECT usage_set_limit(usage_type || 's', 1000000000, usage_type => usage_type, kind => 'rate', period => '1 second', durability => durability)
FROM (VALUES ('dial', 'relaxed'), ('call', 'durable')) AS rates (usage_type, durability);
SELECT usage_set_limit('leases_daily', 1000000000, usage_type => 'lease');
SELECT usage_set_limit('ticks_daily', 1000000000, usage_type => 'tick', kind => 'counter', period => '1 day',
	alignment => 'calendar', durability => 'relaxed');
INSERT INTO usage_types (usage_type, log_events) VALUES ('ping', false), ('seat', false), ('bill', false), ('dial', false), ('call', false), ('lease', false);
INSERT INTO user_subscriptions (user_id, tier) SELECT 'user' || g, 'pro' FROM generate_series(1, 10000) g;
SELECT count(usage_track('user' || g, usage_type))
FROM generate_series(1, 10000) g, unnest('{seat,ping,bill,dial,call,lease,prompt,export}'::text[]) AS usage_type;
SELECT count(usage_track('user' || g, 'prompt', event_subtype => 'gpt-4o')) FROM generate_series(1, 10000) g;

-- The seed's tables, without its foreign keys.
CREATE SCHEMA seed;
CREATE TABLE seed.usage_limits_config (
	id serial PRIMARY KEY,
	limit_type varchar(50) NOT NULL UNIQUE,
	free_tier_limit integer NOT NULL DEFAULT 0,
	pro_tier_limit integer NOT NULL DEFAULT -1,
	team_tier_limit integer NOT NULL DEFAULT -1,
	description text,
	is_active boolean DEFAULT true,
	created_at timestamp DEFAULT now(),
	updated_at timestamp DEFAULT now()
);
CREATE TABLE seed.user_usage (
	id serial PRIMARY KEY,
	user_id varchar(255) NOT NULL,
	usage_type varchar(50) NOT NULL,
	usage_date date NOT NULL DEFAULT current_date,
	count integer NOT NULL DEFAULT 1,
	metadata jsonb,
	created_at timestamp DEFAULT now(),
	UNIQUE (user_id, usage_type, usage_date)
);
CREATE TABLE seed.usage_events (
	id serial PRIMARY KEY,
	user_id varchar(255) NOT NULL,
	event_type varchar(50) NOT NULL,
	event_subtype varchar(50),
	project_id uuid,
	scene_id uuid,
	tokens_used integer,
	credits_used integer,
	duration_ms integer,
	status varchar(20) DEFAULT 'success',
	error_message text,
	metadata jsonb,
	created_at timestamp DEFAULT now()
);
CREATE TABLE seed.user_subscriptions (
	id serial PRIMARY KEY,
	user_id varchar(255) NOT NULL UNIQUE,
	tier varchar(20) NOT NULL DEFAULT 'free',
	stripe_customer_id varchar(255),
	stripe_subscription_id varchar(255),
	status varchar(20) DEFAULT 'active',
	started_at timestamp DEFAULT now(),
	expires_at timestamp,
	metadata jsonb,
	created_at timestamp DEFAULT now(),
	updated_at timestamp DEFAULT now()
);
CREATE INDEX idx_user_usage_lookup ON seed.user_usage (user_id, usage_type, usage_date);
CREATE INDEX idx_usage_events_user_date ON seed.usage_events (user_id, created_at);
CREATE INDEX idx_usage_events_type ON seed.usage_events (event_type, event_subtype);
INSERT INTO seed.usage_limits_config (limit_type, pro_tier_limit) VALUES ('prompts_daily', 1000000000);
INSERT INTO seed.user_subscriptions (user_id, tier) SELECT 'user' || g, 'pro' FROM generate_series(1, 10000) g;
INSERT INTO seed.user_usage (user_id, usage_type, metadata)
SELECT 'user' || g, 'prompt', '{"lastEventSubtype": "gpt-4o"}' FROM generate_series(1, 10000) g;

-- Bare tables: events as ours, with the same partitions; as ours, but one
-- table; a counter a user.
CREATE SCHEMA bare;
CREATE TABLE bare.events (LIKE usage_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (created_at);
DO $$
DECLARE
	partition record;
BEGIN
	FOR partition IN
		SELECT c.oid::regclass AS name, c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'usage.usage_events'::regclass
	LOOP
		EXECUTE format('CREATE TABLE bare.%I (LIKE %s INCLUDING ALL)', partition.relname, partition.name);
		EXECUTE format('ALTER TABLE bare.events ATTACH PARTITION bare.%I %s', partition.relname, partition.bound);
	END LOOP;
END
$$;
CREATE TABLE bare.events_unpartitioned (LIKE usage_events_default INCLUDING ALL);
CREATE TABLE bare.counters (user_id text COLLATE "C" PRIMARY KEY, count bigint NOT NULL) WITH (fillfactor = 70);
CREATE TABLE bare.log (user_id text NOT NULL, count bigint NOT NULL);
INSERT INTO bare.counters SELECT 'user' || g, 0 FROM generate_series(1, 10000) g;

-- A table of an application, bare and attached: one row (file_*) or 10,000 of a
-- user's (files_*) in a statement.
CREATE TABLE bare.files (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text, mb int);
CREATE SCHEMA attached;
CREATE TABLE attached.files (LIKE bare.files INCLUDING ALL);
SELECT usage_set_limit('file_mb', 1000000000000);
INSERT INTO usage_types (usage_type, log_events) VALUES ('file_mb', false);
SELECT usage_attach('attached.files', 'file_mb', 'owner', 'mb', 'mb > 0');

-- Credits: of ours one grant a user, and the seed's tables with what a spend by
-- hand needs.
SELECT count(usage.credit_grant('user' || g, 1000000000)) FROM generate_series(1, 10000) g;
INSERT INTO usage.usage_types (usage_type, log_events) VALUES ('paid', false);
SELECT usage.usage_set_limit('paid_daily', 1000000000, usage_type => 'paid');
INSERT INTO usage.credit_costs (usage_type, credits) VALUES ('paid', 1);
ALTER DATABASE postgres SET usage_limits.credits_enabled = on;
CREATE TABLE bare.credits (
	user_id text COLLATE "C" PRIMARY KEY,
	balance bigint NOT NULL,
	lifetime_earned bigint NOT NULL DEFAULT 0,
	lifetime_spent bigint NOT NULL DEFAULT 0,
	updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE TABLE bare.credit_transactions (
	id bigserial PRIMARY KEY,
	user_id text COLLATE "C" NOT NULL,
	amount bigint NOT NULL,
	balance_after bigint NOT NULL,
	transaction_type text NOT NULL,
	description text,
	reference_id text,
	metadata jsonb,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON bare.credit_transactions (user_id, created_at);
INSERT INTO bare.credits (user_id, balance) SELECT 'user' || g, 1000000000 FROM generate_series(1, 10000) g;
