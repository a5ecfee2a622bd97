"""Transactions and savepoints over the reference, and what the two gates make
of the transactions of others.

A call is a generator.  It yields Wait where it has to wait for another
transaction's lock, and is gone on with when that is its own, or MayWait where
the server may make it wait for prepared transactions.  It returns what the
caller must get, or raises Refused.
"""

from dataclasses import dataclass, field

from holds import Holds
from reference import (AMOUNT, TOKENS, Config, Refused, Usage, check_limit, check_not_below_zero,
                       claims_of, decide, report, share_back,
                       takes_from_the_past, vector_of)


class Event:
    """A row of usage_events; without a bucket nothing is booked for it."""

    def __init__(self, key, subtype, bucket, vector, operation, refund_of=None):
        self.id = None          # what the database says
        self.key = key
        self.subtype = subtype
        self.bucket = bucket
        self.vector = vector
        self.operation = operation
        self.refund_of = refund_of
        self.of_member = False  # booked on an account too


@dataclass
class Level:
    """What a transaction, or a part of it since a savepoint, has done."""
    bookings: list = field(default_factory=list)    # (key, bucket, subtype, vector, of_members)
    edits: list = field(default_factory=list)       # of counters, by hand
    changes: list = field(default_factory=list)     # of the configuration
    events: list = field(default_factory=list)
    holds: list = field(default_factory=list)       # as they have become
    locks: set = field(default_factory=set)

    def absorb(self, inner):
        self.bookings += inner.bookings
        self.edits += inner.edits
        self.changes += inner.changes
        self.events += inner.events
        self.holds += inner.holds
        self.locks |= inner.locks


class Transaction:
    def __init__(self, name, isolation="READ COMMITTED"):
        self.name = name
        self.isolation = isolation
        self.levels = [Level()]
        self.aborted = False
        self.prepared = False
        self.recorded = set()   # (key, bucket, subtype, of_members), also of what was rolled back
        self.has_truncated = False

    @property
    def keeps_snapshot(self):
        return self.isolation != "READ COMMITTED"

    @property
    def top(self):
        return self.levels[-1]

    def all(self, what):
        return [item for level in self.levels for item in getattr(level, what)]

    def sums(self):
        """What it has booked: {key: {(bucket, subtype): vector}}."""
        result = {}
        for key, bucket, subtype, vector, _ in self.all("bookings"):
            cell = result.setdefault(key, {}).setdefault((bucket, subtype), vector_of())
            for i, value in enumerate(vector):
                cell[i] += value
        return result

    def written(self):
        """The rows that it writes at its end: cells with anything in them."""
        sums = {key: {cell: vector for cell, vector in cells.items() if any(vector)}
                for key, cells in self.sums().items()}
        return {key: cells for key, cells in sums.items() if cells}

    def edited(self):
        """The keys whose rows it has locked by hand."""
        return {edit[1] for edit in self.all("edits") if edit[0] != "insert"}

    def prepared_keys(self):
        """The keys that say that it is prepared."""
        return self.prepared and {edit[1] for edit in self.all("edits")} | set(self.written()) or set()

    @property
    def truncates(self):
        return any(edit[0] == "truncate" for edit in self.all("edits"))


def apply_edit(rows, edit):
    """One edit by hand of committed rows {key: {(bucket, subtype): vector}}."""
    what, *args = edit
    if what == "truncate":
        rows.clear()
        return
    key, *args = args
    if what == "delete":
        rows.pop(key, None)
        return
    cell, vector = args
    row = rows.setdefault(key, {}).setdefault(cell, vector_of())
    for i, value in enumerate(vector):
        row[i] += value


SHARE, EXCLUSIVE = "share", "exclusive"


def conflict(a, b):
    return EXCLUSIVE in (a, b)


class Lock:
    """A lock as the server's lock manager grants it: first come, first served,
    but whoever has it already does not wait behind those who wait for him."""

    def __init__(self):
        self.held = []          # (transaction, mode)
        self.queue = []         # (call, Wait)

    def modes_of(self, transaction):
        return [mode for holder, mode in self.held if holder is transaction]

    def free_for(self, transaction, mode, ahead):
        return not (any(conflict(mode, other) for other in ahead) or
                    any(conflict(mode, other) for holder, other in self.held if holder is not transaction))

    def place(self, transaction):
        """How many of those who wait are ahead."""
        mine = self.modes_of(transaction)
        for place, (_, wait) in enumerate(self.queue):
            if any(conflict(mode, wait.mode) for mode in mine):
                return place
        return len(self.queue)

    def transactions(self):
        return [holder for holder, _ in self.held] + [call.transaction for call, _ in self.queue]


