# Sixteen clients, 30 % of whose transactions roll back, use up limits: the sum
# is the limit, neither more nor less, at every isolation level, with savepoints
# and without, and no transaction fails.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my ($clients, $transactions) = (16, 120);
my $node = new_server('main');

$node->safe_psql('postgres', q{
	SELECT usage_set_limit('jobs_total', 1000, kind => 'counter');
	SELECT usage_set_limit('calls_total', 20, kind => 'counter');
	SELECT usage_maintain();
});

# Three of ten transactions roll back.  :n counts a client's transactions, so
# that every key gets its share of both kinds.
my $count = q{
\set n :n + 1
\set undo :n % 10 < 3
};
my $end = q{
\if :undo
ROLLBACK;
\else
COMMIT;
\endif
};
my $one = q{SELECT usage_consume('hot', 'job');};
my $keyed = q{\set key (:n / 10 + :client_id * 3) % 50
SELECT usage_consume('user ' || :key, 'call');};
# the savepoint's use is given back, then taken for good
my $savepoint = q{SAVEPOINT a;
SELECT usage_consume('hot', 'job', 2);
ROLLBACK TO a;
SAVEPOINT b;
SELECT usage_consume('hot', 'job');
RELEASE b;};

my @runs = (
	# what, how a transaction begins, what it does, the users and the sum of each
	[ 'one key', 'BEGIN;', $one, 1, 1000 ],
	[ 'fifty keys', 'BEGIN;', $keyed, 50, 20 ],
	[ 'savepoints', 'BEGIN;', $savepoint, 1, 1000 ],
	[ 'REPEATABLE READ', 'BEGIN ISOLATION LEVEL REPEATABLE READ;', $one, 1, 1000 ],
	[ 'REPEATABLE READ, fifty keys', 'BEGIN ISOLATION LEVEL REPEATABLE READ;', $keyed, 50, 20 ],
	[ 'SERIALIZABLE', 'BEGIN ISOLATION LEVEL SERIALIZABLE;', $one, 1, 1000 ],
	[ 'SERIALIZABLE, fifty keys, savepoints', 'BEGIN ISOLATION LEVEL SERIALIZABLE;', "SAVEPOINT a;\n$keyed\nRELEASE a;", 50, 20 ],
);

foreach my $run (@runs)
{
	my ($what, $begin, $use, $users, $limit) = @$run;
	(my $name = lc $what) =~ s/\W+/_/g;

	# tracking beside it, of somebody else, waits for nobody and loses nothing
	my $script = "$count$begin\n$use\nSELECT usage_track('watcher', 'seen');\n$end";

	$node->pgbench(
		"-n -c $clients -j 2 -t $transactions -D n=0",
		0,
		[ qr{processed: ${\($clients * $transactions)}/${\($clients * $transactions)}} ],
		[qr{^$}],
		$what,
		{ "007_$name" => $script });

	# in shared memory what is open counts as used: who was denied the last units
	# by what was rolled back afterwards may have them now
	$node->safe_psql('postgres', q{
		SELECT usage_consume(user_id, usage_type) FROM usage_counters, generate_series(1, 20)
		WHERE usage_type <> 'seen'}) if $ENV{USAGE_PRELOAD};
	is( value($node, q{
			SELECT count(*) || ' of ' || string_agg(DISTINCT sum::text, ',')
			FROM (SELECT sum(amount) FROM usage_counters WHERE usage_type <> 'seen' GROUP BY user_id) s}),
		"$users of $limit", "$what: exactly the limit, for each user");
	is(value($node, q{SELECT sum(amount) FROM usage_counters WHERE usage_type = 'seen'}),
		$clients * $transactions * 0.7, "$what: all was tracked that was committed");
	is(value($node, q{SELECT count(*) FROM usage_events WHERE event_type <> 'seen'}), $users * $limit, "$what: an event a use");
	is(value($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '0', "$what: no lock is left");

	# the rows of other slots are folded into one; sums stay
	$node->safe_psql('postgres', 'SELECT usage_maintain()');
	is( value($node, q{
			SELECT count(*) || ' of ' || string_agg(DISTINCT sum::text, ',')
			FROM (SELECT sum(amount) FROM usage_counters WHERE usage_type <> 'seen' GROUP BY user_id) s}),
		"$users of $limit", "$what: folded");
	$node->safe_psql('postgres', 'TRUNCATE usage_counters, usage_events');
}

# What is rolled back to a savepoint and done again makes nobody fail, also where
# all write the same rows: a rate's state and a key's answer.
$node->safe_psql('postgres', q{
	SELECT usage_set_limit('dials', 1000000, usage_type => 'dial', kind => 'rate', period => '1 hour')});
my $dial = q{SELECT usage_consume('hot', 'dial', idempotency_key => 'k' || :n / 3);};
$node->pgbench(
	"-n -c $clients -j 2 -t 30 -D n=0", 0,
	[ qr{processed: ${\($clients * 30)}/${\($clients * 30)}} ], [qr{^$}],
	'SERIALIZABLE, done again',
	{ '007_again' => "\\set n :n + 1\nBEGIN ISOLATION LEVEL SERIALIZABLE;\nSAVEPOINT a;\n$dial\nROLLBACK TO a;\n$dial\nCOMMIT;\n" });
is(value($node, q{SELECT sum(amount) FROM usage_counters WHERE usage_type = 'dial'}), '11', 'SERIALIZABLE, done again: each key once');

$node->stop;
done_testing();
