#!/usr/bin/env python3
"""A Django project with the reference application's tables works on what Tenantry makes.

    tests/django/django_test.py PROGRAM [unittest's options]

Needs Debian's python3-django and python3-psycopg2, and the server of TENANTRY_TEST_POSTGRES.
"""

import collections
import contextlib
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import psycopg2
import psycopg2.extensions

PROGRAM = os.path.abspath(sys.argv.pop(1))
PROJECT = pathlib.Path(__file__).resolve().parent / "project"
HISTORY = PROJECT.parents[2] / "tools" / "demo" / "sample.ndjson"
TABLES = ("auth_user", "core_protein", "core_userpreferences", "tenants_tenant",
          "tenants_tenantdomain", "tenants_tenant_user", "tenants_invitation")
REFERENCES = {
    "core_userpreferences": {"user_id": "auth_user"},
    "tenants_tenant": {"created_by_id": "auth_user"},
    "tenants_tenantdomain": {"tenant_id": "tenants_tenant"},
    "tenants_tenant_user": {"tenant_id": "tenants_tenant", "user_id": "auth_user"},
    "tenants_invitation": {"tenant_id": "tenants_tenant", "accepted_by_id": "auth_user",
                           "invited_by_id": "auth_user"},
}


def run(*arguments, **environment):
    keep = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "TENANTRY_READ_MODEL")}
    return subprocess.run(arguments, env={**keep, **environment}, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, check=False)


@contextlib.contextmanager
def fresh_database():
    """The URL of a database that lasts as long as the context."""
    server = os.environ["TENANTRY_TEST_POSTGRES"]
    parts = psycopg2.extensions.parse_dsn(server)
    name = f"tenantry_test_{secrets.token_hex(8)}"
    connection = psycopg2.connect(server)
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        try:
            yield f"postgresql:///{name}?" + "&".join(
                f"{key}={parts[key]}" for key in ("host", "port", "user") if key in parts)
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def read_until(url, query, seen, stop):
    """Counts what the query gives, or the error that it ends with."""
    try:
        with contextlib.closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                while not stop.is_set():
                    cursor.execute(query)
                    seen[cursor.fetchone()] += 1
    except psycopg2.Error as error:
        seen[str(error)] += 1


