"""Rebuilds beside their rivals: rebuild.py --build DIR [--rows N] [--rounds N] [--only PART]

TENANTRY_TEST_POSTGRES names the server; bench/rebuild.sh starts one. A database is filled with rows
of a tenancy, kept by pg_dump and by COPY, and imported into a store. Then every round runs every
job once, in turned order; what changes a database comes last. A ratio is taken inside a round, the
table gives the median and the range.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

SERVER = os.environ["TENANTRY_TEST_POSTGRES"]
TICKS = os.sysconf("SC_CLK_TCK")

# {0} tenants, and nineteen other rows for each of them. Text and ids are drawn from md5, so that
# indexes are filled in no order, as they are where people come and go.
FILL = """
INSERT INTO auth_user SELECT i, 'pbkdf2_sha256$390000$' || md5('s' || i) || '$' || md5('h' || i),
 CASE WHEN i % 3 > 0 THEN t END, false, substr(md5('u' || i), 1, 10) || i, 'First' || i % 997,
 'Last' || i % 4999, 'mail' || i || '@example.com', false, i % 17 > 0, t
 FROM generate_series(1, 6 * {0}) i, LATERAL (SELECT '2020-01-01'::timestamptz
 + i * interval '1.000001 s' AS t) x;
INSERT INTO core_protein SELECT i, 'Protein ' || i FROM generate_series(1, 12) i;
INSERT INTO core_userpreferences SELECT i, (ARRAY['light', 'dark', 'auto'])[1 + i % 3],
 '{{"columns": [1, 2, 3], "wide": true}}', i % 2 = 0, '["home", "reports"]', '{{"clock": {{}}}}',
 t, t, i * 3 FROM generate_series(1, 2 * {0}) i,
 LATERAL (SELECT '2021-01-01'::timestamptz + i * interval '1.000003 s' AS t) x;
INSERT INTO tenants_tenant SELECT md5('t' || i)::uuid, 'Tenant ' || i, 'tenant-' || i,
 'tenant_' || i, NULL, 'office' || i || '@example.com', '', i % 23 > 0, i % 5 = 0,
 CASE WHEN i % 5 = 0 THEN t END, t, t, '{{"plan": "basic"}}', NULL, i
 FROM generate_series(1, {0}) i,
 LATERAL (SELECT '2020-06-01'::timestamptz + i * interval '1.000007 s' AS t) x;
INSERT INTO tenants_tenantdomain SELECT i, 'host' || i || '.example.com', i % 2 = 1, true, t, t,
 md5('t' || (1 + i / 2 % {0}))::uuid FROM generate_series(1, 2 * {0}) i,
 LATERAL (SELECT '2020-07-01'::timestamptz + i * interval '1.000009 s' AS t) x;
INSERT INTO tenants_tenant_user SELECT i, CASE WHEN i <= {0} THEN 'owner' ELSE
 (ARRAY['admin', 'manager', 'user', 'readonly'])[1 + i % 4] END, i % 19 > 0 OR i <= {0}, t, t,
 md5('t' || (1 + i % {0}))::uuid, 1 + i % (6 * {0}) FROM generate_series(1, 6 * {0}) i,
 LATERAL (SELECT '2020-08-01'::timestamptz + i * interval '1.000011 s' AS t) x;
INSERT INTO tenants_invitation SELECT md5('i' || i)::uuid, md5('k' || i) || md5('l' || i),
 'guest' || i || '@example.com', 'user', CASE WHEN i % 3 = 0 THEN 'pending' ELSE 'accepted' END, t,
 t + interval '7 days', CASE WHEN i % 3 > 0 THEN t + interval '1 day' END, '',
 CASE WHEN i % 3 > 0 THEN 1 + i % (6 * {0}) END, 1 + i % {0}, md5('t' || (1 + i % {0}))::uuid
 FROM generate_series(1, 3 * {0}) i,
 LATERAL (SELECT '2020-09-01'::timestamptz + i * interval '1.000013 s' AS t) x;
