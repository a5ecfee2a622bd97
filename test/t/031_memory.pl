# What the shared gate does and holds, as its views show it, on a server with
# several databases.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main', "shared_preload_libraries = 'usage_limits'",
	'usage_limits.worker_enabled = off', 'usage_limits.max_counters = 1000',
	"usage_limits.on_track_error = 'warning'");
my $held = q{SELECT string_agg(concat_ws(' ', measure, committed, reserved, status, amount), ', ' ORDER BY amount)
	FROM usage_limits_memory WHERE user_id = 'ann' AND usage_type = 'seat'};

$node->safe_psql('postgres', q{SELECT usage_set_limit('seats_total', 10, usage_type => 'seat', kind => 'counter')});

# what is reserved by whom
value($node, q{SELECT usage_consume('ann', 'seat', 2)});
is(value($node, $held), 'amount 2 0', 'nobody has reserved anything');
my $idle = $node->background_psql('postgres');
my $pid = $idle->query('SELECT pg_backend_pid()');
$idle->query_safe(q{BEGIN; SELECT usage_consume('ann', 'seat', 5)});
is(value($node, $held), 'amount 2 5 open 5', 'a transaction has');
is(value($node, q{SELECT allowed, current FROM usage_consume('ann', 'seat', 4)}), 'f|7', 'who is denied by it');
is(value($node, q{SELECT a.state FROM usage_limits_memory m JOIN pg_stat_activity a USING (pid)
	WHERE m.user_id = 'ann' AND m.age > '0' AND m.since < clock_timestamp()}),
	'idle in transaction', 'finds the session that is idle with it');
is(value($node, qq{BEGIN; SELECT pid = $pid FROM usage_limits_memory WHERE user_id = 'ann'; COMMIT}), 't', 'by its process');
$idle->query_safe(q{SAVEPOINT a; SELECT usage_consume('ann', 'seat', 1); ROLLBACK TO a});
is(value($node, $held), 'amount 2 5 open 5', 'what is rolled back to a savepoint is not reserved any more');
is(value($node, q{SELECT oldest_prepared IS NULL FROM usage_limits_stats}), 't', 'nothing is prepared');
$idle->query_safe(q{PREPARE TRANSACTION 'p'});
is(value($node, $held), 'amount 2 5 prepared 5', 'a prepared transaction holds it');
is(value($node, q{SELECT pid IS NULL FROM usage_limits_memory WHERE user_id = 'ann'}), 't', 'without a process');
is(value($node, q{SELECT oldest_prepared > stats_reset FROM usage_limits_stats}), 't', 'since when');
$node->safe_psql('postgres', q{BEGIN; SELECT pg_advisory_xact_lock(1); PREPARE TRANSACTION 'q'});
value($node, q{COMMIT PREPARED 'p'});
is(value($node, q{SELECT oldest_prepared IS NULL FROM usage_limits_stats}), 't', 'a prepared transaction without usage is none of ours');
value($node, q{ROLLBACK PREPARED 'q'});
is(value($node, q{SELECT current FROM usage_check('ann', 'seat')}), '7', 'committed');
is(value($node, $held), 'amount 7 0', 'it is in the sum');
$idle->quit;

# what was done
my $stats = q{SELECT concat_ws(' ', admitted, denied, cold_loads, lock_gate_fallbacks, track_errors) FROM usage_limits_stats};
value($node, 'SELECT usage_limits_stats_reset()');
is(value($node, $stats), '0 0 0 0 0', 'set to 0');
value($node, q{SELECT usage_consume('ann', 'seat', 1)});
value($node, q{SELECT usage_consume('ann', 'seat', 5)});
value($node, q{SELECT usage_consume('bob', 'seat', 5)});
is(value($node, $stats), '2 1 1 0 0', 'admitted, denied, loaded');
value($node, q{DELETE FROM usage_counters WHERE user_id = 'ann'});
is(value($node, q{SELECT current FROM usage_check('ann', 'seat')}), '0', 'rows were deleted');
is(value($node, $stats), '2 1 2 0 0', 'and the sums read anew');
value($node, q{SELECT usage_hold('ann', 'seat', 1)});
is(value($node, $stats), '3 1 2 1 0', 'a hold goes by a lock');
$node->psql('postgres', q{SELECT usage_track('ann', 'seat', 1, occurred_at => now() + interval '1 day')});
is(value($node, $stats), '3 1 2 1 1', 'a failing track is swallowed and counted');
is(value($node, q{SELECT entries_used = (SELECT count(DISTINCT (user_id, usage_type)) FROM usage_limits_memory), entries_max,
	memory_bytes > 1000 * 200 FROM usage_limits_stats}), 't|1000|t', 'entries');

