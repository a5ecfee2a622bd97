# A prepared transaction outlives its session and the server, and what it has
# taken is taken until somebody says how it ends.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main', 'max_prepared_transactions = 30');
# who has to wait gives up at once
my $impatient = q{SET lock_timeout = '10ms';};
my $take = q{SELECT allowed, current, remaining FROM usage_consume('ann', 'prompt', 6)};
my $keyed = q{SELECT allowed, current FROM usage_consume('bob', 'prompt', 2, idempotency_key => 'k')};
my $check = q{SELECT current FROM usage_check('ann', 'prompt')};

$node->safe_psql('postgres', q{
	SELECT usage_set_limit('prompts_total', 10, kind => 'counter');
	SELECT usage_set_limit('storage_mb', 10);
	SELECT usage_consume('ann', 'prompt', 1);
});

# each is prepared, carried over a restart, and ended both ways
my $session;
foreach my $restart ('fast', 'immediate')
{
	foreach my $end ('ROLLBACK', 'COMMIT')
	{
		my $what = "$restart, $end";
		my $base = value($node, $check);

		$node->safe_psql('postgres', "
			BEGIN;
			SELECT usage_set_override('prompts_total', 30, 'ann');
			$take;
			SELECT usage_track('carl', 'prompt', 5);
			SELECT usage_set_gauge('carl', 'storage_mb', 5);
			$keyed;
			PREPARE TRANSACTION 'p'");
		is(value($node, q{SELECT count(*) FROM pg_prepared_xacts}), '1', "$what: it is prepared");
		$node->stop($restart);
		$node->start;
		$session = $node->background_psql('postgres');

		is($session->query_safe($check), $base, "$what: it does not count yet");
		is(sqlstate($node, "$impatient $take;"), '55P03', "$what: its quota is nobody else's");
		is(sqlstate($node, "$impatient $keyed;"), '55P03', "$what: its key is in use");
		is(sqlstate($node, "$impatient SELECT usage_set_gauge('carl', 'storage_mb', 1);"), '55P03', "$what: so is its level");
		is(sqlstate($node, "$impatient SELECT usage_track('ann', 'prompt', 0);"), 'none', "$what: tracking does not wait");

		$node->safe_psql('postgres', "$end PREPARED 'p'");
		if ($end eq 'COMMIT')
		{
			is($session->query_safe(q{SELECT current, "limit" FROM usage_check('ann', 'prompt')}), ($base + 6) . '|30',
				"$what: it counts, and so does its override");
			is(value($node, $keyed), 't|2', "$what: the key repeats its answer");
			is(value($node, q{SELECT sum(amount) FROM usage_counters WHERE user_id = 'carl'}), '10', "$what: tracked");
			$node->safe_psql('postgres', q{
				TRUNCATE usage_limit_overrides, usage_idempotency;
				SELECT usage_reset(u, t) FROM unnest(ARRAY['ann', 'bob', 'carl']) u, unnest(ARRAY['prompt', 'storage_mb']) t;
				DELETE FROM usage_counters WHERE user_id = 'carl';
			});
		}
		else
		{
			is($session->query_safe(q{SELECT current, "limit" FROM usage_check('ann', 'prompt')}), "$base|10",
				"$what: all is given back");
			is(value($node, q{SELECT count(*) FROM usage_counters WHERE user_id = 'carl'}), '0', "$what: nothing was tracked");
		}
		is(value($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '0', "$what: no lock is left");
		$session->quit;
	}
}

# one of very many users
$node->safe_psql('postgres', q{
	BEGIN;
	SELECT usage_consume('user ' || n, 'prompt', 6) FROM generate_series(1, 200) n;
	PREPARE TRANSACTION 'many'});
$node->restart;
foreach my $user ('user 1', 'user 200')
{
	is(sqlstate($node, "$impatient SELECT usage_consume('$user', 'prompt', 6);"), '55P03', "many users: the quota of $user is nobody else's");
}
$node->safe_psql('postgres', q{COMMIT PREPARED 'many'});
is(value($node, q{SELECT allowed, current FROM usage_consume('user 200', 'prompt', 6)}), 'f|6', 'many users: it counts');

# a session that is killed takes an open transaction with it, not a prepared one
$session = $node->background_psql('postgres');
$session->query_safe("BEGIN; $take; PREPARE TRANSACTION 'q'");
$session->query_safe(q{BEGIN; SELECT usage_consume('bob', 'prompt', 6)});
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE state = 'idle in transaction'});
is(value($node, q{SELECT allowed, current FROM usage_consume('bob', 'prompt', 10)}), 't|10', 'what was open is given back');
is(sqlstate($node, "$impatient $take;"), $ENV{USAGE_PRELOAD} ? 'none' : '55P03', 'what is prepared is not');
$node->safe_psql('postgres', q{COMMIT PREPARED 'q'});
is(value($node, $take), 'f|6|4', 'until it is committed');
eval { $session->quit };

# each of very many is known for what it is
if ($ENV{USAGE_PRELOAD})
{
	my $one = q{SELECT allowed, current FROM usage_consume('dora', 'prompt')};

	$node->safe_psql('postgres', q{SELECT usage_set_override('prompts_total', 20, 'dora')});
	$node->safe_psql('postgres', "BEGIN; $one; PREPARE TRANSACTION 'dora $_'") foreach 1 .. 20;
	is(value($node, $one), 'f|20', 'many that are prepared count');
	foreach my $n (1, 11, 20)
	{
		$node->safe_psql('postgres', "ROLLBACK PREPARED 'dora $n'");
		is(value($node, $one), 't|20', "but for number $n, which has given back");
		is(value($node, $one), 'f|20', 'once');
	}
	$node->safe_psql('postgres', "COMMIT PREPARED 'dora $_'") foreach 2 .. 10, 12 .. 19;
	is(value($node, $one), 'f|20', 'the others count on');
}

$node->stop;
done_testing();
