"""What credits are: a reference written from what the documentation promises,
not from how it is done.

An account is a list of grants and a list of lines, and nothing else is known of
it.  What time does to it is worked out anew, from the last written line on,
whenever somebody looks.  Instants are microseconds since 1970, in UTC.
"""

import calendar
import copy
import datetime
import math
from dataclasses import dataclass, field

from reference import DAY, Refused

FOREVER = math.inf
EPOCH = datetime.datetime(1970, 1, 1)


def months_later(at, months):
    """Ends of months do not drift: the day is the anchor's, or the month's last."""
    moment = EPOCH + datetime.timedelta(microseconds=at)
    month = moment.month - 1 + months
    year, month = moment.year + month // 12, month % 12 + 1
    day = min(moment.day, calendar.monthrange(year, month)[1])
    return (moment.replace(year=year, month=month, day=day) - EPOCH) // datetime.timedelta(microseconds=1)


@dataclass(frozen=True)
class Draw:
    """What a line did to one grant; short: what it could not give back."""
    grant: int
    amount: int
    short: int = 0


@dataclass(frozen=True)
class Line:
    """A row of the ledger."""
    at: int
    kind: str
    amount: int
    balance: int
    draws: tuple
    refund_of: int = None       # the number of a line of the same account
    short: int = 0
    reference: str = None

    def one_grant(self):
        """The grant that an answer names: where one is enough to say all."""
        return self.draws[0].grant if self.refund_of is None and len(self.draws) == 1 else None


