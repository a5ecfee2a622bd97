-- Credits are part of the transaction: savepoints, exception blocks, isolation levels.
SET timezone = 'UTC';
SET usage_limits.test_clock = '2024-07-01 10:00Z';
\set SHOW_CONTEXT never

SELECT balance FROM credit_grant('ct', 100);
BEGIN;
SELECT balance FROM credit_spend('ct', 10);
SAVEPOINT a;
SELECT balance FROM credit_spend('ct', 20);
SAVEPOINT b;
SELECT balance FROM credit_spend('ct', 70);
ROLLBACK TO b;
SELECT credit_balance('ct');
SELECT balance FROM credit_spend('ct', 1);
RELEASE b;
ROLLBACK TO a;
SELECT balance FROM credit_spend('ct', 2);
COMMIT;
SELECT credit_balance('ct');
BEGIN;
SELECT balance FROM credit_spend('ct', 88);
ROLLBACK;
SELECT amount, balance_after, sequence_no FROM credit_transactions WHERE user_id = 'ct' ORDER BY sequence_no;

-- Exception blocks: what fails leaves nothing, what is caught goes on.
CREATE FUNCTION pg_temp.spend_all(who text, amount bigint, OUT spent int, OUT denied int) LANGUAGE plpgsql AS $$
BEGIN
	spent := 0;
	denied := 0;
	FOR i IN 1 .. 10 LOOP
		BEGIN
			PERFORM credit_spend(who, amount);
			IF i % 3 = 0 THEN
				RAISE EXCEPTION 'not this one';
			END IF;
			spent := spent + 1;
		EXCEPTION
			WHEN SQLSTATE 'PT402' THEN
				denied := denied + 1;
			WHEN raise_exception THEN
				NULL;
		END;
	END LOOP;
END
$$;
SELECT * FROM pg_temp.spend_all('ct', 20);
SELECT credit_balance('ct');
SELECT * FROM pg_temp.spend_all('ct', 1);
SELECT credit_balance('ct');

-- Every isolation level, also where a grant runs out, or something is due.
SELECT balance FROM credit_grant('ct', 10, expires_at => '2024-08-01Z');
SELECT balance FROM credit_grant('ct', 10, recurs_every => '1 month');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT balance FROM credit_spend('ct', 3);
SELECT balance FROM credit_spend('ct', 9);
SELECT transaction_id FROM credit_spend('ct', 2) \gset
SELECT balance FROM credit_refund(:transaction_id);
SELECT balance FROM credit_grant('ct', 5);
COMMIT;
SET usage_limits.test_clock = '2024-09-01 10:00Z';
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT balance FROM credit_spend('ct', 3);
SELECT transaction_id, balance FROM credit_spend('ct', 11) \gset
SELECT :balance AS balance;
SELECT balance FROM credit_refund(:transaction_id, 6);
SELECT balance FROM credit_grant('ct', 5);
SELECT balance FROM credit_grant('ct_new', 5);
SELECT grant_id FROM credit_grants('ct') WHERE state = 'live' ORDER BY grant_id DESC LIMIT 1 \gset
SELECT balance FROM credit_void(:grant_id);
SAVEPOINT a;
SELECT balance FROM credit_spend('ct', 1);
ROLLBACK TO a;
SELECT balance FROM credit_spend('ct_new', 1);
COMMIT;
SELECT credit_balance('ct'), credit_balance('ct_new');

-- One transaction may touch any number of users.
DO $$
BEGIN
	FOR i IN 1 .. 3000 LOOP
		PERFORM credit_grant('ct_many_' || i, i);
	END LOOP;
	PERFORM credit_spend('ct_many_' || i, i) FROM generate_series(1, 3000) i;
END
$$;
SELECT count(*), sum(balance), sum(lifetime_spent) FROM user_credits WHERE user_id ~ '^ct_many_';

-- Prepared statements and plans that are kept, also when the extension was changed meanwhile.
PREPARE spend(text, bigint) AS SELECT balance FROM credit_spend($1, $2);
SELECT balance FROM credit_grant('ct_prepared', 30);
EXECUTE spend('ct_prepared', 1);
EXECUTE spend('ct_prepared', 2);
ALTER TABLE credit_transactions ADD COLUMN added int;
EXECUTE spend('ct_prepared', 3);
ALTER TABLE credit_transactions DROP COLUMN added;
EXECUTE spend('ct_prepared', 4);
EXECUTE spend('ct_prepared', 20);

SELECT * FROM usage_reconcile();
