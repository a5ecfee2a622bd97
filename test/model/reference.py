"""What usage_limits must answer, written anew from the rules.

Pure functions of a configuration, rows and an instant.  Instants are integer
microseconds; rows are (bucket, subtype, vector of what is counted).  The model
is in UTC, and knows limits for counters, gauges and concurrency.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# the amount has the members' share of an account in it
AMOUNT, TOKENS, EVENTS, FAILED, SHARE = range(5)
NEVER = float("inf")
ALWAYS = float("-inf")
UNLIMITED = -1


def vector_of(amount=0, tokens=0, events=0, failed=0, share=0):
    return [amount, tokens, events, failed, share]


class Refused(Exception):
    """An error that the call must raise."""

    def __init__(self, sqlstate):
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@dataclass(frozen=True)
class Limit:
    name: str
    usage_type: str
    subtype: str | None = None
    measure: int = AMOUNT
    kind: str = "counter"
    alignment: str = "none"
    period: int = 0
    free: int = 0
    pro: int = UNLIMITED
    team: int = UNLIMITED
    enforcement: str = "hard"
    active: bool = True

    def counts(self, subtype):
        return self.subtype is None or self.subtype == subtype

    @property
    def sub_bucket(self):
        return max(self.period // 60, 6 * SECOND)

    def window(self, now):
        """[start, end) of the buckets that count now."""
        if self.alignment == "none":
            return ALWAYS, NEVER
        if self.alignment == "calendar":
            start = now - now % self.period
            return start, start + self.period
        start = now - self.period
        return start - start % self.sub_bucket, NEVER

    def bucket_floor(self, at):
        if self.alignment == "sliding":
            return at - at % self.sub_bucket
        return self.window(at)[0]

    def leaves_at(self, bucket):
        """When a sliding window no longer counts a bucket."""
        return bucket - bucket % self.sub_bucket + self.sub_bucket + self.period


@dataclass(frozen=True)
class Override:
    number: int
    limit: str
    value: int
    user: str | None
    tier: str | None
    expires_at: float


@dataclass
class Config:
    limits: dict = field(default_factory=dict)
    overrides: dict = field(default_factory=dict)
    tiers: dict = field(default_factory=dict)
    resets: dict = field(default_factory=dict)
    accounts: dict = field(default_factory=dict)        # of their members

    def apply(self, change):
        """One change: ("limit", Limit), ("no_limit", name) and so on."""
        what, *args = change
        if what == "limit":
            self.limits[args[0].name] = args[0]
        elif what == "no_limit":
            del self.limits[args[0]]
        elif what == "override":
            self.overrides[args[0].number] = args[0]
        elif what == "no_override":
            del self.overrides[args[0]]
        elif what == "tier":
            self.tiers[args[0]] = args[1]
        elif what == "member":
            self.accounts[args[0]] = args[1]
        elif what == "reset":
            key, at = args
            self.resets[key] = self.resets.get(key, ()) + (at,)
        else:
            raise AssertionError(what)

    def with_changes(self, changes):
        if not changes:
            return self
        config = Config(dict(self.limits), dict(self.overrides), dict(self.tiers), dict(self.resets),
                        dict(self.accounts))
        for change in changes:
            config.apply(change)
        return config

    def subjects(self, user):
        """On whom his use is booked: himself, and the account he belongs to."""
        account = self.accounts.get(user)
        return [user] if account is None else [user, account]

    def of_type(self, usage_type):
        return [limit for _, limit in sorted(self.limits.items())
                if limit.active and limit.usage_type == usage_type]

    def last_reset(self, key, at=NEVER):
        return max((reset for reset in self.resets.get(key, ()) if reset <= at), default=ALWAYS)

    def value(self, limit, user, now):
        def newest(found):
            found = [o for o in self.overrides.values()
                     if o.limit == limit.name and now < o.expires_at and found(o)]
            return max(found, key=lambda o: o.number, default=None)

        tier = self.tiers.get(user, "free")
        override = newest(lambda o: o.user == user) or newest(lambda o: o.tier == tier)
        if override is not None:
            return override.value
        return getattr(limit, tier)

    def bucket(self, key, at, in_past):
        """Where a use goes: the latest of the day and of the limits' windows."""
        start = at - at % DAY
        start = max(start, self.last_reset(key, at if in_past else NEVER))
        for limit in self.of_type(key[1]):
            start = max(start, limit.bucket_floor(at))
        return start


