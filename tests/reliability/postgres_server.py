"""PostgreSQL servers of a stage's own, and what a stage does to them. Needs Debian's psycopg2."""

import glob
import os
import pwd
import shutil
import subprocess

import psycopg2

from cases import wait_until
from driver import TABLES, Failure, state_of

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(SOURCE, "tools", "postgres.sh")


def run_quietly(command, **options):
    """Throws with what it said when it fails. Its output goes to a file: a server keeps it open."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options
    )
    if done.returncode != 0:
        raise Failure(f"`{' '.join(command)}` failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout


def as_server_user():
    """Options for a process of the server's user, which root may not be."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Server:
    """A server in `directory`, made by tools/postgres.sh: it listens on a socket there."""

    def __init__(self, directory, durable=False):
        self.directory = directory
        options = ["--durable"] if durable else []
        run_quietly([SCRIPT, "start", *options, directory])
        self.running = True
        self.programs = os.path.dirname(sorted(glob.glob("/usr/lib/postgresql/*/bin/pg_ctl"))[-1])

    def remove(self):
        run_quietly([SCRIPT, "stop", self.directory])

    def url(self, database="postgres", socket_directory=None):
        place = socket_directory or self.directory
        return f"postgresql:///{database}?host={place}&port=5432&user=postgres"

    def control(self, *arguments):
        run_quietly(
            [f"{self.programs}/pg_ctl", "-D", "data", "-t", "60", "-s", "-l", "log"]
            + list(arguments),
            cwd=self.directory,
            **as_server_user(),
        )

    def stop_immediately(self):
        """As a crash of all its processes: nothing is written, connections end without a word."""
        pid = wait_until(self.postmaster, "the server to be there")
        self.control("-m", "immediate", "-w", "stop")
        # Its file is gone before it is.
        wait_until(lambda: not is_alive(pid), "the end of the server")
        self.running = False

    def postmaster(self):
        """The pid of the server's first process, or none."""
        try:
            with open(f"{self.directory}/data/postmaster.pid", encoding="ascii") as file:
                pid = int(file.readline())
        except (FileNotFoundError, ValueError):  # Not yet, or not whole yet.
            return None
        return pid if is_alive(pid) else None

    def start(self):
        self.control("-o", "-p 5432", "-w", "start")
        self.running = True

    def start_without_waiting(self):
        self.control("-o", "-p 5432", "-W", "start")

    def connect(self, database="postgres"):
        connection = psycopg2.connect(self.url(database))
        connection.autocommit = True
        return connection


def is_alive(pid):
    return state_of(pid) not in ("", "Z")


class Standby(Server):
    """A server that follows another one until it is promoted."""

    def __init__(self, directory, primary):  # pylint: disable=super-init-not-called
        self.directory = directory
        self.programs = primary.programs
        os.mkdir(directory, 0o700)
        user = as_server_user()
        if user:
            os.chown(directory, user["user"], user["group"])
        source = f"host={primary.directory} port=5432 user=postgres"
        run_quietly(
            [f"{self.programs}/pg_basebackup", "-D", "data", "-d", source]
            + ["-R", "-X", "stream", "-c", "fast", "--no-sync"],
            cwd=directory,
            **user,
        )
        # The last setting of a name counts; the copy has those of the primary.
        with open(
            os.path.join(directory, "data", "postgresql.conf"), "a", encoding="utf-8"
        ) as file:
            file.write(f"unix_socket_directories = '{directory}'\n")
        self.running = False
        self.start()

    def remove(self):
        if self.running:
            self.stop_immediately()
        shutil.rmtree(self.directory)

    def promote(self):
        self.control("-w", "promote")


def ask(connection, sql, parameters=()):
    """The rows of a query, or nothing."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


class ReadModel:
    """The read model in one database, seen by an administrator."""

    def __init__(self, server, database, make=True):
        self.server = server
        self.database = database
        if make:
            connection = server.connect()
            ask(connection, f"CREATE DATABASE {database}")
            connection.close()
        self.url = server.url(database)
        self.connection = server.connect(database)

    def close(self):
        self.connection.close()

    def reconnect(self):
        self.connection.close()
        self.connection = self.server.connect(self.database)

    def is_reachable(self):
        try:
            return self.ask("SELECT true")[0][0]
        except psycopg2.Error:
            return False

    def ask(self, sql, parameters=()):
        return ask(self.connection, sql, parameters)

    def mark(self):
        """Position and epoch, or none."""
        if self.ask("SELECT to_regclass('tenantry.mark') IS NULL")[0][0]:
            return None
        rows = self.ask('SELECT "position", epoch FROM tenantry.mark')
        return rows[0] if rows else None

    def has_tables(self):
        """All of them; else something went wrong on the way."""
        names = [f"public.{table}" for table in TABLES] + ["tenantry.mark"]
        return self.ask("SELECT bool_and(to_regclass(n) IS NOT NULL) FROM unnest(%s) n", (names,))[
            0
        ][0]

    def clear(self):
        """As a database that has just been made."""
        gone = [f"DROP TABLE IF EXISTS public.{table} CASCADE" for table in TABLES]
        self.ask(";".join([*gone, "DROP SCHEMA IF EXISTS tenantry CASCADE"]))

    def save(self, name):
        """Keeps tables and mark beside them, for restore()."""
        copies = [f"CREATE TABLE {name}.{t} AS TABLE public.{t}" for t in TABLES]
        self.ask(
            f"DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name};"
            f"CREATE TABLE {name}.mark AS TABLE tenantry.mark;" + ";".join(copies)
        )

    def restore(self, name):
        """Brings back what save() kept; the tables must be there."""
        back = [f"DELETE FROM public.{t}; INSERT INTO public.{t} TABLE {name}.{t}" for t in TABLES]
        self.ask(
            "BEGIN; SET LOCAL session_replication_role = replica;"
            + ";".join(back)
            + f"; DELETE FROM tenantry.mark; INSERT INTO tenantry.mark TABLE {name}.mark; COMMIT"
        )

    def sessions(self):
        """The server processes that work for `tenantry` in this database."""
        return self.ask(
            "SELECT pid, state, wait_event_type, wait_event, query FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'tenantry'"
        )

    def signal(self, pid):
        """Whether there is such a session, which is told to end."""
        return self.ask("SELECT pg_terminate_backend(%s)", (pid,))[0][0]

    def terminate(self, pid):
        """Whether there was such a session; it is gone then."""
        told = self.signal(pid)
        self.wait_for_end(pid)
        return told

    def wait_for_end(self, pid):
        wait_until(
            lambda: not self.ask("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)),
            "the end of a session",
        )
