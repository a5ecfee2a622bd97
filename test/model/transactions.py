"""Transactions and savepoints over the reference, and what the two gates make
of the transactions of others.

A call is a generator.  It yields a key when it has to wait for another
transaction, and is gone on with when the key is its own; it returns what the
caller must get, or raises Refused.
"""

from dataclasses import dataclass, field

from reference import (AMOUNT, EVENTS, TOKENS, Config, Refused, check_limit,
                       check_not_below_zero, claims_of, decide, part_of, report)


class Event:
    """A row of usage_events that can be refunded."""

    def __init__(self, key, subtype, bucket, vector, operation, refund_of=None):
        self.id = None          # what the database says
        self.key = key
        self.subtype = subtype
        self.bucket = bucket
        self.vector = vector
        self.operation = operation
        self.refund_of = refund_of


@dataclass
class Level:
    """What a transaction, or a part of it since a savepoint, has done."""
    bookings: list = field(default_factory=list)    # (key, bucket, subtype, vector)
    edits: list = field(default_factory=list)       # of counters, by hand
    changes: list = field(default_factory=list)     # of the configuration
    events: list = field(default_factory=list)
    locks: set = field(default_factory=set)

    def absorb(self, inner):
        self.bookings += inner.bookings
        self.edits += inner.edits
        self.changes += inner.changes
        self.events += inner.events
        self.locks |= inner.locks


class Transaction:
    def __init__(self, name, isolation="READ COMMITTED"):
        self.name = name
        self.isolation = isolation
        self.levels = [Level()]
        self.aborted = False
        self.prepared = False
        self.changes_seen = 0

    @property
    def keeps_snapshot(self):
        return self.isolation != "READ COMMITTED"

    @property
    def top(self):
        return self.levels[-1]

    def all(self, what):
        return [item for level in self.levels for item in getattr(level, what)]

    def holds(self, key):
        return any(key in level.locks for level in self.levels)

    def sums(self):
        """What it has booked: {key: {(bucket, subtype): vector}}."""
        result = {}
        for key, bucket, subtype, vector in self.all("bookings"):
            cell = result.setdefault(key, {}).setdefault((bucket, subtype), [0, 0, 0])
            for i, value in enumerate(vector):
                cell[i] += value
        return result

    def written(self):
        """The rows that it writes at its end: cells with anything in them."""
        return {key: {cell: vector for cell, vector in cells.items() if any(vector)}
                for key, cells in self.sums().items()}

    def edited(self):
        """The keys whose rows it has locked by hand."""
        return {edit[1] for edit in self.all("edits") if edit[0] != "insert"}

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
    row = rows.setdefault(key, {}).setdefault(cell, [0, 0, 0])
    for i, value in enumerate(vector):
        row[i] += value


@dataclass
class Lock:
    holder: object = None
    queue: list = field(default_factory=list)       # calls


class Call:
    """A call that is being made by a connection."""

    def __init__(self, transaction, generator, done):
        self.transaction = transaction
        self.generator = generator
        self.done = done        # told the outcome


