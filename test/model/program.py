"""Programs: lists of small numbers, each of which means a step whatever came
before it, so that a program stays one when steps are left out."""

import datetime
import json

from driver import COLUMNS, Wrong
from reference import (AMOUNT, DAY, HOUR, MINUTE, SECOND, TOKENS, Config, Limit, Override,
                       Request, vector_of)
from transactions import Transaction

USERS = ("ann", "bob", "cay", "dan", "acme")
ACCOUNTS = {"cay": "acme", "dan": "acme"}
TIERS = {"acme": "pro"}
# where a program moves the members
MOVES = ("acme", None, "bob", "acme")
TYPES = ("prompt", "call", "storage_mb", "mail", "render")
SUBTYPES = (None, "gpt", "img")
AMOUNTS = (1, 2, 3, 5, 0, 4, 7, 1, 2, 10, 3, 6, 1, 20, 50, 8)
VALUES = (10, 0, 5, -1, 20, 3, 12, 30)
CLOCK_STEPS = (SECOND, 30 * SECOND, 61 * SECOND, 10 * MINUTE, 59 * MINUTE, HOUR, 2 * HOUR, 11 * HOUR,
               DAY, SECOND, MINUTE, 5 * MINUTE, -10 * MINUTE, -2 * HOUR, HOUR + MINUTE, -DAY)
START = int(datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.timezone.utc).timestamp()) * SECOND

LIMITS = (
    Limit("prompts_daily", "prompt", alignment="calendar", period=DAY, free=12, pro=30),
    Limit("prompts_total", "prompt", free=60, pro=100),
    Limit("gpts_daily", "prompt", subtype="gpt", alignment="calendar", period=DAY, free=6),
    Limit("tokens_daily", "prompt", measure=TOKENS, alignment="calendar", period=DAY, free=100),
    Limit("calls_hourly", "call", alignment="sliding", period=HOUR, free=10, pro=20),
    Limit("storage_mb", "storage_mb", kind="gauge", free=20, pro=50),
    Limit("concurrent_renders", "render", kind="concurrency", free=2, pro=4),
)
# made and deleted by programs
MORE_LIMITS = (
    Limit("mails_daily", "mail", alignment="calendar", period=DAY, free=5, pro=9),
    Limit("calls_daily", "call", alignment="calendar", period=DAY, free=15, pro=15),
    Limit("prompts_hourly", "prompt", alignment="sliding", period=HOUR, free=8, pro=8),
)
TTLS = (10 * MINUTE, HOUR, 30 * SECOND, DAY, MINUTE, 3 * HOUR, 2 * DAY, 90 * MINUTE)
ITEMS = (
    (("prompt", None), ("call", None)),
    (("prompt", "gpt"), ("prompt", "img")),
    (("storage_mb", None), ("mail", None)),
    (("call", None), ("storage_mb", None), ("prompt", "gpt")),
)

# each as often as its number says
OPERATIONS = {
    "consume": 14, "enforce": 1, "consume_many": 4, "track": 6, "track_past": 3,
    "adjust": 5, "refund": 3, "set_gauge": 2, "reset": 1, "check": 4, "check_limit": 1,
    "hold": 8, "hold_again": 1, "settle": 5, "release_hold": 3, "release_all": 1, "renew": 2,
    "begin": 6, "commit": 5, "rollback": 3, "savepoint": 4, "rollback_to": 3, "release": 2,
    "prepare": 3, "commit_prepared": 3, "rollback_prepared": 2,
    "set_value": 2, "set_active": 1, "set_enforcement": 1, "more_limits": 1,
    "override": 1, "no_override": 1, "tier": 1, "member": 2,
    "hand_update": 2, "hand_insert": 1, "hand_delete": 1, "truncate": 1,
    "clock": 5, "fail": 1, "maintain": 1,
}
# what corrects and holds is not modelled for both a member and his account
NOT_OF_MEMBERS = ("adjust", "set_gauge", "reset", "hold")


def literal(at):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=at)
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}+00"


def quoted(value):
    return "NULL" if value is None else f"'{value}'"


def limit_row(limit):
    measure = ("amount", "tokens")[limit.measure]
    period = f"'{limit.period // MINUTE} minutes'::interval" if limit.period else "NULL"
    if limit.alignment == "calendar":
        period = "'1 day'"
    return (f"('{limit.name}', '{limit.usage_type}', {quoted(limit.subtype)}, '{measure}', '{limit.kind}', "
            f"'{limit.alignment}', {period}, {limit.free}, {limit.pro})")