"""
# What a rebuild finds on a bad day: one row in a hundred is not as it should be, some are gone.
MEDDLE = """
UPDATE auth_user SET first_name = 'Somebody' WHERE id % 100 = 7;
UPDATE core_userpreferences SET theme = 'pink' WHERE id % 100 = 7;
UPDATE tenants_tenant SET contact_phone = '112' WHERE ('x' || substr(id::text, 1, 4))::bit(16)::int
 % 100 = 7;
UPDATE tenants_tenantdomain SET is_active = NOT is_active WHERE id % 100 = 7;
UPDATE tenants_tenant_user SET role = 'owner' WHERE id % 200 = 7;
DELETE FROM tenants_tenant_user WHERE id % 200 = 107;
UPDATE tenants_invitation SET message = 'hello' WHERE ('x' || substr(id::text, 1, 4))::bit(16)::int
 % 100 = 7;
"""


def say(text):
    print(f"rebuild: {text}", file=sys.stderr, flush=True)


def url_of(database):
    return SERVER.replace("/postgres?", f"/{database}?")


def psql(database, statements):
    done = subprocess.run(
        ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url_of(database)],
        input=statements,
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(f"rebuild: error: {done.stderr}")
    return done.stdout.strip()


@dataclass
class Cost:
    seconds: float
    cpu: float  # Of the program and, where there is one, of the server.
    megabytes: float  # Of the program, at its largest.
    output: str = ""


class Server:
    """Its processor time: that of the processes that have ended."""

    def __init__(self):
        data = psql("postgres", "SHOW data_directory")
        with open(os.path.join(data, "postmaster.pid"), encoding="ascii") as file:
            self._stat = f"/proc/{int(file.readline())}/stat"

    def seconds(self):
        with open(self._stat, encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[13]) + int(fields[14])) / TICKS

    @staticmethod
    def make(database, template="template0"):
        psql("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        psql("postgres", f"CREATE DATABASE {database} TEMPLATE {template}")


def run(command, server=None, stdin=None):
    """Waits for a program to end well."""
    if server:
        psql("postgres", "CHECKPOINT")
    os.sync()
    before = server.seconds() if server else 0
    began = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        if stdin:
            process.stdin.write(stdin)
        process.stdin.close()
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"rebuild: error: {command[0]} ended with {process.returncode}: {output}")
    if server:
        time.sleep(0.2)  # Its processes end a little later.
    cpu = usage.ru_utime + usage.ru_stime + (server.seconds() - before if server else 0)
    return Cost(seconds, cpu, usage.ru_maxrss / 1024, output)


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.tenantry = os.path.join(options.build, "tools", "tenantry")
        self.replay = os.path.join(options.build, "bench", "tenantry_replay_bench")
        self.store = self.at("store")
        self.server = Server()
        self.tables = []
        self.costs = {}  # By job, one for each round.

    def at(self, name):
        return os.path.join(self.directory, name)

    # --- what is rebuilt --------------------------------------------------------------------------

    def prepare(self):
        unit = max(1, self.options.rows // 20)
        say(f"filling a database with {20 * unit} rows")
        self.server.make("bench_source")
        schema = run([self.tenantry, "schema", "sql", "--read-model", url_of("bench_source")])
        tables = [line for line in schema.output.splitlines() if line.startswith("CREATE TABLE")]
        others = [line for line in schema.output.splitlines() if line not in tables]
        self.tables = [name_of(line) for line in tables]
        psql("bench_source", "\n".join(tables) + FILL.format(unit) + "\n".join(others))
        psql("bench_source", sequences(tables) + "VACUUM ANALYZE")
        run(["pg_dump", "-Fc", "-n", "public", "-f", self.at("dump"), "-d", url_of("bench_source")])
        copies = [rf"\copy {table} TO '{self.at(table)}' (FORMAT binary)" for table in self.tables]
        psql("bench_source", "\n".join(copies))
        say("importing it")
        url = url_of("bench_source")
        cost = run(
            [self.tenantry, "import", "-q", "--from", url, "--store", self.store], self.server
        )
        self.note("import", cost)
        psql("postgres", "DROP DATABASE bench_source")

    # --- jobs -------------------------------------------------------------------------------------

    def note(self, job, cost):
        say(f"{job}: {cost.seconds:.2f} s, {cost.cpu:.2f} CPU-s, {cost.megabytes:.0f} MB")
        self.costs.setdefault(job, []).append(cost)

    def rebuild(self, job, url, *arguments, server=None):
        command = [self.tenantry, "rebuild", "-q", "-y", "--store", self.store]
        cost = run([*command, "--read-model", url, *arguments, "-o", "json"], server)
        self.note(job, cost)

    def restore(self):
        self.server.make("bench_restored")
        command = ["pg_restore", "-j2", "--no-owner", "-d", url_of("bench_restored")]
        psql("bench_restored", "DROP SCHEMA public")
        self.note("pg_restore -j2", run([*command, self.at("dump")], self.server))

    def fresh(self):
        self.server.make("bench_fresh")
        self.rebuild("rebuild, absent tables", url_of("bench_fresh"), server=self.server)

    def fresh_from_events(self):
        self.server.make("bench_fresh")
        self.rebuild(
            "rebuild --from-events, absent tables",
            url_of("bench_fresh"),
            "--from-events",
            server=self.server,
        )

    def replay_log(self):
        self.note("replay of the log", run([self.replay, self.store]))

    def staging(self):
        """COPY into temporary tables without indexes, and nothing else."""
        lines = ["BEGIN;"]
        for table in self.tables:
            lines.append(f"CREATE TEMP TABLE s_{table} (LIKE {table}) ON COMMIT DROP;")
            lines.append(rf"\copy s_{table} FROM '{self.at(table)}' (FORMAT binary)")
        lines.append("COMMIT;")
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url_of("bench_live")]
        self.note("COPY of the staging tables", run(command, self.server, "\n".join(lines)))

    def live(self):
        """In place, one row in a hundred differing, then none."""
        self.server.make("bench_live", "bench_fresh")
        psql("bench_live", MEDDLE + "VACUUM ANALYZE")
        self.staging()
        url = url_of("bench_live")
        self.rebuild("rebuild in place, 1 % differ", url, server=self.server)
        self.rebuild("rebuild in place, nothing differs", url, server=self.server)

    def sqlite(self):
        path = self.at("fresh.sqlite3")
        remove_sqlite(path)
        self.rebuild("rebuild, SQLite", f"sqlite:{path}")

    def sqlite_bare(self):
        """Rows from another file, in one transaction, then the indexes; no keys are checked."""
        source, path = self.at("source.sqlite3"), self.at("bare.sqlite3")
        if not os.path.exists(source):
            self.rebuild("(rows for the next)", f"sqlite:{source}")
        remove_sqlite(path)
        schema = run([self.tenantry, "schema", "sql", "--read-model", f"sqlite:{source}"]).output
        statements = [line for line in schema.split(";\n") if line.strip()]
        made = [line for line in statements if line.lstrip().startswith("CREATE TABLE")]
        others = [line for line in statements if line not in made]
        copies = [f"INSERT INTO main.{table} SELECT * FROM old.{table}" for table in self.tables]
        script = [
            f"ATTACH '{source}' AS old",
            "PRAGMA main.journal_mode=OFF",
            "PRAGMA main.cache_size=-24576",  # As ours has.
            "BEGIN",
            *made,
            *copies,
            *others,
            "COMMIT",
        ]
        program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        program += "[c.execute(line).fetchall() for line in sys.stdin.read().split('\\0')]"
        command = [sys.executable, "-c", program, path]
        self.note("bare load, SQLite", run(command, stdin="\0".join(script)))

    def parts(self):
        """What is compared stands together; the last changes what was loaded before."""
        return {
            "fresh": [self.restore, self.fresh],
            "events": [self.restore, self.replay_log, self.fresh_from_events],
            "sqlite": [self.sqlite_bare, self.sqlite],
            "live": [self.fresh, self.live],
        }

    def round(self, number):
        jobs = []
        for part in self.parts():
            if self.options.only in (None, part):
                jobs += [job for job in self.parts()[part] if job not in jobs]
        last = [job for job in jobs if job == self.live]
        others = [job for job in jobs if job != self.live]
        turn = number % len(others)
        others = others[turn:] + others[:turn]
        # Both kinds of fresh rebuild leave the same rows.
        for job in others + last:
            job()

    # --- what comes of it -------------------------------------------------------------------------

    def seconds(self, job):
        return [cost.seconds for cost in self.costs[job]]

    def ratios(self):
        """Goal, ours, rival, target, the ratio of each round."""
        restore = "pg_restore -j2"
        fresh = "rebuild, absent tables"
        events = "rebuild --from-events, absent tables"
        live = "rebuild in place, 1 % differ"
        again = "rebuild in place, nothing differs"
        pairs = [
            ("8", fresh, restore, 0.75, self.seconds),
            ("8, CPU", fresh, restore, 0.85, lambda job: [cost.cpu for cost in self.costs[job]]),
            ("live", live, "COPY of the staging tables", 1.5, self.seconds),
            ("live, again", again, live, 1.0, self.seconds),
            ("SQLite", "rebuild, SQLite", "bare load, SQLite", 1.1, self.seconds),
        ]
        for goal, ours, rival, target, of in pairs:
            if ours in self.costs and rival in self.costs:
                values = [a / b for a, b in zip(of(ours), of(rival))]
                yield goal, ours, rival, target, values
        if events in self.costs:
            allowed = [
                0.75 * a + 1.1 * b
                for a, b in zip(self.seconds(restore), self.seconds("replay of the log"))
            ]
            values = [a / b for a, b in zip(self.seconds(events), allowed)]
            rival = "0.75 of pg_restore -j2 and 1.1 of the replay"
            yield "9", events, rival, 1.0, values

    def print_tables(self):
        print(f"{20 * max(1, self.options.rows // 20) + 12} rows, {self.options.rounds} rounds\n")
        print("| goal | ours | rival | target | ratio | |\n|---|---|---|---|---|---|")
        for goal, ours, rival, target, values in self.ratios():
            median = statistics.median(values)
            spread = f"{median:.2f} ({min(values):.2f}–{max(values):.2f})"
            met = "met" if median <= target else "**not met**"
            print(f"| {goal} | {ours} | {rival} | ≤ {target:.2f} | {spread} | {met} |")
        print("\n| job | s | CPU-s | MB of the program |\n|---|---|---|---|")
        for job, costs in sorted(self.costs.items()):
            if job.startswith("("):
                continue
            seconds = [cost.seconds for cost in costs]
            spread = f"{statistics.median(seconds):.2f} ({min(seconds):.2f}–{max(seconds):.2f})"
            cpu = statistics.median(cost.cpu for cost in costs)
            megabytes = max(cost.megabytes for cost in costs)
            print(f"| {job} | {spread} | {cpu:.2f} | {megabytes:.0f} |")


def sequences(statements):
    """The next ids, as an application would have left them."""
    return "".join(
        f"SELECT setval(pg_get_serial_sequence('{name_of(statement)}', 'id'),"
        f" (SELECT max(id) FROM {name_of(statement)}));"
        for statement in statements
        if "IDENTITY" in statement
    )


def name_of(statement):
    return re.match(r'CREATE TABLE "public"\."(\w+)"', statement).group(1)


def remove_sqlite(path):
    for suffix in ("", "-wal", "-shm", "-journal"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, metavar="DIR", help="a build's directory")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--only", choices=("fresh", "events", "live", "sqlite"))
    parser.add_argument("--directory", help="of the store and the files (default: in TMPDIR)")
    return parser.parse_args()


def main():
    options = parse()
    directory = tempfile.mkdtemp(prefix="tenantry-rebuild-", dir=options.directory)
    # The server reads nothing there: psql sends the files.
    try:
        bench = Bench(options, directory)
        bench.prepare()
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            bench.round(number)
        bench.print_tables()
        for name in ("restored", "fresh", "live"):
            psql("postgres", f"DROP DATABASE IF EXISTS bench_{name}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
