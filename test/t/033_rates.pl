# The states of rate limits in shared memory: used whatever becomes of the
# transaction, and flushed as relaxed counts are; on any server no more is
# admitted than the rate and the burst say.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main', "shared_preload_libraries = 'usage_limits'",
	'usage_limits.worker_enabled = off', 'usage_limits.flush_interval = 100ms', 'usage_limits.max_counters = 1000');
my $rows = q{SELECT coalesce(string_agg(user_id || ' ' || limit_type, ', ' ORDER BY user_id, limit_type), 'none') FROM usage_rates};

sub used
{
	my ($user, $type) = @_;
	return value($node, qq{SELECT current FROM usage_check('$user', '$type', 0)});
}

sub flush
{
	return value($node, q{SELECT count FROM usage_maintain() WHERE what = 'rates flushed'});
}

$node->safe_psql('postgres', q{
	SELECT usage_maintain();
	SELECT usage_set_limit('calls', 5, usage_type => 'call', kind => 'rate', period => '100 years', durability => 'relaxed');
	SELECT usage_set_limit('logins', 5, usage_type => 'login', kind => 'rate', period => '100 years');
	SELECT usage_set_limit('logins_daily', 3, usage_type => 'login');
	SELECT usage_set_limit('mails', 2, usage_type => 'mail', kind => 'rate', period => '100 years')});

# a relaxed type with rates only costs no transaction id and no row
is(value($node, q{BEGIN; SELECT allowed, current, event_id IS NULL FROM usage_consume('ann', 'call', 2);
	SELECT pg_current_xact_id_if_assigned() IS NULL; ROLLBACK}), "t|2|t\nt", 'a use is admitted, and writes nothing');
is(used('ann', 'call'), '2', 'rolled back, it was a request all the same');
is(value($node, $rows), 'none', 'it is in no table');
is(value($node, q{SELECT count(*) FROM usage_counters}), '0', 'nor are its counts');
is(value($node, q{SELECT allowed, current FROM usage_consume('ann', 'call', 4)}), 'f|2', 'the limit holds');

# flushed when it commits, and only then
is(value($node, qq{BEGIN; SAVEPOINT a; SELECT count FROM usage_maintain() WHERE what = 'rates flushed'; ROLLBACK TO a; COMMIT; $rows}),
	"1\nnone", 'a flush that is rolled back to a savepoint');
is(value($node, qq{BEGIN; SELECT count FROM usage_maintain() WHERE what = 'rates flushed'; ROLLBACK; $rows}), "1\nnone", 'one that is rolled back');
is(flush(), '1', 'one that commits');
is(value($node, $rows), 'ann calls', 'writes the state');
is(flush(), '0', 'then nothing is left');
is(used('ann', 'call'), '2', 'and the state is the same');

# beside a durable counter; and of several, all or nothing
is(value($node, q{BEGIN; SELECT allowed, current, limit_type FROM usage_consume('bob', 'login', 2); ROLLBACK;
	SELECT limit_type, current FROM usage_status('bob') WHERE usage_type = 'login'}),
	"t|2|logins_daily\nlogins|2\nlogins_daily|0", 'a rollback gives back what is counted, and no request');
is(value($node, q{SELECT allowed, limit_type FROM usage_consume('cid', 'login', 4)}), 'f|logins_daily', 'the counter denies');
is(value($node, q{SELECT current FROM usage_check_limit('cid', 'logins', 0)}), '0', 'and the rate is not used');
is(value($node, q{SELECT allowed, limit_type FROM usage_consume_many('cid', '{"call": 2, "login": 1, "mail": 3}')}), 'f|mails', 'another rate denies');
is(used('cid', 'call') . used('cid', 'login') . used('cid', 'mail'), '000', 'and what was used is given back at once');
is(value($node, q{SELECT allowed, limit_type FROM usage_consume_many('cid', '{"call": 2, "login": 1, "mail": 1}')}), 't|mails', 'all admit');
is(used('cid', 'call') . used('cid', 'login') . used('cid', 'mail'), '211', 'and are used');

# what is changed by hand counts from its commit; nothing is flushed over it
flush();
value($node, q{DELETE FROM usage_rates WHERE user_id = 'ann'});
is(used('ann', 'call'), '0', 'a deleted row');
value($node, q{INSERT INTO usage_rates SELECT 'ann', limit_type, arrival_at, fraction, units, period, updated_at
	FROM usage_rates WHERE user_id = 'cid' AND limit_type = 'calls'});
is(used('ann', 'call'), '2', 'an inserted one');
value($node, q{SELECT usage_consume('ann', 'call', 1)});
my $hand = $node->background_psql('postgres');
$hand->query_safe(q{BEGIN; UPDATE usage_rates SET arrival_at = updated_at WHERE user_id = 'ann'});
is(flush(), '0', 'while a row is changed, none is flushed');
is(value($node, q{SELECT current FROM usage_consume('ann', 'call', 1)}), '4', 'nobody waits for the change');
$hand->query_safe('COMMIT');
is(used('ann', 'call'), '0', 'the change counts');
is(flush(), '0', 'and nothing is flushed over it');
is(sqlstate($node, q{BEGIN; DELETE FROM usage_rates; PREPARE TRANSACTION 'p'}), '0A000', 'it can not be prepared');
is(used('cid', 'mail'), '1', 'which changes nothing');
is(value($node, q{BEGIN; TRUNCATE usage_rates; SELECT current FROM usage_check('cid', 'call', 0); SELECT current FROM usage_consume('cid', 'call', 3);
	ROLLBACK; SELECT current FROM usage_check('cid', 'call', 0)}), "0\n3\n2", 'whoever truncates sees that at once');
