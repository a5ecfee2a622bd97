"""What usage_limits must answer, written anew from the rules.

Pure functions of a configuration, rows and an instant.  Instants are integer
microseconds; rows are (bucket, subtype, [amount, tokens, events]).  The model
is in UTC, and knows limits for counters and gauges.
"""

from dataclasses import dataclass, field

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

AMOUNT, TOKENS, EVENTS = range(3)
NEVER = float("inf")
ALWAYS = float("-inf")
UNLIMITED = -1


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
        elif what == "reset":
            key, at = args
            self.resets[key] = self.resets.get(key, ()) + (at,)
        else:
            raise AssertionError(what)

    def with_changes(self, changes):
        if not changes:
            return self
        config = Config(dict(self.limits), dict(self.overrides), dict(self.tiers), dict(self.resets))
        for change in changes:
            config.apply(change)
        return config

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
        return [self.amount, self.tokens, 0]


class Claim:
    """One limit, for one user, now."""

    def __init__(self, config, limit, user, now):
        self.limit = limit
        self.value = config.value(limit, user, now)
        self.start, self.end = limit.window(now)
        self.start = max(self.start, config.last_reset((user, limit.usage_type)))
        self.bucket = config.bucket((user, limit.usage_type), now, False)
        self.requested = self.consumes = self.used = 0
        self.parts = {}
        self.exceeded = False
        self.fits_at = NEVER

    @property
    def denies(self):
        return self.value >= 0 and self.limit.enforcement == "hard"

    @property
    def sliding(self):
        return self.limit.alignment == "sliding"

    def add(self, rows):
        for bucket, subtype, vector in rows:
            used = vector[self.limit.measure]
            if used == 0 or not self.start <= bucket < self.end or not self.limit.counts(subtype):
                continue
            self.parts[bucket] = self.parts.get(bucket, 0) + used
        self.sum()

    def used_by_call(self):
        vector = [0, 0, 0]
        vector[self.limit.measure] = self.consumes
        return vector

    def suffixes(self):
        """The sums of the newest buckets, from one to all."""
        total = 0
        for bucket in sorted(self.parts, reverse=True):
            total += self.parts[bucket]
            yield bucket, total

    def sum(self):
        if self.sliding:
            # what was given back makes no room for what left before it
            self.used = max([0] + [total for _, total in self.suffixes()])
        else:
            self.used = sum(self.parts.values())

    def left_at(self, usage):
        for bucket, total in self.suffixes():
            if total > usage:
                return self.limit.leaves_at(bucket)
        return NEVER

    def judge(self):
        self.exceeded = self.value >= 0 and self.used + self.requested > self.value
        if self.exceeded and self.requested <= self.value:
            self.fits_at = self.left_at(self.value - self.requested) if self.sliding else self.end

    def remaining(self, more=0):
        return NEVER if self.value < 0 else max(0, self.value - self.used - more)

    def resets_at(self):
        return self.left_at(0) if self.sliding else self.end

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
    """A decision as it is read from the database, but for event_id."""
    return dict(allowed=allowed, reason=reason, usage_type=usage_type, limit_type=limit_type,
                requested=requested, current=current, limit=limit,
                remaining=None if limit < 0 else max(0, limit - current),
                reset_at=None if reset_at == NEVER else reset_at, retry_after=retry_after)


def tightest(claims, requested):
    return min(claims, key=lambda c: (c.remaining(c.requested if requested else 0), c.limit.name))


def describe(claim, reason, requested, consumed, now):
    if consumed:
        claim.add([(claim.bucket, claim.limit.subtype, claim.used_by_call())])
    return answer(True, reason, claim.limit.usage_type, claim.limit.name, requested,
                  claim.used, claim.value, claim.resets_at())


def claims_of(config, user, requests, now, dry_run=False):
    """By usage type: the claims that the requests concern."""
    result = {}
    for request in requests:
        if request.usage_type in result:
            continue
        claims = []
        for limit in config.of_type(request.usage_type):
            counted = [r for r in requests
                       if r.usage_type == limit.usage_type and limit.counts(r.subtype)]
            if not counted:
                continue
            claim = Claim(config, limit, user, now)
            claim.requested = sum(r.vector()[limit.measure] for r in counted)
            claim.consumes = 0 if dry_run else sum(
                r.vector()[limit.measure] for r in counted if r.amount != 0)
            claims.append(claim)
        result[request.usage_type] = claims
    return result


