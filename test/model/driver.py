"""Runs programs on a server and compares every answer with the model's.

One thread drives all connections: a statement is sent, the model says which
statements must have ended after it and which must wait for a lock, and that is
waited for.  A statement that waits and should not, or does not wait and should,
is as wrong as a wrong answer.
"""

import select
import time

import psycopg2
import psycopg2.extensions

from reference import Refused
from transactions import Event

PATIENCE = 30           # seconds for what must happen
DECISION = ("allowed", "reason", "usage_type", "limit_type", "requested", "current", "limit",
            "remaining", "reset_at", "retry_after", "event_id", "hold_id")
COLUMNS = ", ".join('(extract(epoch FROM reset_at) * 1000000)::bigint' if c == "reset_at"
                    else f'"{c}"' for c in DECISION)


class Wrong(Exception):
    """The server and the model disagree; kind says about what."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Connection:
    """A connection, its transaction, and the call that it is making."""

    def __init__(self, name, dsn):
        self.name = name
        self.pg = psycopg2.connect(dsn, async_=1)
        self.transaction = None
        self.clock = None           # as set in the session, None: unknown
        self.busy = None            # the step under way
        self.expected = None        # its outcome, once the model has one
        self.cursor = None
        self.kept = None            # a result that has come early
        self._await()
        self.pid = self.pg.info.backend_pid

    def _await(self, deadline=PATIENCE):
        end = time.monotonic() + deadline
        while True:
            state = self.pg.poll()
            if state == psycopg2.extensions.POLL_OK:
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            if state == psycopg2.extensions.POLL_WRITE:
                select.select([], [self.pg], [], left)
            else:
                select.select([self.pg], [], [], left)

    def send(self, sql):
        self.cursor = self.pg.cursor()
        self.cursor.execute(sql)

    def ended(self):
        """Whether the result is there; it is kept."""
        if self.kept is None:
            self.kept = self.result(0.001)
        return self.kept is not None

    def result(self, deadline=PATIENCE):
        """The first row, () for none, or the error's SQLSTATE; None: not yet."""
        if self.kept is not None:
            kept, self.kept = self.kept, None
            return kept
        try:
            if not self._await(deadline):
                return None
            return (self.cursor.fetchone() or ()) if self.cursor.description else ()
        except psycopg2.Error as error:
            if error.pgcode is None:
                raise
            self.message = str(error)
            return error.pgcode

    def run(self, sql):
        """A statement that must succeed."""
        self.send(sql)
        result = self.result()
        if result is None or isinstance(result, str):
            raise Wrong("error", f"{self.name}: {sql}: {result} {getattr(self, 'message', '')}")
        return result