@dataclass
class Grant:
    number: int                 # in the order of creation
    kind: str
    amount: int
    starts: int
    priority: int = 0
    ends: float = FOREVER
    every: tuple = None         # ("months" | "microseconds", how many)
    rollover: int = 0
    reference: str = None
    created: int = 0
    answer: tuple = None        # what credit_grant said: balance, number of the line
    daily: bool = False         # it is the tier's
    started: bool = False
    left: int = 0
    refills: float = FOREVER
    voided: int = None
    ended: bool = False         # expired or voided
    taken: int = 0              # by spends, less what refunds gave back

    def period_after(self, at):
        """The end of the period that holds an instant; the first begins with the grant."""
        if self.every is None:
            return FOREVER
        unit, length = self.every
        if unit == "microseconds":
            return self.starts + ((at - self.starts) // length + 1) * length
        number = 1
        while months_later(self.starts, number * length) <= at:
            number += 1
        return months_later(self.starts, number * length)

    def happens(self):
        """When and what comes next by itself, and its place among what happens at once."""
        if self.ended:
            return FOREVER, 0, None
        if not self.started:
            return self.starts, 2, "start"
        if self.ends <= self.refills:
            return self.ends, 0, "expire"
        return self.refills, 1, "refill"

    def in_force(self, now):
        return self.started and self.voided is None and self.ends > now

    def state(self, now):
        if self.voided is not None:
            return "voided"
        if self.ends <= now:
            return "expired"
        if not self.started:
            return "pending"
        return "live" if self.left > 0 or self.every is not None else "spent"

    def burns_before(self):
        return self.priority, self.ends, self.created, self.number


@dataclass(frozen=True)
class Hold:
    """Credits that nobody else can take."""
    amount: int
    ends: int
    answer: int                 # the balance that its first answer says
    state: str = "open"
    settled: tuple = None       # the amount it was settled with, and the answer

    def state_at(self, now):
        return "expired" if self.state == "open" and self.ends <= now else self.state


@dataclass
class Account:
    daily: int = 0              # what the tier's daily refill gives, 0: nothing, or not enabled
    enabled: bool = False       # whether there are daily refills
    grants: list = field(default_factory=list)
    lines: list = field(default_factory=list)
    holds: dict = field(default_factory=dict)   # by hold_id
    changed: float = -FOREVER   # the newest change: time does not go back behind it
    numbers: object = None      # gives each grant its number

    def copy(self):
        account = copy.copy(self)
        account.grants = [copy.copy(grant) for grant in self.grants]
        account.lines = list(self.lines)
        account.holds = dict(self.holds)
        return account

    @property
    def balance(self):
        return self.lines[-1].balance if self.lines else 0

    def grant(self, number):
        return next(grant for grant in self.grants if grant.number == number)

    def by_reference(self, kind, reference):
        if reference is not None:
            for number, line in enumerate(self.lines):
                if (line.kind, line.reference) == (kind, reference):
                    return number
        return None

    # Time

    def as_of(self, at):
        """The account when all has happened that falls due until an instant."""
        account = self.copy()
        account._go_to(max(at, self.changed))
        return account

    def _go_to(self, until):
        while True:
            coming = [(*grant.happens(), grant.number, grant) for grant in self.grants
                      if self.enabled or not grant.daily]
            if not coming:
                break
            at, _, what, _, grant = min(coming, key=lambda event: (event[0], event[1], event[3]))
            if at > until:
                break
            getattr(self, "_" + what)(grant, at)
        if self.enabled and self.daily > 0 and not any(grant.daily for grant in self.grants):
            grant = Grant(self.numbers(), "daily_refill", self.daily, until // DAY * DAY, priority=-1,
                          every=("microseconds", DAY), created=until, daily=True)
            self.grants.append(grant)
            self._start(grant, until)

    def _add(self, at, kind, draws, refund_of=None, short=0, reference=None):
        at = max(at, self.changed)
        amount = sum(draw.amount for draw in draws)
        for draw in draws:
            self.grant(draw.grant).left += draw.amount
            assert self.grant(draw.grant).left >= 0
        self.lines.append(Line(at, kind, amount, self.balance + amount, tuple(draws), refund_of, short, reference))
        self.changed = at
        assert self.balance == sum(grant.left for grant in self.grants)

    def _start(self, grant, at):
        grant.started = True
        grant.refills = grant.period_after(max(at, grant.starts))
        self._add(at, grant.kind, [Draw(grant.number, grant.amount)], reference=grant.reference)

    def _expire(self, grant, at):
        grant.ended = True
        if grant.left > 0:
            self._add(at, "expiry", [Draw(grant.number, -grant.left)])

    def _refill(self, grant, at):
        if grant.daily:
            grant.amount = self.daily
        grant.refills = grant.period_after(at)
        change = grant.amount + min(grant.rollover, grant.left) - grant.left
        if change != 0:
            kind = "expiry" if change < 0 else "daily_refill" if grant.daily else "refill"
            self._add(at, kind, [Draw(grant.number, change)])

    # What calls do, to an account as of now

    def give(self, now, grant):
        now = max(now, self.changed)
        if grant.reference is not None:
            for known in self.grants:
                if (known.kind, known.reference) == (grant.kind, grant.reference):
                    if known.answer[2] != grant.amount:
                        raise Refused("23505")
                    return known.answer[0], known.answer[1], known.number
        if grant.starts is None:
            grant.starts = now
        if grant.ends <= max(now, grant.starts):
            raise Refused("22023")
        grant.created = now
        self._go_to(now)
        grant.number = self.numbers()
        self.grants.append(grant)
        line = None
        if grant.starts <= now:
            self._start(grant, now)
            line = len(self.lines) - 1
        self.changed = max(self.changed, now)
        grant.answer = self.balance, line, grant.amount
        return self.balance, line, grant.number

    def spend(self, now, amount, reference=None, repeats=True):
        """The number of the line; None: the balance is too small."""
        now = max(now, self.changed)
        known = self.by_reference("usage", reference) if repeats else None
        if known is not None:
            if self.lines[known].amount != -amount:
                raise Refused("23505")
            return known
        if self.available(now) < amount:
            return None
        return self._burn(now, "usage", amount, reference)

    def _burn(self, now, kind, amount, reference):
        self._go_to(now)
        draws = []
        for grant in sorted(self.grants, key=Grant.burns_before):
            part = min(grant.left, amount)
            if part > 0:
                draws.append(Draw(grant.number, -part))
                grant.taken += part
                amount -= part
        self._add(now, kind, draws, reference=reference)
        return len(self.lines) - 1

    def held(self, now):
        return sum(hold.amount for hold in self.holds.values() if hold.state_at(max(now, self.changed)) == "open")

    def available(self, now):
        return max(0, self.as_of(now).balance - self.held(now))

    def hold(self, now, hold_id, amount, ttl):
        """The balance; None: it has too little beside what is held."""
        known = self.holds.get(hold_id)
        if known is not None:
            if known.amount != amount:
                raise Refused("23505")
            if known.state_at(now) != "open":
                raise Refused("55000")
            return known.answer
        if amount > self.available(now):
            return None
        if amount > 0:
            now = max(now, self.changed)
            self._go_to(now)
            self.changed = now
            self.holds[hold_id] = Hold(amount, now + ttl, self.balance)
        return self.as_of(now).balance

    def settle(self, now, hold_id, amount):
        """What is paid, the balance, what of it is not held then; None: denied."""
        hold = self.holds[hold_id]
        amount = hold.amount if amount is None else amount
        now = max(now, self.changed)
        if hold.state == "settled":
            if hold.settled[0] != amount:
                raise Refused("23505")
            return hold.settled
        if hold.state_at(now) != "open":
            raise Refused("55000")
        if amount > self.as_of(now).balance or amount - hold.amount > self.available(now):
            return None
        del self.holds[hold_id]
        self._go_to(now)
        if amount > 0:
            self._burn(now, "hold", amount, hold_id)
        self.changed = now
        answer = amount, self.balance, self.available(now)
        self.holds[hold_id] = Hold(hold.amount, hold.ends, hold.answer, "settled", answer)
        return answer

    def release(self, now, hold_id):
        hold = self.holds[hold_id]
        now = max(now, self.changed)
        if hold.state == "settled":
            raise Refused("55000")
        if hold.state_at(now) != "open":
            return False
        self.holds[hold_id] = Hold(hold.amount, hold.ends, hold.answer, "released")
        self._go_to(now)
        self.changed = now
        return True

    def renew(self, now, hold_id, ttl):
        hold = self.holds[hold_id]
        now = max(now, self.changed)
        if hold.state_at(now) != "open":
            raise Refused("55000")
        self.holds[hold_id] = Hold(hold.amount, now + ttl, hold.answer)

    def kept(self, number):
        """What of a line's draws has not been given back, the last drawn first."""
        draws = [[draw.grant, -draw.amount] for draw in self.lines[number].draws]
        for line in self.lines:
            if line.refund_of == number:
                for back in line.draws:
                    for draw in draws:
                        if draw[0] == back.grant:
                            draw[1] -= back.amount + back.short
        return draws[::-1]

    def refund(self, now, number, amount):
        """The number of the line, None: nothing was asked for."""
        left = sum(part for _, part in self.kept(number))
        if amount is not None and amount > left:
            raise Refused("22023")
        if amount == 0:
            return None
        if left == 0:
            return max(n for n, line in enumerate(self.lines) if line.refund_of == number)
        now = max(now, self.changed)
        self._go_to(now)
        amount = left if amount is None else amount
        draws = []
        for owner, part in self.kept(number):
            part = min(part, amount)
            amount -= part
            if part > 0:
                grant = self.grant(owner)
                alive = grant.in_force(now)
                draws.append(Draw(owner, part if alive else 0, 0 if alive else part))
                grant.taken -= draws[-1].amount
        self._add(now, "refund", draws, refund_of=number, short=sum(draw.short for draw in draws))
        return len(self.lines) - 1

    def void(self, now, number):
        reference = f"grant {number}"
        known = self.by_reference("void", reference)
        if known is not None:
            return known
        if self.grant(number).daily:
            raise Refused("22023")
        now = max(now, self.changed)
        self._go_to(now)
        grant = self.grant(number)
        # of what recurs, the payment for the period that is on is taken back
        short = min(grant.taken, max(0, grant.amount - grant.left)) if grant.every else grant.taken
        grant.voided, grant.ended = now, True
        self._add(now, "void", [Draw(number, -grant.left)], short=short, reference=reference)
        return len(self.lines) - 1

    def refill(self, now):
        """The number of the last line that was due, None: nothing was."""
        before = len(self.lines)
        ahead = self.as_of(now)
        if len(ahead.lines) == before:
            return None
        self._go_to(max(now, self.changed))
        self.changed = max(self.changed, now)
        return len(self.lines) - 1

    # What is asked

    def balance_at(self, at, now):
        if at is None or at >= now:
            return self.as_of(now if at is None else at).balance
        past = [line for line in self.as_of(now).lines if line.at <= at]
        return past[-1].balance if past else 0

    def statement(self, starts, ends, now):
        lines = self.as_of(now).lines
        before = [line for line in lines if line.at < starts]
        within = [line for line in lines if starts <= line.at < ends]
        opening = before[-1].balance if before else 0
        return opening, within, within[-1].balance if within else opening

    def earned(self):
        return sum(line.amount for line in self.lines
                   if line.kind not in ("usage", "hold", "refund", "expiry", "void"))

    def spent(self):
        return -sum(line.amount for line in self.lines if line.kind in ("usage", "hold", "refund"))
