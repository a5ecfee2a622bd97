"""Looks for programs of credits after which the server and the model disagree.

	check.py DSN                 random programs, shrunk when one fails
	check.py DSN --replay FILE   one program, each step shown

Environment: MODEL_PROGRAMS (how many, 300), MODEL_SEED (else a random one,
printed), MODEL_STEPS (the most steps of a program, 100).
"""

import os
import sys

from hypothesis import strategies

sys.path.insert(1, os.path.join(os.path.dirname(__file__), "..", "model"))
from program import OPERATIONS, Program, Server  # noqa: E402
from search import Search                        # noqa: E402

small = strategies.integers(0, 7)
steps = strategies.tuples(
    strategies.sampled_from((0, 0, 0, 1)),
    strategies.sampled_from([name for name, often in OPERATIONS.items() for _ in range(often)]),
    small, strategies.integers(0, 15), small, small)


class Checker(Search):
    longest = 100

    def __init__(self, dsn):
        super().__init__("credits")
        self.dsn = dsn
        self.server = None

    def strategy(self, longest):
        return (strategies.lists(steps, min_size=longest // 2, max_size=longest)
                | strategies.lists(steps, max_size=longest))

    def run(self, program):
        # the program before may have ended the sessions
        if self.server is None or self.server.is_lost():
            self.server = Server(self.dsn, self.lines.append)
        Program(self.server, self.counts).run(program)


if __name__ == "__main__":
    sys.exit(Checker(sys.argv[1]).main(sys.argv[2:]))
