"""Looks for programs whose answers differ from the model's.

	check.py lock|shared DSN                 random programs, shrunk when one fails
	check.py lock|shared DSN --replay FILE   one program, each step shown

Environment: MODEL_PROGRAMS (how many, 300), MODEL_SEED (else a random one,
printed), MODEL_STEPS (the most steps of a program, 300).
"""

import json
import os
import random
import sys
import time

import hypothesis
import psycopg2
from hypothesis import strategies

from driver import Driver, Wrong
from program import OPERATIONS, TYPES, USERS, Program
from transactions import GATES

CONNECTIONS = 4
SHRINK_SECONDS = 120



def steps(connections, users, types):
    return strategies.tuples(
        strategies.integers(0, connections - 1),
        strategies.sampled_from([name for name, often in OPERATIONS.items() for _ in range(often)]),
        strategies.sampled_from(users), strategies.sampled_from(types),
        strategies.integers(0, 2), strategies.integers(0, 15), strategies.integers(0, 7))


def programs(longest):
    """Long ones of everything, any length, and short ones about one key."""
    everything = steps(CONNECTIONS, (0, 0, 0, 1), (0, 0, 1, 1, 2, 2, 3, 4))
    one_key = strategies.integers(0, len(TYPES) - 1).flatmap(
        lambda usage_type: strategies.lists(steps(3, (0,), (usage_type,)), min_size=10, max_size=60))
    return (strategies.lists(everything, min_size=longest // 2, max_size=longest) |
            strategies.lists(everything, max_size=longest) | one_key)


def hashes(driver):
    """The keys' places in the order in which they are locked, which the server
    alone knows: whoever may lower usage locks a key."""
    result = {}
    for user in USERS:
        for usage_type in TYPES:
            with psycopg2.connect(driver.dsn) as connection, connection.cursor() as cursor:
                cursor.execute("DELETE FROM usage_limits_config")
                cursor.execute("SELECT usage_adjust(%s, %s, 1)", (user, usage_type))
                cursor.execute("SELECT usage_adjust(%s, %s, -1)", (user, usage_type))
                cursor.execute("SELECT DISTINCT classid::bigint << 32 | objid::bigint FROM pg_locks"
                               " WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
                (place,), = cursor.fetchall()
                result[user, usage_type] = place % 2 ** 64
                connection.rollback()
    return result


def kind_of(failure):
    return failure and getattr(failure, "kind", type(failure).__name__)


class Checker:
    def __init__(self, gate, dsn):
        self.gate = GATES[gate]
        self.name = gate
        self.lines = []
        self.driver = Driver(dsn, CONNECTIONS + 1, self.lines.append)
        self.hashes = hashes(self.driver)
        self.programs = 0

    def run(self, program):
        self.lines.clear()
        self.programs += 1
        try:
            Program(self.driver, self.gate, self.hashes).run(program)
        except BaseException:
            self.driver.abandon()
            raise

    def say(self, failure, program):
        print(f"not ok - {self.name}: {failure}")
        print("\n".join(self.lines[-400:]))
        print("The program, for --replay:")
        print("[" + ",\n ".join(json.dumps(step) for step in program) + "]")

    def failure_of(self, program):
        """What is wrong when a program is run, None if nothing."""
        try:
            self.run(program)
        except (Wrong, psycopg2.Error, AssertionError) as failure:
            return failure
        return None

    def shrink(self, program, kind):
        """The program without the steps that a failure of that kind does not
        need, found by leaving out ever smaller parts, and with its numbers made
        small."""
        end = time.monotonic() + SHRINK_SECONDS

        def still_fails(smaller):
            return time.monotonic() < end and kind_of(self.failure_of(smaller)) == kind

        size = len(program) // 2
        while size > 0:
            at = len(program) - size
            shorter = False
            while at > -size:
                smaller = program[:max(at, 0)] + program[at + size:]
                if still_fails(smaller):
                    program = smaller
                    shorter = True
                at -= size
            size = size if shorter and size == 1 else size // 2
        for i, step in enumerate(program):
            for column in (0, *range(2, len(step))):
                for value in range(program[i][column]):
                    smaller = list(program)
                    smaller[i] = program[i][:column] + (value,) + program[i][column + 1:]
                    if still_fails(smaller):
                        program = smaller
                        break
        return program

    def search(self, count, seed, longest):
        failed = []

        @hypothesis.seed(seed)
        @hypothesis.settings(max_examples=count, deadline=None, database=None, print_blob=False,
                             suppress_health_check=list(hypothesis.HealthCheck),
                             phases=[hypothesis.Phase.generate])
        @hypothesis.given(programs(longest))
        def run(program):
            if failed:
                return
            failure = self.failure_of(program)
            if failure is not None:
                failed.append((failure, program, list(self.lines)))

        run()
        counts = ", ".join(f"{n} {what}" for what, n in sorted(self.driver.counts.items()))
        if not failed:
            print(f"ok - {self.name}: {self.programs} programs, {counts}")
            return True
        failure, program, lines = failed[0]
        print(f"{self.name}: after {self.programs} programs, {counts}: {failure}\nshrinking it ...", flush=True)
        program = self.shrink(program, kind_of(failure))
        again = self.failure_of(program)
        if again is None:
            self.lines[:] = lines
        self.say(again or f"not every time: {failure}", program)
        return False


def main():
    gate, dsn, *rest = sys.argv[1:]
    checker = Checker(gate, dsn)
    if rest:
        with open(rest[1]) as file:
            program = json.load(file)
        failure = checker.failure_of(program)
        if failure is not None:
            checker.say(failure, program)
            return 1
        print("\n".join(checker.lines))
        print(f"ok - {gate}: the program runs as the model says")
        return 0
    seed = int(os.environ.get("MODEL_SEED") or random.randrange(2 ** 32))
    print(f"{gate}: MODEL_SEED={seed}", flush=True)
    return 0 if checker.search(int(os.environ.get("MODEL_PROGRAMS") or 300), seed,
                               int(os.environ.get("MODEL_STEPS") or 300)) else 1


if __name__ == "__main__":
    sys.exit(main())