@dataclass
class Wait:
    lock: tuple
    mode: str
    keep: bool = True       # else whoever gets it gives it up at once


class MayWait:
    """For prepared transactions: yields whether it does."""


class Call:
    """A call that is being made by a connection."""

    def __init__(self, transaction, generator, done, really_waits):
        self.transaction = transaction
        self.generator = generator
        self.done = done        # told the outcome
        self.really_waits = really_waits    # asks the server
        self.waited_for_prepared = False


class World(Holds):
    """All that is committed, and the transactions that are open.

    Locks are ("key", user, usage_type), whose holder decides alone; ("setter",
    user, usage_type), for what computes from a level; and ("hold", id).  hashes
    orders the keys as the gate locks them.
    """

    def __init__(self, config, hashes=None):
        self.config = config
        self.rows = {}
        self.events = []
        self.holds = {}
        self.open = []
        self.locks = {}
        self.hashes = hashes or {}
        self.ready = []             # calls that go on
        self.waiting = []           # calls that wait for prepared transactions

    # Reading

    def visible_config(self, transaction):
        return self.config.with_changes(transaction.all("changes"))

    def committed_rows(self, transaction):
        """What a decision of the transaction takes as committed: edits by
        hand count at their commit, for their author too, but what is truncated
        is gone for him at once."""
        return {} if transaction.truncates else self.rows

    def own_rows(self, transaction, key):
        return [(*cell, vector) for rows in (self.committed_rows(transaction), transaction.sums())
                for cell, vector in rows.get(key, {}).items()]

    def rows_of(self, transaction, key):
        return self.own_rows(transaction, key) + self.others_rows(transaction, key)

    def usage_of(self, transaction, now):
        return lambda key: Usage(self.rows_of(transaction, key), self.open_holds(transaction, key, now))

    def others_rows(self, transaction, key):
        """What open transactions of others have used, as far as it counts."""
        raise NotImplementedError

    def buckets(self, transaction, key, now):
        """The buckets that a reset must be later than."""
        return ([bucket for bucket, _ in self.visible_rows(transaction).get(key, {})] +
                [bucket for bucket, _ in transaction.sums().get(key, {})] +
                [hold.bucket for hold in self.open_holds(transaction, key, now)])

    def visible_rows(self, transaction):
        """What a statement by hand sees."""
        rows = {key: {cell: list(vector) for cell, vector in cells.items()}
                for key, cells in self.rows.items()}
        for edit in transaction.all("edits"):
            apply_edit(rows, edit)
        return rows

    def visible_events(self, transaction):
        return self.events + transaction.all("events")

    # Locks

    def has(self, transaction, name, mode=None):
        modes = self.locks.setdefault(name, Lock()).modes_of(transaction)
        return bool(modes) if mode is None else mode in modes

    def is_free(self, transaction, name, mode):
        lock = self.locks.setdefault(name, Lock())
        return lock.free_for(transaction, mode,
                             [wait.mode for _, wait in lock.queue[:lock.place(transaction)]])

    def acquire(self, transaction, name, mode=EXCLUSIVE):
        """Returns whether it had to wait."""
        if self.has(transaction, name, mode):
            return False
        if self.is_free(transaction, name, mode):
            self.grant(transaction, name, mode)
            return False
        yield Wait(name, mode)
        return True

    def lock_key(self, transaction, key):
        return (yield from self.acquire(transaction, ("key", *key)))

    def grant(self, transaction, name, mode):
        """The lock of a hold's id is kept to the end of a SERIALIZABLE transaction."""
        to_end = name[0] == "hold" and transaction.isolation == "SERIALIZABLE"
        level = transaction.levels[0] if to_end else transaction.top
        self.locks[name].held.append((transaction, mode))
        level.locks.add((name, mode))

    def release(self, transaction, locks):
        for name, mode in locks:
            self.locks[name].held.remove((transaction, mode))
        for name in sorted({name for name, _ in locks}):
            lock = self.locks[name]
            ahead = []
            waiting, lock.queue = lock.queue, []
            for call, wait in waiting:
                if lock.free_for(call.transaction, wait.mode, ahead):
                    if wait.keep:
                        self.grant(call.transaction, name, wait.mode)
                    self.ready.append(call)
                else:
                    ahead.append(wait.mode)
                    lock.queue.append((call, wait))

    # Running calls

    def start(self, transaction, generator, done, really_waits):
        self.advance(Call(transaction, generator, done, really_waits))
        self.settle()

    def settle(self):
        """Goes on with the calls whose wait has ended."""
        while self.ready:
            call = self.ready.pop(0)
            self.advance(call, True if call.waited_for_prepared else None)

    def advance(self, call, waited=None):
        try:
            wait = call.generator.send(waited)
            while isinstance(wait, MayWait) and not call.really_waits():
                wait = call.generator.send(False)
        except StopIteration as stop:
            call.done(stop.value)
        except Refused as refused:
            self.fail(call.transaction)
            call.done(refused)
        else:
            call.waited_for_prepared = isinstance(wait, MayWait)
            if call.waited_for_prepared:
                self.waiting.append(call)
                return
            lock = self.locks[wait.lock]
            lock.queue.insert(lock.place(call.transaction), (call, wait))

    # Ends

    def fail(self, transaction):
        """An error: what was done since the last savepoint is gone at once."""
        transaction.aborted = True
        if len(transaction.levels) == 1:
            transaction.recorded = set()
        locks = transaction.top.locks
        transaction.levels[-1] = Level()
        self.release(transaction, locks)

    def savepoint(self, transaction):
        transaction.levels.append(Level())

    def rollback_to(self, transaction, depth):
        transaction.aborted = False
        while len(transaction.levels) > depth:
            self.release(transaction, transaction.levels.pop().locks)
        transaction.levels.append(Level())
        self.settle()

    def release_savepoint(self, transaction, depth):
        while len(transaction.levels) > depth:
            inner = transaction.levels.pop()
            transaction.top.absorb(inner)

    def begin(self, transaction):
        self.open.append(transaction)
        return transaction

    def commit(self, transaction):
        for edit in transaction.all("edits"):
            apply_edit(self.rows, edit)
        for change in transaction.all("changes"):
            self.config.apply(change)
        self.events += transaction.all("events")
        self.holds = self.visible_holds(transaction)
        for key, cells in transaction.written().items():
            for cell, vector in cells.items():
                apply_edit(self.rows, ("insert", key, cell, vector))
        self.end(transaction)

    def end(self, transaction):
        self.open.remove(transaction)
        self.release(transaction, {lock for level in transaction.levels for lock in level.locks})
        if transaction.prepared:
            self.ready += self.waiting
            self.waiting = []
        self.settle()

    def prepare(self, transaction):
        transaction.prepared = True
        self.release_savepoint(transaction, 1)
        written = transaction.written()
        transaction.recorded = {cell for cell in transaction.recorded if cell[0] in written}

    # Calls

    def add(self, transaction, key, bucket, subtype, vector, of_members=False):
        transaction.top.bookings.append((key, bucket, subtype, vector, of_members))

    def book_use(self, transaction, user, request, at, in_past=False):
        """A use is booked on the user and on his account, each in a bucket of its own."""
        config = self.visible_config(transaction)
        key = (user, request.usage_type)
        event = self.book(transaction, key, config.bucket(key, at, in_past), request.subtype or "",
                          vector_of(request.amount, request.tokens, events=1))
        for account in config.subjects(user)[1:]:
            key = (account, request.usage_type)
            self.add(transaction, key, config.bucket(key, at, in_past), request.subtype or "",
                     vector_of(request.amount, request.tokens, share=request.amount), True)
            event.of_member = True
        return event

    def book(self, transaction, key, bucket, subtype, vector, operation="use", refund_of=None):
        self.add(transaction, key, bucket, subtype, vector)
        event = Event(key, subtype, bucket, vector, operation, refund_of)
        transaction.top.events.append(event)
        return event

    def fail_use(self, transaction, key, bucket, subtype, amount):
        self.book(transaction, key, bucket, subtype, vector_of(failed=1))
        transaction.top.events[-1] = event = Event(key, subtype, None, vector_of(amount), "use")
        return event

    def consume(self, transaction, user, requests, now, enforce=False):
        self.check_types(transaction, requests)
        yield from self.lock_requests(transaction, user, requests, now)
        config = self.visible_config(transaction)
        result = decide(config, user, requests, self.usage_of(transaction, now), now)
        if not result["allowed"]:
            if enforce:
                raise Refused("PT429")
            return result
        for request in requests:
            if request.amount != 0:
                result["event_id"] = self.book_use(transaction, user, request, now)
        if len(requests) > 1:
            result["event_id"] = None
        return result

    def check_types(self, transaction, requests):
        """What is open at once can only be held."""
        for request in requests:
            self.check_type(transaction, request.usage_type)

    def check_type(self, transaction, usage_type):
        if any(limit.kind == "concurrency" for limit in self.visible_config(transaction).of_type(usage_type)):
            raise Refused("22023")

    def keys_to_deny(self, transaction, user, requests, now):
        """The keys of the requests that a limit can deny, as they are locked."""
        claims = claims_of(self.visible_config(transaction), user, requests, now)
        return [key for key in sorted(claims, key=lambda key: self.hashes.get(key, 0))
                if any(claim.denies for claim in claims[key]) and
                any(r.amount != 0 for r in requests if r.usage_type == key[1])]

    def lock_to_deny(self, transaction, user, requests, now, lock=None):
        """Locks them.  What is known before a lock is got may be old after it."""
        lock = lock or self.lock_key
        waited = True
        while waited:
            waited = False
            for key in self.keys_to_deny(transaction, user, requests, now):
                if (yield from lock(transaction, key)):
                    waited = True

    def lock_requests(self, transaction, user, requests, now):
        raise NotImplementedError

    def lock_setter(self, transaction, key):
        """For what computes from the usage there is, and may not be outrun."""
        raise NotImplementedError

    def may_wait(self, transaction, key):
        return
        yield

    def pass_key(self, transaction, key):
        return
        yield

    def track(self, transaction, user, request, now, occurred_at=None, failed=False):
        self.check_type(transaction, request.usage_type)
        at, in_past = now if occurred_at is None else occurred_at, occurred_at is not None
        if not failed:
            return self.book_use(transaction, user, request, at, in_past)
        key = (user, request.usage_type)
        bucket = self.visible_config(transaction).bucket(key, at, in_past)
        return self.fail_use(transaction, key, bucket, request.subtype or "", request.amount)
        yield

    def check(self, transaction, user, request, now):
        return decide(self.visible_config(transaction), user, [request],
                      self.usage_of(transaction, now), now, dry_run=True)
        yield

    def check_limit(self, transaction, user, name, amount, now):
        return check_limit(self.visible_config(transaction), user, name, amount,
                           self.usage_of(transaction, now), now)
        yield

    def report(self, transaction, key, subtype, all_subtypes, requested, event, now):
        result = report(self.visible_config(transaction), key, subtype, all_subtypes,
                        lambda _: requested, self.usage_of(transaction, now)(key), now)
        result["event_id"] = event
        return result

    def take_away(self, transaction, key, subtype, bucket, amount, now):
        """bucket(config) is what it is taken from."""
        yield from self.lock_taker(transaction, key)
        config = self.visible_config(transaction)
        if not takes_from_the_past(config, key, subtype, bucket(config), now):
            yield from self.pass_key(transaction, key)
        config = self.visible_config(transaction)
        check_not_below_zero(config, key, subtype, bucket(config), amount,
                             self.rows_for_taking(transaction, key), now)

    def lock_taker(self, transaction, key):
        """For what takes away, and may not go below 0."""
        yield from self.lock_setter(transaction, key)

    def rows_for_taking(self, transaction, key):
        return self.rows_of(transaction, key)

    def adjust(self, transaction, key, delta, subtype, now):
        self.check_type(transaction, key[1])
        if delta < 0:
            yield from self.take_away(transaction, key, subtype,
                                      lambda config: config.bucket(key, now, False), -delta, now)
        bucket = self.visible_config(transaction).bucket(key, now, False)
        event = self.book(transaction, key, bucket, subtype or "", vector_of(delta), "adjust")
        return self.report(transaction, key, subtype, False, delta, event, now)

    def set_gauge(self, transaction, key, value, now):
        self.check_type(transaction, key[1])
        limits = self.visible_config(transaction).of_type(key[1])
        if limits and all(limit.kind != "gauge" for limit in limits):
            raise Refused("22023")
        yield from self.lock_setter(transaction, key)
        yield from self.pass_key(transaction, key)
        config = self.visible_config(transaction)
        reset = config.last_reset(key)
        level = sum(vector[AMOUNT] for bucket, _, vector in self.own_rows(transaction, key)
                    if bucket >= reset)
        event = self.book(transaction, key, config.bucket(key, now, False), "",
                          vector_of(value - level), "adjust")
        return self.report(transaction, key, None, True, value, event, now)

    def reset(self, transaction, key, now):
        self.check_type(transaction, key[1])
        yield from self.lock_setter(transaction, key)
        config = self.visible_config(transaction)
        last = max([bucket for bucket in self.buckets(transaction, key, now) if bucket >= now]
                   + [config.last_reset(key)])
        transaction.top.changes.append(("reset", key, max(now, last + 1)))
        event = Event(key, None, None, vector_of(), "reset")
        transaction.top.events.append(event)
        return self.report(transaction, key, None, True, 0, event, now)

    def refund(self, transaction, event, amount, user, now):
        if event not in self.visible_events(transaction) or user not in (None, event.key[0]):
            raise Refused("42704")
        if event.operation not in ("use", "settle") or event.bucket is None:
            raise Refused("42704")
        key, subtype = event.key, event.subtype or None
        yield from self.lock_setter(transaction, key)
        refunds = [e for e in self.visible_events(transaction) if e.refund_of is event]
        already = [-sum(e.vector[i] for e in refunds) for i in (AMOUNT, TOKENS)]
        left = event.vector[AMOUNT] - already[AMOUNT]
        if amount is not None and amount > left:
            raise Refused("22023")
        back = left if amount is None else amount
        if back == 0 and (left > 0 or refunds or amount is not None):
            return self.report(transaction, key, subtype, False, back, None, now)
        tokens = share_back(event.vector[TOKENS], already[TOKENS], already[AMOUNT] + back,
                         event.vector[AMOUNT])
        yield from self.take_away(transaction, key, subtype, lambda config: event.bucket, back, now)
        refund = self.book(transaction, key, event.bucket, event.subtype, vector_of(-back, -tokens),
                           "refund", event)
        return self.report(transaction, key, subtype, False, back, refund, now)


