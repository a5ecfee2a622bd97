# A dump, plain or in an archive restored by two jobs, carries everything into a
# new database: rows, sequences, partitions, privileges, and so every answer.
# DROP EXTENSION leaves nothing behind.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main');
my $clock = q{SET usage_limits.test_clock = '2026-03-10 12:00:00+00';};
my @roles = qw(reader app billing admin);

# something in every table, and partitions that are not the extension's
$node->safe_psql('postgres', $_) foreach (
	map({ "CREATE ROLE the_$_" } @roles),
	map({ "SELECT usage_grant('the_$_', '$_')" } @roles),
	$clock . q{
		SELECT usage_install_defaults();
		SELECT usage_maintain();
		SELECT usage_track('ann', 'prompt', occurred_at => '2019-05-05', event_subtype => 'old, of no partition');
		SELECT usage_set_limit('exports_daily', 7, 'free'), usage_set_limit('exports_daily', 70, 'gold');
		SELECT usage_set_override('prompts_daily', 50, 'ann', expires_at => '2027-01-01', reason => 'a "friend"');
		SELECT usage_set_tier('pat', 'pro', time_zone => 'Asia/Kathmandu'), usage_set_tier('gil', 'gold');
		SELECT usage_set_tier('pat', 'team', status => 'past_due');
		INSERT INTO usage_types (usage_type, log_events, unit) VALUES ('ping', false, 'ms');
		INSERT INTO usage_members (user_id, account_id) VALUES ('ann', 'acme');
		SELECT usage_set_override('prompts_daily', 500, 'acme');
		INSERT INTO usage_alerts (limit_type, percent) VALUES ('prompts_daily', 80);
		INSERT INTO usage_alert_log (user_id, limit_type, alert_id, current, "limit") VALUES ('ann', 'prompts_daily', 1, 8, 10);
		INSERT INTO usage_denials (user_id, limit_type, usage_date, count) VALUES ('ann', 'prompts_daily', '2026-03-10', 2);
		SELECT usage_consume('ann', 'prompt', 4, 'it''s "x"', tokens_used => 9, metadata => '{"a": [1, 2]}', idempotency_key => 'k');
		SELECT usage_consume('pat', 'export', 2), usage_consume('gil', 'api_call', 30), usage_track('ann', 'ping', 12);
		SELECT usage_track('ann', 'export', status => 'failed', error_message => 'no
			disk');
		SELECT usage_set_gauge('ann', 'storage_mb', 123);
		SELECT usage_refund(2, 1);
		SELECT usage_reset('pat', 'export');
		SELECT credit_grant('ann', 10, priority => 1), credit_grant('ann', 20, priority => 2);
		SELECT credit_spend('ann', 15);
		SELECT usage_hold('hal', 'thing', 1, hold_id => 'h', ttl => '1000 days');
		INSERT INTO credit_costs (usage_type, credits) VALUES ('export', 2);
		SELECT usage_set_limit('pokes_hourly', 7, kind => 'rate', burst => 3), usage_set_limit('pokes_monthly', 9, alignment => 'anniversary');
		SELECT usage_set_tier('gil', 'gold', anchor_at => '2026-01-31 10:00:00.5'), usage_consume('gil', 'poke', 2);
	},
	# a row of another slot
	"BEGIN ISOLATION LEVEL REPEATABLE READ; $clock SELECT usage_track('ann', 'prompt', 3); COMMIT");

# Every table and sequence of the schema with what is in it.
my $contents = q{
	SELECT CASE WHEN c.relkind = 'S' THEN format('SELECT concat_ws('' '', %L, last_value, is_called) FROM %s', c.relname, c.oid::regclass)
		ELSE format('SELECT concat_ws('' '', %L, count(*), md5(coalesce(string_agg(t::text, E''\n'' ORDER BY t::text), ''''))) FROM ONLY %s t',
			c.relname, c.oid::regclass) END
	FROM pg_class c WHERE c.relnamespace = 'usage'::regnamespace AND c.relkind IN ('r', 'S')
		-- transaction ids mean nothing elsewhere: days are summed anew
		AND c.relname !~ '^usage_day'
	ORDER BY c.relname \gexec
};
my $partitions = q{
	SELECT string_agg(c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid), E'\n' ORDER BY c.relname)
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'usage_events'::regclass};
my $indexes = q{
	SELECT string_agg(indexname || ' ' || indexdef, E'\n' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'usage'};
my $triggers = q{
	SELECT string_agg(tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text, E'\n' ORDER BY tgrelid::regclass::text, tgname)
	FROM pg_trigger WHERE NOT tgisinternal};
my $privileges = q{
	SELECT string_agg(what, E'\n' ORDER BY what) FROM (
		SELECT r.rolname || ' ' || p.oid::regprocedure AS what
		FROM pg_roles r, pg_proc p
		WHERE p.pronamespace = 'usage'::regnamespace AND r.rolname LIKE 'the\_%' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
		UNION ALL
		SELECT r.rolname || ' ' || c.relname || ' ' || k.kind
		FROM pg_roles r, pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) k (kind)
		WHERE c.relnamespace = 'usage'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND r.rolname LIKE 'the\_%'
			AND has_table_privilege(r.oid, c.oid, k.kind)
		UNION ALL
		SELECT r.rolname || ' schema ' || has_schema_privilege(r.oid, 'usage', 'USAGE')
		FROM pg_roles r WHERE r.rolname LIKE 'the\_%') p};
my $answers = $clock . q{
	SELECT jsonb_pretty(jsonb_agg(answer)) FROM (
		SELECT jsonb_build_array(u,
			(SELECT jsonb_agg(s) FROM usage_status(u) s),
			(SELECT to_jsonb(d) FROM usage_check(u, 'prompt', 5) d),
			(SELECT to_jsonb(d) FROM usage_check(u, 'export', 1) d),
			(SELECT to_jsonb(d) FROM usage_check(u, 'api_call', 31) d),
			(SELECT to_jsonb(d) FROM usage_check_limit(u, 'storage_mb', 400) d),
			(SELECT to_jsonb(d) FROM usage_check(u, 'poke', 2) d),
			usage_check_action(u, 'export_video', false),
			(SELECT jsonb_agg(e) FROM usage_explain(u, 'export') e),
			usage_summary(u), usage_stats(u))
		FROM unnest(ARRAY['ann', 'pat', 'gil', 'nobody']) u
		UNION ALL
		SELECT jsonb_build_array(
			(SELECT jsonb_agg(t) FROM usage_top_users('prompt') t),
			(SELECT jsonb_agg(t) FROM usage_trends(2) t),
			(SELECT jsonb_agg(t) FROM usage_trends(3000) t WHERE t.total_count > 0),
			(SELECT jsonb_agg(t) FROM usage_error_rates(min_events => 1) t),
			(SELECT jsonb_agg(t) FROM usage_users() t),
			usage_funnel(),
			(SELECT jsonb_agg(t ORDER BY id) FROM user_usage t),
			(SELECT jsonb_agg(t) FROM usage_limits_version() t))) a (answer)};
# a repeat of the key, then what consumes
my $actions = $clock . q{
	SELECT d.allowed, d.current, d.event_id FROM usage_consume('ann', 'prompt', 4, 'it''s "x"', tokens_used => 9, idempotency_key => 'k') d;
	SELECT d.allowed, d.current, d.event_id FROM usage_consume('ann', 'prompt', 45) d;
	SELECT d.allowed, d.current, d.event_id FROM usage_consume('ann', 'prompt', 44) d;
	SELECT d.allowed, d.current, d.event_id FROM usage_consume('pat', 'export', 1) d;
	SELECT d.allowed, d.current, d.reset_at FROM usage_consume('gil', 'poke', 2) d;
	SELECT d.allowed, d.current, d.reset_at FROM usage_consume('gil', 'poke', 1) d;
	SELECT usage_track('new', 'prompt');
	SELECT d.current FROM usage_refund(2) d;
	SELECT l.id, l.usage_type FROM usage_set_limit('things_daily', 5) l;
	SELECT o.id FROM usage_set_override('things_daily', 6, 'ann') o;
	SELECT s.id FROM usage_set_tier('new', 'pro') s;
	SELECT what, count FROM usage_maintain() WHERE what <> 'days summed';
	SELECT count(*), count(DISTINCT id) FROM usage_events;};

my %before;
my %questions = (
	'tables and sequences' => $contents,
	'partitions' => $partitions,
	'indexes' => $indexes,
	'triggers' => $triggers,
	'privileges' => $privileges,
	'answers' => $answers);
$before{$_} = value($node, $questions{$_}) foreach keys %questions;

my $empty = join ' ', $before{'tables and sequences'} =~ /^(?!usage_events_20)(\w+) 0 /mg;
is($empty, '', 'every table has data');
my @members = split /\n/, value($node, q{
	SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
	JOIN pg_extension e ON e.oid = d.refobjid AND d.deptype = 'e' AND e.extname = 'usage_limits'
	WHERE c.relkind IN ('r', 'S') AND c.relname !~ '^usage_day' ORDER BY 1});
cmp_ok(scalar @members, '>', 20, 'tables and sequences of the extension');
like($before{'tables and sequences'}, qr/^$_ /m, "$_ is compared") foreach @members;

my $plain = $node->basedir . '/plain.sql';
my $archive = $node->basedir . '/archive';
$node->command_ok([ 'pg_dump', '-f', $plain, $node->connstr('postgres') ], 'a plain dump');
$node->command_ok([ 'pg_dump', '-Fc', '-f', $archive, $node->connstr('postgres') ], 'an archive');
foreach my $database ('from_plain', 'from_archive')
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql('postgres', "ALTER DATABASE $database SET search_path = public, usage");
}
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $plain, '-d', $node->connstr('from_plain') ],
	'the plain dump is restored');
$node->command_ok([ 'pg_restore', '-j2', '--exit-on-error', '-d', $node->connstr('from_archive'), $archive ],
	'the archive is restored by two jobs');

foreach my $database ('from_plain', 'from_archive')
{
	is($node->safe_psql($database, $questions{$_}), $before{$_}, "$database: $_") foreach sort keys %questions;
}

my $days = q{SELECT (SELECT count(*) FROM usage_days), (SELECT count(*) FROM usage_day_sums), (SELECT count(*) FROM usage_day_marks)};
like(value($node, $days), qr/^3650\|0\|1$/, 'days are summed, and one has changed');
foreach my $database ('from_plain', 'from_archive')
{
	is($node->safe_psql($database, $days), '0|0|0', "$database: no day is summed yet");
}

my $acted = value($node, $actions);
like($acted, qr/^t\|4\|2\nf\|6\|\nt\|50\|\d+\n/, 'the key repeats, the limit holds');
foreach my $database ('from_plain', 'from_archive')
{
	is($node->safe_psql($database, $actions), $acted, "$database goes on in the same way");
}

# Days are summed anew, perhaps not at once: somebody else's transaction may be open.
my $maintain = "$clock SELECT FROM usage_maintain();";
foreach my $database ('postgres', 'from_plain', 'from_archive')
{
	my $open = 'not asked';

	for (my $run = 0; $run < 100 && $open ne '0'; $run++)
	{
		$open = $node->safe_psql($database, "$maintain SELECT count(*) FROM usage_days WHERE unique_users IS NULL");
		$open =~ s/\s//g;
	}
	is($node->safe_psql($database, $days), '3650|1|0', "$database: days are summed");
	is($node->safe_psql($database, $questions{answers}), value($node, $questions{answers}), "$database: the answers are the same");
}

# A database that has been in use is as easily left.
foreach my $database ('postgres', 'from_plain', 'from_archive')
{
	$node->safe_psql($database, 'DROP EXTENSION usage_limits');
	is( $node->safe_psql($database, q{
			SELECT count(*) FROM (
				SELECT oid FROM pg_class WHERE relnamespace = 'usage'::regnamespace
				UNION ALL SELECT oid FROM pg_proc WHERE pronamespace = 'usage'::regnamespace
				UNION ALL SELECT oid FROM pg_type WHERE typnamespace = 'usage'::regnamespace
				UNION ALL SELECT oid FROM pg_constraint WHERE connamespace = 'usage'::regnamespace) o}),
		'0', "$database: DROP EXTENSION leaves nothing in the schema");
	$node->safe_psql($database, 'DROP SCHEMA usage');
}
foreach my $role (@roles)
{
	$node->safe_psql('postgres', "DROP ROLE the_$role");
	pass("nothing depends on the_$role any more");
}

$node->stop;
done_testing();
