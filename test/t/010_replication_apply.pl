# Logical replication writes tables without the sessions that decide: a limit, a
# subscription, an override that is applied on the subscriber counts there from
# its commit, in sessions that have been there before, too.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $publisher = new_server('publisher');
my $subscriber = new_server('subscriber');

$publisher->safe_psql('postgres', q{
	SELECT usage_set_limit('prompts_total', 5, kind => 'counter');
	CREATE PUBLICATION configuration FOR TABLE usage_limits_config, usage_limit_overrides, usage_types, usage_actions, user_subscriptions, usage_resets;
});
my $connection = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION configuration CONNECTION '$connection' PUBLICATION configuration");
$subscriber->wait_for_subscription_sync($publisher, 'configuration');

my $session = $subscriber->background_psql('postgres');
my $state = q{SELECT coalesce(string_agg(concat_ws(' ', limit_type, tier, source, current, "limit"), ', ' ORDER BY limit_type), 'none')
	FROM usage_status('ann')};

# Makes a change on the publisher; what the session on the subscriber sees then.
sub change
{
	my ($sql) = @_;

	$publisher->safe_psql('postgres', $sql);
	$publisher->wait_for_catchup('configuration');
	return $session->query_safe($state);
}

is($session->query_safe($state), 'prompts_total free config 0 5', 'the limit that was there');
is($session->query_safe(q{SELECT allowed, current FROM usage_consume('ann', 'prompt', 5)}), 't|5', 'usage is the subscriber\'s own');

is(change(q{SELECT usage_set_limit('prompts_total', 7, 'free')}), 'prompts_total free config 5 7', 'a limit changed');
is(change(q{SELECT usage_set_tier('ann', 'pro')}), 'prompts_total pro config 5 5', 'a tier set');
is(change(q{UPDATE user_subscriptions SET expires_at = '2020-01-01'}), 'prompts_total free config 5 7', 'a subscription that has expired');
is(change(q{SELECT usage_set_override('prompts_total', 9, 'ann')}), 'prompts_total free user_override 5 9', 'an override of the user');
is(change(q{DELETE FROM usage_limit_overrides}), 'prompts_total free config 5 7', 'taken away');
is(change(q{SELECT usage_set_override('prompts_total', 11, tier => 'free')}), 'prompts_total free tier_override 5 11', 'an override of the tier');
is(change(q{TRUNCATE usage_limit_overrides}), 'prompts_total free config 5 7', 'truncated away');
is(change(q{SELECT usage_set_limit('prompts_yearly', 100, 'free')}),
	'prompts_total free config 5 7, prompts_yearly free config 5 100', 'a limit added');
is(change(q{UPDATE usage_limits_config SET is_active = false WHERE limit_type = 'prompts_yearly'}),
	'prompts_total free config 5 7', 'switched off');
is(change(q{SELECT usage_reset('ann', 'prompt')}), 'prompts_total free config 0 7', 'a reset');
is(change(q{DELETE FROM usage_limits_config}), 'none', 'all limits deleted');

is($session->query_safe(q{SELECT usage_check_action('ann', 'generate', false), usage_track('ann', 'prompt') IS NULL}), 't|f',
	'an action and a type that are not known');
change(q{
	SELECT usage_set_limit('prompts_total', 0);
	INSERT INTO usage_actions (action, usage_type) VALUES ('generate', 'prompt');
	INSERT INTO usage_types (usage_type, log_events) VALUES ('prompt', false);
});
is($session->query_safe(q{SELECT usage_check_action('ann', 'generate', false), usage_track('ann', 'prompt') IS NULL}), 'f|t',
	'both, once they are');

# what a trigger writes is not written by the apply: it comes with its table, or not
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM usage_config_log'), '0', 'changes are logged where they were made');
isnt($publisher->safe_psql('postgres', 'SELECT count(*) FROM usage_config_log'), '0', 'and there they are');

# a subscriber's change counts as well
is( $subscriber->safe_psql('postgres', q{
		SET session_replication_role = replica;
		UPDATE usage_limits_config SET free_tier_limit = 4;
		SELECT "limit" FROM usage_check('ann', 'prompt')}),
	'4', 'replica role: for its own session');
is($session->query_safe(q{SELECT "limit" FROM usage_check('ann', 'prompt')}), '4', 'replica role: for another');

$session->quit;
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION configuration');
$subscriber->stop;
$publisher->stop;
done_testing();