def insert_limits(limits):
    return ("INSERT INTO usage_limits_config (limit_type, usage_type, event_subtype, measure, kind,"
            " alignment, period, free_tier_limit, pro_tier_limit) VALUES "
            + ", ".join(limit_row(limit) for limit in limits))


class Program:
    """One run of a program: the steps, the model, and the server beside it."""

    def __init__(self, driver, gate, hashes):
        self.driver = driver
        self.world = gate(Config({limit.name: limit for limit in LIMITS}, tiers=dict(TIERS),
                                 accounts=dict(ACCOUNTS)), hashes)
        self.now = START
        self.numbers = 0
        driver.place_of = self.place_of
        driver.query("TRUNCATE usage_counters, usage_events, usage_limits_config, usage_limit_overrides,"
                     " user_subscriptions, usage_resets, usage_config_log, usage_holds, usage_members")
        driver.query(insert_limits(LIMITS))
        for user, tier in TIERS.items():
            driver.query("INSERT INTO user_subscriptions (user_id, tier, started_at) VALUES (%s, %s, NULL)", user, tier)
        for user, account in ACCOUNTS.items():
            driver.query("SELECT usage_set_member(%s, %s)", user, account)
        for connection in driver.connections:
            connection.transaction = None

    def number(self):
        self.numbers += 1
        return self.numbers

    # What is under way

    def others(self, connection):
        return [t for t in self.world.open if t is not connection.transaction]

    def running(self):
        return [c for c in self.driver.connections if c.busy is not None]

    def locks_of(self, keys):
        """The locks of some (user, usage_type), or of ("hold", id)."""
        return [(name, lock) for name, lock in self.world.locks.items()
                if name in keys or name[1:] in keys]

    def subjects(self, connection, user):
        return self.world.visible_config(connection.transaction or Transaction("none")).subjects(user)

    def keys_of(self, connection, user, usage_types):
        """Those that a use is booked on."""
        return {(subject, t) for subject in self.subjects(connection, user) for t in usage_types}

    def blockers(self, transaction, keys):
        """The transactions that one may have to wait for."""
        return {t for _, lock in self.locks_of(keys) for t in lock.transactions() if t is not transaction}

    def place_of(self, connection):
        """The lock that the connection's call waits for, where its place is known."""
        for name, lock in self.world.locks.items():
            if any(call.transaction is connection.transaction for call, _ in lock.queue):
                place = self.world.hashes.get(name[1:])
                return place and place - 2 ** 64 * (place >= 2 ** 63)
        return None

    def would_deadlock(self, connection, keys):
        me = connection.transaction
        seen = set()
        ahead = [(me, keys)]
        while ahead:
            transaction, wanted = ahead.pop()
            for other in self.blockers(transaction, wanted):
                if other is me:
                    return True
                if other in seen:
                    continue
                seen.add(other)
                ahead += [(other, c.keys) for c in self.running() if c.transaction is other]
        return False

    def may_write(self, connection, keys):
        """Nobody has locked the rows of the keys by hand."""
        return not any(keys & o.edited() for o in self.others(connection))

    def may_edit(self, connection, keys):
        """Nobody has written to the keys' rows, or is about to."""
        transaction = connection.transaction
        return (not (transaction and transaction.keeps_snapshot) and
                not any(keys & (o.edited() | (set(o.written()) if o.prepared else set()))
                        for o in self.others(connection)) and
                not any(keys & c.keys for c in self.running()))

    def may_change(self, connection, row):
        """Nobody has an uncommitted change of the same row of the configuration."""
        transaction = connection.transaction
        return (not (transaction and transaction.keeps_snapshot) and
                not any(row == self.row_of(change)
                        for o in self.others(connection) for change in o.all("changes")))

    def may_move(self, changes):
        """Nobody whose account changes is about to book."""
        moved = {change[1] for change in changes if change[0] == "member"}
        return not any(user in moved for c in self.running() for user, _ in c.keys)

    @staticmethod
    def row_of(change):
        what, first = change[:2]
        return (what.replace("no_", ""), getattr(first, "name", getattr(first, "number", first)))

    # Running steps

    def run(self, steps):
        for step in steps:
            self.step(step)
        self.finish()
        self.compare_tables()

    def step(self, step):
        number, operation, user, usage_type, subtype, n, x = step
        connection = self.driver.connections[number]
        transaction = connection.transaction
        if connection.busy is not None or any(o.has_truncated for o in self.others(connection)):
            return
        if transaction and transaction.aborted and operation not in ("rollback", "rollback_to", "clock"):
            return
        if operation in NOT_OF_MEMBERS and len(self.subjects(connection, USERS[user % len(USERS)])) > 1:
            return
        done = getattr(self, "do_" + operation)(
            connection, USERS[user % len(USERS)], TYPES[usage_type % len(TYPES)],
            SUBTYPES[subtype % len(SUBTYPES)], n, x)
        if done is not False:
            self.driver.count("steps")
            self.driver.settle()

    def woken_together(self, keys, kind):
        """Whether a call might be woken at the same time as another that waits,
        so that nobody could say which of the two comes first."""
        rivals = [c for c in self.running() if keys & c.keys]
        return self.world.name == "shared" and bool(rivals) and (
            any(keys & o.prepared_keys() for o in self.world.open) or
            kind == "taker" and any(c.kind == "taker" for c in rivals) or
            self.is_locked(keys) and not (kind == "hold" and all(c.kind == "hold" for c in rivals)))

    def is_locked(self, keys):
        return any(name[0] == "key" and lock.held for name, lock in self.locks_of(keys))

    def call(self, connection, keys, sql, make, kind=None):
        """A call that may wait for keys and books in them; make(transaction)
        is the model's."""
        if self.would_deadlock(connection, keys) or self.woken_together(keys, kind):
            return False
        if connection.transaction is None and not self.may_write(connection, keys):
            return False
        if connection.transaction and connection.transaction.has_truncated and self.blockers(
                connection.transaction, keys):
            return False            # whoever it waits for would wait for it
        if kind == "many" and (any(c.kind == "many" for c in self.running()) or self.world.name == "shared" and (
                self.is_locked(keys) or
                any(keys & o.prepared_keys() for o in self.world.open))):
            return False            # the order in which several wait is not known
        self.driver.set_clock(connection, literal(self.now))
        self.driver.send(connection, sql)
        transaction = connection.transaction
        implicit = transaction is None
        if implicit:
            transaction = connection.transaction = self.world.begin(Transaction("implicit"))
        connection.keys = keys
        connection.kind = kind

        def done(outcome):
            connection.expected = outcome
            if not implicit:
                return
            connection.transaction = None
            if isinstance(outcome, Exception):
                self.world.end(transaction)
            else:
                self.world.commit(transaction)

        self.world.start(transaction, make(transaction), done,
                         lambda: self.driver.really_waits(connection))
        if connection.expected is None:
            self.driver.count("waits")
        return True

    def decision(self, connection, user, usage_types, sql, make, kind=None):
        return self.call(connection, self.keys_of(connection, user, usage_types),
                         f"SELECT {COLUMNS} FROM {sql}", make, kind)

    def statement(self, connection, sql, act):
        """A statement that waits for nobody; act(transaction) is what it does."""
        self.driver.set_clock(connection, literal(self.now))
        self.plain(connection, sql)
        if connection.transaction is not None:
            act(connection.transaction)
            return True
        transaction = self.world.begin(Transaction("implicit"))
        act(transaction)
        self.world.commit(transaction)
        return True

    def plain(self, connection, sql):
        self.driver.send(connection, sql)
        connection.expected = ()

    # Use

    def request(self, usage_type, subtype, n, x):
        tokens = 10 * x if usage_type == "prompt" else 0
        return Request(usage_type, AMOUNTS[n % len(AMOUNTS)], subtype, tokens)

    def do_consume(self, connection, user, usage_type, subtype, n, x, enforce=False):
        r = self.request(usage_type, subtype, n, x)
        function = "usage_enforce" if enforce else "usage_consume"
        return self.decision(
            connection, user, [usage_type],
            f"{function}('{user}', '{usage_type}', {r.amount}, {quoted(subtype)}, tokens_used => {r.tokens})",
            lambda t: self.world.consume(t, user, [r], self.now, enforce),
            "many" if len(self.subjects(connection, user)) > 1 else None)

    def do_enforce(self, *args):
        return self.do_consume(*args, enforce=True)

    def do_consume_many(self, connection, user, usage_type, subtype, n, x):
        requests = [self.request(t, s, n + i, (x + i) % 4) for i, (t, s) in enumerate(ITEMS[x % len(ITEMS)])]
        items = json.dumps([dict(usage_type=r.usage_type, amount=r.amount, event_subtype=r.subtype,
                                 tokens_used=r.tokens) for r in requests])
        return self.decision(connection, user, {r.usage_type for r in requests},
                             f"usage_consume_many('{user}', '{items}')",
                             lambda t: self.world.consume(t, user, requests, self.now), "many")

    def do_track(self, connection, user, usage_type, subtype, n, x, ago=None):
        r = self.request(usage_type, subtype, n, x)
        at = None if ago is None else self.now - ago
        failed = (n + x) % 8 == 0
        return self.call(connection, self.keys_of(connection, user, [usage_type]),
                         f"SELECT usage_track('{user}', '{usage_type}', {r.amount}, {quoted(subtype)},"
                         f" tokens_used => {r.tokens}, status => '{'failed' if failed else 'success'}',"
                         f" occurred_at => {quoted(at and literal(at))})",
                         lambda t: self.world.track(t, user, r, self.now, at, failed))

    def do_track_past(self, connection, user, usage_type, subtype, n, x):
        ago = (MINUTE, 20 * MINUTE, HOUR, 61 * MINUTE, 13 * HOUR, DAY, -30 * SECOND, 3 * DAY)[x % 8]
        return self.do_track(connection, user, usage_type, subtype, n, 0, ago)

    def do_adjust(self, connection, user, usage_type, subtype, n, x):
        delta = AMOUNTS[n % len(AMOUNTS)] * (-1 if x % 4 else 1)
        return self.decision(
            connection, user, [usage_type],
            f"usage_adjust('{user}', '{usage_type}', {delta}, event_subtype => {quoted(subtype)})",
            lambda t: self.world.adjust(t, (user, usage_type), delta, subtype, self.now),
            "taker" if delta < 0 else None)

    def do_set_gauge(self, connection, user, usage_type, subtype, n, x):
        usage_type = "storage_mb" if x % 4 else usage_type
        value = AMOUNTS[n % len(AMOUNTS)]
        return self.decision(connection, user, [usage_type], f"usage_set_gauge('{user}', '{usage_type}', {value})",
                             lambda t: self.world.set_gauge(t, (user, usage_type), value, self.now))

    def do_reset(self, connection, user, usage_type, subtype, n, x):
        return self.decision(connection, user, [usage_type], f"usage_reset('{user}', '{usage_type}')",
                             lambda t: self.world.reset(t, (user, usage_type), self.now))

    def do_refund(self, connection, user, usage_type, subtype, n, x):
        known = [e for t in self.world.open for e in t.all("events")] + self.world.events
        known = [e for e in known if e.id is not None and not e.of_member]
        if not known:
            return False
        event = sorted(known, key=lambda e: e.id)[-1 - n % len(known)]
        amount = None if x % 2 else 1 + x
        given = user if x % 3 == 2 else None
        return self.decision(connection, event.key[0], [event.key[1]],
                             f"usage_refund({event.id}, {amount or 'NULL'}, {quoted(given)})",
                             lambda t: self.world.refund(t, event, amount, given, self.now))

    def do_hold(self, connection, user, usage_type, subtype, n, x, hold_id=None):
        r = self.request(usage_type, subtype, n, x // 2)
        hold_id = hold_id or f"h{self.number()}"
        until = self.now + TTLS[(n + x) % len(TTLS)]
        tokens = "NULL" if usage_type != "prompt" else r.tokens
        return self.call(
            connection, {(user, usage_type), ("hold", hold_id)},
            f"SELECT {COLUMNS} FROM usage_hold('{user}', '{usage_type}', {r.amount},"
            f" '{(until - self.now) // SECOND} seconds', '{hold_id}', session_bound => {n % 5 == 0},"
            f" event_subtype => {quoted(subtype)}, tokens_used => {tokens})",
            lambda t: self.world.take_hold(t, hold_id, user, r, tokens != "NULL", until, self.now), "hold")

    def any_hold(self, n):
        """One of those that have been taken, be it by an open transaction."""
        holds = self.world.holds | {h.id: h for t in self.world.open for h in t.all("holds")}
        return holds[sorted(holds, key=lambda i: int(i[1:]))[-1 - n % len(holds)]] if holds else None

    def do_hold_again(self, connection, user, usage_type, subtype, n, x):
        hold = self.any_hold(n)
        if hold is None or len(self.subjects(connection, hold.user)) > 1:
            return False
        r = hold.request
        if x % 4 == 0:
            return self.do_hold(connection, user, usage_type, subtype, n, x, hold.id)
        tokens = r.tokens if hold.has_tokens else "NULL"
        until = self.now + HOUR
        return self.call(
            connection, {hold.key, ("hold", hold.id)},
            f"SELECT {COLUMNS} FROM usage_hold('{hold.user}', '{r.usage_type}', {r.amount}, '1 hour', '{hold.id}',"
            f" event_subtype => {quoted(r.subtype)}, tokens_used => {tokens})",
            lambda t: self.world.take_hold(t, hold.id, hold.user, r, hold.has_tokens, until, self.now), "hold")

    def end_hold(self, connection, user, n, sql, make):
        """sql has places for the hold and the user."""
        hold = self.any_hold(n)
        if hold is None:
            return False
        given = user if n % 5 == 4 else None
        return self.call(connection, {hold.key}, sql.format(f"'{hold.id}'", f"user_id => {quoted(given)}"),
                         lambda t: make(t, hold, given), "hold")

    def do_settle(self, connection, user, usage_type, subtype, n, x):
        amount = None if x % 3 == 0 else AMOUNTS[(n + x) % len(AMOUNTS)]
        tokens = None if x % 2 else 10 * x
        return self.end_hold(
            connection, user, n,
            f"SELECT {COLUMNS} FROM usage_settle({{}}, {amount or ('NULL' if amount is None else 0)},"
            f" {'NULL' if tokens is None else tokens}, {{}})",
            lambda t, hold, given: self.world.settle_hold(t, hold.id, amount, tokens, given, self.now))

    def do_release_hold(self, connection, user, usage_type, subtype, n, x):
        status = "failed" if x % 3 == 0 else None
        return self.end_hold(
            connection, user, n, f"SELECT usage_release({{}}, {quoted(status)}, {{}})",
            lambda t, hold, given: self.world.release_hold(t, hold.id, status, given, self.now))

    def do_release_all(self, connection, user, usage_type, subtype, n, x):
        return self.call(connection, {(user, usage_type)}, f"SELECT usage_release_all('{user}', '{usage_type}')",
                         lambda t: self.world.release_all(t, (user, usage_type), self.now), "hold")

    def do_renew(self, connection, user, usage_type, subtype, n, x):
        ttl = TTLS[x % len(TTLS)]
        return self.end_hold(
            connection, user, n,
            "SELECT (extract(epoch FROM usage_renew({}, " f"'{ttl // SECOND} seconds', {{}})) * 1000000)::bigint",
            lambda t, hold, given: self.world.renew_hold(t, hold.id, self.now + ttl, given, self.now))

    def do_check(self, connection, user, usage_type, subtype, n, x):
        r = self.request(usage_type, subtype, n, x)
        return self.decision(
            connection, user, [],
            f"usage_check('{user}', '{usage_type}', {r.amount}, {quoted(subtype)}, {r.tokens})",
            lambda t: self.world.check(t, user, r, self.now))

    def do_check_limit(self, connection, user, usage_type, subtype, n, x):
        name = self.any_limit(x, usage_type)
        amount = AMOUNTS[n % len(AMOUNTS)]
        return self.decision(connection, user, [], f"usage_check_limit('{user}', '{name}', {amount})",
                             lambda t: self.world.check_limit(t, user, name, amount, self.now))

    # Transactions

    def do_begin(self, connection, user, usage_type, subtype, n, x):
        if connection.transaction is not None:
            return False
        isolation = ("READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")[n % 4]
        connection.run(f"BEGIN ISOLATION LEVEL {isolation}")
        self.plain(connection, "SELECT 1")      # the snapshot is taken now
        connection.transaction = self.world.begin(Transaction(f"t{self.number()}", isolation))

    def do_commit(self, connection, *args):
        transaction = connection.transaction
        if (transaction is None or not self.may_write(connection, set(transaction.written())) or
                not self.may_move(transaction.all("changes"))):
            return False
        self.plain(connection, "COMMIT")
        self.world.commit(transaction)
        connection.transaction = None
        connection.clock = None

    def do_rollback(self, connection, *args):
        if connection.transaction is None:
            return False
        self.plain(connection, "ROLLBACK")
        self.world.end(connection.transaction)
        connection.transaction = None
        connection.clock = None

    def do_savepoint(self, connection, user, usage_type, subtype, n, x):
        transaction = connection.transaction
        if transaction is None or len(transaction.levels) > 5:
            return False
        self.plain(connection, f"SAVEPOINT s{len(transaction.levels)}")
        self.world.savepoint(transaction)

    def depth(self, connection, n):
        transaction = connection.transaction
        if transaction is None or len(transaction.levels) == 1:
            return None
        return len(transaction.levels) - 1 - n % (len(transaction.levels) - 1)

    def do_rollback_to(self, connection, user, usage_type, subtype, n, x):
        depth = self.depth(connection, n)
        if depth is None:
            return False
        self.plain(connection, f"ROLLBACK TO s{depth}")
        self.world.rollback_to(connection.transaction, depth)
        connection.clock = None

    def do_release(self, connection, user, usage_type, subtype, n, x):
        depth = self.depth(connection, n)
        if depth is None:
            return False
        self.plain(connection, f"RELEASE s{depth}")
        self.world.release_savepoint(connection.transaction, depth)

    def do_fail(self, connection, *args):
        if connection.transaction is None:
            return False
        connection.send("SELECT 1 / 0")
        if connection.result() != "22012":
            raise Wrong("error", "a division by zero is no error")
        self.world.fail(connection.transaction)
        self.world.settle()

    def do_prepare(self, connection, *args):
        transaction = connection.transaction
        if (transaction is None or transaction.has_truncated or
                len([t for t in self.world.open if t.prepared]) > 5 or
                not self.may_write(connection, set(transaction.written()))):
            return False
        transaction.name = f"p{self.number()}"
        self.plain(connection, f"PREPARE TRANSACTION '{transaction.name}'")
        self.world.prepare(transaction)
        connection.transaction = None
        connection.clock = None
        self.driver.count("prepared")

    def do_commit_prepared(self, connection, user, usage_type, subtype, n, x, how="COMMIT"):
        prepared = [t for t in self.world.open if t.prepared]
        if not prepared or connection.transaction is not None:
            return False
        transaction = prepared[n % len(prepared)]
        if how == "COMMIT" and not self.may_move(transaction.all("changes")):
            return False
        self.plain(connection, f"{how} PREPARED '{transaction.name}'")
        if how == "COMMIT":
            self.world.commit(transaction)
        else:
            self.world.end(transaction)

    def do_rollback_prepared(self, *args):
        return self.do_commit_prepared(*args, how="ROLLBACK")

    # Configuration

    def change(self, connection, row, sql, change):
        if not self.may_change(connection, row):
            return False
        return self.statement(connection, sql, lambda t: t.top.changes.append(change))

    def visible_limits(self, connection):
        transaction = connection.transaction or Transaction("none")
        return self.world.visible_config(transaction).limits

    def change_limit(self, connection, name, **columns):
        limit = self.visible_limits(connection).get(name)
        if limit is None:
            return False
        names = dict(free="free_tier_limit", pro="pro_tier_limit", active="is_active", enforcement="enforcement")
        (what, value), = columns.items()
        if what == "free" and value % 2:
            sql = f"SELECT usage_set_limit('{name}', {value}, 'free')"
        else:
            sql = f"UPDATE usage_limits_config SET {names[what]} = '{value}' WHERE limit_type = '{name}'"
        changed = Limit(**{**limit.__dict__, **columns})
        return self.change(connection, ("limit", name), sql, ("limit", changed))

    @staticmethod
    def any_limit(x, usage_type):
        return (LIMITS + MORE_LIMITS)[(x + TYPES.index(usage_type)) % 10].name

    def do_set_value(self, connection, user, usage_type, subtype, n, x):
        value = VALUES[n % len(VALUES)]
        column = "pro" if n % 4 == 3 else "free"
        return self.change_limit(connection, self.any_limit(x, usage_type), **{column: value})

    def do_set_active(self, connection, user, usage_type, subtype, n, x):
        return self.change_limit(connection, self.any_limit(x, usage_type), active=n % 2 == 1)

    def do_set_enforcement(self, connection, user, usage_type, subtype, n, x):
        return self.change_limit(connection, self.any_limit(x, usage_type),
                                 enforcement=("soft", "hard", "shadow", "hard")[n % 4])

    def do_more_limits(self, connection, user, usage_type, subtype, n, x):
        limit = MORE_LIMITS[x % len(MORE_LIMITS)]
        if limit.name in self.visible_limits(connection):
            return self.change(connection, ("limit", limit.name),
                               f"DELETE FROM usage_limits_config WHERE limit_type = '{limit.name}'",
                               ("no_limit", limit.name))
        return self.change(connection, ("limit", limit.name), insert_limits([limit]), ("limit", limit))

    def do_override(self, connection, user, usage_type, subtype, n, x):
        override = Override(self.number(), self.any_limit(x, usage_type), VALUES[n % len(VALUES)],
                            *((None, "free") if n % 4 == 3 else (user, None)),
                            self.now + HOUR if x % 2 else float("inf"))
        expires = "NULL" if override.expires_at == float("inf") else f"'{literal(override.expires_at)}'"
        if override.limit not in self.visible_limits(connection):
            return False
        return self.statement(
            connection,
            f"SELECT usage_set_override('{override.limit}', {override.value}, {quoted(override.user)},"
            f" {quoted(override.tier)}, NULL, {expires}, '{override.number}')",
            lambda t: t.top.changes.append(("override", override)))

    def do_no_override(self, connection, user, usage_type, subtype, n, x):
        transaction = connection.transaction or Transaction("none")
        numbers = sorted(self.world.visible_config(transaction).overrides)
        if not numbers:
            return False
        number = numbers[n % len(numbers)]
        return self.change(connection, ("override", number),
                           f"DELETE FROM usage_limit_overrides WHERE reason = '{number}'",
                           ("no_override", number))

    def do_tier(self, connection, user, usage_type, subtype, n, x):
        tier = ("pro", "free", "team")[n % 3]
        return self.change(connection, ("tier", user),
                           f"INSERT INTO user_subscriptions (user_id, tier, started_at) VALUES ('{user}', '{tier}', NULL)"
                           " ON CONFLICT (user_id) DO UPDATE SET tier = excluded.tier",
                           ("tier", user, tier))

    def do_member(self, connection, user, usage_type, subtype, n, x):
        user, account = sorted(ACCOUNTS)[x % len(ACCOUNTS)], MOVES[n % len(MOVES)]
        change = ("member", user, account)
        if connection.transaction is None and not self.may_move([change]):
            return False
        return self.change(connection, ("member", user), f"SELECT usage_set_member('{user}', {quoted(account)})",
                           change)

    # By hand

    def edit(self, connection, sql, edit):
        return self.statement(connection, sql, lambda t: t.top.edits.append(edit))

    def do_hand_update(self, connection, user, usage_type, subtype, n, x):
        key = (user, usage_type)
        transaction = connection.transaction or Transaction("none")
        cells = sorted(self.world.visible_rows(transaction).get(key, {}))
        if not cells or not self.may_edit(connection, {key}):
            return False
        bucket, event_subtype = cells[x % len(cells)]
        amount = AMOUNTS[n % len(AMOUNTS)] * (-1 if x % 3 == 2 else 1)
        return self.edit(
            connection,
            f"UPDATE usage_counters SET amount = amount + {amount} WHERE ctid = (SELECT ctid FROM usage_counters"
            f" WHERE user_id = '{user}' AND usage_type = '{usage_type}' AND bucket_start = '{literal(bucket)}'"
            f" AND event_subtype = '{event_subtype}' ORDER BY slot LIMIT 1)",
            ("update", key, (bucket, event_subtype), vector_of(amount)))

    def do_hand_insert(self, connection, user, usage_type, subtype, n, x):
        key = (user, usage_type)
        if not self.may_write(connection, {key}):
            return False            # the model forgets a key's rows as a whole
        transaction = connection.transaction or Transaction("none")
        bucket = self.world.visible_config(transaction).bucket(key, self.now, False)
        amount = AMOUNTS[n % len(AMOUNTS)]
        return self.edit(
            connection,
            "INSERT INTO usage_counters (user_id, usage_type, bucket_start, event_subtype, slot, amount)"
            f" VALUES ('{user}', '{usage_type}', '{literal(bucket)}', '{subtype or ''}',"
            f" {10 ** 18 + self.number()}, {amount})",
            ("insert", key, (bucket, subtype or ""), vector_of(amount)))

    def do_hand_delete(self, connection, user, usage_type, subtype, n, x):
        key = (user, usage_type)
        if not self.may_edit(connection, {key}):
            return False
        return self.edit(connection,
                         f"DELETE FROM usage_counters WHERE user_id = '{user}' AND usage_type = '{usage_type}'",
                         ("delete", key))

    def do_truncate(self, connection, user, usage_type, subtype, n, x):
        keys = {(u, t) for u in USERS for t in TYPES}
        if n % 2 or self.running() or not self.may_edit(connection, keys) or any(
                o.all("edits") for o in self.others(connection)):
            return False
        if connection.transaction is not None:
            connection.transaction.has_truncated = True
        return self.edit(connection, "TRUNCATE usage_counters", ("truncate", None))

    def do_maintain(self, connection, *args):
        if connection.transaction is not None or self.running() or any(
                o.all("edits") or o.all("events") for o in self.world.open):
            return False
        return self.statement(connection, "SELECT count(*) FROM usage_maintain()", lambda t: None)

    def do_clock(self, connection, user, usage_type, subtype, n, x):
        self.now += CLOCK_STEPS[n % len(CLOCK_STEPS)] + x
        self.driver.log(f"the clock says {literal(self.now)}")

    # The end

    def finish(self):
        """Ends all that is open: what somebody waits for first."""
        turn = 0
        for _ in range(1000):
            if not self.world.open:
                return
            for connection in self.driver.connections:
                if connection.busy is not None or connection.transaction is None:
                    continue
                if any(o.has_truncated for o in self.others(connection)):
                    continue
                turn += 1
                if turn % 3 == 0 or connection.transaction.aborted or self.do_commit(connection) is False:
                    self.do_rollback(connection)
                self.driver.settle()
            # the last connection has no other work, so that it never waits
            if any(t.prepared for t in self.world.open):
                turn += 1
                (self.do_commit_prepared if turn % 3 else self.do_rollback_prepared)(
                    self.driver.connections[-1], *[0] * 5)
                self.driver.settle()
        raise AssertionError(f"no end of {[(t.name, t.edited(), t.prepared) for t in self.world.open]}, "
                             f"{[(c.name, c.busy) for c in self.driver.connections]}")

    def compare_tables(self):
        """What is in the tables is what was committed."""
        found = {}
        for user, usage_type, bucket, subtype, *sums in self.driver.query(
                "SELECT user_id, usage_type, (extract(epoch FROM bucket_start) * 1000000)::bigint, event_subtype,"
                " sum(amount + member_amount)::bigint, sum(tokens_used)::bigint, sum(events)::bigint,"
                " sum(failed_events)::bigint, sum(member_amount)::bigint"
                " FROM usage_counters GROUP BY 1, 2, 3, 4"):
            found.setdefault((user, usage_type), {})[(bucket, subtype)] = sums
        expected = {key: cells for key, cells in self.world.rows.items() if cells}
        if found != expected:
            raise Wrong("counters", f"usage_counters has {found}\n  the model has {expected}")
        events = [row for row in self.driver.query(
            "SELECT operation, count(*), sum(amount)::bigint FROM usage_events GROUP BY 1 ORDER BY 1")]
        counted = {}
        for event in self.world.events:
            count, amount = counted.get(event.operation, (0, 0))
            counted[event.operation] = (count + 1, amount + event.vector[AMOUNT])
        if events != sorted((operation, *rest) for operation, rest in counted.items()):
            raise Wrong("events", f"usage_events has {events}\n  the model has {counted}")
        holds = dict(self.driver.query("SELECT hold_id, state FROM usage_holds"))
        if holds != {hold.id: hold.state for hold in self.world.holds.values()}:
            raise Wrong("holds", f"usage_holds has {holds}\n  the model has {self.world.holds}")
        members = dict(self.driver.query("SELECT user_id, account_id FROM usage_members"))
        if members != {user: account for user, account in self.world.config.accounts.items() if account}:
            raise Wrong("members", f"usage_members has {members}\n  the model has {self.world.config.accounts}")
        left = self.driver.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        if left[0][0]:
            raise Wrong("locks", f"{left[0][0]} locks are left")
