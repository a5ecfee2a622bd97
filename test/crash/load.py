"""Clients that use everything that must outlive a crash, and remember what they
were told.

A transaction of a client writes, beside what it uses, a row into the table
receipt for each effect.  So a receipt says what has committed, the client's
ledger what it was told, and neither may say more than the other but for what
was under way.
"""

import random
import threading

import psycopg2

CLIENTS = 8
USERS = ("hot", "near", "cold 1", "cold 2", "cold 3")
LONG, SHORT = "1 hour", "10 milliseconds"

# What a statement of the load may be refused with; anything else is a fault.
REFUSALS = {
    "22023",    # a level below 0, or more than an event has left
    "23505",    # a hold that another client has settled
    "40001", "40P01", "55P03",
    "42704",    # a hold of a transaction that did not commit
    "55000",    # a hold that has expired
}


class Lost(Exception):
    """The connection is gone."""


class Ledger:
    """What all clients of a server know of each other's transactions."""

    def __init__(self):
        self.lock = threading.Lock()
        self.told = set()           # transactions that were said to be committed
        self.unknown = set()        # whose COMMIT has had no answer
        self.prepared = {}          # transaction: preparing, prepared, committing, aborting
        self.keyed = 0              # units consumed under keys, as told
        self.keys = {}              # key: amount, of requests without an answer
        self.holds = []             # ids of holds that may be open
        self.faults = []
        self.start_round()

    def start_round(self):
        self.commits = 0
        self.relaxed = 0            # units told of a relaxed limit
        self.relaxed_unknown = 0
        self.flushed = 0            # units of it that a table was seen to have, of all rounds


