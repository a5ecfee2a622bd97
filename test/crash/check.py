"""Kills servers under load and compares what is left with what clients were told.

	check.py WORK (lock | shared | standby) ROUNDS SEED

In a round clients work; then the postmaster or another process of it is killed,
and the server starts again, or its standby is promoted.  After that the tables
have what the clients were told, what was under way has committed whole or not at
all, no limit is exceeded, and what nobody holds any more is there to be used.
Every fourth round, in which sessions are ended but nothing is killed, is not one
of ROUNDS.  Prints a line a round; the exit status says whether all were right.
"""

import random
import sys
import threading

import psycopg2

from load import CLIENTS, USERS, Client, Ledger
from server import Server, Stuck, wait_for

SETUP = """
CREATE SCHEMA usage;
CREATE EXTENSION usage_limits SCHEMA usage;
CREATE EXTENSION amcheck;
ALTER DATABASE postgres SET search_path = public, usage;
SET search_path = public, usage;
CREATE TABLE receipt (transaction text, what text, user_id text, usage_type text, amount bigint, hold_id text);
CREATE INDEX ON receipt (hold_id);
-- of two clients that settle alike, the second is only told again
CREATE UNIQUE INDEX ON receipt (hold_id) WHERE what = 'end';
SELECT usage_set_limit('jobs_total', 1000000, kind => 'counter');
SELECT usage_set_limit('calls_weekly', 1000000, alignment => 'sliding');
SELECT usage_set_limit('exports_total', 1000000, kind => 'counter');
SELECT usage_set_limit('storage_mb', 1000000);
SELECT usage_set_limit('concurrent_renders', 3);
SELECT usage_set_limit('pings_total', 1000000, kind => 'counter', durability => 'relaxed');
SELECT credit_grant('hot', 1000000);
"""

# What the tables have, beside what the receipts say; the same user and type.
DISAGREEMENTS = """
SELECT user_id, usage_type, told, counted, logged
FROM (SELECT user_id, usage_type, sum(amount) AS told FROM receipt WHERE what = 'use' GROUP BY 1, 2) r
	FULL JOIN (SELECT user_id, usage_type, sum(amount) AS counted FROM usage_counters
		WHERE usage_type NOT IN ('ping', 'export') GROUP BY 1, 2) c USING (user_id, usage_type)
	FULL JOIN (SELECT user_id, event_type AS usage_type, sum(amount) AS logged FROM usage_events
		WHERE event_type NOT IN ('ping', 'export') GROUP BY 1, 2) e USING (user_id, usage_type)
WHERE coalesce(told, 0) <> coalesce(counted, 0) OR coalesce(told, 0) <> coalesce(logged, 0)
"""

# Holds that one side knows to be open and the other does not.
HOLDS = """
SELECT hold_id, r.amount, h.amount
FROM (SELECT hold_id, amount FROM receipt WHERE what = 'hold'
		AND hold_id NOT IN (SELECT hold_id FROM receipt WHERE what = 'end')) r
	FULL JOIN (SELECT hold_id, amount FROM usage_holds WHERE state = 'open' AND backend_pid IS NULL) h USING (hold_id)
WHERE r.amount IS DISTINCT FROM h.amount
"""

# Whose current usage is not what the tables add up to at that instant.
ANSWERS = """
SELECT user_id, usage_type, current, counted, held
FROM (SELECT DISTINCT user_id, usage_type FROM receipt WHERE what = 'use') r
	CROSS JOIN LATERAL usage_check(user_id, usage_type, 0) a (allowed, reason, usage_type_asked, limit_type, requested, current)
	CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS counted FROM usage_counters c
		WHERE c.user_id = r.user_id AND c.usage_type = r.usage_type) c
	CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS held FROM usage_holds h
		WHERE h.user_id = r.user_id AND h.usage_type = r.usage_type AND state = 'open' AND expires_at > usage_now()) h
WHERE current <> counted + held
"""