class LockGate(World):
    """Who may deny holds the key to its transaction's end, and so sees all that
    counts: what is committed, and its own."""

    name = "lock"

    def others_rows(self, transaction, key):
        return []

    def lock_requests(self, transaction, user, requests, now):
        yield from self.lock_to_deny(transaction, user, requests, now)

    def lock_setter(self, transaction, key):
        yield from self.lock_key(transaction, key)

    def prepare(self, transaction):
        super().prepare(transaction)
        if transaction.keeps_snapshot:
            return
        for user, usage_type in transaction.written():
            name = ("key", user, usage_type)
            if not self.locks.setdefault(name, Lock()).held:
                self.grant(transaction, name, EXCLUSIVE)


class SharedGate(World):
    """What others have added counts at once, and what they have taken away when
    they commit; who takes away sees it the other way round.  Only setters wait
    for one another, and for who takes away.  Whoever has the key's lock, for a
    hold, makes others wait who ask for more: they do not know what it books.
    Where the sums have to be read, that waits for the prepared transactions of
    the key."""

    name = "shared"

    def others_bookings(self, transaction, key, part):
        return [(bucket, subtype, [part(value, 0) for value in vector])
                for other in self.open if other is not transaction
                for booked, bucket, subtype, vector, of_members in other.all("bookings")
                if booked == key and (key, bucket, subtype, of_members) in other.recorded]

    def others_rows(self, transaction, key):
        return self.others_bookings(transaction, key, max)

    def rows_for_taking(self, transaction, key):
        return self.own_rows(transaction, key) + self.others_bookings(transaction, key, min)

    def add(self, transaction, key, bucket, subtype, vector, of_members=False):
        if not self.has(transaction, ("key", *key)):
            transaction.recorded.add((key, bucket, subtype, of_members))
        super().add(transaction, key, bucket, subtype, vector, of_members)

    def buckets(self, transaction, key, now):
        return super().buckets(transaction, key, now) + [
            bucket for other in self.open for recorded, bucket, *_ in other.recorded if recorded == key]

    def may_wait(self, transaction, key):
        while any(key in other.prepared_keys() for other in self.open):
            if not (yield MayWait()):
                break

    def pass_key(self, transaction, key):
        """Waits while others have the key's lock; returns whether it did."""
        name = ("key", *key)
        waited = False
        while not self.has(transaction, name) and not self.is_free(transaction, name, SHARE):
            yield Wait(name, SHARE, keep=False)
            waited = True
        yield from self.may_wait(transaction, key)
        return waited

    def lock_key(self, transaction, key):
        if self.has(transaction, ("key", *key)):
            return False
        waited = yield from super().lock_key(transaction, key)
        yield from self.may_wait(transaction, key)
        return waited

    def lock_requests(self, transaction, user, requests, now):
        yield from self.lock_to_deny(transaction, user, requests, now, self.pass_key)

    def lock_setter(self, transaction, key):
        yield from self.acquire(transaction, ("setter", *key))

    def lock_taker(self, transaction, key):
        yield from self.acquire(transaction, ("setter", *key), SHARE)


GATES = {gate.name: gate for gate in (LockGate, SharedGate)}
