# Sixteen clients, 30 % of whose transactions roll back, are members of one
# account, or ask for it: the sum is the account's limit, no member is above his,
# the account's share is what its members have used, and no transaction fails.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my ($clients, $transactions) = (16, 60);
my $node = new_server('main');

$node->safe_psql('postgres', q{
	SELECT usage_set_limit('jobs_total', 60, kind => 'counter'), usage_set_limit('calls_total', 60, kind => 'counter');
	SELECT usage_set_override('jobs_total', 300, user_id => 'acme'), usage_set_override('calls_total', 300, user_id => 'acme');
	SELECT usage_set_member('user ' || n, 'acme') FROM generate_series(1, 7) n;
	SELECT usage_maintain();
});

# two types in opposite orders, by seven members and the account itself
my $script = q{
\set n :n + 1
\set key (:n + :client_id) % 8
\set undo (:n / 8 + :client_id) % 10 < 3
BEGIN;
SELECT usage_consume_many(CASE :key WHEN 0 THEN 'acme' ELSE 'user ' || :key END,
	CASE :n % 2 WHEN 0 THEN '{"job": 1, "call": 1}'::jsonb ELSE '{"call": 1, "job": 1}' END);
\if :undo
ROLLBACK;
\else
COMMIT;
\endif
};

foreach my $level ('read committed', 'repeatable read')
{
	(my $name = $level) =~ s/\W/_/g;
	$node->append_conf('postgresql.conf', "default_transaction_isolation = '$level'");
	$node->reload;
	$node->pgbench("-n -c $clients -j 2 -t $transactions -D n=0",
		0,
		[qr{processed: ${\($clients * $transactions)}/${\($clients * $transactions)}}],
		[qr{^$}],
		$level,
		{ "033_$name" => $script });

	# in shared memory what is open counts as used: who was denied the last units
	# by what was rolled back afterwards may have them now
	$node->safe_psql('postgres', q{
		SELECT usage_consume_many('user ' || u, '{"job": 1, "call": 1}') FROM generate_series(1, 7) u, generate_series(1, 60)});
	is(value($node, q{
			SELECT string_agg(concat_ws(' ', usage_type, total, members = share), ', ' ORDER BY usage_type)
			FROM (SELECT usage_type, sum(amount + member_amount) FILTER (WHERE user_id = 'acme') AS total,
					sum(amount) FILTER (WHERE user_id <> 'acme') AS members, sum(member_amount) AS share
				FROM usage_counters GROUP BY 1) s}),
		'call 300 t, job 300 t', "$level: the account has its limit, and its share is what members used");
	is(value($node, q{
			SELECT count(*) FROM (SELECT FROM usage_counters WHERE user_id <> 'acme'
				GROUP BY user_id, usage_type HAVING sum(amount) > 60) o}),
		'0', "$level: no member is above his limit");
	$node->safe_psql('postgres', 'TRUNCATE usage_counters');
}

done_testing();
