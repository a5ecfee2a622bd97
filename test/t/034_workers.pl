# Workers: whoever has something to flush has one, and it stands in nobody's way.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main', "shared_preload_libraries = 'usage_limits'",
	'usage_limits.worker_enabled = off', "usage_limits.flush_interval = '100ms'");
my @databases = map { "db$_" } 1 .. 5;
my $limit = q{SELECT usage_set_limit('pings_daily', 50, usage_type => 'ping', kind => 'counter', period => '1 day',
	alignment => 'calendar', durability => 'relaxed')};
my $use = q{SELECT usage_consume('ann', 'ping')};
my $used = q{SELECT coalesce(sum(amount), 0) FROM usage_counters};
my $workers = q{SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_stat_activity WHERE backend_type = 'usage_limits worker'};

sub set
{
	my (%settings) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET usage_limits.$_ = '$settings{$_}'") foreach keys %settings;
	$node->reload;
	return;
}

sub wait_for
{
	my ($query, $what, $database) = @_;
	ok($node->poll_query_until($database || 'postgres', $query), $what);
	return;
}

$node->safe_psql('postgres', $limit);
$node->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE postgres") foreach @databases;
$node->safe_psql($_, qq{ALTER DATABASE $_ SET search_path = public, usage}) foreach @databases;

# one that was dropped is forgotten
$node->safe_psql('db5', $use);
my $oid = value($node, q{SELECT oid FROM pg_database WHERE datname = 'db5'});
$node->safe_psql('postgres', 'DROP DATABASE db5');
set(worker_enabled => 'on');
wait_for(q{SELECT flush_lag = '0' FROM usage_limits_stats}, 'nothing of it is to be flushed');
is(() = slurp_file($node->logfile) =~ /database $oid does not exist/g, 1, 'nobody asks for it again');
pop @databases;

# each is flushed, though there are more than workers, which have nothing more to
# do for an hour
set(flush_interval => '1h');
$node->safe_psql($_, $use) foreach 'postgres', @databases;
wait_for("SELECT ($used) = 1", "$_ is flushed", $_) foreach 'postgres', @databases;
wait_for("SELECT ($workers) IS NULL", 'who has nothing to do ends');

# a worker that is told to end flushes, and ends whoever is there
$node->safe_psql('db1', $use);
wait_for("SELECT ($workers) = 'db1'", 'what is to be flushed has a worker');
is($node->safe_psql('db1', $used), '1', 'that waits');
my $other = $node->background_psql('db1');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'usage_limits worker'});
wait_for("SELECT ($workers) IS NULL", 'it ends');
is($other->query_safe($used), '2', 'and has flushed');
$other->quit;

# nor does it hold up who wants to have the database
$node->safe_psql('db3', $use);
wait_for("SELECT ($workers) = 'db3'", 'what is to be flushed later has a worker');
$node->safe_psql('postgres', 'ALTER DATABASE db3 RENAME TO renamed');
is($node->safe_psql('renamed', $used), '2', 'it has flushed and gone');
$node->safe_psql('renamed', $use);
wait_for("SELECT ($workers) = 'renamed'", 'again');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE renamed');
$node->safe_psql('copy', q{ALTER DATABASE copy SET search_path = public, usage});
is($node->safe_psql('copy', $used), '3', 'a copy has what was to be flushed');
$node->safe_psql('copy', $use);
wait_for("SELECT ($workers) LIKE 'copy%'", 'and a worker');
$node->safe_psql('postgres', 'DROP DATABASE copy; ALTER DATABASE renamed RENAME TO db3');

# when it is switched off it flushes and goes
$node->safe_psql('db2', $use);
wait_for("SELECT ($workers) = 'db2'", 'a last worker');
set(worker_enabled => 'off');
wait_for("SELECT ($workers) IS NULL", 'that is switched off');
is($node->safe_psql('db2', $used), '2', 'and has flushed');
like($node->safe_psql('db2', "$use; SELECT flush_lag > '0' FROM usage_limits_stats"), qr/t$/, 'what is not flushed lags');
is($node->safe_psql('db2', q{SELECT count(*) > 0 FROM usage_maintain(); SELECT flush_lag = '0' FROM usage_limits_stats}), "t\nt",
	'and not when it was flushed by hand');
set(worker_enabled => 'on');

# at a shutdown each is flushed, while a sender of WAL of one stays
$node->safe_psql('db1', q{SELECT pg_create_logical_replication_slot('sender', 'pgoutput'); CREATE PUBLICATION p});
my $sender = IPC::Run::start(['pg_recvlogical', '-d', $node->connstr('db1'), '-S', 'sender', '-f', '/dev/null', '--start',
	'-o', 'proto_version=1', '-o', 'publication_names=p', '--no-loop'], '>', '/dev/null', '2>', '/dev/null');
wait_for(q{SELECT count(*) = 1 FROM pg_stat_replication}, 'a sender of WAL');
$node->safe_psql($_, $use) foreach @databases;
wait_for("SELECT ($workers) = 'db1 db2 db3 db4'", 'all have a worker');
$node->safe_psql('postgres', $use);
$node->stop('fast');
$sender->finish;
$node->start;
is(join(' ', map { $node->safe_psql($_, $used) } 'postgres', @databases), '2 3 4 4 2', 'nothing is lost by a restart');

$node->stop;
done_testing();