value($node, q{TRUNCATE usage_rates});
is(used('cid', 'call') . used('cid', 'mail'), '00', 'truncated');
$hand->quit;

# a reset is decided by the table, and others wait for it
value($node, q{SELECT usage_consume('dan', 'call', 4)});
is(value($node, q{BEGIN; SELECT current FROM usage_reset('dan', 'call'); SELECT allowed, current FROM usage_consume('dan', 'call', 3);
	ROLLBACK; SELECT current FROM usage_check('dan', 'call', 0)}), "0\nt|3\n4", 'one that is rolled back');
is(value($node, q{BEGIN; SAVEPOINT a; SELECT current FROM usage_reset('dan', 'call'); ROLLBACK TO a;
	SELECT allowed, current FROM usage_consume('dan', 'call', 1); COMMIT; SELECT current FROM usage_check('dan', 'call', 0)}),
	"0\nt|5\n5", 'one that is rolled back to a savepoint');
# it can not be prepared where memory has the states, which would be lost when it is rolled back
value($node, q{SELECT usage_consume('jan', 'call', 4), usage_consume('jan', 'mail', 1)});
is(sqlstate($node, q{BEGIN; SELECT usage_reset('jan', 'call'); PREPARE TRANSACTION 'p'}), '0A000', 'one that is prepared');
is(sqlstate($node, q{BEGIN; SELECT usage_set_limit('mails', 3); SELECT usage_consume('jan', 'mail', 1); PREPARE TRANSACTION 'p'}), '0A000',
	'nor can a use after a change of limits');
is(used('jan', 'call') . used('jan', 'mail'), '41', 'nothing is lost');
value($node, q{BEGIN; SELECT usage_reset('ida', 'call'); SELECT usage_consume('ida', 'call', 1); PREPARE TRANSACTION 'p'});
is(value($node, q{SET lock_timeout = '1s'; SELECT 1 FROM (SELECT usage_check('ida', 'call')) c}), '1', 'a check waits for nobody');
is(sqlstate($node, q{SET lock_timeout = '10ms'; SELECT usage_consume('ida', 'call')}), '55P03', 'who uses it waits for a prepared reset');
value($node, q{COMMIT PREPARED 'p'});
is(value($node, q{SELECT allowed, current FROM usage_consume('ida', 'call', 3)}), 't|4', 'and then finds it');

# memory that is full does not admit more
value($node, q{SELECT count(usage_track('user' || g, 'filler')) FROM generate_series(1, 900) g});
my $full = $node->background_psql('postgres');
$full->query_safe(q{BEGIN; SELECT count(usage_track('other' || g, 'filler')) FROM generate_series(1, 2000) g});
is(value($node, q{SELECT current FROM usage_consume('eve', 'call', 3)}), '3', 'somebody who was not there');
is(value($node, q{SELECT allowed, current FROM usage_consume('eve', 'call', 3)}), 'f|3', 'is denied as ever');
is(value($node, qq{SELECT count(*) FROM usage_rates WHERE user_id = 'eve'}), '1', 'by the table');
$full->query_safe('ROLLBACK');
$full->quit;
is(value($node, q{SELECT allowed, current FROM usage_consume('eve', 'call', 2)}), 't|5', 'and when there is room again');

# a clean shutdown writes all; a crash forgets what was not written
$node->append_conf('postgresql.conf', 'usage_limits.worker_enabled = on');
$node->restart;
value($node, q{SELECT usage_consume('fay', 'call', 4)});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM usage_rates WHERE user_id = 'fay'}), 'the worker writes it');
value($node, q{SELECT usage_consume('gus', 'call', 4)});
$node->stop('fast');
$node->start;
is(used('gus', 'call'), '4', 'nothing is lost by a restart');
is(value($node, q{SELECT amount FROM usage_counters WHERE user_id = 'gus'}), '4', 'nor of what is counted');
$node->append_conf('postgresql.conf', 'usage_limits.worker_enabled = off');
$node->restart;
value($node, q{SELECT usage_consume('gus', 'call', 1)});
value($node, q{SELECT usage_consume('hal', 'call', 4)});
is(flush(), '2', 'flushed');
value($node, q{SELECT usage_consume('hal', 'call', 1)});
$node->stop('immediate');
$node->start;
is(used('gus', 'call') . used('hal', 'call'), '54', 'a crash forgets what was not written');

# by many at once no more than the burst and what the rate lets through meanwhile
my $other = new_server('other');
foreach my $case ([ $node, 'in shared memory' ], [ $other, 'by a lock' ])
{
	my ($server, $how) = @$case;
	my $now = q{SELECT extract(epoch FROM clock_timestamp())};

	$server->safe_psql('postgres', q{
		INSERT INTO usage_types (usage_type, log_events) VALUES ('hit', false);
		SELECT usage_set_limit('hits', 100, usage_type => 'hit', kind => 'rate', period => '1 second', burst => 50)});
	my $before = value($server, $now);
	$server->pgbench('-n -c 16 -j 2 -t 50', 0, [qr{processed: 800/800}], [qr{^$}], "sixteen clients, $how",
		{ '033_rates' => q{SELECT usage_consume('all', 'hit');} });
	my $most = 50 + 100 * (value($server, $now) - $before);
	my $admitted = value($server, q{SELECT sum(amount) FROM usage_counters WHERE usage_type = 'hit'});
	cmp_ok($admitted, '>=', 50, "the burst is admitted, $how");
	cmp_ok($admitted, '<=', $most, 'and no more than comes free');
}

$node->stop;
$other->stop;
done_testing();
