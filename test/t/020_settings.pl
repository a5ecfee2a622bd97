# Settings and environment variables: each takes effect, what does not parse is
# named and ignored, and nobody who is limited can change any.  Once with the
# library preloaded and once without.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node;

# Only what a test sets is in the servers' environment.
delete @ENV{ grep { /^(USAGE_|CREDITS_)/ } keys %ENV };

# Restarts the server with environment variables; what it logs from here on is
# the offset that is returned.
sub restart_with
{
	my %environment = @_;
	my $offset = -s $node->logfile;

	local %ENV = (%ENV, %environment);
	$node->restart;
	return $offset;
}

# The answer of a query, or queries, in a session of their own.
sub answer
{
	my ($query) = @_;
	return $node->safe_psql('app', $query);
}

# The warnings and errors of a query, and its answer, as a role.
sub complaints
{
	my ($query, $role) = @_;
	my ($out, $err);

	$node->psql('app', $query, stdout => \$out, stderr => \$err, on_error_stop => 0,
		extra_params => [ defined $role ? ('-U', $role) : () ]);
	return ($err, $out);
}

# The values of a limit for free and pro, and where they come from.
sub values_of
{
	my ($limit_type) = @_;
	return answer(qq{
		SELECT string_agg(s."limit" || ' ' || s.source, ', ' ORDER BY s.tier)
		FROM unnest(ARRAY['a-free-user', 'a-pro-user']) u, usage_status(u) s WHERE s.limit_type = '$limit_type'});
}

# What was logged from an offset on.  Without preload it is the session that
# uses the extension first that reads the environment.
sub logged
{
	my ($offset) = @_;
	answer('SELECT usage_now() IS NOT NULL');
	return slurp_file($node->logfile, $offset);
}