# more users than fit
value($node, q{DO $$ BEGIN FOR n IN 1 .. 3000 LOOP PERFORM usage_consume('user' || n, 'seat'); COMMIT; END LOOP; END $$});
is(value($node, q{SELECT entries_used, evictions >= 1900, admitted FROM usage_limits_stats}), '1000|t|3003', 'entries make room for others');
is(value($node, q{SELECT count(*), sum(current) FROM generate_series(1, 3000) n, usage_check('user' || n, 'seat')}), '3000|3000', 'whose usage stays');
is(value($node, q{SELECT what FROM usage_doctor() WHERE what LIKE 'shared memory%'}) =~ s/\d+/N/gr,
	'shared memory is nearly full: N of N entries and N of N nodes are in use, and entries were evicted N times', 'the doctor says so');

# what a dropped extension has left in memory does not stay there
my $nodes = q{SELECT nodes_used FROM usage_limits_stats};
my $before = value($node, $nodes);
$node->safe_psql('postgres', q{SELECT usage_set_limit('ticks_daily', 5, usage_type => 'tick', kind => 'counter',
	period => '1 day', alignment => 'calendar', durability => 'relaxed')});
value($node, q{SELECT usage_consume('ann', 'tick', 1, event_subtype => n::text) FROM generate_series(1, 7) n});
cmp_ok(value($node, $nodes), '>', $before, 'relaxed uses and a denial are in memory');
$node->safe_psql('postgres', q{DROP EXTENSION usage_limits CASCADE; DROP SCHEMA usage CASCADE});
install($node, 'postgres');
value($node, q{SELECT usage_maintain()});
# sessions give back what they keep when they end
ok($node->poll_query_until('postgres', qq{SELECT nodes_used <= $before FROM usage.usage_limits_stats}), 'and gone with their extension');
$node->safe_psql('postgres', q{SELECT usage_set_limit('seats_total', 10, usage_type => 'seat', kind => 'counter')});
value($node, q{SELECT usage_consume('user7', 'seat')});

# a copy of a database has tables of the same OIDs
$node->safe_psql('postgres', q{CREATE DATABASE copy TEMPLATE postgres});
$node->safe_psql('copy', q{ALTER DATABASE copy SET search_path = public, usage});
is($node->safe_psql('copy', q{SELECT current FROM usage_consume('user7', 'seat')}), '2', 'it begins with what was used');
value($node, q{SELECT usage_consume('user7', 'seat', 3)});
is($node->safe_psql('copy', q{SELECT current FROM usage_check('user7', 'seat')}), '2', 'and counts for itself');
is(value($node, q{SELECT current FROM usage_check('user7', 'seat')}), '4', 'as does the other');
is($node->safe_psql('copy', q{SELECT sum(committed) FROM usage_limits_memory}), '2', 'nobody sees the entries of another database');

# whoever drops the extension, or its database, waits for the worker, and the
# worker for him: nobody is ended by a deadlock
$node->append_conf('postgresql.conf', "usage_limits.worker_enabled = on\nusage_limits.flush_interval = '10ms'");
$node->restart;
my $failed = 0;
for my $round (1 .. 5)
{
	$node->safe_psql('postgres', q{SELECT usage_set_limit('ticks_daily', 5, usage_type => 'tick', kind => 'counter',
		period => '1 day', alignment => 'calendar', durability => 'relaxed')});
	value($node, q{SELECT usage_consume('ann', 'tick')});
	$failed++ if $node->psql('postgres', q{DROP EXTENSION usage_limits CASCADE}) != 0;
	$node->safe_psql('postgres', q{DROP SCHEMA usage CASCADE});
	install($node, 'postgres');
}
is($failed, 0, 'dropped while the worker is at it');
is($node->psql('postgres', q{DROP DATABASE copy}), 0, 'as is a database');

done_testing();
