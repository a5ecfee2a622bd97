# Credits under many clients at once, at every isolation level: what users send
# each other stays constant in sum, what is spent is what clients were told, to
# the last credit, and nobody gets a serialization failure.  Exception blocks
# keep and give back what they should, and a prepared transaction its credits,
# over a restart.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use UsageLimits;

my $node = new_server('main');
my @levels = ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');

# Whatever happened, the books are right.
sub check_books
{
	my ($what) = @_;

	is(value($node, 'SELECT * FROM usage_reconcile()'), '', "$what: nothing disagrees");
	is(value($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '0', "$what: no lock is left");
	return;
}

# Runs a script in 16 clients, none of whose transactions may fail.
sub run_clients
{
	my ($what, $transactions, %scripts) = @_;

	$node->pgbench("-n -c 16 -j 2 -t $transactions -D n=0", 0,
		[ qr{processed: ${\(16 * $transactions)}/${\(16 * $transactions)}} ], [qr{^$}], $what, \%scripts);
	return;
}

# Transfers to and fro, each transaction beginning with the lesser user; who looks
# on sees the same sum at any time.
foreach my $level (@levels)
{
	my $what = "transfers, $level";
	(my $name = lc $level) =~ s/\W+/_/g;
	my ($ann, $bob) = ("ann $level", "bob $level");
	my $sum = "(SELECT sum(balance) FROM user_credits WHERE user_id IN ('$ann', '$bob'))";

	$node->safe_psql('postgres', "SELECT credit_grant('$ann', 300), credit_grant('$bob', 300)");
	run_clients($what, 25,
		"040_to_bob_$name\@4" => qq{
\\set n random(1, 60)
BEGIN ISOLATION LEVEL $level;
SELECT allowed::int AS allowed FROM credit_spend('$ann', :n, throw_on_insufficient => false) \\gset
\\if :allowed
SELECT credit_grant('$bob', :n, 'transfer');
\\endif
COMMIT;
},
		"040_to_ann_$name\@4" => qq{
\\set n random(1, 60)
BEGIN ISOLATION LEVEL $level;
SELECT credit_grant('$ann', :n, 'transfer');
SELECT allowed::int AS allowed FROM credit_spend('$bob', :n, throw_on_insufficient => false) \\gset
\\if :allowed
COMMIT;
\\else
ROLLBACK;
\\endif
},
		"040_sum_$name\@1" => "SELECT 1 / ($sum = 600)::int;\n");
	is(value($node, "SELECT $sum"), '600', "$what: the sum is what it was");
	cmp_ok(value($node, q{SELECT count(*) FROM credit_transactions WHERE transaction_type = 'transfer'}), '>', 100,
		"$what: there were some");
	check_books($what);
}

# One balance, of several grants, spent by 16 clients; three of ten transactions
# roll back, to a savepoint or altogether.
$node->safe_psql('postgres', 'CREATE TABLE receipt (user_id text, amount bigint)');
foreach my $level (@levels)
{
	my $what = "one balance, $level";
	(my $name = lc $level) =~ s/\W+/_/g;
	my $user = "hot $level";

	$node->safe_psql('postgres', qq{
		SELECT credit_grant('$user', 10 + 7 * g, priority => g % 3, expires_at => '2100-01-01Z'::timestamptz + g % 2 * '1 day'::interval)
		FROM generate_series(1, 15) g});
	my $balance = value($node, "SELECT credit_balance('$user')");
	my $left = "SELECT $balance - coalesce(sum(amount), 0) FROM receipt WHERE user_id = '$user'";
	my $script = qq{
\\set n :n + 1
\\set undo :n % 10 < 3
\\set amount :n % 4 + 1
BEGIN ISOLATION LEVEL $level;
SAVEPOINT a;
SELECT credit_spend('$user', 2, throw_on_insufficient => false);
ROLLBACK TO a;
SELECT allowed::int AS allowed FROM credit_spend('$user', :amount, throw_on_insufficient => false) \\gset
\\if :allowed
INSERT INTO receipt VALUES ('$user', :amount);
\\endif
\\if :undo
ROLLBACK;
\\else
COMMIT;
\\endif
};
	run_clients($what, 20, "040_spend_$name" => $script);
	is(value($node, "SELECT credit_balance('$user')"), value($node, $left), "$what: what is left was not spent");
	check_books("$what, some left");

	run_clients($what, 60, "040_spend_all_$name" => $script);
	# who was denied more than the last ones may have those
	$node->safe_psql('postgres', qq{
		INSERT INTO receipt SELECT '$user', 1 FROM generate_series(1, 3), credit_spend('$user', 1, throw_on_insufficient => false) s
		WHERE s.allowed});
	is(value($node, $left), '0', "$what: all of it was spent");
	is(value($node, "SELECT credit_balance('$user'), -sum(amount) FILTER (WHERE amount < 0) FROM credit_transactions WHERE user_id = '$user'"),
		"0|$balance", "$what: and the ledger says so");
	is(sqlstate($node, "SELECT credit_spend('$user', 1);"), 'PT402', "$what: not one more");
	check_books("$what, nothing left");
}

# What a block catches is given back, whichever error it is; the rest is kept.
$node->safe_psql('postgres', q{
	SELECT credit_grant('pl', 50), credit_grant('pl', 50);
	DO $$
	DECLARE
		kept bigint := 0;
		refused bigint := 0;
	BEGIN
		FOR i IN 1 .. 40 LOOP
			BEGIN
				PERFORM credit_spend('pl', 4);
				IF i % 3 = 0 THEN RAISE division_by_zero; END IF;
				BEGIN
					PERFORM credit_grant('pl', 1000), credit_refund(max(id)) FROM credit_transactions WHERE user_id = 'pl' AND amount < 0;
					RAISE unique_violation;
				EXCEPTION WHEN unique_violation THEN
					NULL;
				END;
				kept := kept + 4;
			EXCEPTION
				WHEN division_by_zero THEN NULL;
				WHEN SQLSTATE 'PT402' THEN refused := refused + 1;
			END;
		END LOOP;
		IF (kept, refused) <> (100, 3) THEN RAISE 'kept %, refused %', kept, refused; END IF;
	END $$});
is(value($node, q{SELECT balance, lifetime_earned, lifetime_spent, sequence_no FROM user_credits WHERE user_id = 'pl'}),
	'0|100|100|27', 'blocks: what no block gave back was spent');
check_books('blocks');

# Prepared, carried over a restart, and ended both ways.
my $impatient = q{SET lock_timeout = '10ms';};
$node->safe_psql('postgres', q{SELECT credit_grant('pat', 100)});
my $voided = value($node, q{SELECT grant_id FROM credit_grant('pat', 10, priority => 9)});
my $spent = value($node, q{SELECT transaction_id FROM credit_spend('pat', 20)});
foreach my $restart ('fast', 'immediate')
{
	foreach my $end ('ROLLBACK', 'COMMIT')
	{
		my $what = "prepared, $restart, $end";
		my $books = q{SELECT credit_balance('pat'), count(*) FROM credit_transactions WHERE user_id = 'pat'};
		my $before = value($node, $books);
		my $changed = $node->safe_psql('postgres', qq{
			BEGIN;
			SELECT FROM credit_spend('pat', 30);
			SELECT FROM credit_grant('pat', 7, priority => -1);
			SELECT FROM credit_refund($spent, 5);
			SELECT FROM credit_void($voided);
			SELECT FROM credit_spend('pat', 2);
			$books;
			PREPARE TRANSACTION 'p'});
		$changed =~ s/\s//g;
		isnt($changed, $before, "$what: it changes the books");
		$node->stop($restart);
		$node->start;
		is(value($node, $books), $before, "$what: which are for others what they were");
		is(sqlstate($node, "$impatient SELECT credit_spend('pat', 1);"), '55P03', "$what: the credits are nobody else's");
		is(sqlstate($node, "$impatient BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT credit_grant('pat', 1);"), '55P03',
			"$what: at any isolation level");
		is(value($node, 'SELECT * FROM usage_reconcile()'), '', "$what: nothing disagrees before its end");
		$node->safe_psql('postgres', "$end PREPARED 'p'");
		is(value($node, $books), $end eq 'COMMIT' ? $changed : $before, "$what: they end as they should");
		check_books($what);
	}
}

$node->stop;
done_testing();