class Client(threading.Thread):
    """One connection, and another when the server ends it, until the server or the test does."""

    def __init__(self, name, dsn, ledger, preloaded, ending, seed):
        super().__init__(daemon=True, name=name)
        self.dsn = dsn
        self.ledger = ledger
        self.ending = ending        # set: lasts as long as its connection
        self.stopping = threading.Event()
        self.random = random.Random(seed)
        self.count = 0
        self.pg = None
        self.steps = [
            (20, self.consume), (6, self.consume_and_undo), (8, self.consume_many), (4, self.track),
            (6, self.adjust), (8, self.hold), (8, self.end_hold), (5, self.spend)]
        self.others = [
            (6, self.prepare), (6, self.end_prepared), (8, self.consume_keyed), (8, self.consume_relaxed),
            (1 if preloaded else 0, self.flush), (2, self.bind_hold)]

    def run(self):
        try:
            while not self.stopping.is_set():
                try:
                    self.connect()
                    while not self.stopping.is_set():
                        self.act()
                except Lost:
                    if self.ending.is_set():
                        return
        except Exception as error:      # pylint: disable=broad-except
            self.ledger.faults.append(f"{self.name}: {error!r}")
        finally:
            if self.pg:
                self.pg.close()

    def connect(self):
        try:
            self.pg = psycopg2.connect(self.dsn, application_name="load")
            self.pg.autocommit = True
            self.sql("SET lock_timeout = '200ms'")
        except psycopg2.OperationalError:
            raise Lost from None

    def sql(self, text, *values):
        """The first row's first column.  Raises the server's error, or Lost."""
        try:
            with self.pg.cursor() as cursor:
                cursor.execute(text, values)
                row = cursor.fetchone() if cursor.description else None
                return row and row[0]
        except psycopg2.Error as error:
            if self.pg.closed or self.pg.info.status != 0:
                raise Lost from None
            raise

    def act(self):
        weights, choices = zip(*self.steps, *self.others)
        step = self.random.choices(choices, weights)[0]
        self.count += 1
        name = f"{self.name}.{self.count}"
        try:
            if step in [other for _, other in self.others]:
                step(name)
            else:
                self.transaction(name, step)
        except psycopg2.Error as error:
            if error.pgcode not in REFUSALS:
                raise
            self.sql("ROLLBACK")

    def transaction(self, name, step):
        self.sql("BEGIN ISOLATION LEVEL " + self.random.choices(
            ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"), (8, 1, 1))[0])
        if not step(name) or self.random.random() < 0.1:
            self.sql("ROLLBACK")
            return
        self.end(name, "COMMIT")

    def end(self, name, statement):
        """Ends a transaction of that name by committing it."""
        ledger = self.ledger
        with ledger.lock:
            ledger.unknown.add(name)
        try:
            self.sql(statement)
        except psycopg2.Error:          # refused, not lost: it has not committed
            with ledger.lock:
                ledger.unknown.discard(name)
            raise
        with ledger.lock:
            ledger.unknown.discard(name)
            ledger.told.add(name)
            ledger.commits += 1

    def receipt(self, name, what, user_id, usage_type, amount, hold_id=None):
        self.sql("INSERT INTO receipt VALUES (%s, %s, %s, %s, %s, %s)",
                 name, what, user_id, usage_type, amount, hold_id)
        return True

    def user(self):
        return self.random.choices(USERS, (8, 4, 1, 1, 1))[0]

    def subtype(self):
        return self.random.choice((None, None, "a", "b"))

    # Steps inside a transaction: true if it has used something.

    def consume(self, name):
        used = False
        for _ in range(self.random.choice((1, 1, 2))):
            user_id, amount = self.user(), self.random.randint(1, 3)
            if self.sql("SELECT allowed FROM usage_consume(%s, 'job', %s, %s)", user_id, amount, self.subtype()):
                used = self.receipt(name, "use", user_id, "job", amount)
        return used

    def consume_and_undo(self, name):
        used = self.consume(name)
        self.sql("SAVEPOINT s")
        self.consume(name)
        self.sql("ROLLBACK TO s")
        return self.consume(name) or used

    def consume_many(self, name):
        user_id, jobs, calls = self.user(), self.random.randint(1, 2), self.random.randint(1, 3)
        if not self.sql("SELECT allowed FROM usage_consume_many(%s, jsonb_build_object('job', %s, 'call', %s))",
                        user_id, jobs, calls):
            return False
        self.receipt(name, "use", user_id, "job", jobs)
        return self.receipt(name, "use", user_id, "call", calls)

    def track(self, name):
        user_id, amount = self.user(), self.random.randint(1, 3)
        self.sql("SELECT usage_track(%s, 'call', %s)", user_id, amount)
        return self.receipt(name, "use", user_id, "call", amount)

    def adjust(self, name):
        user_id, delta = self.user(), self.random.choice((-3, -2, -1, 1, 2, 3))
        self.sql("SELECT usage_adjust(%s, 'storage_mb', %s, 'load')", user_id, delta)
        return self.receipt(name, "use", user_id, "storage_mb", delta)

    def hold(self, name):
        user_id, amount = self.user(), self.random.randint(1, 3)
        ttl = self.random.choice((LONG, LONG, SHORT))
        if not self.sql("SELECT allowed FROM usage_hold(%s, 'job', %s, %s, %s)", user_id, amount, ttl, name):
            return False
        with self.ledger.lock:
            self.ledger.holds.append(name)
        return self.receipt(name, "hold", user_id, "job", amount, name)

    def end_hold(self, name):
        with self.ledger.lock:
            if not self.ledger.holds:
                return False
            hold_id = self.random.choice(self.ledger.holds)
        if self.random.random() < 0.3:
            return (self.sql("SELECT usage_release(%s)", hold_id)
                    and self.receipt(name, "end", None, "job", 0, hold_id))
        amount = self.random.randint(0, 2)
        if not self.sql("SELECT allowed FROM usage_settle(%s, %s)", hold_id, amount):
            return False
        user_id = self.sql("SELECT user_id FROM receipt WHERE what = 'hold' AND hold_id = %s", hold_id)
        self.receipt(name, "use", user_id, "job", amount)
        return self.receipt(name, "end", user_id, "job", amount, hold_id)

    def spend(self, name):
        amount = self.random.randint(1, 3)
        if not self.sql("SELECT allowed FROM credit_spend('hot', %s, throw_on_insufficient => false)", amount):
            return False
        return self.receipt(name, "spend", "hot", None, amount)

    # What is no transaction of one COMMIT.

    def prepare(self, name):
        ledger = self.ledger
        with ledger.lock:
            if len(ledger.prepared) >= CLIENTS - 2:
                return
            ledger.prepared[name] = "preparing"
        done = False
        try:
            self.sql("BEGIN")
            if self.sql("SELECT allowed FROM usage_consume('prepared', 'job', 2)"):
                self.receipt(name, "use", "prepared", "job", 2)
                self.sql(f"PREPARE TRANSACTION '{name}'")
                done = True
            else:
                self.sql("ROLLBACK")
        except Lost:
            done = None
            raise
        finally:
            with ledger.lock:
                if done:
                    ledger.prepared[name] = "prepared"
                elif done is False:
                    del ledger.prepared[name]

    def end_prepared(self, _):
        ledger = self.ledger
        with ledger.lock:
            names = [name for name, state in ledger.prepared.items() if state == "prepared"]
            if not names:
                return
            name = self.random.choice(names)
            how = self.random.choice(("committing", "aborting"))
            ledger.prepared[name] = how
        self.end_named(name, how)

    def end_named(self, name, how):
        if how == "committing":
            self.end(name, f"COMMIT PREPARED '{name}'")
        else:
            self.sql(f"ROLLBACK PREPARED '{name}'")
        with self.ledger.lock:
            del self.ledger.prepared[name]

    def consume_keyed(self, name):
        ledger = self.ledger
        with ledger.lock:
            # what had no answer is asked again
            key, amount = (ledger.keys.popitem() if ledger.keys and self.random.random() < 0.5
                           else (name, self.random.randint(1, 3)))
        answered = False
        try:
            allowed = self.sql("SELECT allowed FROM usage_consume('keyed', 'export', %s, idempotency_key => %s)", amount, key)
            answered = True
        finally:
            with ledger.lock:
                if not answered:
                    ledger.keys[key] = amount
                elif allowed:
                    ledger.keyed += amount

    def consume_relaxed(self, _):
        ledger, amount = self.ledger, self.random.randint(1, 3)
        with ledger.lock:
            ledger.relaxed_unknown += amount
        allowed = self.sql("SELECT allowed FROM usage_consume('fast', 'ping', %s)", amount)
        with ledger.lock:
            ledger.relaxed_unknown -= amount
            ledger.relaxed += amount if allowed else 0

    def flush(self, _):
        self.sql("SELECT count(*) FROM usage_maintain()")
        seen = int(self.sql("SELECT coalesce(sum(amount), 0) FROM usage_counters WHERE usage_type = 'ping'"))
        with self.ledger.lock:
            self.ledger.flushed = max(self.ledger.flushed, seen)

    def bind_hold(self, name):
        self.sql("SELECT allowed FROM usage_hold('bound', 'concurrent_renders', 1, %s, %s, session_bound => true)", LONG, name)
