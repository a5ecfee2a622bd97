# One transaction of very many calls: it writes one counter row a user and day,
# and what it reads and keeps grows with the number of calls, no faster.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main', 'max_locks_per_transaction = 64');

$node->safe_psql('postgres', q{
	SELECT usage_set_limit('calls_total', 20000, kind => 'counter');
	SELECT usage_set_limit('steps_total', 100000000, kind => 'counter');
	SELECT usage_maintain();
	CREATE TABLE answer (allowed boolean, current bigint, event_id bigint);
	CREATE FUNCTION buffers(query text) RETURNS bigint LANGUAGE plpgsql AS
	$$
	DECLARE
		plan json;
	BEGIN
		EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ' || query INTO plan;
		RETURN (plan->0->'Plan'->>'Shared Hit Blocks')::bigint + (plan->0->'Plan'->>'Shared Read Blocks')::bigint;
	END
	$$;
});
# midnight would make it two days
my $clock = q{SET usage_limits.test_clock = '2026-03-10 12:00:00+00';};

# What is left behind in the table, and in the backend that did it
my $rows = q{SELECT count(*), coalesce(sum(amount), 0), coalesce(sum(events), 0) FROM usage_counters};
my $kept = q{
	SELECT (sum(used_bytes) < 100000)::text || ' ' || (SELECT count(*) < 40 FROM pg_locks WHERE pid = pg_backend_pid())
	FROM pg_backend_memory_contexts WHERE name = 'usage_limits transaction'};
my $written = q{SELECT n_tup_ins || ' ' || n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'usage_counters'};

sub clear { $node->safe_psql('postgres', 'TRUNCATE usage_counters, usage_events, answer'); return; }

# 100,000 tracks
is( value($node, "$clock
		BEGIN;
		INSERT INTO answer (event_id) SELECT usage_track('ann', 'job', i) FROM generate_series(1, 100000) i;
		$kept;
		$written;
		SELECT current FROM usage_check('ann', 'job', 0);
		COMMIT;
		$rows;
		SELECT count(DISTINCT event_id) FROM answer;"),
	"true true\n0 0\n5000050000\n1|5000050000|100000\n100000", '100,000 tracks: one counter row, written at the commit');
clear();

# 20,000 consumes, and a few more that are denied
is( value($node, "$clock
		BEGIN;
		INSERT INTO answer SELECT (usage).allowed, (usage).current, (usage).event_id
		FROM (SELECT usage_consume('ann', 'call') AS usage FROM generate_series(1, 20010) OFFSET 0) u;
		$kept;
		$written;
		COMMIT;
		$rows;
		SELECT allowed, count(*), min(current), max(current) FROM answer GROUP BY allowed ORDER BY allowed;"),
	"true true\n0 0\n1|20000|20000\nf|10|20000|20000\nt|20000|1|20000", '20,000 consumes: one counter row, the limit to the unit');
clear();

# and all of it rolled back
is( value($node, "$clock
		BEGIN;
		INSERT INTO answer (event_id) SELECT usage_track('ann', 'job') FROM generate_series(1, 20000);
		ROLLBACK;
		$rows;"),
	"0|0|0", 'rolled back: no row');

# Four times the calls read four times the pages, or hardly more.
sub grows_linearly
{
	my ($what, $few, $query) = @_;
	my %pages;

	foreach my $count ($few, 4 * $few)
	{
		(my $counted = $query) =~ s/COUNT/$count/g;
		$counted =~ s/'/''/g;
		# the first call of a session reads the configuration
		$pages{$count} = value($node, "$clock SELECT usage_track('warm', 'job'); BEGIN; SELECT buffers('$counted'); COMMIT;");
		$pages{$count} =~ s/.*\n//s;
		clear();
	}
	cmp_ok($pages{ 4 * $few }, '<', 5 * $pages{$few}, "$what: pages read grow as the calls do");
	cmp_ok($pages{$few}, '>', $few, "$what: every call reads its pages");
	return;
}

grows_linearly('tracks', 2500, q{SELECT usage_track('ann', 'job') FROM generate_series(1, COUNT)});
grows_linearly('consumes', 2500, q{SELECT usage_consume('ann', 'step') FROM generate_series(1, COUNT)});
grows_linearly('subtypes', 500, q{SELECT usage_consume('ann', 'step', 1, 'subtype ' || i) FROM generate_series(1, COUNT) i});

$node->safe_psql('postgres', q{
	-- each call in a savepoint of its own, every third of which is given back
	CREATE FUNCTION in_savepoints(calls integer) RETURNS bigint LANGUAGE plpgsql AS
	$$
	BEGIN
		FOR i IN 1..calls LOOP
			BEGIN
				PERFORM usage_consume('ann', 'step');
				IF i % 3 = 0 THEN
					RAISE EXCEPTION 'no';
				END IF;
			EXCEPTION WHEN raise_exception THEN
				NULL;
			END;
		END LOOP;
		RETURN (usage_check('ann', 'step', 0)).current;
	END
	$$;
});
is(value($node, "$clock SELECT in_savepoints(9000); $rows"), "6000\n1|6000|6000", '9,000 savepoints: one counter row');
clear();
grows_linearly('savepoints', 1500, q{SELECT in_savepoints(COUNT)});

# many users: tracking has no bound, deciding takes a lock a user
is( value($node, "$clock
		BEGIN;
		SELECT count(usage_track('user ' || i, 'job')) FROM generate_series(1, 1000) i;
		COMMIT;
		$rows; SELECT count(DISTINCT user_id) FROM usage_counters;"),
	"1000\n1000|1000|1000\n1000", 'a thousand users tracked at once');
clear();
is( value($node, "$clock
		BEGIN;
		SELECT count(*) FILTER (WHERE (c).allowed) FROM (SELECT usage_consume('user ' || i, 'call') AS c FROM generate_series(1, 256) i OFFSET 0) c;
		COMMIT;
		$rows;"),
	"256\n256|256|256", 'a decision about 256 users');
clear();
SKIP:
{
	skip 'shared memory takes no lock a user', 3 if $ENV{USAGE_PRELOAD};
	is(sqlstate($node, q{SELECT usage_consume('user ' || i, 'call') FROM generate_series(1, 300) i;}), '54000',
		'one about 300 users is refused');
	my ($status, $stdout, $stderr) = $node->psql('postgres', q{SELECT usage_consume('user ' || i, 'call') FROM generate_series(1, 300) i;});
	like($stderr, qr/ERROR:  too many limited users in one transaction\n.*\bDETAIL:  .*\b256\b.*\n.*\bHINT:  /s, 'and it says why');
	is(value($node, $rows), '0|0|0', 'nothing of it is left');
}
clear();
is( value($node, "$clock
		BEGIN;
		SELECT count(usage_consume('user ' || i, 'call')) FROM generate_series(1, 200) i;
		SAVEPOINT a;
		SELECT count(usage_consume('other ' || i, 'call')) FROM generate_series(1, 50) i;
		ROLLBACK TO a;
		SELECT count(usage_consume('third ' || i, 'call')) FROM generate_series(1, 56) i;
		COMMIT;
		$rows;"),
	"200\n50\n56\n256|256|256", 'users given back with a savepoint do not count');
clear();
# one who may use without a limit needs no lock
$node->safe_psql('postgres', q{SELECT usage_set_limit('calls_total', -1)});
is( value($node, "$clock
		BEGIN;
		SELECT count(usage_consume('user ' || i, 'call')) FROM generate_series(1, 300) i;
		COMMIT;
		$rows;"),
	"300\n300|300|300", '300 users without a limit consume at once');

$node->stop;
done_testing();
