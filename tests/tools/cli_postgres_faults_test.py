"""A PostgreSQL server that refuses: cli_postgres_faults_test.py PATH-OF-TENANTRY [TEST…]

TENANTRY_TEST_POSTGRES is the URL of a server; psql must be there. What is done and what is not is
the business of tests/projections/postgres_faults_test.cc; here are the exit codes and the words."""

import os
import signal
import time
import unittest

from cli_case import command
from postgres_case import SERVER, PostgresTestCase, psql


class PostgresFaultsTest(PostgresTestCase):
    """A store with something in it, and a database."""

    def setUp(self):
        super().setUp()
        self.fill()

    def assert_unavailable(self, words, hint, url, commands=("project", "rebuild", "verify")):
        for command in commands:
            with self.subTest(command):
                result = self.run_program(command, TENANTRY_READ_MODEL=url)
                self.assert_exit(6, result)
                told = result.stderr.decode()
                self.assertTrue(told.startswith("error[unavailable]: "), told)
                self.assertIn(words, told)
                self.assertRegex(told, f"hint: .*{hint}")
                self.assertNotIn("hunter2", told)
                if command != "verify":  # Which says first what it found in the store.
                    self.assertEqual(b"", result.stdout)

    def test_no_server(self):
        url = "postgresql://ann:hunter2@/shop?host=/nowhere/at/all"
        name = "postgresql://ann@/shop?host=/nowhere/at/all"
        self.assert_unavailable(name, "is the server running", url)

    def test_no_database(self):
        url = SERVER.replace("/postgres?", "/nobodys_database?")
        self.assert_unavailable('"nobodys_database" does not exist', "createdb", url)

    def test_a_wrong_password(self):
        role = "role_" + self.name
        psql(
            SERVER,
            "DO $$ BEGIN CREATE ROLE asks_password;"
            " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;"
            f"CREATE ROLE {role} LOGIN PASSWORD 'right' IN ROLE asks_password",
        )
        self.addCleanup(psql, SERVER, f"DROP ROLE {role}")
        url = self.url.replace("user=postgres", f"user={role}&password=hunter2")
        self.assert_unavailable("password authentication failed", "PGPASSWORD", url)

    def test_a_right_that_is_missing(self):
        role = "role_" + self.name
        psql(SERVER, f"CREATE ROLE {role} LOGIN")
        self.addCleanup(psql, SERVER, f"DROP ROLE {role}")
        url = self.url.replace("user=postgres", f"user={role}")
        hint = "GRANT .*CREATE ON"
        self.assert_unavailable("permission denied", hint, url, ["project", "rebuild"])

    def test_a_database_that_is_read_only(self):
        psql(self.url, f"ALTER DATABASE {self.name} SET default_transaction_read_only = on")
        self.assert_unavailable("read-only", "read only", self.url, ["project", "rebuild"])
        psql(SERVER, f"ALTER DATABASE {self.name} RESET ALL")
        self.assert_exit(0, self.run_program("project", TENANTRY_READ_MODEL=self.url))
        self.assert_exit(0, self.run_program("verify", TENANTRY_READ_MODEL=self.url))

    def test_a_server_that_says_nothing_does_not_keep_a_follower_from_stopping(self):
        follower = self.start("project", "--follow", "--read-model", self.url)
        frozen = []
        try:
            self.assertIn(b"checkpoint", follower.stdout.readline())
            whose = f"datname = '{self.name}' AND backend_type = 'client backend'"
            found = psql(SERVER, f"COPY (SELECT pid FROM pg_stat_activity WHERE {whose}) TO STDOUT")
            frozen = [int(pid) for pid in found.split()]
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            self.apply(command("register_user", username="later"))
            time.sleep(1)
            asked = time.monotonic()
            follower.send_signal(signal.SIGTERM)
            follower.communicate(timeout=20)
            self.assertLess(time.monotonic() - asked, 5)
            self.assertEqual(130, follower.returncode)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
            follower.kill()
            follower.communicate()

    def test_tables_of_another_shape(self):
        psql(self.url, "CREATE TABLE auth_user (id text)")
        for command in ("project", "rebuild"):
            result = self.run_program(command, TENANTRY_READ_MODEL=self.url)
            self.assert_error(4, "read_model_shape", result)
            self.assertIn("hint: ", result.stderr.decode())


if __name__ == "__main__":
    unittest.main()