class Check:
    def __init__(self, work, mode, seed):
        self.work, self.mode = work, mode
        self.random = random.Random(seed)
        self.preloaded = mode != "lock"
        self.ledger = Ledger()
        self.wrong = []
        self.servers = 0
        self.relaxed = 0            # units of the relaxed limit that the tables had when the last round ended
        self.clients = 0
        self.server = self.new_server()
        self.server.create([
            "fsync = off",          # which a kill does not need
            "max_prepared_transactions = 20", "autovacuum_naptime = 1s", "log_statement = none", "shared_buffers = 16MB",
            "restart_after_crash = on", "wal_level = replica", "usage_limits.flush_interval = 100ms" if self.preloaded else "",
            "shared_preload_libraries = 'usage_limits'" if self.preloaded else ""])
        self.server.start()
        self.server.ask(SETUP)

    def new_server(self):
        self.servers += 1
        return Server(self.work, f"{self.mode}{self.servers}", 6000 + self.servers)

    def expect(self, what, found, wanted):
        if found != wanted:
            self.wrong.append(f"{what}: {found!r}, expected {wanted!r}")

    # One round.

    def round(self, what):
        """Load, the fault, and what must hold after it; returns a line about it."""
        ledger = self.ledger
        ledger.start_round()
        self.set_limit("near", self.used("near") + 150)
        standby = None
        if self.mode == "standby":
            standby = self.new_server()
            standby = self.server.standby(standby.name, standby.port)
        ending = threading.Event()
        clients = []
        for _ in range(CLIENTS):
            self.clients += 1
            clients.append(Client(f"c{self.clients}", self.server.dsn, ledger, self.preloaded, ending,
                                  self.random.getrandbits(32)))
        for client in clients:
            client.start()
        reader = Reader(standby) if standby else None
        goal = self.random.randint(200, 500)
        for share in (0.3, 0.6, 1):
            wait_for("the load to get on", lambda: ledger.commits >= goal * share or ledger.faults)  # pylint: disable=cell-var-from-loop
            if share < 1:
                self.server.ask("SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity "
                                "WHERE application_name = 'load' ORDER BY random() LIMIT 2) p")
        ending.set()
        if what == "sessions ended":
            for client in clients:
                client.stopping.set()
            self.join(clients)
        elif what == "postmaster killed":
            self.server.kill()
            self.join(clients)
            if standby:
                standby.promote()
                self.server = standby
            else:
                self.server.start()
        else:
            kind = "usage_limits worker" if what == "worker killed" else "client backend"
            victim = []
            wait_for(f"a {kind} to kill", lambda: victim or victim.extend(self.server.ask(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = %s AND pid <> pg_backend_pid() "
                "ORDER BY random() LIMIT 1", kind)))
            self.server.kill_one(victim[0][0])
            self.join(clients)
        under_way, commits = len(ledger.unknown), ledger.commits
        prepared = len(ledger.prepared)
        if reader:
            reader.check(self)
        self.verify()
        return f"{what}: {commits} committed, {under_way} without an answer, {prepared} prepared"

    def join(self, clients):
        for client in clients:
            client.join(120)
            if client.is_alive():
                self.wrong.append(f"{client.name} does not end")

    # What must hold.

    def used(self, user_id):
        """What counts towards the limit on jobs now, from the tables."""
        return int(self.server.one(
            "SELECT (SELECT coalesce(sum(amount), 0) FROM usage_counters WHERE user_id = %s AND usage_type = 'job') "
            "+ (SELECT coalesce(sum(amount), 0) FROM usage_holds WHERE user_id = %s AND usage_type = 'job' "
            "AND state = 'open' AND expires_at > usage_now())", user_id, user_id))

    def set_limit(self, user_id, limit):
        self.server.ask("SELECT usage_set_override('jobs_total', %s, %s)", limit, user_id)
        self.limit = limit

    def verify(self):
        server, ledger = self.server, self.ledger
        self.wrong += ledger.faults
        ledger.faults = []
        if self.used("near") > self.limit:
            self.wrong.append(f"{self.used('near')} of {self.limit} are used")
        self.settle_unknown()
        self.compare_tables("with transactions prepared")
        self.end_prepared()
        self.compare("with none prepared")
        self.repeat_keys()
        self.check_relaxed()
        self.check_times()
        self.expect("holds bound to sessions that are gone",
                    server.one("SELECT current FROM usage_check('bound', 'concurrent_renders', 0)"), 0)
        for user_id in (*USERS, "prepared"):
            self.use_up(user_id)
        self.compare("used up")
        self.expect("advisory locks", server.one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0)
        self.expect("pg_amcheck", server.amcheck(), "")

    def settle_unknown(self):
        """What was told has committed, and nothing else but what was under way."""
        ledger = self.ledger
        committed = {name for name, in self.server.ask("SELECT DISTINCT transaction FROM receipt")}
        self.expect("told, but lost", sorted(ledger.told - committed), [])
        self.expect("committed, but not told", sorted(committed - ledger.told - ledger.unknown), [])
        ledger.told = committed
        ledger.unknown = set()

    def compare(self, when):
        self.compare_tables(when)
        self.expect(f"answers, {when}", self.server.ask(ANSWERS), [])

    def compare_tables(self, when):
        self.expect(f"counters and events, {when}", self.server.ask(DISAGREEMENTS), [])
        self.expect(f"holds, {when}", self.server.ask(HOLDS), [])
        self.expect(f"balance, {when}", *self.server.ask(
            "SELECT credit_balance('hot'), 1000000 - (SELECT coalesce(sum(amount), 0) FROM receipt WHERE what = 'spend')")[0])
        self.expect(f"credits, {when}", self.server.ask("SELECT * FROM usage_reconcile()"), [])

    def end_prepared(self):
        """What is prepared takes part in the limit until it ends; then it counts, or does not."""
        server, ledger = self.server, self.ledger
        listed = {name for name, in server.ask("SELECT gid FROM pg_prepared_xacts")}
        states = ledger.prepared
        self.expect("prepared, but lost", sorted(
            name for name, state in states.items() if name not in listed
            and (state == "prepared" or state == "committing" and name not in ledger.told)), [])
        self.expect("prepared, but not known", sorted(listed - states.keys()), [])
        used = self.used("prepared")
        answer = server.one("SELECT current FROM usage_check('prepared', 'job', 0)")
        # what is prepared may count for an answer, where memory still knows of it
        if answer not in range(used, used + 2 * len(listed) + 1):
            self.wrong.append(f"answer with transactions prepared: {answer}, used are {used}")
        self.set_limit("prepared", used + 2 * len(listed))
        if listed:
            try:
                admitted = server.one("SELECT set_config('lock_timeout', '50ms', false); "
                                      "SELECT allowed FROM usage_consume('prepared', 'job')")
            except psycopg2.errors.LockNotAvailable:
                admitted = False
            self.expect("admitted what is prepared", admitted, False)
        for name in sorted(listed):
            commit = self.random.random() < 0.5
            server.ask(f"{'COMMIT' if commit else 'ROLLBACK'} PREPARED '{name}'")
            if commit:
                ledger.told.add(name)
                used += 2
        ledger.prepared = {}
        self.expect("used by what was prepared", self.used("prepared"), used)
        self.set_limit("prepared", 1000000)

    def repeat_keys(self):
        """A request without an answer is asked again, and has been consumed once."""
        ledger = self.ledger
        for key, amount in ledger.keys.items():
            self.expect("a repeated request", self.server.one(
                "SELECT allowed FROM usage_consume('keyed', 'export', %s, idempotency_key => %s)", amount, key), True)
            ledger.keyed += amount
        ledger.keys = {}
        self.expect("consumed under keys", int(self.server.one(
            "SELECT coalesce(sum(amount), 0) FROM usage_counters WHERE usage_type = 'export'")), ledger.keyed)

    def check_relaxed(self):
        ledger = self.ledger
        if self.preloaded:
            self.server.ask("SELECT count(*) FROM usage_maintain()")
        counted = int(self.server.one("SELECT coalesce(sum(amount), 0) FROM usage_counters WHERE usage_type = 'ping'"))
        least = ledger.flushed if self.preloaded else self.relaxed + ledger.relaxed
        most = self.relaxed + ledger.relaxed + ledger.relaxed_unknown
        if not least <= counted <= most:
            self.wrong.append(f"of a relaxed limit {counted} are counted, {least} were written, {most} asked for")
        self.expect("answer for a relaxed limit", self.server.one("SELECT current FROM usage_check('fast', 'ping', 0)"), counted)
        self.relaxed = ledger.flushed = counted

    def check_times(self):
        """Open holds count until they expire."""
        for later in ("30 minutes", "2 hours"):
            clock = "SELECT set_config('usage_limits.test_clock', (clock_timestamp() + %s::interval)::text, false);"
            self.expect(f"answers in {later}", self.server.ask(clock + ANSWERS, later), [])

    def use_up(self, user_id):
        """No more and no less than what is left can be used."""
        server, name = self.server, f"check {user_id} {len(self.ledger.told)}"
        self.set_limit(user_id, self.used(user_id) + 3)
        answers = [server.one("SELECT allowed FROM usage_consume(%s, 'job')", user_id) for _ in range(4)]
        self.expect(f"answers to four of three units for {user_id}", answers, [True, True, True, False])
        server.ask("INSERT INTO receipt VALUES (%s, 'use', %s, 'job', 3)", name, user_id)
        self.ledger.told.add(name)
        self.set_limit(user_id, 1000000)


