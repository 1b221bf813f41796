"""Stores as earlier versions left them when they were killed: golden_stores_test.py PROGRAM

Each is read, verified, rebuilt, written to, squashed and backed up by today's program.
"""

import hashlib
import json
import os
import re
import shutil
import tarfile
import unittest

from cli_case import CliTestCase, command

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STORES = os.path.join(SOURCE, "tests", "golden", "stores")


def golden_stores():
    return sorted(
        name.removesuffix(".tar.xz") for name in os.listdir(STORES) if name.endswith(".tar.xz")
    )


def format_of_today():
    with open(os.path.join(SOURCE, "core", "store_files.h"), encoding="utf-8") as file:
        found = dict(re.findall(r"kFormat(Major|Minor) = (\d+);", file.read()))
    return f"{found['Major']}.{found['Minor']}"


class GoldenStoresTest(CliTestCase):
    def take(self, name):
        """The store becomes the test's; gives what is known of it."""
        shutil.rmtree(self.store)
        with tarfile.open(os.path.join(STORES, name + ".tar.xz")) as archive:
            archive.extractall(self.directory)
        with open(os.path.join(STORES, name + ".json"), encoding="utf-8") as file:
            return json.load(file)

    def each(self, check):
        for name in golden_stores():
            with self.subTest(name):
                check(self.take(name))

    def rebuild(self, *options):
        read_model = "sqlite:" + os.path.join(self.directory, "rebuilt.sqlite3")
        (certificate,) = self.records("rebuild", "-q", "--read-model", read_model, *options)
        self.assertEqual("equal", certificate["verdict"])
        tables = {table["table"]: table["found_digest"] for table in certificate["tables"]}
        os.remove(read_model.removeprefix("sqlite:"))
        return certificate, tables

    def contents(self):
        """The files that a store is made of, by name."""
        found = {}
        for directory, _, names in os.walk(self.store):
            for name in names:
                path = os.path.join(directory, name)
                if name in ("LOG", "LOCK", "OWNER.lock"):
                    continue
                with open(path, "rb") as file:
                    found[path] = hashlib.sha256(file.read()).hexdigest()
        return found

    def test_there_is_one_of_todays_format(self):
        formats = {name.split("-")[0] for name in golden_stores()}
        self.assertIn(format_of_today(), formats, "make_store.py makes one")

    def kinds(self):
        return [event["kind"] for event in self.records("log")]

    def test_what_they_hold_is_what_they_held(self):
        def check(expected):
            certificate, tables = self.rebuild()
            self.assertEqual(expected["tables"], tables)
            for field, value in expected["log"].items():
                self.assertEqual(value, certificate[field], field)
            self.assertEqual(expected["kinds"], self.kinds())
            self.assertEqual(expected["tables"], self.rebuild("--from-events")[1])
            self.assert_exit(0, self.run_program("verify", "--full"))

        self.each(check)

    def test_reading_changes_nothing(self):
        def check(_):
            before = self.contents()
            for arguments in (["status"], ["log"], ["rows", "auth_user"], ["verify", "--full"]):
                self.assert_exit(0, self.run_program(*arguments))
            self.assertEqual(before, self.contents())

        self.each(check)

    def test_a_command_is_answered_as_it_was(self):
        def check(expected):
            self.assertEqual([expected["answer"]], self.apply(expected["command"]))
            self.assertEqual(expected["log"]["position"], self.tail())

        self.each(check)

    def test_they_are_written_to_squashed_and_backed_up(self):
        def check(expected):
            (answer,) = self.apply(command("register_user", username="later"))
            self.assertEqual([expected["log"]["position"] + 1], answer["positions"])
            before = self.kinds()
            _, tables = self.rebuild()
            self.assert_exit(0, self.run_program("squash", "--yes"))
            self.assertEqual(before, self.kinds()[: len(before)])
            self.assertEqual(tables, self.rebuild()[1])
            self.assert_exit(0, self.run_program("verify", "--full"))
            backup = os.path.join(self.directory, "backup")
            self.assert_exit(0, self.run_program("backup", backup))
            shutil.rmtree(self.store)
            self.assert_exit(0, self.run_program("restore", backup))
            self.assertEqual(tables, self.rebuild()[1])
            shutil.rmtree(backup)

        self.each(check)


if __name__ == "__main__":
    unittest.main()