@dataclass(frozen=True)
class Request:
    """What is asked for of one usage type."""
    usage_type: str
    amount: int
    subtype: str | None = None
    tokens: int = 0

    def vector(self):
        return vector_of(self.amount, self.tokens)

    def asks(self, limit):
        """How much of a limit; of whatever amount, a hold is one of those that
        are open at once."""
        if limit.kind == "concurrency":
            return 1 if self.amount != 0 else 0
        return self.vector()[limit.measure]


@dataclass(frozen=True)
class Hold:
    """Usage that counts in the windows of its bucket until it is settled or
    released, or has expired."""
    id: str
    user: str
    request: Request
    has_tokens: bool
    bucket: int
    expires_at: int
    answer: dict            # to who took it, or settled it
    state: str = "open"
    settled: Request | None = None

    @property
    def key(self):
        return self.user, self.request.usage_type

    def is_open(self, now):
        return self.state == "open" and now < self.expires_at


class Usage(NamedTuple):
    """What counts of a key: rows, and holds that are open."""
    rows: list
    holds: list


class Claim:
    """One limit, for one user, now."""

    def __init__(self, config, limit, user, now, of_account=False):
        self.limit = limit
        self.of_account = of_account
        self.value = config.value(limit, user, now)
        self.start, self.end = limit.window(now)
        self.start = max(self.start, config.last_reset((user, limit.usage_type)))
        self.bucket = config.bucket((user, limit.usage_type), now, False)
        self.requested = self.consumes = 0
        self.parts = {}
        self.held = []              # (until, amount)
        self.settles = None         # the hold that asks for more than it has
        self.has = 0
        self.exceeded = False
        self.fits_at = NEVER

    @property
    def denies(self):
        return self.value >= 0 and self.limit.enforcement == "hard"

    @property
    def sliding(self):
        return self.limit.alignment == "sliding"

    @property
    def gradual(self):
        """Whether usage leaves bit by bit, and not when the window ends."""
        return self.limit.alignment != "calendar"

    def part_of(self, bucket):
        return bucket - bucket % self.limit.sub_bucket if self.sliding else bucket

    def take(self, bucket, amount):
        part = self.part_of(bucket)
        self.parts[part] = self.parts.get(part, 0) + amount

    def hold(self, bucket, until, amount):
        if amount != 0:
            self.held.append((min(until, self.limit.leaves_at(bucket)) if self.sliding else until, amount))

    def add(self, usage):
        for bucket, subtype, vector in usage.rows if self.limit.kind != "concurrency" else ():
            if self.start <= bucket < self.end and self.limit.counts(subtype):
                self.take(bucket, vector[self.limit.measure])
        for hold in usage.holds:
            amount = hold.request.asks(self.limit)
            # what asks for more makes no room by expiring
            until = NEVER if hold is self.settles else hold.expires_at
            if not self.limit.counts(hold.request.subtype):
                continue
            if self.limit.kind == "concurrency":
                self.hold(hold.bucket, until, amount)
            elif self.start <= hold.bucket < self.end:
                if self.sliding and self.settles is not None:
                    self.take(hold.bucket, amount)
                else:
                    self.hold(hold.bucket, until, amount)

    def used_after(self, at):
        """What is left at a later instant when nobody does anything."""
        held = sum(amount for until, amount in self.held if until > at)
        if not self.sliding:
            return sum(self.parts.values()) + held
        if self.settles is not None:
            return self.fullest_window()
        # what was given back makes no room for what left before it
        total = most = 0
        for part in sorted(self.parts, reverse=True):
            if self.limit.leaves_at(part) <= at:
                break
            total += self.parts[part]
            most = max(most, total)
        return most + held

    def fullest_window(self):
        """Of all sliding windows that a hold's bucket counts in, the usage of
        the one that has most of it."""
        most = 0
        bucket = self.part_of(self.settles.bucket)
        for first in (part for part in self.parts if part <= bucket):
            for last in (part for part in self.parts if bucket <= part < self.limit.leaves_at(first)):
                most = max(most, sum(used for part, used in self.parts.items() if first <= part <= last))
        return most

    @property
    def used(self):
        return self.used_after(ALWAYS)

    def falls_to(self, usage):
        """When no more than that will be left of what leaves gradually."""
        if self.used <= usage:
            return NEVER
        times = [until for until, _ in self.held]
        if self.sliding:
            times += [self.limit.leaves_at(part) for part in self.parts]
        return min((at for at in times if self.used_after(at) <= usage), default=NEVER)

    def judge(self):
        self.exceeded = (self.value >= 0 and self.requested - self.has > self.value - self.used and
                         (self.settles is None or self.requested > self.has))
        if not self.exceeded or self.requested > self.value:
            return
        # what settles a hold counts in its own window, which gets no emptier
        if self.settles is not None and self.limit.alignment != "none":
            return
        self.fits_at = self.falls_to(self.value - self.requested + self.has) if self.gradual else self.end

    def remaining(self, more=0):
        return NEVER if self.value < 0 else max(0, self.value - self.used - more)

    def resets_at(self):
        return self.falls_to(0) if self.gradual else self.end

    def reason(self):
        if self.value < 0:
            return "unlimited"
        if not self.exceeded:
            return "ok"
        if self.denies:
            return "amount_exceeds_limit" if self.requested > self.value else "limit_exceeded"
        return "over_limit" if self.limit.enforcement == "soft" else "shadow"


