# Shared memory that is full, and transactions that reserve more than it has room
# for: nobody gets more than the limit, and nobody's use is forgotten.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my @settings = ("shared_preload_libraries = 'usage_limits'", 'usage_limits.worker_enabled = off');
my $limits = q{
	SELECT usage_set_limit('prompts_total', 10, kind => 'counter');
	SELECT usage_set_limit('pings_total', 10, usage_type => 'ping', kind => 'counter', durability => 'relaxed');
	SELECT usage_set_override('prompts_total', 6000, 'hog');
	SELECT usage_maintain()};
# who has to wait gives up at once
my $impatient = q{SET lock_timeout = '10ms';};

my $node = new_server('main', @settings, 'usage_limits.max_counters = 16');
$node->safe_psql('postgres', $limits);

sub take
{
	my ($user, $amount) = @_;
	return qq{SELECT allowed, current FROM usage_consume('$user', 'prompt', $amount)};
}

sub evictions { return value($node, 'SELECT evictions FROM usage_limits_stats'); }

# what is reserved, or in no table yet, makes no room for others
$node->safe_psql('postgres', q{BEGIN; SELECT usage_consume('ann', 'prompt', 6); PREPARE TRANSACTION 'p'});
my $open = $node->background_psql('postgres');
$open->query_safe(q{BEGIN; SELECT usage_consume('bob', 'prompt', 6)});
value($node, q{SELECT usage_consume('carl', 'ping', 6)});
value($node, q{DO $$ BEGIN FOR n IN 1 .. 200 LOOP PERFORM usage_consume('user ' || n, 'prompt'); COMMIT; END LOOP; END $$});
cmp_ok(evictions(), '>', 150, 'other entries made room');
is(value($node, "$impatient " . take('ann', 6)), 'f|6', 'what is prepared counts');
is(value($node, "$impatient " . take('bob', 6)), 'f|6', 'what is open counts');
is(value($node, q{SELECT allowed, current FROM usage_consume('carl', 'ping', 6)}), 'f|6', 'what is in no table counts');
is(value($node, q{SELECT sum(amount), count(*) FROM usage_counters WHERE user_id LIKE 'user %'}), '200|200', 'and all others');
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'p'});
$open->query_safe('ROLLBACK');
is(value($node, take('ann', 6)) . ' ' . value($node, take('bob', 6)), 't|6 t|6', 'until it is given back');

# nor does what is being read
value($node, take('eve', 2));
value($node, q{UPDATE usage_counters SET first_at = first_at WHERE user_id = 'eve'});
my $reader = $node->background_psql('postgres');
$reader->query_safe(q{SELECT usage_check('eve', 'ping', 0)});
$open->query_safe('BEGIN; LOCK TABLE usage_counters IN ACCESS EXCLUSIVE MODE');
$reader->query_until(qr/reads/, "\\echo reads\n" . take('eve', 6) . ";\n");
wait_until_waiting($node, '%eve%');
$open->query_safe(q{SELECT count(usage_track('other ' || n, 'prompt')) FROM generate_series(1, 60) n; COMMIT});
like($reader->query_safe('SELECT 1'), qr/t\|8/, 'an entry stays while its rows are read');
$reader->quit;

# no entry is free: locks are used instead
$open->query_safe(q{BEGIN; SELECT count(usage_consume('user ' || n, 'prompt')) FROM generate_series(1, 16) n});
my $locks = $node->background_psql('postgres');
is($locks->query_safe('BEGIN; ' . take('zoe', 6)), 't|6', 'no entry is free: a use');
is(sqlstate($node, "$impatient " . take('zoe', 6)), '55P03', 'another waits for it');
$locks->query_safe('COMMIT');
is(value($node, take('zoe', 6)), 'f|6', 'and is denied');
is(value($node, q{SELECT usage_track('zoe', 'prompt', 2) > 0}), 't', 'a track is not');
is(value($node, q{SELECT allowed, current FROM usage_consume('zoe', 'ping', 6)}), 't|6', 'a relaxed use is admitted');
is(value($node, q{SELECT amount FROM usage_counters WHERE user_id = 'zoe' AND usage_type = 'ping'}), '6', 'and written at once');
$open->query_safe('COMMIT');
is(value($node, take('zoe', 3)) . ' ' . value($node, take('zoe', 2)), 'f|8 t|10', 'with room again all of it counts');

