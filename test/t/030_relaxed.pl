# Relaxed limits are counted in shared memory, whatever becomes of the
# transaction, and a background worker writes them; so are denials.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main', "shared_preload_libraries = 'usage_limits'",
	'usage_limits.worker_enabled = off', 'usage_limits.flush_interval = 100ms');
my $rows = q{SELECT coalesce(string_agg(user_id || ' ' || event_subtype || ' ' || amount || ' ' || events, ', '
	ORDER BY user_id, event_subtype), 'none') FROM usage_counters WHERE slot = 0};

$node->safe_psql('postgres', q{
	SELECT usage_set_limit('pings_daily', 5, usage_type => 'ping', kind => 'counter', period => '1 day',
		alignment => 'calendar', durability => 'relaxed')});

# without a worker it is counted, and in no table
is(value($node, q{SELECT allowed, current, event_id IS NULL FROM usage_consume('ann', 'ping', 2)}), 't|2|t', 'a use is admitted and logged nowhere');
is(value($node, qq{BEGIN; SELECT current FROM usage_consume('ann', 'ping', 2); ROLLBACK; $rows}), "4\nnone", 'another, rolled back');
is(value($node, q{SELECT allowed, current FROM usage_consume('ann', 'ping', 2)}), 'f|4', 'both count');
is(value($node, q{SELECT current FROM usage_check('ann', 'ping')}), '4', 'for a check as well');
is(value($node, q{SELECT usage_track('ann', 'ping', 1, event_subtype => 'x') IS NULL}), 't', 'a track is logged nowhere');

# usage_maintain writes them, and what rolls back is written later
is(value($node, qq{BEGIN; SAVEPOINT a; SELECT count FROM usage_maintain() WHERE what = 'counters flushed'; ROLLBACK TO a; COMMIT; $rows}),
	"2\nnone", 'a flush that is rolled back to a savepoint');
is(value($node, qq{BEGIN; SELECT count FROM usage_maintain() WHERE what = 'counters flushed'; ROLLBACK; $rows}),
	"2\nnone", 'one that is rolled back');
is(sqlstate($node, q{BEGIN; SELECT usage_maintain(); PREPARE TRANSACTION 'p'}), '0A000', 'none can be prepared');
is(value($node, q{SELECT current FROM usage_check('ann', 'ping')}), '5', 'nothing is counted twice meanwhile');
is(value($node, qq{SELECT count FROM usage_maintain() WHERE what = 'counters flushed'; $rows}),
	"2\nann  4 2, ann x 1 1", 'one that commits');
is(value($node, q{SELECT count FROM usage_maintain() WHERE what = 'counters flushed'}), '0', 'then nothing is left');
is(value($node, q{SELECT current FROM usage_check('ann', 'ping')}), '5', 'and the sum is the same');

# all of a key are written by one call, however many
$node->safe_psql('postgres', q{SELECT usage_set_limit('manys_daily', -1, usage_type => 'many', kind => 'counter', period => '1 day',
	alignment => 'calendar', durability => 'relaxed')});
value($node, q{SELECT count(usage_track('ned', 'many', 1, event_subtype => n::text)) FROM generate_series(1, 150) n});
is(value($node, q{SELECT count FROM usage_maintain() WHERE what = 'counters flushed'}), '150', 'many subtypes of one key');

# a sum that is full stays so, and keeps no other key from being written: by a
# statement, which a day that is over needs, or without
foreach my $day ('now()', "now() - interval '1 day'")
{
	my $track = qq{SELECT usage_track('max', 'many', 2, occurred_at => $day); SELECT usage_track('min', 'many', 2, occurred_at => $day);
		SELECT usage_maintain()};
	value($node, $track);
	value($node, q{UPDATE usage_counters SET amount = 9223372036854775806 WHERE user_id = 'max'; DELETE FROM usage_counters WHERE user_id = 'min'});
	value($node, $track);
	is(value($node, q{SELECT amount FROM usage_counters WHERE user_id IN ('max', 'min') ORDER BY amount}), "2\n9223372036854775807", "a full sum at $day");
	value($node, q{DELETE FROM usage_counters WHERE user_id IN ('max', 'min')});
}
is(sqlstate($node, q{INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount) VALUES ('max', 'plain', date_trunc('day', now(), 'UTC'), 9223372036854775806);
	SELECT usage_track('max', 'plain', 2)}), '22003', 'a durable use is refused');

# several types at once: all or nothing, relaxed or not
$node->safe_psql('postgres', q{SELECT usage_set_limit('seats_total', 0, usage_type => 'seat', kind => 'counter')});
is(value($node, q{SELECT allowed, limit_type FROM usage_consume_many('bob', '{"ping": 2, "seat": 1}')}), 'f|seats_total', 'one of two types is refused');
is(value($node, q{SELECT current FROM usage_check('bob', 'ping')}), '0', 'and the other not counted');

