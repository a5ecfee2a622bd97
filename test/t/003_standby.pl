# A standby answers what can be read and refuses what writes; so does a
# read-only transaction.  A promoted standby goes on where the primary ended.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $primary = new_server('primary');

$primary->safe_psql('postgres', q{
	SELECT usage_install_defaults();
	SELECT usage_set_limit('jobs_total', 10, kind => 'counter');
	SELECT usage_set_tier('pat', 'pro');
	SELECT usage_consume('ann', 'prompt', 4), usage_consume('pat', 'prompt', 40), usage_consume('ann', 'job', 3);
	SELECT usage_set_gauge('ann', 'storage_mb', 480);
	SELECT usage_track('ann', 'export', event_subtype => 'mp4', status => 'failed', error_message => 'no disk');
});

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

# A call of every function that is marked VOLATILE.
my %writers = (
	credit_grant => q{credit_grant('ann', 1)},
	credit_hold => q{credit_hold('ann', 1, '1 hour', 'h')},
	credit_refill => q{credit_refill('ann')},
	credit_refund => q{credit_refund(1)},
	credit_spend => q{credit_spend('ann', 1)},
	credit_void => q{credit_void(1)},
	usage_adjust => q{usage_adjust('ann', 'prompt', 1)},
	usage_attach => q{usage_attach('user_subscriptions', 'prompt', 'user_id')},
	usage_detach => q{usage_detach('user_subscriptions', 'prompt')},
	usage_repair => q{usage_repair('user_subscriptions')},
	usage_consume => q{usage_consume('ann', 'prompt')},
	usage_consume_many => q{usage_consume_many('ann', '{"prompt": 1}')},
	usage_enforce => q{usage_enforce('ann', 'prompt')},
	usage_grant => q{usage_grant('pg_monitor', 'reader')},
	usage_hold => q{usage_hold('ann', 'prompt')},
	usage_release => q{usage_release('h')},
	usage_release_all => q{usage_release_all('ann')},
	usage_renew => q{usage_renew('h', '1 hour')},
	usage_settle => q{usage_settle('h')},
	usage_import => q{usage_import('public')},
	usage_install_defaults => q{usage_install_defaults()},
	usage_maintain => q{usage_maintain()},
	usage_refund => q{usage_refund(1)},
	usage_reset => q{usage_reset('ann', 'prompt')},
	usage_revoke => q{usage_revoke('pg_monitor')},
	usage_set_gauge => q{usage_set_gauge('ann', 'storage_mb', 1)},
	usage_set_limit => q{usage_set_limit('prompts_daily', 1)},
	usage_set_member => q{usage_set_member('ann', 'acme')},
	usage_set_override => q{usage_set_override('prompts_daily', 1, 'ann')},
	usage_set_tier => q{usage_set_tier('ann', 'pro')},
	usage_track => q{usage_track('ann', 'prompt')},
);
my $marked = value($primary, q{
	SELECT string_agg(p.proname, ' ' ORDER BY p.proname)
	FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'usage_limits')
		AND p.provolatile = 'v' AND p.prorettype <> 'trigger'::regtype
		AND p.proname <> ALL ('{usage_now,usage_limits_session_lives,usage_limits_stat,usage_limits_entries,usage_limits_stats_reset}'::text[])});
is(join(' ', sort keys %writers), $marked, 'every function that writes is tried');

# What reads, as one value.
my $readings = q{
	SELECT jsonb_build_array(
		(SELECT jsonb_agg(s) FROM usage_status('ann') s),
		(SELECT jsonb_agg(s) FROM usage_status('pat') s),
		(SELECT to_jsonb(d) FROM usage_check('ann', 'prompt', 7) d),
		(SELECT to_jsonb(d) FROM usage_check('pat', 'prompt', 7) d),
		(SELECT to_jsonb(d) FROM usage_check_limit('ann', 'storage_mb', 20) d),
		usage_check_action('ann', 'export_video'),
		usage_summary('ann'),
		usage_stats('ann'),
		(SELECT jsonb_agg(e) FROM usage_explain('ann', 'export') e),
		(SELECT jsonb_agg(t) FROM usage_top_users('prompt') t),
		(SELECT jsonb_agg(u) FROM user_usage u),
		(SELECT jsonb_agg(v) FROM usage_limits_version() v))};
# days and windows would differ around midnight
my $clock = q{SET usage_limits.test_clock = '2026-03-10 12:00:00+00';};

foreach my $where ('a standby', 'a read-only transaction')
{
	my $node = $where eq 'a standby' ? $standby : $primary;
	my $begin = $where eq 'a standby' ? '' : 'SET default_transaction_read_only = on;';

	is(value($node, "$clock $begin $readings"), value($primary, "$clock $readings"), "$where reads");
	foreach my $name (sort keys %writers)
	{
		is(sqlstate($node, "$begin SELECT $writers{$name};"), '25006', "$where refuses $name");
	}
	is(value($node, "$begin SELECT current FROM usage_check('ann', 'prompt', 0)"), '4', "$where: nothing was counted");
}

# a change reaches sessions of the standby that have been there before
my $reader = $standby->background_psql('postgres');
my $look = q{SELECT current, "limit" FROM usage_check('ann', 'job')};
is($reader->query_safe($look), '3|10', 'a session of the standby');
$primary->safe_psql('postgres', q{
	SELECT usage_set_limit('jobs_total', 8);
	SELECT usage_consume('ann', 'job', 2);
});
$primary->wait_for_catchup($standby);
is($reader->query_safe($look), '5|8', 'the same session after changes on the primary');
$primary->safe_psql('postgres', q{SELECT usage_set_override('jobs_total', 9, 'ann')});
$primary->wait_for_catchup($standby);
is($reader->query_safe($look), '5|9', 'and after a change for the user');
$reader->quit;

# a transaction is prepared, then the primary is lost
$primary->safe_psql('postgres', q{
	BEGIN;
	SELECT usage_consume('ann', 'job', 2);
	PREPARE TRANSACTION 'two more';
});
$primary->wait_for_catchup($standby);
$primary->stop('immediate');
$standby->promote;

my $events = value($standby, 'SELECT max(id) FROM usage_events');
is(value($standby, $look), '5|9', 'promoted: what was committed counts');
is(sqlstate($standby, q{SET lock_timeout = '10ms'; SELECT usage_consume('ann', 'job');}), '55P03',
	'promoted: what is prepared is not given to anybody');
$standby->safe_psql('postgres', q{COMMIT PREPARED 'two more'});
is(value($standby, $look), '7|9', 'promoted: the prepared use, committed');
is(value($standby, q{SELECT allowed, current FROM usage_consume('ann', 'job', 3)}), 'f|7', 'promoted: the limit holds');
is(value($standby, q{SELECT allowed, current FROM usage_consume('ann', 'job', 2)}), 't|9', 'promoted: up to the limit');
cmp_ok(value($standby, 'SELECT max(id) FROM usage_events'), '>', $events, 'promoted: events get new ids');

$standby->stop;
done_testing();
