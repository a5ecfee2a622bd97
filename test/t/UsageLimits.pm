# What the tests have in common: a server with the extension in a schema of its
# own, and short ways to ask it.

package UsageLimits;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(new_server install value sqlstate wait_until_waiting);

# A running server, the extension installed in its database postgres.  The
# settings are lines of postgresql.conf.  With USAGE_PRELOAD in the environment the
# library is preloaded, so that shared memory guards the keys.
sub new_server
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', join("\n",
		'max_connections = 50',
		'shared_buffers = 16MB',
		'max_prepared_transactions = 10',
		'log_statement = none',
		($ENV{USAGE_PRELOAD} ? ("shared_preload_libraries = 'usage_limits'", 'usage_limits.worker_enabled = off') : ()),
		@settings));
	$node->start;
	install($node, 'postgres');
	return $node;
}

# Installs the extension into a schema of its own.
sub install
{
	my ($node, $database) = @_;

	$node->safe_psql($database, qq{
		CREATE SCHEMA usage;
		CREATE EXTENSION usage_limits SCHEMA usage;
		ALTER DATABASE "$database" SET search_path = public, usage;
	});
	return;
}

# What a query answers, as text.
sub value
{
	my ($node, $sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# The SQLSTATE of the error that some SQL raises, or 'none'.
sub sqlstate
{
	my ($node, $sql, %params) = @_;
	my ($status, $stdout, $stderr) =
	  $node->psql($params{database} || 'postgres', "\\set VERBOSITY sqlstate\n$sql", %params);

	return $stderr =~ /^(?:psql:.*?)?(?:ERROR|FATAL):\s+(\w{5})/m ? $1 : 'none';
}

# Waits until a statement that matches waits for a lock.
sub wait_until_waiting
{
	my ($node, $like) = @_;

	$node->poll_query_until('postgres', qq{
		SELECT count(*) > 0 FROM pg_stat_activity
		WHERE wait_event_type = 'Lock' AND query LIKE '$like' AND pid <> pg_backend_pid()})
	  or die "nothing waits that is like $like";
	return;
}

1;
