# Attached tables in dumps, in replicas and after a crash: nothing is counted
# twice, nothing is lost without usage_drift saying so, and limits go on.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main');

$node->safe_psql('postgres', q{
	CREATE ROLE app_owner LOGIN;
	GRANT CREATE ON SCHEMA public TO app_owner;
	SELECT usage_set_limit('storage_mb', 100), usage_set_limit('docs_total', 3);
	CREATE SCHEMA app AUTHORIZATION app_owner;
	CREATE FUNCTION app.megabytes(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1 / 1000000';
	CREATE TABLE app."Files" (id int PRIMARY KEY, owner uuid, bytes bigint, "is deleted" boolean DEFAULT false);
	CREATE TABLE app.docs (id int, owner text) PARTITION BY RANGE (id);
	CREATE TABLE app.docs_1 PARTITION OF app.docs FOR VALUES FROM (0) TO (100);
	CREATE TABLE app.docs_2 PARTITION OF app.docs FOR VALUES FROM (100) TO (200);
	ALTER TABLE app."Files" OWNER TO app_owner;
	INSERT INTO app."Files" SELECT g, '00000000-0000-0000-0000-000000000001', 10000000 FROM generate_series(1, 12) g;
	SELECT usage_attach('app."Files"', 'storage_mb', 'owner', 'app.megabytes(bytes)', 'NOT "is deleted" AND id <> 99');
	SELECT usage_attach('app.docs', 'doc', 'owner');
	INSERT INTO app.docs VALUES (1, 'ann'), (101, 'ann'), (102, 'bob');
	DELETE FROM app."Files" WHERE id = 12;});

my $levels = q{
	SELECT user_id, usage_type, sum(amount) FROM usage_counters GROUP BY 1, 2 ORDER BY 1, 2};
my $attachments = q{
	SELECT * FROM usage_attachments();
	SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger
	WHERE tgfoid = 'usage_limits_follow'::regproc ORDER BY 1, 2};
my $drift = 'SELECT * FROM usage_drift()';

sub compare_with_original
{
	my ($database) = @_;

	is($node->safe_psql($database, $levels), value($node, $levels), "$database: levels");
	is($node->safe_psql($database, $attachments), value($node, $attachments), "$database: attachments");
	is($node->safe_psql($database, $drift), '', "$database: no drift");
	return;
}

# A statement that a limit denies, and one that fits.
sub limits_go_on
{
	my ($database) = @_;

	is(sqlstate($node, q{INSERT INTO app."Files" VALUES (20, '00000000-0000-0000-0000-000000000001', 1000000)}, database => $database),
		'PT429', "$database: an expression of the application denies");
	is(sqlstate($node, q{INSERT INTO app.docs VALUES (2, 'ann'), (103, 'ann')}, database => $database),
		'PT429', "$database: a partitioned table denies");
	is(sqlstate($node, q{INSERT INTO app.docs_2 VALUES (104, 'ann'), (105, 'ann')}, database => $database),
		'PT429', "$database: a partition denies");
	$node->safe_psql($database, q{
		BEGIN;
		INSERT INTO app.docs_2 VALUES (104, 'ann');
		UPDATE app."Files" SET "is deleted" = true WHERE id < 3;
		TRUNCATE app.docs_1;
		COMMIT});
	is($node->safe_psql($database, $levels),
		"00000000-0000-0000-0000-000000000001|storage_mb|90\nann|doc|2\nbob|doc|1", "$database: levels move");
	is($node->safe_psql($database, $drift), '', "$database: no drift after that");
	return;
}

my $plain = $node->basedir . '/plain.sql';
my $archive = $node->basedir . '/archive';
$node->command_ok([ 'pg_dump', '-f', $plain, $node->connstr('postgres') ], 'a plain dump');
$node->command_ok([ 'pg_dump', '-Fc', '-f', $archive, $node->connstr('postgres') ], 'an archive');
foreach my $database ('from_plain', 'from_archive', 'schema_first')
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql('postgres', "ALTER DATABASE $database SET search_path = public, usage");
}
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $plain, '-d', $node->connstr('from_plain') ],
	'the plain dump is restored');
$node->command_ok([ 'pg_restore', '-j2', '--exit-on-error', '-d', $node->connstr('from_archive'), $archive ],
	'the archive is restored by two jobs');
compare_with_original($_) foreach ('from_plain', 'from_archive');

# The rows into tables that have their triggers: those must not fire.
$node->command_ok([ 'pg_restore', '--schema-only', '--exit-on-error', '-d', $node->connstr('schema_first'), $archive ],
	'the tables are restored');
{
	local $ENV{PGOPTIONS} = '-c session_replication_role=replica';
	$node->command_ok([ 'pg_restore', '--data-only', '--exit-on-error', '-d', $node->connstr('schema_first'), $archive ],
		'the rows are restored, without triggers');
}
compare_with_original('schema_first');

