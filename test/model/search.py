"""Looks for random programs that fail, and makes one that does small.

A program is a list of steps, and a step a tuple of numbers and one name (the
second), which means something whatever comes before it: so a program stays one
when steps are left out.
"""

import json
import os
import random
import time

import hypothesis
import psycopg2

from driver import Wrong

SHRINK_SECONDS = 120


def kind_of(failure):
    return failure and getattr(failure, "kind", type(failure).__name__)


class Search:
    """Programs of one sort.  Whoever inherits says which there are (strategy), and
    runs one (run), which raises what is wrong, writes to lines what happens, and
    counts in counts."""

    longest = 300           # the most steps of a program

    def __init__(self, name):
        self.name = name
        self.lines = []
        self.counts = {}
        self.programs = 0

    def strategy(self, longest):
        """The programs, of at most so many steps."""
        raise NotImplementedError

    def run(self, program):
        raise NotImplementedError

    def say(self, failure, program):
        print(f"not ok - {self.name}: {failure}")
        print("\n".join(self.lines[-400:]))
        print("The program, for --replay:")
        print("[" + ",\n ".join(json.dumps(step) for step in program) + "]")

    def failure_of(self, program):
        """What is wrong when a program is run, None if nothing."""
        self.lines.clear()
        self.programs += 1
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

    def search(self, count, seed):
        longest = int(os.environ.get("MODEL_STEPS") or self.longest)
        failed = []

        @hypothesis.seed(seed)
        @hypothesis.settings(max_examples=count, deadline=None, database=None, print_blob=False,
                             suppress_health_check=list(hypothesis.HealthCheck),
                             phases=[hypothesis.Phase.generate])
        @hypothesis.given(self.strategy(longest))
        def programs(program):
            if failed:
                return
            failure = self.failure_of(program)
            if failure is not None:
                failed.append((failure, program, list(self.lines)))

        programs()
        counts = ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items()))
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

    def main(self, arguments):
        """Replays the program in a file, or searches; the exit status."""
        if arguments:
            with open(arguments[1]) as file:
                program = json.load(file)
            failure = self.failure_of(program)
            if failure is not None:
                self.say(failure, program)
                return 1
            print("\n".join(self.lines))
            print(f"ok - {self.name}: the program runs as the model says")
            return 0
        seed = int(os.environ.get("MODEL_SEED") or random.randrange(2 ** 32))
        print(f"{self.name}: MODEL_SEED={seed}", flush=True)
        return 0 if self.search(int(os.environ.get("MODEL_PROGRAMS") or 300), seed) else 1
