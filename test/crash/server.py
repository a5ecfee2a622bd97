"""A PostgreSQL server that is killed, started again, copied and promoted."""

import os
import signal
import subprocess
import time

import psycopg2

PATIENCE = 120          # seconds for what must happen


class Stuck(Exception):
    """Something that must happen has not."""


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise Stuck(f"waited too long for {what}")
        time.sleep(0.02)


class Server:
    def __init__(self, work, name, port):
        self.work, self.name, self.port = work, name, port
        self.data = f"{work}/{name}"
        self.log = f"{work}/{name}.log"
        self.dsn = f"host={work} port={port} dbname=postgres user=postgres"
        self.process = None

    def _run(self, *command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True)
        if done.returncode:
            raise Stuck(f"{command[0]} failed: {done.stdout}")
        return done.stdout

    def create(self, settings):
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync")
        self.configure(f"port = {self.port}", "listen_addresses = ''", f"unix_socket_directories = '{self.work}'", *settings)

    def configure(self, *settings):
        with open(f"{self.data}/postgresql.conf", "a", encoding="utf-8") as file:
            file.writelines(f"{setting}\n" for setting in settings)

    def start(self):
        """Starts it as a child of this process, which therefore sees it end."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["postgres", "-D", self.data], stdout=log, stderr=log, start_new_session=True)
        wait_for(f"{self.name} to start", lambda: self.process.poll() is not None or self._answers())
        if self.process.poll() is not None:
            raise Stuck(f"{self.name} does not start")

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def _answers(self):
        return subprocess.run(["pg_isready", "-q", "-d", self.dsn], check=False).returncode == 0

    def connect(self):
        """A connection; the server may be just starting again."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                pg = psycopg2.connect(self.dsn, application_name="check")
                pg.autocommit = True
                return pg
            except psycopg2.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def ask(self, sql, *values):
        """The rows of the last of some statements, in a session of their own."""
        pg = self.connect()
        try:
            with pg.cursor() as cursor:
                cursor.execute(sql, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            pg.close()

    def one(self, sql, *values):
        return self.ask(sql, *values)[0][0]

    def kill(self):
        """kill -9 of the postmaster; returns when none of its processes is left."""
        self.process.send_signal(signal.SIGSTOP)    # it starts none meanwhile
        children = processes_of(self.process.pid)
        self.process.kill()
        self.process.wait()
        wait_for(f"the processes of {self.name} to end", lambda: not any(map(exists, children)))

    def kill_one(self, pid):
        """kill -9 of one process; returns when the server has started anew."""
        started = "SELECT backend_start FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
        before = self.ask(started)

        def is_back():
            try:
                return self.ask(started) not in ([], before)
            except psycopg2.OperationalError:   # a session that ends with the others
                return False

        os.kill(pid, signal.SIGKILL)
        wait_for("the server to start anew", is_back)

    def standby(self, name, port):
        """A streaming standby that every COMMIT waits for from now on."""
        other = Server(self.work, name, port)
        self.ask("ALTER SYSTEM RESET synchronous_standby_names")
        self.ask("SELECT pg_reload_conf()")
        self._run("pg_basebackup", "-D", other.data, "-R", "-c", "fast", "--no-sync", "-d", f"{self.dsn} application_name=standby")
        other.configure(f"port = {port}")
        other.start()
        self.ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.ask("SELECT pg_reload_conf()")
        wait_for("the standby", lambda: self.one("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"))
        return other

    def promote(self):
        self._run("pg_ctl", "-w", "-t", str(PATIENCE), "-D", self.data, "promote")

    def amcheck(self):
        """What pg_amcheck says against tables and indexes; nothing if all is well."""
        try:
            return self._run("pg_amcheck", "--heapallindexed", "--parent-check",
                             "-h", self.work, "-p", str(self.port), "-U", "postgres", "postgres")
        except Stuck as error:
            return str(error)


def processes_of(parent):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                if int(file.read().rsplit(")", 1)[1].split()[1]) == parent:
                    found.append(int(pid))
        except OSError:
            pass
    return found


def exists(pid):
    """Whether a process is there; one that has ended and not been collected is not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
