"""Programs of credits: what their steps mean, on the server and in the model.

A step is (user, operation, four numbers).  One session does the steps; another
looks on and must see what is committed, and never wait.
"""

import datetime

import psycopg2

from driver import Wrong
from ledger import EPOCH, FOREVER, Account, Grant
from reference import DAY, HOUR, MINUTE, SECOND, Refused

USERS = ("ann", "bob")
AMOUNTS = (1, 2, 3, 5, 10, 20, 7, 0, 50, 4, 100, 1, 2, 6, 9, 13)
FEW = (0, 1, 2, 3, 5, 8, 20, 1000)
PERIODS = ((1, "month"), (1, "day"), (7, "day"), (90, "minute"), (1, "month"), (3, "day"), (36, "hour"), (2, "month"))
MICROSECONDS = {"minute": MINUTE, "hour": HOUR, "day": DAY}
LEVELS = ("READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE") * 2
CLOCK_STEPS = (SECOND, MINUTE, HOUR, 11 * HOUR, DAY, 2 * DAY, 31 * DAY, 1, 29 * DAY, 7 * DAY, DAY - 1,
               -SECOND, -HOUR, 3 * HOUR, 90 * MINUTE, -DAY)
START = 1706702400 * SECOND     # 2024-01-31 12:00 UTC: a day that many months do not have
# (usage_type, event_subtype): credits, per
COSTS = {("gen", None): (3, 2), ("gen", "gpt"): (5, 1)}

# each as often as its number says
OPERATIONS = {
    "grant": 8, "plan": 6, "pay": 3, "spend": 16, "spend_all": 4, "job": 3, "refund": 8, "void": 3, "refill": 2,
    "hold": 8, "settle": 6, "release_hold": 4, "renew": 1, "use": 5, "unuse": 3, "clock": 8, "to_due": 8, "settings": 1,
    "begin": 4, "commit": 3, "rollback": 2, "savepoint": 3, "rollback_to": 2, "release": 1,
    "prepare_commit": 1, "prepare_rollback": 1,
}

LEDGER = """
    SELECT t.id, (extract(epoch FROM t.created_at) * 1000000)::bigint, t.transaction_type, t.amount, t.balance_after,
        t.refund_of, t.shortfall, t.reference_id, t.sequence_no, t.grant_id,
        (SELECT json_agg(json_build_array(d.grant_id, d.amount, d.shortfall) ORDER BY d.draw_no)
         FROM credit_draws d WHERE d.user_id = t.user_id AND d.transaction_id = t.id)
    FROM credit_transactions t WHERE t.user_id = %s ORDER BY t.sequence_no"""


def literal(at):
    if at in (None, FOREVER):
        return "NULL"
    return f"'{EPOCH + datetime.timedelta(microseconds=at):%Y-%m-%d %H:%M:%S.%f}+00'"