def answer(allowed, reason, usage_type, limit_type, requested, current, limit,
           reset_at=NEVER, retry_after=None):
    """A decision as it is read from the database."""
    return dict(allowed=allowed, reason=reason, usage_type=usage_type, limit_type=limit_type,
                requested=requested, current=current, limit=limit,
                remaining=None if limit < 0 else max(0, limit - current),
                reset_at=None if reset_at == NEVER else reset_at, retry_after=retry_after, event_id=None, hold_id=None)


def deny(claim, now):
    reset_at = claim.fits_at if claim.gradual else claim.resets_at()
    retry = None if claim.fits_at == NEVER else -((now - claim.fits_at) // SECOND)
    return answer(False, claim.reason(), claim.limit.usage_type, claim.limit.name,
                  claim.requested, claim.used, claim.value, reset_at, retry)


def tightest(claims, requested):
    return min(claims, key=lambda c: (c.remaining(c.requested if requested else 0), c.limit.name, c.of_account))


def describe(claim, reason, requested, now, until=NEVER):
    """An admitted request is described as it is recorded: until an instant, or
    for good."""
    if claim.consumes:
        bucket = max(claim.limit.bucket_floor(now), claim.start)
        if until != NEVER:
            claim.hold(bucket, until, claim.consumes)
        elif bucket < claim.end:            # no reset is ahead
            claim.take(bucket, claim.consumes)
    return answer(True, reason, claim.limit.usage_type, claim.limit.name, requested,
                  claim.used, claim.value, claim.resets_at())


def claims_of(config, user, requests, now, dry_run=False):
    """By (user, usage_type), also of the user's account: the claims that the
    requests concern."""
    result = {}
    for subject in config.subjects(user):
        for usage_type in {r.usage_type for r in requests}:
            claims = result[subject, usage_type] = []
            for limit in config.of_type(usage_type):
                counted = [r for r in requests
                           if r.usage_type == usage_type and limit.counts(r.subtype)]
                if not counted:
                    continue
                claim = Claim(config, limit, subject, now, subject != user)
                claim.requested = sum(r.asks(limit) for r in counted)
                claim.consumes = 0 if dry_run else sum(r.asks(limit) for r in counted if r.amount != 0)
                claims.append(claim)
    return result


def usage_since(rows, start):
    return sum(vector[AMOUNT] for bucket, _, vector in rows if bucket >= start)


def no_limit(config, key, usage, requested, now):
    start = max(now - now % DAY, config.last_reset(key))
    current = usage_since(usage.rows, start) + sum(
        hold.request.amount for hold in usage.holds if hold.bucket >= start)
    return answer(True, "no_limit", key[1], None, requested, current, UNLIMITED)


def decide(config, user, requests, usage_of, now, dry_run=False, until=NEVER):
    """The answer to requests, or to a hold of one until an instant; usage_of(key)
    is what counts."""
    claims = []
    for key, of_key in claims_of(config, user, requests, now, dry_run).items():
        for claim in of_key:
            claim.add(usage_of(key))
        claims += of_key

    if not claims:
        first = requests[0].usage_type
        requested = sum(r.amount for r in requests if r.usage_type == first)
        result = no_limit(config, (user, first), usage_of((user, first)), requested, now)
        if not dry_run:
            result["current"] += requested
        return result
    return decide_claims(claims, now, until)


def decide_claims(claims, now, until=NEVER):
    for claim in claims:
        claim.judge()
    exceeded = [c for c in claims if c.exceeded]
    denying = [c for c in exceeded if c.denies]

    def most(found):
        # the latest time at which it would fit; then the least that is left; then the name;
        # of one limit, the user's own
        return min(found, key=lambda c: (-c.fits_at, c.remaining(), c.limit.name, c.of_account))

    if denying:
        return deny(most(denying), now)
    claim = most(exceeded) if exceeded else tightest(claims, True)
    return describe(claim, claim.reason(), claim.requested, now, until)


def check_limit(config, user, name, amount, usage_of, now):
    limit = config.limits.get(name)
    if limit is None or not limit.active:
        return answer(True, "no_limit", None, None, amount, 0, UNLIMITED)
    claims = [Claim(config, limit, subject, now, subject != user) for subject in config.subjects(user)]
    for subject, claim in zip(config.subjects(user), claims):
        claim.requested = amount
        claim.add(usage_of((subject, limit.usage_type)))
    return decide_claims(claims, now)


def decide_more(config, hold, request, usage, now):
    """The answer to a hold that is settled with more than it has: by the windows
    that it was taken in; None if no limit has to be asked."""
    claims = []
    for limit in config.of_type(request.usage_type):
        if (limit.kind == "concurrency" or not limit.counts(request.subtype) or
                request.asks(limit) <= hold.request.asks(limit)):
            continue
        claim = Claim(config, limit, hold.user, now)
        start, end = limit.window(hold.bucket)
        claim.start = max(start, config.last_reset(hold.key))
        claim.end = limit.leaves_at(hold.bucket) if claim.sliding else end
        if hold.bucket < claim.start:
            continue
        claim.settles = hold
        claim.requested, claim.has = request.asks(limit), hold.request.asks(limit)
        claim.add(usage)
        claims.append(claim)
    return decide_claims(claims, now) if claims else None


def report(config, key, subtype, all_subtypes, requested, usage, now, reason="ok"):
    """The state after something that is not refused; requested(limit)."""
    claims = [Claim(config, limit, key[0], now) for limit in config.of_type(key[1])
              if all_subtypes or limit.counts(subtype)]
    if not claims:
        return no_limit(config, key, usage, requested(None), now)
    for claim in claims:
        claim.add(usage)
    claim = tightest(claims, False)
    if reason == "ok" and claim.value < 0:
        reason = "unlimited"
    return describe(claim, reason, requested(claim.limit), now)


def claims_on_amount(config, key, subtype, now):
    return [Claim(config, limit, key[0], now) for limit in config.of_type(key[1])
            if limit.kind != "concurrency" and limit.measure == AMOUNT and limit.counts(subtype)]


def takes_from_the_past(config, key, subtype, bucket, now):
    """Whether no window that contains now has the bucket."""
    claims = claims_on_amount(config, key, subtype, now)
    return bool(claims) and all(bucket < claim.start for claim in claims)


def check_not_below_zero(config, key, subtype, bucket, taken, rows, now):
    """Refuses to take more from a window that contains now than there is."""
    claims = claims_on_amount(config, key, subtype, now)
    for claim in claims:
        claim.add(Usage(rows, []))
    if not claims:
        below = usage_since(rows, config.last_reset(key)) < taken
    else:
        below = any(bucket >= claim.start and claim.used < taken for claim in claims)
    if below:
        raise Refused("22023")


def share_back(measure, already, after, amount):
    """What a refund gives back of another measure than the amount."""
    if after >= amount:
        return measure - already
    return measure * after // amount - already