# by many at once, no more than the limit, whichever of two types is asked first
$node->safe_psql('postgres', q{
	SELECT usage_set_limit('pongs_daily', 100, usage_type => 'pong', kind => 'counter', period => '1 day',
		alignment => 'calendar', durability => 'relaxed');
	SELECT usage_set_limit('pangs_daily', 60, usage_type => 'pang', kind => 'counter', period => '1 day',
		alignment => 'calendar', durability => 'relaxed')});
$node->pgbench('-n -c 8 -j 2 -t 50', 0, [qr{processed: 400/400}], [qr{^$}], 'eight clients',
	{ '030_relaxed' => q{SELECT usage_consume_many('many', '{"pong": 1, "pang": 1}');
		SELECT usage_consume('many', 'pong');} });
is(value($node, q{SELECT sum(count) FROM usage_maintain() WHERE what = 'counters flushed'}), '2', 'two rows of what they used');
is(value($node, q{SELECT string_agg(usage_type || ' ' || amount, ', ' ORDER BY usage_type) FROM usage_counters WHERE user_id = 'many'}),
	value($node, q{SELECT 'pang ' || least(p, 60) || ', pong 100' FROM (SELECT current AS p FROM usage_check('many', 'pang')) c}),
	'exactly the limit');
foreach my $types ('{"ping": 1, "seat": 1}', '{"pong": 1, "seat": 1}', '{"pang": 1, "seat": 1}')
{
	is( value($node, qq{SELECT allowed FROM usage_consume_many('dora', '$types')}) . value($node, q{
			SELECT (SELECT current FROM usage_check('dora', 'ping')) + (SELECT current FROM usage_check('dora', 'pong'))
				+ (SELECT current FROM usage_check('dora', 'pang'))}),
		'f0', "all or nothing of $types");
}

# what is given back after the worker has found nothing is written all the same
value($node, q{SELECT usage_track('gil', 'many')});
my $maintainer = $node->background_psql('postgres');
$maintainer->query_safe('BEGIN; SELECT usage_maintain()');
$node->append_conf('postgresql.conf', 'usage_limits.worker_enabled = on');
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT flush_lag = '0' FROM usage_limits_stats}), 'the worker finds nothing');
$maintainer->query_safe('ROLLBACK');
$maintainer->quit;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM usage_counters WHERE user_id = 'gil'}), 'and writes what is given back');

# with workers the rows come by themselves, and so do denials
is(value($node, q{SELECT allowed FROM usage_consume('carl', 'ping', 3)}), 't', 'carl uses something');
is(value($node, q{SELECT allowed FROM usage_consume('carl', 'ping', 3)}), 'f', 'and is denied something');
ok($node->poll_query_until('postgres', q{SELECT sum(amount) = 3 FROM usage_counters WHERE user_id = 'carl'}), 'the use is written');
ok( $node->poll_query_until('postgres', q{SELECT sum(count) = 1 FROM usage_denials WHERE user_id = 'carl' AND limit_type = 'pings_daily'}),
	'the denial is written');
$node->safe_psql('postgres', 'SELECT usage_maintain()');
is(value($node, q{SELECT sum(count) FROM usage_denials WHERE user_id = 'carl'}), '1', 'once');

# a database without use has no worker, and can be dropped
$node->safe_psql('postgres', 'CREATE DATABASE other');
install($node, 'other');
$node->safe_psql('other', q{
	SELECT usage_set_limit('pings_daily', 5, usage_type => 'ping', kind => 'counter', period => '1 day',
		alignment => 'calendar', durability => 'relaxed');
	SELECT usage_consume('ann', 'ping', 2)});
is(sqlstate($node, 'DROP DATABASE other'), 'none', 'a database is dropped');

# a clean shutdown writes all, however much later it would be written
$node->append_conf('postgresql.conf', "usage_limits.flush_interval = '1h'");
$node->reload;
$node->safe_psql('postgres', q{SELECT usage_consume('dan', 'ping', 4)});
$node->stop('fast');
$node->start;
is(value($node, q{SELECT amount FROM usage_counters WHERE user_id = 'dan'}), '4', 'nothing is lost by a restart');
is(value($node, q{SELECT allowed, current FROM usage_consume('dan', 'ping', 2)}), 'f|4', 'and it counts');

# a crash forgets what was not written: what is left is what the tables say
$node->safe_psql('postgres', 'ALTER SYSTEM SET usage_limits.worker_enabled = off');
$node->restart;
$node->safe_psql('postgres', q{SELECT usage_consume('eve', 'ping', 4)});
$node->stop('immediate');
$node->start;
is(value($node, q{SELECT allowed, current FROM usage_consume('eve', 'ping', 2)}), 't|2', 'a crash forgets the last uses of a relaxed limit');

$node->stop;
done_testing();