class Server:
    """The two sessions."""

    def __init__(self, dsn, log):
        self.log = log
        self.message = ""
        self.worker, self.observer = (psycopg2.connect(dsn) for _ in range(2))
        for session in (self.worker, self.observer):
            session.autocommit = True
        # who only looks waits for nobody: to wait at all is wrong
        self.ask(self.observer, "SET lock_timeout = '10s'")

    def is_lost(self):
        return bool(self.worker.closed or self.observer.closed)

    @staticmethod
    def ask(session, sql, *args):
        with session.cursor() as cursor:
            cursor.execute(sql, args or None)
            return cursor.fetchall() if cursor.description else []

    def run(self, sql):
        """What the worker is answered: rows, or the SQLSTATE of an error."""
        self.log(sql)
        try:
            return self.ask(self.worker, sql)
        except psycopg2.Error as error:
            if error.pgcode is None:
                raise
            self.message = str(error).strip()
            return error.pgcode

    def reset(self):
        """Nothing of the program before is left."""
        if self.worker.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE:
            self.ask(self.worker, "ROLLBACK")
        for (gid,) in self.ask(self.worker, "SELECT gid FROM pg_prepared_xacts"):
            self.ask(self.worker, f"ROLLBACK PREPARED '{gid}'")
        ledger = ("credit_transactions", "credit_draws")
        for table in ledger:
            self.ask(self.worker, f"ALTER TABLE {table} DISABLE TRIGGER append_only")
        self.ask(self.worker, "TRUNCATE user_credits, credit_transactions, credit_draws, credit_grants, credit_costs,"
                 " usage_counters, usage_events, usage_holds")
        for table in ledger:
            self.ask(self.worker, f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER append_only")
        for (usage_type, subtype), (credits, per) in COSTS.items():
            self.ask(self.worker, "INSERT INTO credit_costs (usage_type, event_subtype, credits, per) VALUES (%s, %s, %s, %s)",
                     usage_type, subtype, credits, per)


class Event:
    """A use that was recorded, and its line, if it cost something."""

    def __init__(self, identity, user, amount, line):
        self.id, self.user, self.amount, self.line = identity, user, amount, line


class State:
    """What a transaction may take back."""

    def __init__(self):
        self.accounts = {user: Account() for user in USERS}
        self.events = ()
        self.refunded = {}      # of an event's amount

    def copy(self):
        state = State()
        state.accounts, state.events, state.refunded = dict(self.accounts), self.events, dict(self.refunded)
        return state


class Program:
    def __init__(self, server, counts):
        self.server = server
        self.counts = counts
        self.now = START
        self.enabled, self.daily = False, 0
        self.set = None             # the settings that the worker has
        self.state = State()
        self.committed = None       # the state before the transaction, None outside of one
        self.savepoints = []
        self.numbers = 0
        self.grant_ids = {}         # of the model's numbers
        self.line_ids = {user: [] for user in USERS}
        server.reset()

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def number(self):
        self.numbers += 1
        return self.numbers

    def account(self, user, state=None):
        account = (state or self.state).accounts[user].copy()
        account.enabled, account.daily, account.numbers = self.enabled, self.daily, self.number
        return account

    def wrong(self, kind, server, model):
        raise Wrong(kind, f"{kind}:\n  the server says {server} {self.server.message}\n  the model says {model}")

    # Steps

    def run(self, program):
        for user, operation, *numbers in program:
            self.step(USERS[user], operation, numbers)
        if self.committed is not None:
            self.step(USERS[0], "commit", [0] * 4)

    def step(self, user, operation, numbers):
        self.server.message = ""
        self.apply_settings()
        getattr(self, operation)(user, *numbers)
        self.apply_settings()
        self.check(numbers)

    def apply_settings(self):
        wanted = self.now, self.enabled, self.daily
        sql = (f"SET usage_limits.test_clock = {literal(self.now)}; SET usage_limits.credits_enabled = {self.enabled};"
               f" SET usage_limits.credit_daily_refill = 'free={self.daily}'")
        if self.set != wanted:
            self.server.run(sql)
            self.server.ask(self.server.observer, sql)
            self.set = wanted

    def call(self, operation, sql, model):
        """Runs a statement, and the same in the model on a copy of its state,
        which is kept unless the call is refused.  What the model answers is
        compared: it gets the server's row, for ids that it cannot know."""
        result = self.server.run(sql)
        state = self.state.copy()
        try:
            wanted = model(state, result[0] if isinstance(result, list) and result else ())
        except Refused as refused:
            wanted = refused.sqlstate
            self.count("errors")
        answer = result if isinstance(result, str) else tuple(result[0])
        if answer != wanted:
            self.wrong(operation, answer, wanted)
        if isinstance(wanted, str):
            if self.committed is not None:
                self.rollback_to() if self.savepoints else self.rollback()
            return
        self.count(f"{operation}s" if wanted[0] else "denials")
        self.state = state

    def decide(self, user, account, row, line, grant=None):
        """The answer for a line: its id is the server's."""
        self.state_line(user, account, line, row[3])
        written = account.lines[line]
        number = written.one_grant() if grant is None else grant
        return (True, "shortfall" if written.short else "ok", written.balance, row[3],
                None if number is None else self.grant_id(number, row[4]))

    def state_line(self, user, account, line, identity):
        """The id of an older line is known, that of a new one is new."""
        known = self.line_ids[user][line] if line < len(self.line_ids[user]) else None
        if identity is None or (known is not None and known != identity):
            self.wrong("transaction_id", identity, known)

    def grant_id(self, number, identity):
        if number not in self.grant_ids and identity is not None and identity not in self.grant_ids.values():
            self.grant_ids[number] = identity
        return self.grant_ids.get(number)

    def give(self, operation, user, amount, kind, priority=0, starts=None, ends=FOREVER, every=None, rollover=0,
             reference=None):
        period = None
        if every is not None:
            length, unit = every
            period = ("months", length) if unit == "month" else ("microseconds", length * MICROSECONDS[unit])

        def model(state, row):
            account = self.account(user)
            grant = Grant(None, kind, amount, starts, priority, ends, period, rollover, reference)
            balance, line, number = account.give(self.now, grant)
            state.accounts[user] = account
            if line is not None:
                self.state_line(user, account, line, row[3])
            return True, "ok", balance, None if line is None else row[3], self.grant_id(number, row[4])

        interval = "NULL" if every is None else f"'{every[0]} {every[1]}'"
        self.call(operation, f"SELECT * FROM credit_grant('{user}', {amount}, '{kind}',"
                  f" reference_id => {repr(reference) if reference else 'NULL'}, priority => {priority},"
                  f" effective_at => {literal(starts)}, expires_at => {literal(ends)},"
                  f" recurs_every => {interval}, max_rollover => {rollover})", model)

    def grant(self, user, a, b, c, d):
        starts = (None, None, None, self.now + HOUR, self.now - DAY, self.now + DAY, self.now + 1, None)[c]
        ends = (FOREVER, FOREVER, self.now + DAY, self.now + HOUR, self.now + 30 * DAY, self.now + 2 * DAY,
                self.now + 1, self.now)[d]
        self.give("grant", user, AMOUNTS[b], "bonus", (0, 0, 1, -1, -1, 2, -2, 0)[a], starts, ends)

    def plan(self, user, a, b, c, d):
        starts = (None, None, self.now - 40 * DAY, self.now + DAY, None, self.now - HOUR, None, self.now + 1)[a]
        ends = (FOREVER, FOREVER, FOREVER, self.now + 62 * DAY, self.now + 7 * DAY)[(a + d) % 5]
        self.give("grant", user, AMOUNTS[b], "plan", (0, 1, -1)[(b + c) % 3], starts, ends, PERIODS[c], FEW[d])

    def pay(self, user, a, b, c, d):
        starts = self.now + DAY if c == 7 else None
        self.give("grant", user, (10, 30)[b % 2], "purchase", starts=starts, reference=f"pi_{a % 4}")

    def spend(self, user, a, b, c, d, amount=None, reference=None):
        amount = AMOUNTS[b] if amount is None else amount

        def model(state, row):
            account = self.account(user)
            if amount == 0 and reference is None:
                return True, "ok", account.balance_at(None, self.now), None, None
            line = account.spend(self.now, amount, reference)
            if line is None and c < 2:
                raise Refused("PT402")
            if line is None:
                return False, "insufficient_credits", account.as_of(self.now).balance, None, None
            state.accounts[user] = account
            return self.decide(user, account, row, line)

        self.call("spend", f"SELECT * FROM credit_spend('{user}', {amount},"
                  f" reference_id => {repr(reference) if reference else 'NULL'}, throw_on_insufficient => {c < 2})", model)

    def spend_all(self, user, a, b, c, d):
        self.spend(user, a, b, c, d, self.account(user).balance_at(None, self.now) + (1 if a == 7 else 0))

    def job(self, user, a, b, c, d):
        self.spend(user, a, b, c, d, (1, 6)[b % 2], f"job_{a % 4}")

    def hold(self, user, a, b, c, d):
        # the same id is sometimes another user's, or of another amount
        hold_id = f"{user if c else 'any'} {a}"
        amount, ttl = AMOUNTS[b], (HOUR, DAY, 30 * DAY, MINUTE)[a % 4]

        def model(state, row):
            if any(hold_id in state.accounts[other].holds for other in USERS if other != user):
                raise Refused("23505")
            account = self.account(user)
            balance = account.hold(self.now, hold_id, amount, ttl)
            if balance is None:
                return False, "insufficient_credits", account.as_of(self.now).balance, None, None
            state.accounts[user] = account
            return True, "ok", balance, None, None

        self.call("hold", f"SELECT * FROM credit_hold('{user}', {amount}, '{ttl} us', '{hold_id}')", model)

    def choose_hold(self, user, a, c):
        """A hold, its user, and the user that is said to have it."""
        known = [(hold_id, other) for other in USERS for hold_id in self.state.accounts[other].holds]
        hold_id, owner = known[-1 - a % len(known)] if known else ("unknown", user)
        return hold_id, owner, owner if c < 7 or not known else USERS[1 - USERS.index(owner)]

    def settle(self, user, a, b, c, d):
        hold_id, owner, named = self.choose_hold(user, a, c)
        amount = None if d < 3 else AMOUNTS[b]

        def model(state, row):
            account = self.account(owner)
            if hold_id not in account.holds or named != owner:
                raise Refused("42704")
            answer = account.settle(self.now, hold_id, amount)
            if answer is None:
                return (False, "insufficient_credits", account.as_of(self.now).balance, account.available(self.now),
                        account.holds[hold_id].amount if amount is None else amount)
            state.accounts[owner] = account
            paid, balance, available = answer
            return True, "ok", balance, available, paid

        self.call("settle", f"SELECT allowed, reason, current, remaining, \"limit\" FROM usage_settle('{hold_id}',"
                  f" {'NULL' if amount is None else amount}, user_id => '{named}')", model)

    def release_hold(self, user, a, b, c, d):
        hold_id, owner, named = self.choose_hold(user, a, c)

        def model(state, row):
            account = self.account(owner)
            if named != owner:
                raise Refused("42704")
            if hold_id not in account.holds:
                return False, "nothing"
            ended = account.release(self.now, hold_id)
            state.accounts[owner] = account
            return ended, "nothing"

        self.call("release", f"SELECT usage_release('{hold_id}', user_id => '{named}'), 'nothing'", model)

    def renew(self, user, a, b, c, d):
        hold_id, owner, named = self.choose_hold(user, a, c)
        ttl = (HOUR, 2 * DAY)[b % 2]

        def model(state, row):
            account = self.account(owner)
            if hold_id not in account.holds or named != owner:
                raise Refused("42704")
            account.renew(self.now, hold_id, ttl)
            state.accounts[owner] = account
            return True, account.holds[hold_id].ends

        self.call("renew", "SELECT true, (extract(epoch FROM usage_renew("
                  f"'{hold_id}', '{ttl} us', user_id => '{named}')) * 1000000)::bigint", model)

    def refund(self, user, a, b, c, d):
        lines = self.state.accounts[user].lines
        spends = [number for number, line in enumerate(lines) if line.kind in ("usage", "hold")]
        # mostly what was spent, the newest first
        chosen = spends if spends and d < 7 else range(len(lines))
        number = chosen[-1 - a % len(chosen)] if chosen else None
        identity = self.line_ids[user][number] if number is not None else 0
        owner = USERS[1 - USERS.index(user)] if c == 7 else user
        amount = None if b % 2 else AMOUNTS[b]

        def model(state, row):
            account = self.account(user)
            if number is None or owner != user or lines[number].kind not in ("usage", "hold"):
                raise Refused("42704")
            line = account.refund(self.now, number, amount)
            if line is None:
                return True, "ok", account.as_of(self.now).balance, None, None
            state.accounts[user] = account
            return self.decide(user, account, row, line)

        self.call("refund", f"SELECT * FROM credit_refund({identity}, {'NULL' if amount is None else amount},"
                  f" {repr(owner) if c > 3 else 'NULL'})", model)

    def void(self, user, a, b, c, d):
        grants = [grant for grant in self.state.accounts[user].grants]
        number = grants[-1 - a % len(grants)].number if grants else None
        owner = USERS[1 - USERS.index(user)] if c == 7 else user

        def model(state, row):
            account = self.account(user)
            if number is None or owner != user:
                raise Refused("42704")
            line = account.void(self.now, number)
            state.accounts[user] = account
            return self.decide(user, account, row, line, number)

        self.call("void", f"SELECT * FROM credit_void({self.grant_ids[number] if grants else 0},"
                  f" {repr(owner) if c > 3 else 'NULL'})", model)

    def refill(self, user, *numbers):
        def model(state, row):
            account = self.account(user)
            line = account.refill(self.now)
            if line is None:
                return True, "ok", account.as_of(self.now).balance, None, None
            state.accounts[user] = account
            return self.decide(user, account, row, line)

        self.call("refill", f"SELECT * FROM credit_refill('{user}')", model)

    def use(self, user, a, b, c, d):
        """Usage that costs, while credits are enabled."""
        subtype = ("gpt", "img", None)[c % 3]
        amount = AMOUNTS[b]
        credits, per = COSTS.get(("gen", subtype)) or COSTS["gen", None]
        price = -(-amount * credits // per) if self.enabled else 0

        def model(state, row):
            account = self.account(user)
            line = None
            if price > 0:
                line = account.spend(self.now, price, f"event:{row[2]}", repeats=False)
                if line is None:
                    balance = account.as_of(self.now).balance
                    return False, "insufficient_credits", None, balance, price
                state.accounts[user] = account
            if amount > 0:
                state.events += (Event(row[2], user, amount, line),)
            return (True, "no_limit", *row[2:])

        self.call("use", f"SELECT allowed, reason, event_id, current, \"limit\" FROM usage_consume('{user}', 'gen', {amount},"
                  f" event_subtype => {repr(subtype) if subtype else 'NULL'})", model)

    def unuse(self, user, a, b, c, d):
        """A part of a use is given back, and with it that part of the price."""
        if not self.state.events:
            return
        event = self.state.events[-1 - a % len(self.state.events)]
        refunded = self.state.refunded.get(event.id, 0)
        amount = event.amount - refunded if c > 4 else AMOUNTS[b]
        if amount == 0:
            return

        def model(state, row):
            back = refunded + amount
            if back > event.amount:
                raise Refused("22023")
            state.refunded[event.id] = back
            if event.line is not None:
                account = self.account(event.user)
                price = -account.lines[event.line].amount
                kept = sum(part for _, part in account.kept(event.line))
                owed = price * back // event.amount - (price - kept)
                if owed > 0:
                    account.refund(self.now, event.line, owed)
                    state.accounts[event.user] = account
            return True, "no_limit"

        self.call("unuse", f"SELECT allowed, reason FROM usage_refund({event.id}, {amount})", model)

    # Time and settings

    def clock(self, user, a, b, c, d):
        self.now += CLOCK_STEPS[b]

    def to_due(self, user, a, b, c, d):
        """To the next instant at which something happens, or to just before or after it."""
        account = self.account(user).as_of(self.now)
        coming = [grant.happens()[0] for grant in account.grants]
        coming += [hold.ends for hold in account.holds.values() if hold.state_at(self.now) == "open"]
        coming = sorted(at for at in coming if at < FOREVER)
        if coming:
            at = coming[a % len(coming)] + (-1, 0, 0, 0, 0, 0, 0, 1)[c]
            if at < self.now + 70 * DAY:
                self.now = max(self.now, at)

    def settings(self, user, a, b, c, d):
        self.enabled = a % 4 != 0
        self.daily = (5, 0, 20, 9)[b % 4]

    # Transactions

    def begin(self, user, a, *numbers):
        if self.committed is None:
            self.server.run(f"BEGIN ISOLATION LEVEL {LEVELS[a]}")
            self.committed = self.state

    def end(self, sql, state):
        if self.committed is not None:
            result = self.server.run(sql)
            if isinstance(result, str):
                self.wrong(sql, result, "nothing")
            self.state, self.committed, self.savepoints = state, None, []
            self.set = None

    def commit(self, *unused):
        self.count("commits")
        self.end("COMMIT", self.state)

    def rollback(self, *unused):
        self.count("rollbacks")
        self.end("ROLLBACK", self.committed)

    def prepare(self, sql, state):
        if self.committed is not None:
            result = self.server.run("PREPARE TRANSACTION 'credits'")
            if isinstance(result, str):
                self.wrong("prepare", result, "nothing")
            self.look_on(self.committed)
            self.end(sql, state)
            self.count("prepared")

    def prepare_commit(self, *unused):
        self.prepare("COMMIT PREPARED 'credits'", self.state)

    def prepare_rollback(self, *unused):
        self.prepare("ROLLBACK PREPARED 'credits'", self.committed)

    def savepoint(self, *unused):
        if self.committed is not None:
            self.server.run(f"SAVEPOINT s{len(self.savepoints)}")
            self.savepoints.append(self.state)

    def rollback_to(self, user=None, a=0, *unused):
        if self.savepoints:
            kept = len(self.savepoints) - 1 - a % len(self.savepoints)
            self.server.run(f"ROLLBACK TO s{kept}")
            self.state = self.savepoints[kept]
            self.savepoints = self.savepoints[:kept + 1]
            self.set = None
            self.count("rollbacks to savepoints")

    def release(self, user, a, *unused):
        if self.savepoints:
            kept = len(self.savepoints) - 1 - a % len(self.savepoints)
            self.server.run(f"RELEASE s{kept}")
            self.savepoints = self.savepoints[:kept]

    # What must hold after every step

    def check(self, numbers):
        for user in USERS:
            account = self.state.accounts[user]
            self.check_ledger(user, account)
            self.check_row(user, account)
            self.check_grants(user)
            self.check_answers(user, numbers)
        found = self.server.ask(self.server.worker, "SELECT * FROM usage_reconcile()")
        if found:
            self.wrong("usage_reconcile", found, "nothing")
        self.look_on(self.state if self.committed is None else self.committed)

    def check_ledger(self, user, account):
        """Every column of every line; and that each balance is the one before and the amount."""
        rows = self.server.ask(self.server.worker, LEDGER, user)
        self.line_ids[user] = [row[0] for row in rows]
        balance = 0
        for number, (row, line) in enumerate(zip(rows, account.lines)):
            identity, *columns, sequence_no, grant_id, draws = row
            draws = [[grant_id, row[3], 0]] if grant_id is not None else draws or []
            reference = line.reference
            if reference is not None and line.kind == "void":
                reference = "grant:%s" % self.grant_id(int(reference.split()[1]), grant_id)
            refund_of = None if line.refund_of is None else self.line_ids[user][line.refund_of]
            wanted = [line.at, line.kind, line.amount, line.balance, refund_of, line.short, reference]
            taken = [[self.grant_id(draw.grant, draws[i][0] if i < len(draws) else None), draw.amount, draw.short]
                     for i, draw in enumerate(line.draws)]
            balance += row[3]
            if columns != wanted or draws != taken or row[4] != balance or sequence_no != number + 1:
                self.wrong(f"line {number + 1} of {user}", (columns, draws, sequence_no), (wanted, taken, balance))
        if len(rows) != len(account.lines):
            self.wrong(f"ledger of {user}", rows[len(account.lines):], account.lines[len(rows):])

    def check_row(self, user, account):
        """The user's row: balance = Σ ledger = Σ remaining of live grants."""
        rows = self.server.ask(self.server.worker, """
            SELECT c.balance, c.lifetime_earned, c.lifetime_spent, c.sequence_no,
                (SELECT sum(t.amount) FROM credit_transactions t WHERE t.user_id = c.user_id)::bigint,
                (SELECT sum(CASE WHEN g.id = c.burning_grant_id THEN c.burning_left ELSE g.remaining END)
                 FROM credit_grants g WHERE g.user_id = c.user_id)::bigint
            FROM user_credits c WHERE c.user_id = %s""", user)
        balance, lines = account.balance, account.lines
        wanted = (balance, account.earned(), account.spent(), len(lines), balance, balance)
        if not rows:
            # a user who has done nothing yet has no row
            rows = [(0, 0, 0, 0, 0, 0)]
        row = tuple(value or 0 for value in rows[0])
        if row != wanted or row[0] < 0:
            self.wrong(f"user_credits of {user}", row, wanted)

    def check_grants(self, user):
        now = max(self.now, self.state.accounts[user].changed)
        account = self.account(user).as_of(self.now)
        wanted = [(self.grant_ids.get(grant.number), grant.kind, grant.state(now), grant.amount, grant.left, grant.voided)
                  for grant in sorted(account.grants, key=Grant.burns_before)]
        found = self.server.ask(self.server.worker, """
            SELECT grant_id, transaction_type, state, amount, remaining, (extract(epoch FROM voided_at) * 1000000)::bigint
            FROM credit_grants(%s)""", user)
        if found != wanted:
            self.wrong(f"credit_grants of {user}", found, wanted)

    def check_answers(self, user, numbers):
        """Balances and a statement, at instants that the program's numbers choose of those at which something is."""
        account = self.account(user)
        ahead = account.as_of(self.now)
        instants = {self.now, self.now - DAY, self.now + 40 * DAY}
        for at in [line.at for line in ahead.lines] + [grant.happens()[0] for grant in ahead.grants]:
            if at < self.now + 70 * DAY:
                instants |= {at - 1, at}
        instants = sorted(instants)
        a, b, c, d = numbers
        starts, ends = sorted((instants[(a * 16 + b) % len(instants)], instants[(b * 8 + c) % len(instants)]))
        at = instants[(c * 8 + d) % len(instants)]
        found = self.server.ask(self.server.worker, f"""
            SELECT credit_available('{user}'), credit_balance('{user}'), credit_balance('{user}', {literal(starts)}),
                credit_balance('{user}', {literal(at)})""")[0]
        wanted = (account.available(self.now), *(account.balance_at(when, self.now) for when in (None, starts, at)))
        if found != wanted:
            self.wrong(f"credit_available and credit_balance of {user} now, at {starts} and at {at}", found, wanted)
        if d == 7:
            ends = None
        opening, lines, closing = account.statement(
            starts, max(self.now, account.changed) + 1 if ends is None else ends, self.now)
        found = self.server.ask(self.server.worker, f"""
            SELECT line, transaction_id IS NOT NULL, transaction_type, amount, balance
            FROM credit_statement(%s, {literal(starts)}, {literal(ends)})""", user)
        written = set(map(id, account.lines))
        wanted = [("opening", False, None, None, opening),
                  *(("transaction", id(line) in written, line.kind, line.amount, line.balance) for line in lines),
                  ("closing", False, None, None, closing)]
        if found != wanted or opening + sum(row[3] or 0 for row in found) != found[-1][4]:
            self.wrong(f"credit_statement of {user} from {starts} to {ends}", found, wanted)

    def look_on(self, state):
        """Others see what is committed, and wait for nobody."""
        found = self.server.ask(self.server.observer, "SELECT credit_balance(%s), credit_balance(%s)", *USERS)[0]
        wanted = tuple(self.account(user, state).balance_at(None, self.now) for user in USERS)
        if found != wanted:
            self.wrong("another session's credit_balance", found, wanted)