limits_go_on($_) foreach ('from_plain', 'from_archive', 'schema_first');

# A table alone takes its attachment along; its rows are the other database's drift.
my $table = $node->basedir . '/table.sql';
$node->safe_psql('postgres', 'CREATE DATABASE alone');
install($node, 'alone');
$node->safe_psql('alone', 'CREATE SCHEMA app');
$node->command_ok([ 'pg_dump', '-t', 'app.docs*', '-f', $table, $node->connstr('postgres') ], 'a dump of one table');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $table, '-d', $node->connstr('alone') ], 'it is restored');
is($node->safe_psql('alone', 'SELECT user_id, counted, actual FROM usage_drift()'), "ann|0|2\nbob|0|1", 'its rows are drift');
is($node->safe_psql('alone', q{SELECT usage_repair('app.docs')}), '2', 'they are repaired');
is($node->safe_psql('alone', $drift), '', 'nothing is left of it');

# DROP EXTENSION is refused while a table is attached; CASCADE takes the triggers.
is(sqlstate($node, 'DROP EXTENSION usage_limits', database => 'alone'), '2BP01', 'an attached table keeps the extension');
$node->safe_psql('alone', 'DROP EXTENSION usage_limits CASCADE');
is($node->safe_psql('alone', 'SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal'), '0', 'CASCADE takes the triggers');
is($node->safe_psql('alone', 'INSERT INTO app.docs VALUES (3, NULL) RETURNING id'), '3', 'the table goes on without');

# A crash: levels and rows are the same side of it.
$node->safe_psql('postgres', q{
	CREATE UNLOGGED TABLE app.scratch (owner text);
	SELECT usage_attach('app.scratch', 'scratch', 'owner');
	INSERT INTO app.scratch VALUES ('ann');
	INSERT INTO app.docs VALUES (3, 'bob');});
my $before = value($node, $levels);
$node->stop('immediate');
$node->start;
is(value($node, $levels), $before, 'a crash changes no level');
is(value($node, 'SELECT user_id, usage_type, counted, actual FROM usage_drift()'), 'ann|scratch|1|0', 'an unlogged table is empty then');
is(value($node, q{SELECT usage_repair('app.scratch')}), '1', 'that is repaired');

# PREPARE TRANSACTION: rows and levels become visible together.
$node->safe_psql('postgres', q{BEGIN; INSERT INTO app.docs VALUES (106, 'bob'); PREPARE TRANSACTION 'p'});
is(value($node, $drift), '', 'a prepared transaction is no drift');
is(sqlstate($node, q{SET lock_timeout = '200ms'; INSERT INTO app.docs VALUES (107, 'bob')}), $ENV{USAGE_PRELOAD} ? 'PT429' : '55P03', 'its unit is nobody else\'s');
$node->safe_psql('postgres', q{COMMIT PREPARED 'p'});
is(value($node, $drift), '', 'nor is a committed one');
is(sqlstate($node, q{INSERT INTO app.docs VALUES (107, 'bob')}), 'PT429', 'the limit is reached');

# A subscriber applies rows without triggers: they are drift there, unless the
# counters are replicated as well.
my $subscriber = new_server('subscriber');
$subscriber->safe_psql('postgres', q{
	CREATE SCHEMA app;
	CREATE TABLE app.items (id int PRIMARY KEY, owner text);
	SELECT usage_attach('app.items', 'item', 'owner');});
$node->safe_psql('postgres', q{
	CREATE TABLE app.items (id int PRIMARY KEY, owner text);
	SELECT usage_attach('app.items', 'item', 'owner');
	CREATE PUBLICATION items FOR TABLE app.items;});
my $connection = $node->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION items CONNECTION '$connection' PUBLICATION items");
$subscriber->wait_for_subscription_sync($node, 'items');
$node->safe_psql('postgres', q{INSERT INTO app.items VALUES (1, 'ann'), (2, 'ann')});
$node->wait_for_catchup('items');
is($subscriber->safe_psql('postgres', 'SELECT user_id, counted, actual FROM usage_drift()'), 'ann|0|2',
	'a subscriber does not count what it applies');
is($subscriber->safe_psql('postgres', q{SELECT usage_repair('app.items')}), '1', 'it can be repaired there');
is($subscriber->safe_psql('postgres', $drift), '', 'and is right then');

# A standby sees both, and repairs nothing.
$node->safe_psql('postgres', 'DROP TABLE app.scratch');
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $drift), '', 'a standby has no drift');
my ($status, $stdout, $stderr) = $standby->psql('postgres', q{SELECT usage_repair('app.items')});
like($stderr, qr/cannot execute usage_repair\(\)/, 'a standby repairs nothing');

$standby->stop;
$subscriber->stop;
$node->stop;
done_testing();
