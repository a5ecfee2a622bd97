# Holds under load, after crashes, and with sessions that end in any way: at
# both gates no limit is exceeded, what was held is held, and what was bound to
# a session is given back with it.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $clients = 8;
my $users = 40;
my $limit = 20;

# One step of the load: consumes, or takes a hold that another transaction then
# settles with more or less, renews first, releases, or leaves to expire.
my $script = PostgreSQL::Test::Utils::tempdir() . '/holds.sql';
append_to_file($script, qq{
\\set n :n + 1
\\set user (:n / 4) % $users
\\set what random(1, 10)
\\set less random(0, 2)
\\if :what <= 4
BEGIN;
SELECT usage_consume('user ' || :user, 'job', :what);
\\if :less = 0
ROLLBACK;
\\else
COMMIT;
\\endif
\\else
SELECT try_hold('user ' || :user, 'hold ' || :client_id || ' ' || :n, :less + 1);
\\if :what = 5
SELECT try('usage_release', 'hold ' || :client_id || ' ' || :n);
\\elif :what < 10
SELECT try('usage_renew', 'hold ' || :client_id || ' ' || :n);
SELECT try('usage_settle', 'hold ' || :client_id || ' ' || :n, :less * 2);
\\endif
\\endif
});

# A session of its own, in which a statement was run.
sub session
{
	my ($node, $sql) = @_;
	my ($in, $out) = ("$sql\n", '');
	my $psql = IPC::Run::start(
		[ 'psql', '-XAtq', '-h', $node->host, '-p', $node->port, 'postgres' ],
		'<', \$in, '>', \$out, '2>', \my $err,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));

	$psql->pump until $out =~ /\n/;
	return ($psql, $out);
}

sub bound_hold
{
	my ($node, $hold_id) = @_;
	my ($psql, $out) = session($node, "SELECT pg_backend_pid() FROM usage_hold('ann', 'concurrent_renders', session_bound => true, hold_id => '$hold_id');");

	chomp $out;
	is(value($node, q{SELECT allowed, current FROM usage_check('ann', 'concurrent_renders')}), 'f|2', "$hold_id is held");
	return ($psql, $out);
}

sub is_given_back
{
	my ($node, $what) = @_;

	ok($node->poll_query_until('postgres', q{SELECT allowed AND current = 1 FROM usage_check('ann', 'concurrent_renders')}),
		"$what: its hold is given back, the other one stays");
	is(value($node, q{SELECT string_agg(hold_id, ',') FROM usage_open_holds WHERE user_id = 'ann'}), 'lasting', "$what: and the view says so");
	return;
}