class Reader(threading.Thread):
    """Asks a standby all the time; what it has seen must not count after the promotion."""

    def __init__(self, standby):
        super().__init__(daemon=True)
        self.pg = standby.connect()
        self.done = threading.Event()
        self.error = None
        self.start()

    def run(self):
        try:
            while not self.done.is_set():
                with self.pg.cursor() as cursor:
                    cursor.execute("SELECT usage_check(u, t, 0) FROM unnest(%s) u, unnest(%s) t",
                                   (list(USERS), ["job", "call", "storage_mb"]))
        except psycopg2.Error as error:
            self.error = error

    def check(self, check):
        self.done.set()
        self.join(120)
        check.expect("error on the standby", self.error, None)
        if not self.error:
            with self.pg.cursor() as cursor:
                cursor.execute(ANSWERS)
                check.expect("answers of a session that saw the promotion", cursor.fetchall(), [])
        self.pg.close()


def main():
    work, mode, rounds, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    faults = {"lock": ("postmaster killed", "backend killed"),
              "shared": ("postmaster killed", "backend killed", "backend killed", "worker killed"),
              "standby": ("postmaster killed",)}[mode]
    check = Check(work, mode, seed)
    plan = []
    for number in range(rounds):
        plan.append(faults[number % len(faults)])
        if number % 4 == 3 and mode != "standby":
            plan.append("sessions ended")
    failed = 0
    for what in plan:
        try:
            line = check.round(what)
        except (Stuck, psycopg2.Error) as error:
            line = what
            check.wrong.append(f"{error!r}")
        failed += bool(check.wrong)
        print(("not ok" if check.wrong else "ok") + f" - {mode}, {line}", flush=True)
        for wrong in check.wrong:
            print(f"# {wrong}", flush=True)
        if check.wrong:             # what follows would be wrong as well
            print(f"# seed {seed}; the server's last words:", flush=True)
            with open(check.server.log, encoding="utf-8", errors="replace") as file:
                print("".join(f"# {line}" for line in file.readlines()[-40:]), flush=True)
            break
    check.server.stop()
    sys.exit(1 if failed else 0)


main()