sub test_environment
{
	my ($preloaded) = @_;
	my ($offset, $log);

	# limits, by name and tier; a name may be of one word or of many
	$offset = restart_with(
		USAGE_LIMIT_PROMPTS_DAILY_FREE => '4',
		USAGE_LIMIT_PROMPTS_DAILY_PRO => '-1',
		USAGE_LIMIT_STORAGE_MB_FREE => '0',
		USAGE_LIMIT_WEB_AGENT_DAILY_PRO => '9223372036854775807',
		USAGE_LIMIT_NOTHING_DAILY_FREE => '1',
		USAGE_TRACKING_ENABLED => 'true',
		USAGE_LIMITS_ENFORCED => 'true',
		USAGE_ANALYTICS_ENABLED => 'true');
	is(values_of('prompts_daily'), '4 setting, -1 setting', "$preloaded: limits of both tiers");
	is(values_of('storage_mb'), '0 setting, 10000 config', "$preloaded: a limit of one tier");
	is(values_of('web_agent_daily'), '5 config, 9223372036854775807 setting', "$preloaded: the largest limit");
	is(values_of('exports_daily'), '3 config, 20 config', "$preloaded: a limit that no variable names");
	is( answer(q{SELECT string_agg(d.allowed::text, ',' ORDER BY n) FROM generate_series(1, 5) n, usage_check('a-free-user', 'prompt', n) d}),
		'true,true,true,true,false',
		"$preloaded: the limit denies");
	unlike(logged($offset), qr/is ignored/, "$preloaded: nothing is ignored");

	# an override in the tables goes before the variable
	answer(q{SELECT usage_set_override('prompts_daily', 33, user_id => 'a-free-user')});
	is(values_of('prompts_daily'), '33 user_override, -1 setting', "$preloaded: an override goes before");
	answer(q{DELETE FROM usage_limit_overrides});

	# what does not parse is named, with the reason, and the rest counts
	$offset = restart_with(
		USAGE_LIMIT_PROMPTS_DAILY_FREE => '4',
		USAGE_LIMIT_PROMPTS_DAILY_PRO => 'many',
		USAGE_LIMIT_EXPORTS_DAILY_FREE => '-2',
		USAGE_LIMIT_EXPORTS_DAILY_PRO => '9223372036854775808',
		USAGE_LIMIT_EXPORTS_MONTHLY_FREE => '',
		USAGE_LIMIT_EXPORTS_MONTHLY_PRO => '5 a day',
		USAGE_LIMIT_STORAGE_MB_FREE => '1.5',
		USAGE_LIMIT_FREE => '3',
		USAGE_LIMIT_PROMPTS_DAILY_ => '3',
		USAGE_TRACKING_ENABLED => 'perhaps',
		USAGE_LIMITS_ENFORCED => '',
		USAGE_ANALYTICS_ENABLED => '2',
		USAGE_SOMETHING => 'else');
	is(values_of('prompts_daily'), '4 setting, 100 config', "$preloaded: beside wrong variables a right one counts");
	is(values_of('exports_daily'), '3 config, 20 config', "$preloaded: wrong variables do not count");
	is(values_of('exports_monthly'), '10 config, 200 config', "$preloaded: nor do an empty one and one with more in it");
	is( answer(q{SELECT string_agg(current_setting('usage_limits.' || s), ',' ORDER BY s) FROM unnest(ARRAY['tracking_enabled', 'enforcement', 'analytics_enabled']) s
				WHERE usage_now() IS NOT NULL}),
		'on,on,on',
		"$preloaded: wrong switches are on");
	$log = logged($offset);
	my $number = 'The value is a whole number: -1 (unlimited), 0 (blocks) or more.';
	my $form = 'The name has the form USAGE_LIMIT_<limit>_<tier>.';
	my $switch = 'The value is true or false.';
	my %wrong = (
		'USAGE_LIMIT_PROMPTS_DAILY_PRO="many"' => $number,
		'USAGE_LIMIT_EXPORTS_DAILY_FREE="-2"' => $number,
		'USAGE_LIMIT_EXPORTS_DAILY_PRO="9223372036854775808"' => $number,
		'USAGE_LIMIT_EXPORTS_MONTHLY_FREE=""' => $number,
		'USAGE_LIMIT_EXPORTS_MONTHLY_PRO="5 a day"' => $number,
		'USAGE_LIMIT_STORAGE_MB_FREE="1.5"' => $number,
		'USAGE_LIMIT_FREE="3"' => $form,
		'USAGE_LIMIT_PROMPTS_DAILY_="3"' => $form,
		'USAGE_TRACKING_ENABLED="perhaps"' => $switch,
		'USAGE_LIMITS_ENFORCED=""' => $switch,
		'USAGE_ANALYTICS_ENABLED="2"' => $switch);
	foreach my $variable (sort keys %wrong)
	{
		like($log, qr/environment variable \Q$variable\E is ignored\n.*DETAIL:  \Q$wrong{$variable}\E/,
			"$preloaded: $variable is named");
	}
	unlike($log, qr/variable (USAGE_LIMIT_PROMPTS_DAILY_FREE|USAGE_SOMETHING)=/, "$preloaded: no other is");

	# the switches, each by what it does
	my $use = q{SELECT coalesce(usage_track('switch', 'export')::text, 'no event');
		SELECT allowed || ' ' || reason FROM usage_consume('switch', 'export', 4);
		SELECT coalesce(sum(count), 0) FROM user_usage WHERE user_id = 'switch';
		SELECT count(*) FROM usage_events WHERE user_id = 'switch';};
	my $clean = q{DELETE FROM usage_counters; DELETE FROM usage_events;};

	restart_with(USAGE_TRACKING_ENABLED => 'false');
	answer($clean);
	is(answer($use), "no event\ntrue not_enforced\n0\n0", "$preloaded: without tracking nothing is written");
	restart_with(USAGE_LIMITS_ENFORCED => 'no');
	answer($clean);
	like(answer($use), qr/^\d+\ntrue not_enforced\n5\n2$/, "$preloaded: without enforcement all is counted and nothing denied");
	restart_with(USAGE_ANALYTICS_ENABLED => 'off');
	answer($clean);
	is(answer($use), "no event\nfalse amount_exceeds_limit\n1\n0", "$preloaded: without analytics there are counters and no events");
	like((complaints('SELECT * FROM usage_trends()'))[0], qr/analytics are turned off/, "$preloaded: and no analytics");
	restart_with();
	answer($clean);
	like(answer($use), qr/^\d+\nfalse amount_exceeds_limit\n1\n1$/, "$preloaded: without variables all are on");
	answer($clean);
}

# Replaces what a test has put at the end of postgresql.conf.
my $configuration;

sub configure
{
	my ($lines) = @_;
	open(my $file, '>', $node->data_dir . '/postgresql.conf') or die $!;
	print $file $configuration, $lines;
	close($file);
}