foreach my $preload ('', 'usage_limits')
{
	my $gate = $preload ? 'shared gate' : 'lock gate';
	my $node = new_server($preload ? 'shared' : 'locks', 'restart_after_crash = on',
		"shared_preload_libraries = '$preload'");

	$node->safe_psql('postgres', qq{
		SELECT usage_set_limit('jobs_total', $limit, kind => 'counter');
		SELECT usage_set_limit('concurrent_renders', 2);
		SELECT count(*) FROM usage_maintain();
		CREATE FUNCTION try_hold(user_id text, hold_id text, amount bigint) RETURNS boolean LANGUAGE sql AS
			\$\$ SELECT allowed FROM usage_hold(user_id, 'job', amount, '20 milliseconds', hold_id) \$\$;
		-- a denied hold is not there to end, and one may have expired
		CREATE FUNCTION try(what text, hold_id text, amount bigint DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS \$\$
		BEGIN
			IF what = 'usage_settle' THEN
				RETURN (SELECT reason FROM usage_settle(hold_id, amount));
			ELSIF what = 'usage_renew' THEN
				RETURN usage_renew(hold_id, '1 hour');
			END IF;
			RETURN usage_release(hold_id);
		EXCEPTION WHEN undefined_object OR object_not_in_prerequisite_state THEN
			RETURN SQLSTATE;
		END \$\$;
	});
	foreach my $isolation ('read committed', 'repeatable read', 'serializable')
	{
		(my $escaped = $isolation) =~ s/ /\\ /;
		local $ENV{PGOPTIONS} = "-c default_transaction_isolation=$escaped";

		$node->safe_psql('postgres', 'TRUNCATE usage_counters, usage_holds');
		$node->command_ok([ 'pgbench', '-n', '-c', $clients, '-j', 2, '-t', 400, '-D', 'n=0', '-f', $script, 'postgres' ],
			"$gate, $isolation: no transaction fails");
		is(value($node, qq{SELECT count(*) FROM (SELECT FROM usage_counters GROUP BY user_id HAVING sum(amount) > $limit) above}), '0',
			"$gate, $isolation: no user is above the limit");
		is(value($node, q{SELECT string_agg(state, ',' ORDER BY state COLLATE "C") FROM (SELECT DISTINCT state FROM usage_holds) h}), 'open,released,settled',
			"$gate, $isolation: holds ended in every way");
		$node->safe_psql('postgres', qq{
			SELECT usage_release_all('user ' || g) FROM generate_series(0, $users - 1) g;
			SELECT usage_consume('user ' || g, 'job') FROM generate_series(0, $users - 1) g, generate_series(1, $limit);
		});
		is(value($node, qq{SELECT count(*) FROM (SELECT FROM usage_counters GROUP BY user_id HAVING sum(amount) = $limit) filled}), $users,
			"$gate, $isolation: and every one gets to it");
		is(value($node, qq{SELECT count(*) FROM usage_holds h WHERE h.state = 'settled' AND (h.answer).event_id NOT IN (SELECT id FROM usage_events)}), '0',
			"$gate, $isolation: what was settled has an event");
	}

	# sessions that end in any way
	is(value($node, q{SELECT allowed FROM usage_hold('ann', 'concurrent_renders', 1, '1 hour', 'lasting')}), 't', "$gate: a hold that lasts");
	my ($psql, $pid) = bound_hold($node, 'bound 1');
	$psql->finish;
	is_given_back($node, "$gate: a session that says goodbye");

	($psql, $pid) = bound_hold($node, 'bound 2');
	$psql->signal('KILL');
	eval { $psql->finish };
	is_given_back($node, "$gate: a client that is killed");

	($psql, $pid) = bound_hold($node, 'bound 3');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	eval { $psql->finish };
	is_given_back($node, "$gate: a backend that is terminated");

	($psql, $pid) = bound_hold($node, 'bound 4');
	kill 'KILL', $pid;
	eval { $psql->finish };
	$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
	is_given_back($node, "$gate: a backend that is killed, and all others with it");

	($psql, $pid) = bound_hold($node, 'bound 5');
	$node->stop('immediate');
	eval { $psql->finish };
	$node->start;
	is_given_back($node, "$gate: a server that is killed");
	is(value($node, q{SELECT allowed, reason FROM usage_settle('lasting')}), 't|ok', "$gate: what outlived all that can be settled");

	# prepared, and open through a crash
	$node->safe_psql('postgres', q{
		BEGIN;
		SELECT usage_hold('bea', 'concurrent_renders', hold_id => 'prepared');
		PREPARE TRANSACTION 'bea';
	});
	$node->stop('immediate');
	$node->start;
	is(value($node, q{SELECT allowed, current FROM usage_check('bea', 'concurrent_renders')}), 't|0', "$gate: a prepared hold is not seen");
	is(sqlstate($node, q{SET lock_timeout = '10ms'; SELECT usage_hold('bea', 'concurrent_renders')}), '55P03', "$gate: but it is waited for");
	$node->safe_psql('postgres', q{COMMIT PREPARED 'bea'});
	is(value($node, q{SELECT allowed, current FROM usage_hold('bea', 'concurrent_renders')}), 't|2', "$gate: and counts once it is committed");
	$node->stop;
}
done_testing();
