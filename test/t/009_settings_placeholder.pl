# A session that has not called us yet takes any usage_limits.x as a
# placeholder.  Whoever is limited gets nothing by setting one: the server drops
# it, with a warning, when the library loads.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main', "shared_preload_libraries = ''");

$node->safe_psql('postgres', q{
	CREATE ROLE app LOGIN;
	CREATE ROLE other LOGIN CREATEROLE;
	GRANT CREATE ON SCHEMA public TO app;
	SELECT usage_grant('app', 'app'), usage_grant('other', 'app');
	SELECT usage_set_limit('prompts_total', 3, kind => 'counter');
	SELECT usage_consume('ann', 'prompt', 3);
});
my $take = q{SELECT allowed, reason, current FROM usage_consume('ann', 'prompt');};
my $denied = 'f|limit_exceeded|3';

# What the role gets: the last line of the answer, and the warnings.
sub as_app
{
	my ($sql, %params) = @_;
	my ($status, $stdout, $stderr) =
	  $node->psql('postgres', $sql, extra_params => [ '-U', $params{role} || 'app' ], on_error_stop => 0);

	$stdout =~ s/.*\n//s;
	return ($stdout, $stderr);
}

my %lifts = (
	'usage_limits.enforcement' => [ 'off', 'shadow' ],
	'usage_limits.tracking_enabled' => ['off'],
	'usage_limits.analytics_enabled' => ['off'],
	'usage_limits.overrides' => [ 'prompts_total.free=-1', 'prompts_total.pro=100' ],
	'usage_limits.default_tier' => [ 'pro', 'enterprise' ],
	'usage_limits.test_clock' => ['2019-01-01 00:00+00'],
	'usage_limits.grace_period' => ['10000'],
	'usage_limits.idempotency_retention' => ['1'],
);
my $settings = value($node, q{SELECT usage_now() IS NOT NULL; SELECT string_agg(name || ' ' || context, E'\n')
	FROM pg_settings WHERE name LIKE 'usage_limits.%' AND context NOT IN ('superuser', 'sighup', 'postmaster')});
is($settings, "t\n", 'no setting is one that a user may set');

foreach my $name (sort keys %lifts)
{
	foreach my $value (@{ $lifts{$name} })
	{
		my ($answer, $messages) = as_app("SET $name = '$value'; $take");
		is($answer, $denied, "SET $name = $value before the library loads");
		like($messages, qr/WARNING:  permission denied to set parameter "$name"/, "$name: the server says so");

		($answer) = as_app("BEGIN; SET LOCAL $name = '$value'; $take");
		is($answer, $denied, "SET LOCAL $name = $value");

		($answer, $messages) = as_app("SELECT usage_now(); SET $name = '$value'; $take");
		is($answer, $denied, "SET $name = $value after the library has loaded");
		like($messages, qr/ERROR:  permission denied to set parameter "$name"/, "$name: refused");

		local $ENV{PGOPTIONS} = "-c $name=" . ($value =~ s/ /\\ /gr);
		($answer) = as_app($take);
		is($answer, $denied, "PGOPTIONS -c $name=$value");
	}
}

# a role's own default, and one that a role makes for another
is((as_app(q{SELECT set_config('usage_limits.enforcement', 'off', false); } . $take))[0], $denied, 'set_config');
like((as_app(q{ALTER ROLE app SET usage_limits.enforcement = off}))[1], qr/ERROR:  permission denied to set parameter/,
	'ALTER ROLE … SET by itself, before the library loads');
like((as_app(q{SELECT usage_now(); ALTER ROLE app SET usage_limits.enforcement = off}))[1],
	qr/ERROR:  permission denied to set parameter/, 'ALTER ROLE … SET by itself, after it');
like((as_app(q{ALTER ROLE app SET usage_limits.enforcement = off}, role => 'other'))[1],
	qr/ERROR:  permission denied to set parameter/, 'ALTER ROLE … SET by one who may create roles');
is((as_app($take))[0], $denied, 'no role has a default now');

# a function that brings a setting
like((as_app(q{CREATE FUNCTION free() RETURNS usage_decision LANGUAGE sql SET usage_limits.enforcement = off
	AS 'SELECT usage_consume(''ann'', ''prompt'')'}))[1],
	qr/ERROR:  permission denied to set parameter/, 'a function with the setting cannot be made');
like((as_app(q{SELECT usage_now(); CREATE FUNCTION free() RETURNS usage_decision LANGUAGE sql SET usage_limits.enforcement = off
	AS 'SELECT usage_consume(''ann'', ''prompt'')'}))[1],
	qr/ERROR:  permission denied to set parameter/, 'nor after the library has loaded');

# names that there are not
like((as_app(q{SELECT usage_now(); SET usage_limits.enforcment = off}))[1],
	qr/ERROR:  invalid configuration parameter name "usage_limits.enforcment"/, 'a misspelt setting is refused');

is(value($node, q{SELECT sum(amount) FROM usage_counters}), '3', 'nobody got anything');

# who may, may: a superuser for himself, for a role, for a database
is(value($node, "SET usage_limits.enforcement = off; $take"), 't|not_enforced|4', 'a superuser, before the library loads');
$node->safe_psql('postgres', q{ALTER ROLE app SET usage_limits.enforcement = off});
is((as_app($take))[0], 't|not_enforced|5', 'a superuser for a role');
$node->safe_psql('postgres', q{ALTER ROLE app RESET ALL; GRANT SET ON PARAMETER usage_limits.enforcement TO app});
is((as_app($take))[0], 'f|limit_exceeded|5', 'no more');
is((as_app("SET usage_limits.enforcement = off; $take"))[0], 't|not_enforced|6', 'a role that was granted the setting');

$node->stop;
done_testing();
