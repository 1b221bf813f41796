"""Disks that run full or cannot be written: cli_disk_test.py PATH-OF-TENANTRY [TEST…]

Each test mounts a small disk of its own, in a mount namespace that ends with this script. Where
that is not allowed the tests are skipped, and say so.
"""

import json
import os
import subprocess
import sys
import unittest
import uuid

MARK = "TENANTRY_TEST_NAMESPACE"

# The second as an ordinary user.
NAMESPACES = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])
TRIAL = 'mount -t tmpfs -o size=1m tmpfs "$0"'
SKIPPED = 77  # As ctest is told.

for unshare in NAMESPACES if MARK not in os.environ else ():
    trial = [*unshare, "sh", "-c", TRIAL, os.path.dirname(os.path.abspath(__file__))]
    if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
        os.environ[MARK] = "1"
        os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])

# pylint: disable=wrong-import-position
from cli_case import CliTestCase, command


@unittest.skipUnless(MARK in os.environ, "mounting is not allowed here")
class DiskTestCase(CliTestCase):
    """A disk of 64 MB with an empty store on it."""

    def setUp(self):
        super().setUp()
        self.disk = os.path.join(self.directory, "disk")
        os.mkdir(self.disk)
        mounted = self.mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", self.disk)
        if mounted.returncode != 0:
            self.skipTest("mounting is not allowed here: " + mounted.stderr.decode())
        self.addCleanup(subprocess.run, ["umount", self.disk], check=True)
        self.store = os.path.join(self.disk, "store")
        self.assert_exit(0, self.run_program("init"))

    @staticmethod
    def mount(*arguments):
        return subprocess.run(["mount", *arguments], capture_output=True, check=False)

    def users(self, count):
        lines = []
        for number in range(count):
            line = {"id": str(uuid.UUID(int=number + 1)), "actor": "user:1"}
            names = {"first_name": "x" * 150, "last_name": "y" * 150}
            lines.append(command("register_user", line, username=f"u{number}", **names))
        return "".join(json.dumps(line) + "\n" for line in lines).encode()

    def apply_lines(self, lines):
        result = self.run_program("apply", "-q", stdin=lines)
        return result, [json.loads(line) for line in result.stdout.splitlines()]


class FullDiskTest(DiskTestCase):
    def test_appends_stop_before_the_disk_is_full_and_go_on_when_there_is_room(self):
        lines = self.users(60000)
        result, answers = self.apply_lines(lines)
        self.assert_exit(6, result)
        self.assertIn(b"error[disk_low]", result.stderr)
        self.assertIn(b"hint: free disk space", result.stderr)
        self.assertGreater(len(answers), 1000)
        self.assertLess(len(answers), 60000)
        # Reading goes on, and nothing answered is missing.
        self.assertGreaterEqual(self.tail(), len(answers))
        self.assert_exit(0, self.run_program("verify"))
        # With room again, the same file goes through and begins with the same answers.
        self.assertEqual(0, self.mount("-o", "remount,size=512m", self.disk).returncode)
        result, again = self.apply_lines(lines)
        self.assert_exit(0, result)
        self.assertEqual(answers, again[: len(answers)])
        self.assertEqual(60000, self.tail())

    def test_a_disk_that_others_filled_keeps_nobody_from_opening(self):
        _, answers = self.apply_lines(self.users(500))
        self.assertEqual(500, len(answers))
        filler = os.path.join(self.disk, "filler")
        with open(filler, "wb", buffering=0) as file:
            with self.assertRaises(OSError):
                while True:
                    file.write(b"x" * 4096)
        self.assertEqual(500, self.tail())
        refused = self.run_program("do", "add_protein", "--name", "Beef")
        self.assert_error(6, "disk_low", refused)
        self.assertFalse(os.path.exists(os.path.join(self.store, "ballast")), "given up to open")
        self.assertEqual(500, self.tail())
        os.remove(filler)
        self.assert_exit(0, self.run_program("do", "add_protein", "--name", "Beef"))
        self.assertTrue(os.path.exists(os.path.join(self.store, "ballast")), "rebuilt")
        self.assertEqual(501, self.tail())
        self.assert_exit(0, self.run_program("verify"))


class ReadOnlyDiskTest(DiskTestCase):
    def test_a_store_that_cannot_be_written_can_be_read(self):
        self.fill()
        self.assert_exit(0, self.run_program("project"))
        before = self.records("log")
        self.assertEqual(0, self.mount("-o", "remount,ro", self.disk).returncode)
        self.assertEqual(before, self.records("log"))
        self.assertEqual(8, self.tail())
        self.assertEqual(2, len(self.records("rows", "auth_user")))
        self.assertEqual(1, len(self.records("rows", "auth_user", "--as-of", "2")))
        self.assert_exit(0, self.run_program("show", "3"))
        self.assert_exit(0, self.run_program("resolve", "--host", "www.acme.example"))
        self.assert_exit(0, self.run_program("verify"))
        refused = self.run_program("do", "add_protein", "--name", "Beef")
        self.assert_error(6, "unavailable", refused)
        self.assertIn(b"Read-only file system", refused.stderr)


if __name__ == "__main__":
    done = unittest.main(exit=False).result
    if not done.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if done.testsRun == len(done.skipped) else 0)