sub test_configuration
{
	my ($preloaded, $is_preloaded) = @_;
	my %environment = (
		USAGE_LIMIT_PROMPTS_DAILY_FREE => '4',
		USAGE_LIMIT_PROMPTS_DAILY_PRO => '40',
		USAGE_TRACKING_ENABLED => 'false',
		USAGE_LIMITS_ENFORCED => 'false',
		USAGE_ANALYTICS_ENABLED => 'false');
	my $settings = q{SELECT string_agg(current_setting('usage_limits.' || s), ',' ORDER BY s) FROM unnest(ARRAY['analytics_enabled', 'enforcement', 'strict_names', 'tracking_enabled']) s
		WHERE usage_now() IS NOT NULL};
	my ($offset, $err, $log);

	# a value in postgresql.conf goes before the environment, each for itself
	configure("usage_limits.overrides = 'prompts_daily.free=6, exports_daily.free = 7 ,exports_daily.gold=8'\n"
		  . "usage_limits.tracking_enabled = on\nusage_limits.enforcement = shadow\n");
	restart_with(%environment);
	is(values_of('prompts_daily'), '6 setting, 100 config', "$preloaded: the list in postgresql.conf is the whole list");
	is(values_of('exports_daily'), '7 setting, 20 config', "$preloaded: its other entry");
	is(answer($settings), 'off,shadow,off,on', "$preloaded: what is not in postgresql.conf is the environment's");

	# usage_set_limit says when what it sets is hidden
	($err) = complaints(q{SELECT usage_set_limit('prompts_daily', 11, 'free')});
	like($err, qr/WARNING:  the setting usage_limits.overrides hides the value of "prompts_daily" for tier "free"\nDETAIL:  The setting's value is 6\./,
		"$preloaded: a hidden value is told of");
	($err) = complaints(q{SELECT usage_set_limit('prompts_daily', 12)});
	is(() = $err =~ /WARNING/g, 1, "$preloaded: of every tier the one that is hidden");
	($err) = complaints(q{SELECT usage_set_limit('prompts_daily', 100, 'pro'); SELECT usage_set_limit('exports_daily', 5, 'gold'); SELECT usage_set_limit('exports_monthly', 10, 'free')});
	is($err, '', "$preloaded: a value that counts is not");
	answer(q{UPDATE usage_limits_config SET free_tier_limit = 10, pro_tier_limit = 100 WHERE limit_type = 'prompts_daily'; DELETE FROM usage_limit_overrides});

	# one that does not parse is named, and what comes with it counts
	configure("usage_limits.overrides = 'prompts_daily.free=6, exports_daily.pro=lots'\nusage_limits.strict_names = on\n");
	$offset = restart_with(%environment);
	($err) = complaints(q{SELECT usage_now()});
	$log = ($is_preloaded ? '' : $err) . logged($offset);
	like($log, qr/WARNING:  invalid value for parameter "usage_limits.overrides": "prompts_daily.free=6, exports_daily.pro=lots"\n.*DETAIL:  Entry "exports_daily.pro=lots": The value is a whole number\./,
		"$preloaded: a wrong list is told of at start");
	is(values_of('prompts_daily'), '4 setting, 40 setting', "$preloaded: instead of it there is the environment's");
	is(answer($settings), 'off,off,on,off', "$preloaded: and the setting beside it");

	# so it is when the configuration is read again: the old value stays
	configure("usage_limits.overrides = 'prompts_daily.free=8'\nusage_limits.strict_names = off\n");
	restart_with(%environment);
	is(values_of('prompts_daily'), '8 setting, 100 config', "$preloaded: a list before reload");
	configure("usage_limits.overrides = 'prompts_daily.free=9, exports_daily.pro=4'\nusage_limits.strict_names = on\n");
	$node->reload;
	ok($node->poll_query_until('app', "SELECT usage_now() IS NOT NULL AND current_setting('usage_limits.strict_names') = 'on'"), "$preloaded: reload");
	is(values_of('prompts_daily'), '9 setting, 100 config', "$preloaded: a list after reload");
	is(values_of('exports_daily'), '3 config, 4 setting', "$preloaded: and its other entry");

	if ($is_preloaded)
	{
		my %reasons = (
			'prompts_daily.free' => 'An entry has the form limit_type.tier=value.',
			'=5' => 'An entry has the form limit_type.tier=value.',
			'prompts_daily=5' => 'An entry has the form limit_type.tier=value.',
			'prompts_daily.=5' => 'An entry has the form limit_type.tier=value.',
			'.free=5' => 'An entry has the form limit_type.tier=value.',
			'prompts_daily.free=' => 'The value is a whole number.',
			'prompts_daily.free=5 6' => 'The value is a whole number.',
			'prompts_daily.free=9223372036854775808' => 'The value is a whole number.',
			'prompts_daily.free=-2' => 'The value is -1 (unlimited), 0 (blocks) or more.');
		my $turn = 'off';
		foreach my $entry (sort keys %reasons)
		{
			configure("usage_limits.overrides = 'exports_daily.pro=5, $entry ,prompts_daily.free=5'\nusage_limits.strict_names = $turn\n");
			$offset = -s $node->logfile;
			$node->reload;
			# the other setting tells when it has been read, and that it counts
			$node->poll_query_until('app', "SELECT current_setting('usage_limits.strict_names') = '$turn'") or die "reload did not happen";
			$turn = $turn eq 'on' ? 'off' : 'on';
			like(slurp_file($node->logfile, $offset),
				qr/LOG:  invalid value for parameter "usage_limits.overrides": .*\n.*DETAIL:  Entry "\Q$entry\E ?": \Q$reasons{$entry}\E/,
				"$preloaded: reload names $entry");
			is(values_of('prompts_daily') . '; ' . values_of('exports_daily'), '9 setting, 100 config; 3 config, 4 setting', "$preloaded: and the old list stays");
		}
	}

	# ALTER SYSTEM refuses it at once
	($err) = complaints(q{SELECT usage_now(); ALTER SYSTEM SET usage_limits.overrides = 'prompts_daily.free=x'});
	like($err, qr/ERROR:  invalid value for parameter "usage_limits.overrides".*\nDETAIL:  Entry "prompts_daily.free=x"/, "$preloaded: ALTER SYSTEM refuses a wrong list");

	configure('');
	restart_with();
}

