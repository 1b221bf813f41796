#!/usr/bin/env python3
"""tools/postgres.sh: a server of one's own that leaves nothing behind, whatever happened to it.

    tests/tools/postgres_script_test.py
"""

import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "postgres.sh"


def script(*arguments, **options):
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, check=False, **options)


def ask(url, sql):
    return subprocess.run(["psql", "-X", "-At", "-d", url, "-c", sql], capture_output=True,
                          text=True, timeout=60, check=False)


class PostgresScriptTest(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.TemporaryDirectory(prefix="tenantry-pgs-", dir="/tmp")
        self.addCleanup(self.base.cleanup)
        os.chmod(self.base.name, 0o711)  # The server's user must get through.
        self.directory = os.path.join(self.base.name, "pg")

    def start(self, *options):
        started = script("start", *options, self.directory)
        self.addCleanup(script, "stop", self.directory)
        self.assertEqual(started.returncode, 0, started.stderr)
        return started.stdout.split()

    def test_run_hands_on_the_server_and_the_exit_code_and_leaves_nothing(self):
        environment = {**os.environ, "TMPDIR": self.base.name}
        run = script("run", "bash", "-c", """
            psql -X -At -d "$TENANTRY_TEST_POSTGRES" -c 'SHOW fsync' && exit 7""", env=environment)
        self.assertEqual((run.returncode, run.stdout), (7, "off\n"), run.stderr)
        self.assertEqual(os.listdir(self.base.name), [])

    def test_a_durable_server_has_the_stock_settings_and_a_port_with_a_password(self):
        environment = {**os.environ, "TMPDIR": self.base.name}
        run = script("run", "--durable", "--tcp", "--", "bash", "-c", """
            psql -X -At -d "$TENANTRY_TEST_POSTGRES_TCP" -c 'SHOW fsync' -c 'SHOW full_page_writes'
            psql -X -At -d "${TENANTRY_TEST_POSTGRES_TCP/@/x@}" -c 'SELECT 1'""", env=environment)
        self.assertEqual(run.stdout, "on\non\n", run.stderr)
        self.assertIn("password authentication failed", run.stderr)

    def test_start_takes_up_what_runs_and_replaces_what_crashed(self):
        (url,) = self.start()
        self.assertEqual(ask(url, "CREATE TABLE t (a int)").stderr, "")
        self.assertEqual(self.start(), [url])
        self.assertEqual(ask(url, "SELECT count(*) FROM t").stdout, "0\n")

        server = int(pathlib.Path(self.directory, "data", "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGKILL)
        while ask(url, "SELECT 1").returncode == 0:
            time.sleep(0.01)
        self.assertEqual(self.start(), [url])
        self.assertIn("does not exist", ask(url, "SELECT * FROM t").stderr)

        self.assertEqual(script("stop", self.directory).returncode, 0)
        self.assertEqual(os.listdir(self.base.name), [])
        self.assertEqual(script("stop", self.directory).returncode, 0)

    def test_members_of_asks_password_are_asked(self):
        (url,) = self.start()
        ask(url, "CREATE ROLE asks_password; "
                 "CREATE ROLE ann LOGIN PASSWORD 'right' IN ROLE asks_password")
        ann = url.replace("user=postgres", "user=ann")
        self.assertEqual(ask(ann + "&password=right", "SELECT 1").stdout, "1\n")
        self.assertIn("password authentication failed", ask(ann + "&password=x", "SELECT 1").stderr)

    def test_what_it_did_not_make_stays(self):
        os.mkdir(self.directory)
        precious = pathlib.Path(self.directory, "precious")
        precious.write_text("x")
        self.assertEqual(script("start", self.directory).returncode, 1)
        self.assertEqual(script("stop", self.directory).returncode, 0)
        self.assertTrue(precious.exists())

    def test_a_path_that_no_socket_can_have_is_refused(self):
        refused = script("start", "/tmp/" + "a" * 100)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("too long", refused.stderr)


if __name__ == "__main__":
    unittest.main()
