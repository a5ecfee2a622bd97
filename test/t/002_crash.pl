# A backend or the whole server is killed while many clients consume and spend:
# what a client was told to be committed counts, nothing else does but what was on
# its way, and the limit holds.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $clients = 8;
my $node = new_server('main', 'restart_after_crash = on');
my $logs = $node->basedir;
my $run = 0;

$node->safe_psql('postgres', q{
	SELECT usage_set_limit('jobs_total', 1000000, kind => 'counter');
	SELECT credit_grant('hot', 1000000);
	-- written by the same transactions, one row a unit
	CREATE TABLE receipt (id bigint GENERATED ALWAYS AS IDENTITY);
});

my $script = "$logs/consume.sql";
append_to_file($script, q{
BEGIN;
SELECT allowed::int AS allowed FROM usage_consume('hot', 'job') \gset
\if :allowed
INSERT INTO receipt DEFAULT VALUES;
SELECT credit_spend('hot', 1);
\endif
COMMIT;
});

# Starts the clients; they go on until they have no server any more.
sub start_load
{
	my ($transactions) = @_;

	$run++;
	return IPC::Run::start(
		[   'pgbench', '-n', '-c', $clients, '-j', 2, '-t', $transactions,
			'-l', "--log-prefix=$logs/run$run", '-f', $script,
			'-h', $node->host, '-p', $node->port, 'postgres' ],
		'>', \my $out, '2>', \my $err);
}

# How many transactions the clients of the last load were told to be committed.
sub told
{
	my $count = 0;

	foreach my $file (glob("$logs/run$run*"))
	{
		$count += () = slurp_file($file) =~ /^\d/mg;
	}
	return $count;
}

sub receipts { return value($node, 'SELECT count(*) FROM receipt'); }

sub wait_for_receipts
{
	my ($count) = @_;

	$node->poll_query_until('postgres', "SELECT count(*) >= $count FROM receipt")
	  or die 'the load does not get on';
	return;
}

# Kills one of the clients' backends.
sub kill_backend
{
	kill 'KILL', value($node, q{
		SELECT pid FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1});
	return;
}

sub wait_for_server
{
	$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
	return;
}

# What holds after every crash: returns the sum.
sub check_sums
{
	my ($what) = @_;
	my $sum = value($node, q{SELECT coalesce(sum(amount), 0) FROM usage_counters});

	is($sum, receipts(), "$what: counted is what was committed");
	is(value($node, 'SELECT count(*) FROM usage_events'), $sum, "$what: and so are the events");
	is(value($node, q{SELECT current FROM usage_check('hot', 'job')}), $sum, "$what: the answer says so");
	is(value($node, q{SELECT 1000000 - credit_balance('hot')}), $sum, "$what: as much was spent");
	is(value($node, q{SELECT * FROM usage_reconcile()}), '', "$what: of credits nothing disagrees");
	is(value($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '0', "$what: no lock is left");
	return $sum;
}

# a backend
my $load = start_load(1000000);
wait_for_receipts(200);
kill_backend();
$load->finish;
wait_for_server();
my $sum = check_sums('a backend was killed');
my $told = told();
cmp_ok($sum, '>=', $told, 'a backend was killed: nothing that a client was told to be committed is lost');
cmp_ok($sum, '<=', $told + $clients, 'a backend was killed: at most one use a client was on its way');

# the server
my $before = $sum;
$load = start_load(1000000);
wait_for_receipts($before + 200);
$node->kill9;
$load->finish;
# what the dead server left behind may take a moment to go
my $started = 0;
for (my $i = 0; $i < 1800 && !$started; $i++)
{
	$started = $node->start(fail_ok => 1);
	next if $started;
	$node->stop('fast', fail_ok => 1);
	select(undef, undef, undef, 0.1);
}
ok($started, 'the server was killed: it starts');
$sum = check_sums('the server was killed');
$told = $before + told();
cmp_ok($sum, '>=', $told, 'the server was killed: nothing that a client was told to be committed is lost');
cmp_ok($sum, '<=', $told + $clients, 'the server was killed: at most one use a client was on its way');

# killed while the limit is near, and used up after that: never above it
my $limit = $sum + 300;
$node->safe_psql('postgres', "SELECT usage_set_limit('jobs_total', $limit)");
$load = start_load(1000000);
wait_for_receipts($sum + 100);
kill_backend();
$load->finish;
wait_for_server();
cmp_ok(check_sums('near the limit'), '<=', $limit, 'near the limit: not above it');

$load = start_load(100);
$load->finish;
is(check_sums('used up'), $limit, 'used up: exactly the limit');

$node->stop;
done_testing();