def usage_since(rows, start):
    return sum(vector[AMOUNT] for bucket, _, vector in rows if bucket >= start)


def no_limit(config, key, rows, requested, now):
    current = usage_since(rows, max(now - now % DAY, config.last_reset(key)))
    return answer(True, "no_limit", key[1], None, requested, current, UNLIMITED)


def decide(config, user, requests, rows_of, now, dry_run=False):
    """The answer to requests; rows_of(key) are the rows that count."""
    claims = []
    for usage_type, of_type in claims_of(config, user, requests, now, dry_run).items():
        for claim in of_type:
            claim.add(rows_of((user, usage_type)))
        claims += of_type
    for claim in claims:
        claim.judge()

    if not claims:
        first = requests[0].usage_type
        requested = sum(r.amount for r in requests if r.usage_type == first)
        result = no_limit(config, (user, first), rows_of((user, first)), requested, now)
        if not dry_run:
            result["current"] += requested
        return result

    exceeded = [c for c in claims if c.exceeded]
    denying = [c for c in exceeded if c.denies]

    def most(found):
        # the latest time at which it would fit; then the least that is left; then the name
        return min(found, key=lambda c: (-c.fits_at, c.remaining(), c.limit.name))

    if denying:
        claim = most(denying)
        reset_at = claim.fits_at if claim.sliding else claim.resets_at()
        retry = None if claim.fits_at == NEVER else -((now - claim.fits_at) // SECOND)
        return answer(False, claim.reason(), claim.limit.usage_type, claim.limit.name,
                      claim.requested, claim.used, claim.value, reset_at, retry)
    claim = most(exceeded) if exceeded else tightest(claims, True)
    reason = claim.reason()
    return describe(claim, reason, claim.requested, claim.consumes != 0, now)


def check_limit(config, user, name, amount, rows_of, now):
    limit = config.limits.get(name)
    if limit is None or not limit.active:
        result = answer(True, "no_limit", None, None, amount, 0, UNLIMITED)
        return result
    claim = Claim(config, limit, user, now)
    claim.requested = amount
    claim.add(rows_of((user, limit.usage_type)))
    claim.judge()
    if claim.exceeded and claim.denies:
        reset_at = claim.fits_at if claim.sliding else claim.resets_at()
        retry = None if claim.fits_at == NEVER else -((now - claim.fits_at) // SECOND)
        return answer(False, claim.reason(), limit.usage_type, name, amount,
                      claim.used, claim.value, reset_at, retry)
    return describe(claim, claim.reason(), amount, False, now)


def report(config, key, subtype, all_subtypes, requested, rows, now):
    """The state after a correction."""
    claims = [Claim(config, limit, key[0], now) for limit in config.of_type(key[1])
              if all_subtypes or limit.counts(subtype)]
    if not claims:
        return no_limit(config, key, rows, requested, now)
    for claim in claims:
        claim.add(rows)
    claim = tightest(claims, False)
    reason = "unlimited" if claim.value < 0 else "ok"
    return describe(claim, reason, requested, False, now)


def check_not_below_zero(config, key, subtype, bucket, taken, rows, now):
    """Refuses to take more from a window that contains now than there is."""
    claims = [Claim(config, limit, key[0], now) for limit in config.of_type(key[1])
              if limit.measure == AMOUNT and limit.counts(subtype)]
    for claim in claims:
        claim.add(rows)
    if not claims:
        below = usage_since(rows, config.last_reset(key)) < taken
    else:
        below = any(bucket >= claim.start and claim.used < taken for claim in claims)
    if below:
        raise Refused("22023")


def part_of(measure, already, after, amount):
    """What a refund gives back of another measure than the amount."""
    if after >= amount:
        return measure - already
    return measure * after // amount - already