class Driver:
    def __init__(self, dsn, connections, log):
        self.dsn = dsn
        self.log = log
        self.observer = psycopg2.connect(dsn)
        self.observer.autocommit = True
        self.forget_prepared()
        self.connections = [Connection(f"c{i}", dsn) for i in range(connections)]
        self.counts = {}
        self.place_of = lambda connection: None     # of the lock that it waits for

    def close(self):
        for connection in self.connections:
            connection.pg.close()
        self.observer.close()

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def query(self, sql, *args):
        with self.observer.cursor() as cursor:
            cursor.execute(sql, args)
            return cursor.fetchall() if cursor.description else []

    def set_clock(self, connection, literal):
        if connection.clock != literal:
            connection.run(f"SET usage_limits.test_clock = '{literal}'")
            connection.clock = literal

    def send(self, connection, sql):
        self.log(f"{connection.name}: {sql}")
        connection.busy = sql
        connection.expected = None
        connection.send(sql)

    def settle(self):
        """Waits until all is as the model says."""
        for connection in self.connections:
            if connection.busy is None:
                continue
            if connection.expected is None:
                self.must_wait(connection)
            else:
                self.must_end(connection)

    def must_wait(self, connection):
        """Waits until it waits for the very lock: only then is its place in the
        queue certain."""
        end = time.monotonic() + PATIENCE
        while not self.waits(connection, self.place_of(connection)):
            if connection.ended():
                raise Wrong("no wait", f"{connection.name}: {connection.busy}: must wait, but answers {connection.kept}")
            if time.monotonic() > end:
                raise Wrong("hangs", f"{connection.name}: {connection.busy}: neither waits nor answers")

    def waits(self, connection, place=None):
        return self.query("SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
                          " AND (classid::bigint << 32 | objid::bigint = %s OR %s)",
                          connection.pid, place, place is None)[0][0] > 0

    def really_waits(self, connection):
        """Whether a call waits that may; where it does not, it ends."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if connection.ended():
                return False
            if self.waits(connection) and not connection.ended():
                self.count("waits for prepared")
                return True
        raise Wrong("hangs", f"{connection.name}: {connection.busy}: neither waits nor answers")

    def must_end(self, connection):
        result = connection.result(0.2)
        end = time.monotonic() + PATIENCE
        while result is None:
            if self.waits(connection) and connection.result(0.05) is None and self.waits(connection):
                waits = self.query(
                    "SELECT locktype, relation::regclass::text, objsubid, mode,"
                    " pg_blocking_pids(pid) FROM pg_locks WHERE pid = %s AND NOT granted",
                    connection.pid)
                raise Wrong("wait", f"{connection.name}: {connection.busy}: must not wait, but waits for {waits}")
            if time.monotonic() > end:
                raise Wrong("hangs", f"{connection.name}: {connection.busy}: does not answer")
            result = connection.result(0.2)
        self.compare(connection, result)
        connection.busy = None

    def compare(self, connection, result):
        expected = connection.expected
        wanted = expected
        if isinstance(expected, Refused):
            wanted = expected.sqlstate
            self.count("errors")
        elif isinstance(expected, Event):
            wanted = result = self.bind(expected, result, 0)
        elif isinstance(expected, dict):
            if isinstance(result, tuple):
                self.bind(expected["event_id"], result, DECISION.index("event_id"))
                self.count("admitted" if expected["allowed"] else "denied")
            wanted = tuple(getattr(expected[c], "id", expected[c]) for c in DECISION)
        elif isinstance(expected, list):
            wanted = tuple(expected)
        else:
            wanted = result if isinstance(result, tuple) else ()
        if result != wanted:
            names = dict(zip(DECISION, result)) if len(result) == len(DECISION) else result
            wanted = dict(zip(DECISION, wanted)) if len(wanted) == len(DECISION) else wanted
            if isinstance(names, dict) and isinstance(wanted, dict):
                names, wanted = ({c: a[c] for c in DECISION if names[c] != wanted[c]}
                                 for a in (names, wanted))
            message = getattr(connection, "message", "") if isinstance(result, str) else ""
            kind = "answer " + " ".join(names) if isinstance(names, dict) else f"{names} for {wanted}"
            raise Wrong(kind, f"{connection.name}: {connection.busy}:\n"
                        f"  the server says {names} {message}\n  the model says {wanted}")
        self.log(f"    {connection.name} gets {result}")

    @staticmethod
    def bind(event, result, column):
        """The event's id is what the server says, if it says one."""
        if isinstance(event, Event) and event.id is None and isinstance(result, tuple):
            event.id = result[column]
        return result

    def abandon(self):
        """Ends whatever goes on."""
        for connection in self.connections:
            if connection.pg.closed:
                continue
            self.query("SELECT pg_terminate_backend(%s, 10000)", connection.pid)
            connection.pg.close()
        self.forget_prepared()
        self.connections = [Connection(c.name, self.dsn) for c in self.connections]

    def forget_prepared(self):
        for (gid,) in self.query("SELECT gid FROM pg_prepared_xacts"):
            self.query(f"ROLLBACK PREPARED '{gid}'")
