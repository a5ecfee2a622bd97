"""Looks for programs whose answers differ from the model's.

	check.py lock|shared DSN                 random programs, shrunk when one fails
	check.py lock|shared DSN --replay FILE   one program, each step shown

Environment: MODEL_PROGRAMS (how many, 300), MODEL_SEED (else a random one,
printed), MODEL_STEPS (the most steps of a program, 300).
"""

import sys

import psycopg2
from hypothesis import strategies

from driver import Driver
from program import OPERATIONS, TYPES, USERS, Program
from search import Search
from transactions import GATES

CONNECTIONS = 4


def steps(connections, users, types):
    return strategies.tuples(
        strategies.integers(0, connections - 1),
        strategies.sampled_from([name for name, often in OPERATIONS.items() for _ in range(often)]),
        strategies.sampled_from(users), strategies.sampled_from(types),
        strategies.integers(0, 2), strategies.integers(0, 15), strategies.integers(0, 7))


def hashes(driver):
    """The keys' places in the order in which they are locked, which the server
    alone knows: whoever may lower usage locks a key."""
    result = {}
    for user in USERS:
        for usage_type in TYPES:
            with psycopg2.connect(driver.dsn) as connection, connection.cursor() as cursor:
                cursor.execute("DELETE FROM usage_limits_config; DELETE FROM usage_members")
                cursor.execute("SELECT usage_adjust(%s, %s, 1)", (user, usage_type))
                cursor.execute("SELECT usage_adjust(%s, %s, -1)", (user, usage_type))
                cursor.execute("SELECT DISTINCT classid::bigint << 32 | objid::bigint FROM pg_locks"
                               " WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
                (place,), = cursor.fetchall()
                result[user, usage_type] = place % 2 ** 64
                connection.rollback()
    return result


class Checker(Search):
    def __init__(self, gate, dsn):
        super().__init__(gate)
        self.gate = GATES[gate]
        self.driver = Driver(dsn, CONNECTIONS + 1, self.lines.append)
        self.counts = self.driver.counts
        self.hashes = hashes(self.driver)

    def strategy(self, longest):
        """Long ones of everything, any length, short ones about one key, and ones about
        an account."""
        everything = steps(CONNECTIONS, (0, 0, 0, 1), (0, 0, 1, 1, 2, 2, 3, 4))
        one_key = strategies.integers(0, len(TYPES) - 1).flatmap(
            lambda usage_type: strategies.lists(steps(3, (0,), (usage_type,)), min_size=10, max_size=60))
        members = steps(CONNECTIONS, (2, 2, 3, 4), (0, 0, 0, 1, 2, 3))
        return (strategies.lists(everything, min_size=longest // 2, max_size=longest) |
                strategies.lists(everything, max_size=longest) | one_key |
                strategies.lists(members, min_size=longest // 4, max_size=longest) |
                strategies.lists(members, max_size=longest // 2))

    def run(self, program):
        try:
            Program(self.driver, self.gate, self.hashes).run(program)
        except BaseException:
            self.driver.abandon()
            raise


if __name__ == "__main__":
    sys.exit(Checker(sys.argv[1], sys.argv[2]).main(sys.argv[3:]))