class World:
    """All that is committed, and the transactions that are open.

    hashes orders the keys as the gate locks them.
    """

    def __init__(self, config, hashes=None):
        self.config = config
        self.rows = {}
        self.events = []
        self.open = []
        self.locks = {}
        self.hashes = hashes or {}
        self.ready = []

    # Reading

    def visible_config(self, transaction):
        return self.config.with_changes(transaction.all("changes"))

    def committed_rows(self, transaction):
        """What a decision of the transaction takes as committed: edits by
        hand count at their commit, for their author too, but what is truncated
        is gone for him at once."""
        return {} if transaction.truncates else self.rows

    def rows_of(self, transaction):
        def rows(key):
            found = [(*cell, vector) for cell, vector in
                     self.committed_rows(transaction).get(key, {}).items()]
            found += [(*cell, vector) for cell, vector in
                      transaction.sums().get(key, {}).items()]
            return found + self.others_rows(transaction, key)
        return rows

    def others_rows(self, transaction, key):
        """What open transactions of others have used, as far as it counts."""
        raise NotImplementedError

    def visible_rows(self, transaction):
        """What a statement by hand sees."""
        rows = {key: {cell: list(vector) for cell, vector in cells.items()}
                for key, cells in self.rows.items()}
        for edit in transaction.all("edits"):
            apply_edit(rows, edit)
        return rows

    def visible_events(self, transaction):
        return self.events + transaction.all("events")

    # Keys' locks

    def acquire(self, transaction, key):
        """Yields the key if it has to wait for it; returns whether it had to."""
        if transaction.holds(key):
            return False
        lock = self.locks.setdefault(key, Lock())
        if lock.holder is None:
            lock.holder = transaction
            transaction.top.locks.add(key)
            return False
        yield key
        return True

    def release(self, keys):
        for key in keys:
            lock = self.locks[key]
            lock.holder = None
            if lock.queue:
                call = lock.queue.pop(0)
                lock.holder = call.transaction
                call.transaction.top.locks.add(key)
                self.ready.append(call)

    # Running calls

    def start(self, transaction, generator, done):
        self.advance(Call(transaction, generator, done))
        self.settle()

    def settle(self):
        """Goes on with the calls whose wait has ended."""
        while self.ready:
            self.advance(self.ready.pop(0))

    def advance(self, call):
        try:
            key = next(call.generator)
        except StopIteration as stop:
            call.done(stop.value)
        except Refused as refused:
            self.fail(call.transaction)
            call.done(refused)
        else:
            self.locks[key].queue.append(call)

    # Ends

    def fail(self, transaction):
        """An error: what was done since the last savepoint is gone at once."""
        transaction.aborted = True
        self.empty(transaction)

    def empty(self, transaction):
        locks = transaction.top.locks
        transaction.levels[-1] = Level()
        self.release(locks)

    def savepoint(self, transaction):
        transaction.levels.append(Level())

    def rollback_to(self, transaction, depth):
        transaction.aborted = False
        while len(transaction.levels) > depth:
            locks = transaction.levels.pop().locks
            self.release(locks)
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
        for key, cells in transaction.written().items():
            for cell, vector in cells.items():
                apply_edit(self.rows, ("insert", key, cell, vector))
        self.end(transaction)

    def end(self, transaction):
        self.open.remove(transaction)
        self.release([key for level in transaction.levels for key in level.locks])
        self.settle()

    def prepare(self, transaction):
        transaction.prepared = True
        self.release_savepoint(transaction, 1)

    # Calls

    def book(self, transaction, config, key, at, in_past, subtype, vector, operation="use"):
        bucket = config.bucket(key, at, in_past)
        transaction.top.bookings.append((key, bucket, subtype, vector))
        event = Event(key, subtype, bucket, vector, operation)
        transaction.top.events.append(event)
        return event

    def use(self, transaction, config, user, request, at, in_past=False):
        vector = request.vector()
        vector[EVENTS] = 1
        return self.book(transaction, config, (user, request.usage_type), at, in_past,
                         request.subtype or "", vector)

    def consume(self, transaction, user, requests, now, enforce=False):
        yield from self.lock_requests(transaction, user, requests, now)
        config = self.visible_config(transaction)
        result = decide(config, user, requests, self.rows_of(transaction), now)
        result["event_id"] = None
        if not result["allowed"]:
            if enforce:
                raise Refused("PT429")
            return result
        for request in requests:
            if request.amount != 0:
                result["event_id"] = self.use(transaction, config, user, request, now)
        if len(requests) > 1:
            result["event_id"] = None
        return result

    def lock_requests(self, transaction, user, requests, now):
        raise NotImplementedError

    def lock_setter(self, transaction, key):
        """For what computes from the usage there is, and may not be outrun."""
        raise NotImplementedError

    def track(self, transaction, user, request, now, occurred_at=None):
        config = self.visible_config(transaction)
        at = now if occurred_at is None else occurred_at
        return self.use(transaction, config, user, request, at, occurred_at is not None)
        yield

    def check(self, transaction, user, request, now):
        result = decide(self.visible_config(transaction), user, [request],
                        self.rows_of(transaction), now, dry_run=True)
        result["event_id"] = None
        return result
        yield

    def check_limit(self, transaction, user, name, amount, now):
        result = check_limit(self.visible_config(transaction), user, name, amount,
                             self.rows_of(transaction), now)
        result["event_id"] = None
        return result
        yield

    def report(self, transaction, key, subtype, all_subtypes, requested, event, now):
        result = report(self.visible_config(transaction), key, subtype, all_subtypes,
                        requested, self.rows_of(transaction)(key), now)
        result["event_id"] = event
        return result

    def take_away(self, transaction, key, subtype, bucket, amount, now):
        check_not_below_zero(self.visible_config(transaction), key, subtype, bucket, amount,
                             self.rows_for_decrease(transaction)(key), now)

    def rows_for_decrease(self, transaction):
        return self.rows_of(transaction)

    def adjust(self, transaction, key, delta, subtype, now):
        if delta < 0:
            yield from self.lock_setter(transaction, key)
            self.take_away(transaction, key, subtype, now, -delta, now)
        event = self.book(transaction, self.visible_config(transaction), key, now, False,
                          subtype or "", [delta, 0, 0], "adjust")
        return self.report(transaction, key, subtype, False, delta, event, now)

    def set_gauge(self, transaction, key, value, now):
        limits = self.visible_config(transaction).of_type(key[1])
        if limits and all(limit.kind != "gauge" for limit in limits):
            raise Refused("22023")
        yield from self.lock_setter(transaction, key)
        config = self.visible_config(transaction)
        reset = config.last_reset(key)
        level = sum(vector[AMOUNT] for bucket, _, vector in self.rows_of(transaction)(key)
                    if bucket >= reset)
        event = self.book(transaction, config, key, now, False, "", [value - level, 0, 0], "adjust")
        return self.report(transaction, key, None, True, value, event, now)

    def reset(self, transaction, key, now):
        yield from self.lock_setter(transaction, key)
        config = self.visible_config(transaction)
        last = max([bucket for bucket, _, _ in self.rows_of(transaction)(key) if bucket >= now]
                   + [config.last_reset(key)])
        transaction.top.changes.append(("reset", key, max(now, last + 1)))
        event = Event(key, None, None, [0, 0, 0], "reset")
        transaction.top.events.append(event)
        return self.report(transaction, key, None, True, 0, event, now)

    def refund(self, transaction, event, amount, user, now):
        if event not in self.visible_events(transaction) or user not in (None, event.key[0]):
            raise Refused("42704")
        if event.operation != "use":
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
        tokens = part_of(event.vector[TOKENS], already[TOKENS], already[AMOUNT] + back,
                         event.vector[AMOUNT])
        self.take_away(transaction, key, subtype, event.bucket, back, now)
        vector = [-back, -tokens, 0]
        transaction.top.bookings.append((key, event.bucket, event.subtype, vector))
        refund = Event(key, event.subtype, event.bucket, vector, "refund", event)
        transaction.top.events.append(refund)
        return self.report(transaction, key, subtype, False, back, refund, now)


class LockGate(World):
    """Who may deny holds the key to its transaction's end, and so sees all that
    counts: what is committed, and its own."""

    name = "lock"

    def others_rows(self, transaction, key):
        return []

    def lock_requests(self, transaction, user, requests, now):
        waited = True
        while waited:
            waited = False
            claims = claims_of(self.visible_config(transaction), user, requests, now)
            for usage_type in sorted(claims, key=lambda t: self.hashes.get((user, t), 0)):
                asks = any(r.amount != 0 for r in requests if r.usage_type == usage_type)
                if asks and any(claim.denies for claim in claims[usage_type]):
                    if (yield from self.acquire(transaction, (user, usage_type))):
                        waited = True

    def lock_setter(self, transaction, key):
        yield from self.acquire(transaction, key)

    def prepare(self, transaction):
        super().prepare(transaction)
        if transaction.keeps_snapshot:
            return
        for key, cells in transaction.written().items():
            lock = self.locks.setdefault(key, Lock())
            if cells and lock.holder is None:
                lock.holder = transaction
                transaction.top.locks.add(key)


GATES = {gate.name: gate for gate in (LockGate,)}