sub test_privileges
{
	my ($preloaded) = @_;
	my ($err, $out);

	# settings are the superuser's or the configuration file's
	is( answer(q{SELECT count(*) > 10, count(*) FILTER (WHERE context NOT IN ('superuser', 'sighup', 'postmaster')) FROM pg_settings WHERE name LIKE 'usage_limits.%' AND usage_now() IS NOT NULL}),
		't|0',
		"$preloaded: no setting is a user's");

	# one of them is not shown
	my @names = ('usage_limits.test_clock', split /\n/, answer(q{SELECT name FROM usage_now(), pg_settings WHERE name LIKE 'usage_limits.%'}));
	# some are the configuration file's
	@names = grep { !/\.(max_counters|flush_interval|worker_enabled)$/ } @names;
	my %other = (
		analytics_enabled => 'off', credit_costs => 'export=1', credit_daily_refill => 'free=1', credits_enabled => 'on', default_tier => 'enterprise', enforcement => 'off', event_retention => '1', grace_period => '1d', idempotency_retention => '1',
		on_track_error => 'warning', overrides => 'prompts_daily.free=-1', strict_names => 'on', test_clock => '2001-01-01 00:00+00', tracking_enabled => 'off', users_table => 'x');
	is(join(' ', sort map { s/^usage_limits\.//r } @names), join(' ', sort keys %other), "$preloaded: these are the settings");

	# an application's role cannot set any: not in a session that has used the extension
	foreach my $name (sort keys %other)
	{
		($err) = complaints("SELECT usage_now(); SET usage_limits.$name = '$other{$name}'", 'app');
		like($err, qr/permission denied to set parameter "usage_limits.$name"/, "$preloaded: SET $name");
	}

	# nor before it has, for itself, at connection, or around a function: what it uses up is denied all the same
	answer(q{SELECT usage_track('limited', 'export', 3)});
	my $deny = q{SELECT allowed || ' ' || coalesce(limit_type, '') || ' ' || "limit" FROM usage_consume('limited', 'export')};
	my $denied = 'false exports_daily 3';
	my %tries = (
		'SET' => [ map { "SET usage_limits.$_ = '$other{$_}'" } sort keys %other ],
		'SET LOCAL' => [ 'BEGIN', map { "SET LOCAL usage_limits.$_ = '$other{$_}'" } sort keys %other ],
		'set_config' => [ map { "SELECT set_config('usage_limits.$_', '$other{$_}', false)" } sort keys %other ],
		'UPDATE pg_settings' => [ "UPDATE pg_settings SET setting = 'off' WHERE name = 'usage_limits.enforcement'" ]);
	foreach my $try (sort keys %tries)
	{
		# each by itself: a refused one would end the transaction
		my @each = $try eq 'SET LOCAL' ? map { "BEGIN; $_; $deny; COMMIT" } @{ $tries{$try} }[ 1 .. $#{ $tries{$try} } ] : map { "$_; $deny" } @{ $tries{$try} };
		my @got;
		foreach my $queries (@each)
		{
			($err, $out) = complaints($queries, 'app');
			# where the setting is known it is refused, and with it a transaction; where it is not, it is taken back
			push @got, $queries unless $out =~ /^\Q$denied\E$/m || $err =~ /current transaction is aborted/;
			push @got, "$queries: $out" if $out =~ /^true/m;
			push @got, "$queries: $err" unless $err =~ /permission denied to set parameter/ || $try =~ /^UPDATE/;
		}
		is(join("\n", @got), '', "$preloaded: $try lifts no limit");
	}
	foreach my $name ('enforcement', 'overrides', 'default_tier', 'tracking_enabled')
	{
		my $value = $other{$name};
		$value =~ s/ /\\ /g;
		my ($code, $stdout, $stderr);
		{
			local $ENV{PGOPTIONS} = "-c usage_limits.$name=$value";
			$code = $node->psql('app', $deny, stdout => \$stdout, stderr => \$stderr, extra_params => [ '-U', 'app' ]);
		}
		ok($code != 0 || $stdout eq $denied, "$preloaded: PGOPTIONS with $name lifts no limit") or diag("$stdout $stderr");
		like($stderr, qr/permission denied to set parameter/, "$preloaded: and is told of");

		($err) = complaints("ALTER ROLE app SET usage_limits.$name = '$other{$name}'", 'app');
		($err, $out) = complaints($deny, 'app');
		is($out, $denied, "$preloaded: ALTER ROLE with $name lifts no limit");
		answer('ALTER ROLE app RESET ALL');

		($err, $out) = complaints(qq{
			CREATE FUNCTION pg_temp.lifted() RETURNS text LANGUAGE sql SET usage_limits.$name = '$other{$name}' AS \$\$ $deny \$\$;
			SELECT pg_temp.lifted(); $deny}, 'app');
		like($out, qr/^($denied\n)?$denied$/, "$preloaded: nor does a function with $name");
	}
	is(answer(q{SELECT count FROM user_usage WHERE user_id = 'limited'}), '3', "$preloaded: nothing was admitted");
	answer(q{DELETE FROM usage_counters; DELETE FROM usage_events});
}

# A shell keeps variables of odd names to itself, so that the server is started
# without one: none may keep it from starting.
sub test_odd_names
{
	my ($out, $err);

	$node->stop;
	foreach my $name ('USAGE_LIMIT_PROMPTS_DAILY,X_FREE', 'USAGE_LIMIT_ _FREE', 'USAGE_LIMIT_PROMPTS.DAILY_FREE', 'USAGE_LIMIT_PROMPTS_DAILY_F REE')
	{
		local %ENV = (%ENV, $name => '3', USAGE_LIMIT_PROMPTS_DAILY_FREE => '4');
		my $input = "SELECT current_setting('usage_limits.overrides');\n";
		ok( IPC::Run::run([ 'postgres', '--single', '-D', $node->data_dir, '-c', 'log_statement=none', 'app' ], '<', \$input, '>', \$out, '2>', \$err),
			"a server starts with $name");
		like($out, qr/current_setting = "prompts_daily\.free=4"/, 'it has what counts');
		like($err, qr/environment variable \Q$name\E="3" is ignored\n.*DETAIL:  The name has the form/, 'and names what does not');
	}
	$node->start;
}

foreach my $is_preloaded (1, 0)
{
	my $preloaded = $is_preloaded ? 'preloaded' : 'not preloaded';

	$node = PostgreSQL::Test::Cluster->new($is_preloaded ? 'preloaded' : 'not_preloaded');
	$node->init;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'usage_limits'\n") if $is_preloaded;
	$configuration = slurp_file($node->data_dir . '/postgresql.conf');
	$node->start;
	$node->safe_psql('postgres', 'CREATE DATABASE app');
	$node->safe_psql('app', q{
		CREATE SCHEMA usage;
		CREATE EXTENSION usage_limits SCHEMA usage;
		ALTER DATABASE app SET search_path = public, usage;
		CREATE ROLE app LOGIN;
		SELECT usage.usage_grant('app', 'app');
		GRANT TEMPORARY ON DATABASE app TO app});
	answer(q{SELECT usage_install_defaults(); SELECT usage_set_tier('a-pro-user', 'pro')});

	test_environment($preloaded);
	test_configuration($preloaded, $is_preloaded);
	test_privileges($preloaded);
	test_odd_names() if $is_preloaded;
	$node->stop;
}

done_testing();