# no node is free
my $hog = $node->background_psql('postgres');
value($node, q{TRUNCATE usage_counters});
$open->query_safe('BEGIN; ' . take('ann', 6));
$hog->query_safe(q{BEGIN; SELECT count(usage_track('hog', 'prompt', 1, 'subtype ' || n)) FROM generate_series(1, 5000) n});
is(value($node, 'SELECT nodes_max < 5000 FROM usage_limits_stats'), 't', 'no node is free');
is(value($node, take('ann', 6)), 'f|6', 'what is reserved counts for who uses a lock');
my $fresh = $node->background_psql('postgres');
is($fresh->query_safe('BEGIN; ' . take('dora', 6)), 't|6', 'a use by a lock');
is(sqlstate($node, "$impatient " . take('dora', 6)), '55P03', 'another waits for it');
$fresh->query_safe('COMMIT');
is(value($node, take('dora', 6)), 'f|6', 'and is denied');
is($hog->query_safe(take('hog', 1001)), 'f|5000', 'what was tracked without room counts for its transaction');
$hog->query_safe('COMMIT');
$open->query_safe('COMMIT');
is(value($node, take('hog', 1001)), 'f|5000', 'and for others from the commit');
is(value($node, q{SELECT nodes_used < 500 FROM usage_limits_stats}), 't', 'nodes are free again');
foreach my $session ($fresh, $locks, $hog, $open) { $session->quit; }
$node->stop;

# a transaction that reserves more than its share of memory with room
$node = new_server('roomy', @settings);
$node->safe_psql('postgres', $limits);
my $look = q{SELECT current FROM usage_check('hog', 'prompt', 0)};
is(value($node, $look), '0', 'the sums are known');
$hog = $node->background_psql('postgres');
$hog->query_safe(q{BEGIN; SELECT count(usage_track('hog', 'prompt', 1, 'subtype ' || n)) FROM generate_series(1, 5000) n});
is(value($node, 'SELECT nodes_used < 4500 FROM usage_limits_stats'), 't', 'not all of it is recorded');
is($hog->query_safe(take('hog', 1001)), 'f|5000', 'an enforced call counts what is not');
is($hog->query_safe(take('hog', 900)), 't|5900', 'and reserves it');
is(value($node, take('hog', 101)), 'f|5900', 'so that others count it');
$hog->query_safe('COMMIT');
is(value($node, $look), '5900', 'all of it is counted once');
value($node, 'DELETE FROM usage_counters');
is(value($node, $look), '0', 'nothing is left');
$hog->query_safe(q{BEGIN; SELECT count(usage_track('hog', 'prompt', 1, 'subtype ' || n)) FROM generate_series(1, 5000) n});
value($node, $look);
$hog->query_safe('COMMIT');
is(value($node, $look), '5000', 'what no record says counts from the commit');
$hog->quit;

# who may not write leaves nothing
my $entry = q{SELECT count(*) FROM usage_limits_memory WHERE user_id = 'reader'};
is(value($node, qq{BEGIN READ ONLY; SELECT current FROM usage_check('reader', 'prompt', 0); COMMIT; $entry}), "0\n0",
	'a read-only transaction leaves no entry');
is(value($node, qq{SELECT current FROM usage_check('reader', 'prompt', 0); $entry}), "0\n1", 'another does');

# a session that ends within a transaction leaves no node behind
my $nodes = q{SELECT nodes_used FROM usage_limits_stats};
my $before = value($node, $nodes);
$node->psql('postgres', q{BEGIN; SELECT count(usage_track('leaver', 'prompt', 1, 'subtype ' || n)) FROM generate_series(1, 40) n})
	foreach 1 .. 5;
cmp_ok(value($node, $nodes), '<=', $before + 64, 'who leaves within a transaction leaves no node');

# what another installation has counted is none of ours
is(value($node, q{SELECT allowed, current FROM usage_consume('eve', 'ping', 6)}), 't|6', 'a use that is in no table');
$node->safe_psql('postgres', 'DROP EXTENSION usage_limits; CREATE EXTENSION usage_limits SCHEMA usage');
$node->safe_psql('postgres', $limits);
is(value($node, q{SELECT allowed, current FROM usage_consume('eve', 'ping', 6)}), 't|6', 'goes with its extension');

$node->stop;
done_testing();
