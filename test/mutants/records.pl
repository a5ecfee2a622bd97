# The moment between a commit, from which on others see the rows, and the callback
# that ends its reservations; watch.c makes it last.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../t";
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main', "shared_preload_libraries = 'usage_limits'", 'usage_limits.worker_enabled = off');
my $pause = $node->data_dir . '/pause';
my $check = q{SELECT current FROM usage_check('ann', 'prompt', 0)};

$node->safe_psql('postgres', q{
	SELECT usage_set_limit('prompts_total', 10, kind => 'counter');
	SELECT usage_consume('ann', 'prompt', 2)});
my $slow = $node->background_psql('postgres');
$slow->query_safe(q{SET application_name = 'slow'});
append_to_file($pause, '');
$slow->query_until(qr/ends/, "\\echo ends\nSELECT usage_track('ann', 'prompt', 3) > 0;\n");
$node->poll_query_until('postgres', 'SELECT sum(amount) = 5 FROM usage_counters') or die 'nothing is committed';
is(value($node, $check), '5', 'what is committed counts once');
value($node, 'UPDATE usage_counters SET first_at = first_at');
is(value($node, $check), '5', 'also where the rows are read');
unlink $pause;
$slow->query_safe('SELECT 1');
is(value($node, $check), '5', 'and after the reservation has ended');
is(value($node, q{SELECT reserved, status IS NULL FROM usage_limits_memory WHERE user_id = 'ann'}), '0|t', 'which is gone');

$slow->quit;
$node->stop;
done_testing();
