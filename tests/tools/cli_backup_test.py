"""Backup and restore through the command line: cli_backup_test.py PATH-OF-TENANTRY [TEST…]"""

import json
import os
import random
import signal
import time
import unittest

from cli_case import CliTestCase, command


class BackupCase(CliTestCase):
    def setUp(self):
        super().setUp()
        self.backup = os.path.join(self.directory, "backup")
        self.restored = os.path.join(self.directory, "restored")

    def restore(self, *options):
        return self.run_program("restore", self.backup, "--store", self.restored, *options)

    def at_restored(self, *arguments):
        return self.run_program(*arguments, "--store", self.restored)

    def rows(self, store):
        result = self.run_program("rows", "auth_user", "--reveal", "--store", store)
        self.assert_exit(0, result)
        return result.stdout


class BackupTest(BackupCase):
    def test_a_restored_store_has_the_rows_and_says_where_it_came_from(self):
        self.fill()
        (backup,) = self.records("backup", self.backup)
        self.assertEqual(8, backup["tail"])
        self.assertEqual(1, backup["incarnation"])
        self.apply(command("register_user", username="late"))
        result = self.restore("--actor", "ann", "--reason", "the disk died")
        self.assert_exit(0, result)
        restored = json.loads(result.stdout)
        self.assertEqual(backup["store_id"], restored["store_id"])
        self.assertEqual(2, restored["incarnation"])
        self.assertEqual(9, restored["tail"])
        result = self.at_restored("log", "--scope", "system")
        (event,) = map(json.loads, result.stdout.splitlines())
        self.assertEqual("StoreRestored", event["kind"])
        self.assertEqual("store/" + backup["store_id"], event["stream"])
        self.assertEqual(("ann", "the disk died"), (event["actor"], event["reason"]))
        self.assertEqual(8, event["data"]["tail"])
        self.assertEqual(backup["taken_at"], event["data"]["taken_at"])
        self.assertNotIn(b"late", self.rows(self.restored))
        self.assert_exit(0, self.at_restored("verify"))
        shown = self.at_restored("show", "9")
        self.assert_exit(0, shown)

    def test_an_export_leaves_out_what_was_done_with_the_store(self):
        self.fill()
        self.records("backup", self.backup)
        self.assert_exit(0, self.restore("-q"))
        here = self.run_program("export", "--reveal", "-o", "ndjson")
        there = self.at_restored("export", "--reveal", "-o", "ndjson")
        self.assert_exit(0, there)
        self.assertEqual(here.stdout, there.stdout)

    def test_an_export_names_causes_by_the_positions_that_they_will_have(self):
        self.fill()
        self.records("backup", self.backup)
        self.assert_exit(0, self.restore("-q"))
        lines = [
            command("register_user", username="cause"),
            command("register_user", {"causation_position": 10}, username="effect"),
            command("register_user", {"causation_position": 9}, username="of-the-restore"),
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.assert_exit(0, self.run_program("apply", "--store", self.restored, stdin=text))
        exported = self.at_restored("export", "--reveal", "-o", "ndjson").stdout
        *_, cause, effect, other = map(json.loads, exported.splitlines())
        self.assertEqual("cause", cause["data"]["username"])
        self.assertEqual(9, effect["causation_position"])
        self.assertNotIn("causation_position", other)

    def test_errors_say_what_to_do_and_change_nothing(self):
        self.fill()
        os.mkdir(self.backup)
        with open(os.path.join(self.backup, "mine"), "w", encoding="utf-8") as file:
            file.write("x")
        self.assert_error(2, "store_not_empty", self.run_program("backup", self.backup))
        self.assert_error(
            2, "backup_inside_store", self.run_program("backup", os.path.join(self.store, "b"))
        )
        self.assert_error(5, "backup_not_found", self.restore())
        self.assert_exit(2, self.run_program("restore"))
        os.remove(os.path.join(self.backup, "mine"))
        self.records("backup", self.backup)
        self.assert_error(
            4, "store_exists", self.run_program("restore", self.backup, "--store", self.store)
        )
        self.assert_error(2, "too_long", self.restore("--actor", "x" * 201))
        self.assert_error(2, "invalid_text", self.restore("--reason", b"\xff"))
        self.assert_exit(6, self.run_program("backup", os.path.join(self.directory, "x" * 300)))
        self.assert_exit(6, self.run_program("restore", "x" * 300, "--store", self.restored))
        self.assertFalse(os.path.exists(self.restored))
        self.assertEqual(8, self.tail())
        self.assert_error(6, "store_not_found", self.run_program("log", "--store", self.backup))

    def test_parents_are_made_and_a_dry_run_leaves_none(self):
        self.fill()
        self.backup = os.path.join(self.directory, "deep", "er", "backup")
        self.records("backup", self.backup)
        self.restored = os.path.join(self.directory, "other", "place", "restored")
        self.assert_exit(0, self.restore("--dry-run"))
        self.assertFalse(os.path.exists(os.path.join(self.directory, "other")))
        self.assert_exit(0, self.restore())

    def test_a_dry_run_leaves_nothing(self):
        self.fill()
        (plan,) = self.records("backup", self.backup, "--dry-run")
        self.assertEqual((8, True), (plan["tail"], plan["dry_run"]))
        self.assertFalse(os.path.exists(self.backup))
        self.records("backup", self.backup)
        self.assert_exit(0, self.restore("--dry-run"))
        self.assertFalse(os.path.exists(self.restored))

    def test_a_damaged_backup_is_refused_by_name(self):
        self.fill()
        self.records("backup", self.backup)
        database = os.path.join(self.backup, "db")
        tables = [name for name in os.listdir(database) if name.endswith(".sst")]
        largest = max(tables, key=lambda name: os.path.getsize(os.path.join(database, name)))
        path = os.path.join(database, largest)
        with open(path, "rb") as file:
            whole = bytearray(file.read())
        os.remove(path)
        result = self.restore()
        self.assert_error(7, "corruption", result)
        self.assertIn(largest.encode(), result.stderr)
        whole[len(whole) // 3] ^= 4
        with open(path, "wb") as file:
            file.write(whole)
        self.assert_error(7, "corruption", self.restore())
        self.assertFalse(os.path.exists(self.restored))


class BackupBesideOthersTest(BackupCase):
    def test_the_owner_of_the_store_makes_it_while_it_writes(self):
        owner = self.start("apply", "-q")
        line = json.dumps(command("register_user", username="first")) + "\n"
        owner.stdin.write(line.encode())
        owner.stdin.flush()
        self.assertIn(b"accepted", owner.stdout.readline())
        (backup,) = self.records("backup", self.backup)
        self.assertEqual(1, backup["tail"])
        owner.stdin.write(line.replace("first", "second").encode())
        owner.stdin.flush()
        self.assertIn(b"accepted", owner.stdout.readline())
        owner.communicate()
        self.assertEqual(0, owner.returncode)
        self.assert_exit(0, self.restore())
        self.assertIn(b"first", self.rows(self.restored))
        self.assertNotIn(b"second", self.rows(self.restored))

    def test_one_that_is_killed_leaves_no_backup_and_the_store_as_it_was(self):
        lines = "".join(
            json.dumps(command("register_user", username=f"u{n}")) + "\n" for n in range(3000)
        )
        self.assert_exit(0, self.run_program("apply", "-q", stdin=lines))
        chance = random.Random(7)
        killed = 0
        for number in range(12):
            place = f"{self.backup}-{number}"
            program = self.start("backup", place)
            time.sleep(chance.uniform(0.0, 0.15))
            program.send_signal(signal.SIGKILL)
            program.communicate()
            if program.returncode == 0 or os.path.exists(os.path.join(place, "BACKUP")):
                restored = f"{self.restored}-{number}"
                self.assert_exit(0, self.run_program("restore", place, "--store", restored))
                continue
            killed += 1
            self.assert_error(
                5, "backup_not_found", self.run_program("restore", place, "--store", self.restored)
            )
            if os.path.exists(place) and os.listdir(place):
                again = self.run_program("backup", place)
                self.assert_error(2, "store_not_empty", again)
                self.assertIn(b"interrupted", again.stderr)
        self.assertGreater(killed, 0)
        self.assert_exit(0, self.run_program("verify"))
        self.assertEqual(3000, self.tail())


class ReadModelTest(BackupCase):
    """What follows the store follows the restored one, if that has lost nothing of it."""

    def setUp(self):
        super().setUp()
        self.fill()
        self.model = "sqlite:" + os.path.join(self.directory, "app.sqlite3")

    def project(self):
        return self.at_restored("project", "-o", "json", "--read-model", self.model)

    def test_one_that_is_behind_goes_on(self):
        self.records("project", "--read-model", self.model)
        self.apply(command("register_user", username="cy"))
        self.records("backup", self.backup)
        self.assert_exit(0, self.restore())
        status = self.at_restored("status", "-o", "json", "--read-model", self.model)
        self.assertEqual("behind", json.loads(status.stdout)["read_model"]["state"])
        result = self.project()
        self.assert_exit(0, result)
        self.assertEqual(10, json.loads(result.stdout)["checkpoint"])
        self.assert_exit(0, self.at_restored("verify", "--read-model", self.model))

    def test_one_of_another_store_from_the_same_backup_is_told_apart(self):
        self.records("backup", self.backup)
        self.assert_exit(0, self.restore("-q"))
        sibling = os.path.join(self.directory, "sibling")
        self.assert_exit(0, self.run_program("restore", self.backup, "--store", sibling, "-q"))
        self.at_restored("do", "register_user", "--username", "here", "-q")
        self.run_program("do", "register_user", "--username", "there", "-q", "--store", sibling)
        self.assert_exit(0, self.project())
        of_sibling = ("--store", sibling, "--read-model", self.model)
        status = self.run_program("status", "-o", "json", *of_sibling)
        self.assertEqual("of_another_history", json.loads(status.stdout)["read_model"]["state"])
        wait = ("do", "register_user", "--username", "x", "--wait", self.model, "--wait-max", "5")
        self.assert_error(4, "read_model_foreign", self.run_program(*wait, *of_sibling))
        self.assert_error(4, "read_model_diverged", self.run_program("project", *of_sibling))

    def test_one_that_is_ahead_stops_and_says_why(self):
        self.records("backup", self.backup)
        lost = [command("register_user", username=name) for name in ("lost", "gone")]
        self.apply(*lost)
        self.records("project", "--read-model", self.model)
        self.assert_exit(0, self.restore())
        result = self.at_restored("project", "--read-model", self.model)
        self.assert_error(4, "read_model_diverged", result)
        self.assertIn(b"restored", result.stderr)
        self.assertIn(b"rebuild --delete-unknown", result.stderr)
        # On another branch: as far as before, with other events.
        self.at_restored("do", "register_user", "--username", "other", "-q")
        self.at_restored("do", "register_user", "--username", "more", "-q")
        self.assert_error(
            4, "read_model_diverged", self.at_restored("project", "--read-model", self.model)
        )
        result = self.at_restored("rebuild", "--delete-unknown", "--read-model", self.model)
        self.assert_exit(0, result)
        self.assert_exit(0, self.at_restored("verify", "--read-model", self.model))
        self.assert_exit(0, self.project())


if __name__ == "__main__":
    unittest.main()
