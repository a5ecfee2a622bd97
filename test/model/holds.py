"""Holds: usage that is reserved now, and settled or given back later.

Whoever takes a hold that a limit can deny, or ends one, has the key's lock to
the end of the transaction, at both gates.
"""

from dataclasses import replace

from reference import (Hold, Refused, Request, Usage, decide, decide_more, report,
                       vector_of)


class Holds:
    """The calls about holds of a World."""

    def visible_holds(self, transaction):
        return self.holds | {hold.id: hold for hold in transaction.all("holds")}

    def open_holds(self, transaction, key, now):
        return [hold for _, hold in sorted(self.visible_holds(transaction).items())
                if hold.key == key and hold.is_open(now)]

    def take_hold(self, transaction, hold_id, user, request, has_tokens, until, now):
        yield from self.acquire(transaction, ("hold", hold_id))
        hold = self.visible_holds(transaction).get(hold_id)
        if hold is not None:
            if (hold.user, hold.request, hold.has_tokens) != (user, request, has_tokens):
                raise Refused("23505")
            if not hold.is_open(now):
                raise Refused("55000")
            return hold.answer
        yield from self.lock_to_deny(transaction, user, [request], now)
        config = self.visible_config(transaction)
        result = decide(config, user, [request], self.usage_of(transaction, now), now, until=until)
        if result["allowed"] and request.amount != 0:
            result["hold_id"] = hold_id
            bucket = config.bucket((user, request.usage_type), now, False)
            transaction.top.holds.append(
                Hold(hold_id, user, request, has_tokens, bucket, until, result))
        return result

    def lock_hold(self, transaction, hold_id, user):
        """The hold as it is once nobody else can change it; None if there is none."""
        hold = self.visible_holds(transaction).get(hold_id)
        if hold is None:
            return None
        if user not in (None, hold.user):
            raise Refused("42704")
        yield from self.lock_key(transaction, hold.key)
        return self.visible_holds(transaction)[hold_id]

    def settle_hold(self, transaction, hold_id, amount, tokens, user, now):
        hold = yield from self.lock_hold(transaction, hold_id, user)
        if hold is None:
            raise Refused("42704")
        held = hold.request
        amount = held.amount if amount is None else amount
        if tokens is None:
            tokens = held.tokens if amount > 0 else 0
        request = Request(held.usage_type, amount, held.subtype, tokens)
        if hold.state == "settled":
            if hold.settled != request:
                raise Refused("23505")
            return hold.answer
        if not hold.is_open(now):
            raise Refused("55000")
        config = self.visible_config(transaction)
        more = decide_more(config, hold, request, self.usage_of(transaction, now)(hold.key), now)
        if more is not None and not more["allowed"]:
            return more | dict(hold_id=hold_id)
        event = self.book(transaction, hold.key, hold.bucket, request.subtype or "",
                          vector_of(request.amount, request.tokens, events=1), "settle")
        usage = self.usage_of(transaction, now)(hold.key)
        usage = Usage(usage.rows, [other for other in usage.holds if other.id != hold_id])
        reason = more["reason"] if more and more["reason"] in ("over_limit", "shadow") else "ok"
        result = report(config, hold.key, request.subtype, False,
                        lambda limit: request.vector()[limit.measure if limit else 0], usage, now, reason)
        result.update(event_id=event, hold_id=hold_id)
        transaction.top.holds.append(replace(hold, state="settled", settled=request, answer=result))
        return result

    def give_back(self, transaction, hold, status, now):
        if status is not None:
            bucket = self.visible_config(transaction).bucket(hold.key, now, False)
            self.fail_use(transaction, hold.key, bucket, hold.request.subtype or "", hold.request.amount)
        transaction.top.holds.append(replace(hold, state="released"))

    def release_hold(self, transaction, hold_id, status, user, now):
        hold = yield from self.lock_hold(transaction, hold_id, user)
        if hold is not None and hold.state == "settled":
            raise Refused("55000")
        if hold is None or not hold.is_open(now):
            return [False]
        self.give_back(transaction, hold, status, now)
        return [True]

    def release_all(self, transaction, key, now):
        if self.open_holds(transaction, key, now):
            yield from self.lock_key(transaction, key)
        holds = self.open_holds(transaction, key, now)
        for hold in holds:
            self.give_back(transaction, hold, None, now)
        return [len(holds)]

    def renew_hold(self, transaction, hold_id, until, user, now):
        hold = yield from self.lock_hold(transaction, hold_id, user)
        if hold is None:
            raise Refused("42704")
        if not hold.is_open(now):
            raise Refused("55000")
        transaction.top.holds.append(replace(hold, expires_at=until))
        return [until]
