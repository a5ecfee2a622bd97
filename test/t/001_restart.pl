# Usage, limits and keys are in tables: a restart, orderly or not, keeps what
# was committed, and gives back what was not.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main');
my $take = q{SELECT allowed, current, remaining FROM usage_consume('ann', 'prompt', 3)};
my $check = q{SELECT allowed, current, remaining FROM usage_check('ann', 'prompt', 3)};
my $keyed = q{SELECT allowed, current FROM usage_consume('bob', 'prompt', 3, idempotency_key => 'k')};

$node->safe_psql('postgres', q{
	SELECT usage_set_limit('prompts_total', 10, kind => 'counter');
	SELECT usage_set_limit('storage_mb', 100);
	SELECT usage_set_override('prompts_total', 20, 'carl');
	SELECT usage_set_gauge('ann', 'storage_mb', 70);
});
is(value($node, $take), 't|3|7', 'a first use');
is(value($node, $keyed), 't|3', 'a use under a key');
is(value($node, $take), 't|6|4', 'a second use');

foreach my $mode ('fast', 'immediate')
{
	my $open = $node->background_psql('postgres');

	is($open->query_safe("BEGIN; $take"), 't|9|1', "$mode: a use that will not be committed");
	$node->stop($mode);
	eval { $open->quit };
	$node->start;

	is(value($node, $check), 't|6|4', "$mode: what was committed counts, the open use is given back");
	is(value($node, $keyed), 't|3', "$mode: the key is remembered");
	is(value($node, q{SELECT current, remaining FROM usage_check('ann', 'storage_mb')}), '70|30',
		"$mode: the level");
	is(value($node, q{SELECT "limit" FROM usage_check('carl', 'prompt')}), '20', "$mode: the override");
	is(value($node, q{SELECT count(*) FROM usage_events WHERE user_id = 'ann' AND event_type = 'prompt'}), '2',
		"$mode: the events");
}

# preloaded or not, the answers are the same
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'usage_limits'");
$node->restart;
is(value($node, $take), 't|9|1', 'preloaded: the next use');
is(value($node, $take), 'f|9|1', 'preloaded: the limit');
is(value($node, $keyed), 't|3', 'preloaded: the key');
is(value($node, q{SELECT sum(amount) FROM usage_counters WHERE usage_type = 'prompt'}), '12', 'all that was admitted');

$node->stop;
done_testing();