class DjangoTest(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="tenantry-django-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.store = os.path.join(cls.directory, "store")
        for arguments in (("init",), ("apply", "-q", "--historic", str(HISTORY))):
            result = run(PROGRAM, *arguments, TENANTRY_STORE=cls.store)
            if result.returncode != 0:
                raise RuntimeError(f"{arguments}: {result.stderr}")

    def tenantry(self, url, *arguments):
        result = run(PROGRAM, *arguments, TENANTRY_STORE=self.store, TENANTRY_READ_MODEL=url)
        self.assertEqual(result.returncode, 0, f"{arguments}: {result.stdout}{result.stderr}")
        return result.stdout

    def python(self, url, *arguments, **environment):
        result = run(sys.executable, *arguments, **{
            "DATABASE_URL": url, "PYTHONPATH": str(PROJECT), "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONDONTWRITEBYTECODE": "1", **environment})
        self.assertEqual(result.returncode, 0, f"{arguments}: {result.stdout}{result.stderr}")
        return result.stdout

    def django(self, url, *arguments, **environment):
        return self.python(url, "-m", "django", *arguments, **environment)

    def expected_rows(self, url):
        """Table → rows as Tenantry knows them, by key."""
        rows = {}
        for table in TABLES:
            lines = self.tenantry(url, "rows", table, "--names", "--reveal", "-o", "ndjson")
            rows[table] = {str(row["id"]): row for row in map(json.loads, lines.splitlines())}
            self.assertTrue(rows[table], f"the sample history leaves no row in {table}")
        return rows

    def expected_references(self, rows):
        """Row that is referred to → table and column → keys of the rows that refer to it."""
        found = collections.defaultdict(lambda: collections.defaultdict(list))
        for table, references in REFERENCES.items():
            for column, target in references.items():
                for key, row in rows[table].items():
                    if row[column] is not None:
                        found[target, str(row[column])][f"{table}.{column}"].append(key)
        return found

    def assert_orm_reads_what_tenantry_knows(self, url):
        rows = self.expected_rows(url)
        references = self.expected_references(rows)
        read = collections.defaultdict(dict)
        for line in self.python(url, str(PROJECT / "read_tables.py")).splitlines():
            found = json.loads(line)
            key = str(found["row"]["id"])
            read[found["table"]][key] = found["row"]
            for place, keys in found["reverse"].items():
                expected = references[found["table"], key][place]
                self.assertEqual(sorted(keys), sorted(expected), f"{place} → {key}")
        for table in TABLES:
            self.assertEqual(read[table], rows[table], table)

    def assert_django_goes_on_after_our_ids(self, url):
        largest = {table: max(map(int, rows)) for table, rows in self.expected_rows(url).items()
                   if table not in ("tenants_tenant", "tenants_invitation")}
        inserted = json.loads(self.python(url, str(PROJECT / "insert_rows.py")))
        self.assertEqual(inserted.keys(), largest.keys())
        for table, key in inserted.items():
            self.assertGreater(key, largest[table], table)

    def test_orm_reads_a_sqlite_read_model(self):
        url = f"sqlite:{self.directory}/read_model.sqlite3"
        self.tenantry(url, "project")
        self.assert_orm_reads_what_tenantry_knows(url)
        self.assert_django_goes_on_after_our_ids(url)

    def test_orm_reads_a_database_that_tenantry_made(self):
        with fresh_database() as url:
            self.tenantry(url, "rebuild")
            self.assert_orm_reads_what_tenantry_knows(url)
            self.assert_django_goes_on_after_our_ids(url)

    def test_django_takes_over_tables_that_tenantry_made(self):
        with fresh_database() as url:
            self.django(url, "migrate", "auth", "-v0")
            self.tenantry(url, "schema", "apply")
            self.django(url, "migrate", "--fake-initial", "-v0")
            self.django(url, "makemigrations", "--check", "--dry-run")
            self.tenantry(url, "schema", "check")
            unapplied = [line for line in self.django(url, "showmigrations").splitlines()
                         if line.startswith(" [ ]")]
            self.assertEqual(unapplied, [])

            self.tenantry(url, "project")

            self.assert_orm_reads_what_tenantry_knows(url)
            self.assert_django_goes_on_after_our_ids(url)

    def test_a_database_with_a_past_that_django_calls_clean_is_told_apart(self):
        packages = os.path.join(self.directory, "older")
        os.mkdir(packages)
        with fresh_database() as url:
            modules = self.python(url, str(PROJECT / "older_chain.py"), packages)
            self.django(url, "migrate", "-v0", MIGRATION_MODULES=modules,
                        PYTHONPATH=f"{PROJECT}:{packages}")
            # The reset: from here on the application has one migration for each of its parts.
            self.django(url, "migrate", "--fake", "-v0")
            self.assertNotIn("[ ]", self.django(url, "showmigrations"))
            self.django(url, "makemigrations", "--check", "--dry-run")

            found = self.schema_findings(url)

            self.assertEqual({"warning"}, {one["class"] for one in found})
            places = collections.Counter(
                one["table"] for one in found if "stand in the order" in one["message"])
            self.assertEqual(set(TABLES) - {"auth_user", "core_protein"}, set(places))
            ghosts = [one for one in found if one["table"] == "django_migrations"]
            self.assertEqual(16, len(ghosts))
            rest = {one["message"]: one["remedy"] for one in found
                    if one not in ghosts and "stand in the order" not in one["message"]}
            self.assertEqual(2, len(rest), rest)
            self.assertIn("unique constraint on (tenant_id, user_id) is the plain index"
                          " one_membership", list(rest)[0] + list(rest)[1])
            self.assertIn("index on (slug varchar_pattern_ops) is missing", rest)

            with contextlib.closing(psycopg2.connect(url)) as connection, connection:
                for remedy in rest.values():
                    connection.cursor().execute(remedy)
            left = self.schema_findings(url)
            self.assertEqual(len(found) - 2, len(left))
            # None of it keeps the rows from coming, nor Django from reading them.
            self.tenantry(url, "project")
            self.tenantry(url, "verify")
            self.assert_orm_reads_what_tenantry_knows(url)

    def test_tables_of_django_that_were_dropped_come_back(self):
        with fresh_database() as url:
            self.django(url, "migrate", "-v0")
            self.tenantry(url, "project")
            with contextlib.closing(psycopg2.connect(url)) as connection, connection:
                connection.cursor().execute(f"DROP TABLE {', '.join(TABLES)} CASCADE")
            self.tenantry(url, "rebuild")
            self.tenantry(url, "verify")
            self.django(url, "migrate", "-v0")
            self.assert_orm_reads_what_tenantry_knows(url)
            self.assert_django_goes_on_after_our_ids(url)

    def test_after_all_tables_were_dropped_django_begins(self):
        with fresh_database() as url:
            self.django(url, "migrate", "-v0")
            self.tenantry(url, "project")
            with contextlib.closing(psycopg2.connect(url)) as connection, connection:
                connection.cursor().execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            self.django(url, "migrate", "auth", "-v0")
            self.tenantry(url, "rebuild")
            self.django(url, "migrate", "--fake-initial", "-v0")
            self.assertNotIn("[ ]", self.django(url, "showmigrations"))
            self.tenantry(url, "verify")
            self.assert_orm_reads_what_tenantry_knows(url)
            self.assert_django_goes_on_after_our_ids(url)

    def live(self, url, *arguments):
        return json.loads(self.python(url, str(PROJECT / "live.py"), *arguments))

    def test_what_the_application_keeps_survives_rebuilds(self):
        with fresh_database() as url:
            self.django(url, "migrate", "-v0")
            old = self.live(url, "hash", "correct horse")
            self.tenantry(url, "do", "register_user", "--username", "log.in", "--password", old)
            self.tenantry(url, "project")
            placed = self.live(url, "orders")
            self.assertGreater(placed, 10)
            orders = self.live(url, "read-orders")
            # The hash came through the log. Django makes a new one of it, and notes the time.
            logged_in = self.live(url, "log-in", "log.in", "correct horse")
            self.assertNotEqual(old, logged_in["password"])

            self.live(url, "meddle")
            changed = self.changes(url)
            self.assertEqual({"tenants_tenant", "tenants_tenant_user"}, set(changed))
            self.assertEqual({}, self.changes(url))  # Nothing is left to do.

            self.assertEqual(orders, self.live(url, "read-orders"))
            self.assertEqual(logged_in["password"], self.column(url, "password"))
            again = self.live(url, "log-in", "log.in", "correct horse")
            self.assertEqual(logged_in["password"], again["password"])
            self.tenantry(url, "rebuild", "--restore-app-columns")
            self.assertEqual(old, self.column(url, "password"))
            self.assert_django_goes_on_after_our_ids(url)

    def changes(self, url):
        """Table → rows that a rebuild inserted, updated or deleted."""
        certificate = json.loads(self.tenantry(url, "rebuild"))
        self.assertEqual("equal", certificate["verdict"])
        counted = {table["table"]: table["inserted"] + table["updated"] + table["deleted"]
                   for table in certificate["tables"]}
        return {table: count for table, count in counted.items() if count}

    def column(self, url, name):
        with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT {name} FROM auth_user WHERE username = 'log.in'")
            return cursor.fetchone()[0]

    def test_readers_see_the_rows_before_a_rebuild_or_those_after_it(self):
        query = ("SELECT (SELECT count(*) FROM auth_user WHERE first_name = 'x'),"
                 " (SELECT count(*) FROM tenants_tenant WHERE name = 'x'),"
                 " (SELECT count(*) FROM auth_user), (SELECT count(*) FROM tenants_tenant_user)")
        with fresh_database() as url:
            self.django(url, "migrate", "-v0")
            self.tenantry(url, "project")
            with contextlib.closing(psycopg2.connect(url)) as connection:
                connection.autocommit = True
                cursor = connection.cursor()
                cursor.execute(query)
                whole = cursor.fetchone()
                cursor.execute("SELECT count(*) FROM tenants_tenant")
                tenants = cursor.fetchone()[0]
                spoiled = (whole[2], tenants, whole[2], 0)
                seen, stop = collections.Counter(), threading.Event()
                readers = [threading.Thread(target=read_until, args=(url, query, seen, stop))
                           for _ in range(3)]
                for reader in readers:
                    reader.start()
                for _ in range(5):
                    cursor.execute("BEGIN; UPDATE auth_user SET first_name = 'x';"
                                   " UPDATE tenants_tenant SET name = 'x';"
                                   " DELETE FROM tenants_tenant_user; COMMIT")
                    self.tenantry(url, "rebuild")
                stop.set()
                for reader in readers:
                    reader.join()
            self.assertEqual({whole, spoiled}, set(seen))

    def schema_findings(self, url):
        result = run(PROGRAM, "schema", "check", TENANTRY_STORE=self.store, TENANTRY_READ_MODEL=url)
        self.assertEqual(result.returncode, 1, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_tenantry_fills_tables_that_django_made(self):
        with fresh_database() as url:
            self.django(url, "migrate", "-v0")
            self.tenantry(url, "schema", "check")
            self.tenantry(url, "project")
            self.tenantry(url, "verify")
            self.assert_orm_reads_what_tenantry_knows(url)
            self.assert_django_goes_on_after_our_ids(url)


if __name__ == "__main__":
    unittest.main()
