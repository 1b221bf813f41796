"""Export and apply again: cli_export_test.py PATH-OF-TENANTRY [TEST…]"""

import json
import os
import subprocess
import sys
import unittest

from cli_case import CliTestCase, command

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class ExportTest(CliTestCase):
    def copy_of(self, exported, name="copy"):
        """A store made of an export; returns its directory."""
        copy = os.path.join(self.directory, name)
        self.assert_exit(0, self.run_program("init", TENANTRY_STORE=copy))
        applied = self.run_program("apply", "--historic", stdin=exported, TENANTRY_STORE=copy)
        self.assert_exit(0, applied)
        return copy

    def digests(self, store, *options):
        """Of every table, as a rebuild of a read model of its own finds them."""
        url = "sqlite:" + os.path.join(self.directory, os.path.basename(store) + ".sqlite3")
        result = self.run_program(
            "rebuild", "-o", "json", "--read-model", url, *options, TENANTRY_STORE=store
        )
        self.assert_exit(0, result)
        tables = json.loads(result.stdout)["tables"]
        self.assertEqual(7, len(tables))
        return {t["table"]: (t["found_rows"], t["found_digest"]) for t in tables}

    def exported(self, *options, store=None):
        result = self.run_program("export", *options, TENANTRY_STORE=store or self.store)
        self.assert_exit(0, result)
        return result.stdout

    def history_commands(self):
        """Two histories, a small company's and an organisation's, as lines of apply."""
        with open(os.path.join(SOURCE, "tools/demo/sample.ndjson"), "rb") as sample:
            yield "sample", sample.read()
        script = os.path.join(SOURCE, "tests/org_history.py")
        yield "organisation", subprocess.run(
            [sys.executable, script, os.path.join(SOURCE, "tests/history"), "--commands-only"],
            capture_output=True,
            check=True,
        ).stdout

    def test_an_export_gives_equal_rows_and_the_same_export(self):
        for name, lines in self.history_commands():
            with self.subTest(name):
                store = os.path.join(self.directory, name)
                self.assert_exit(0, self.run_program("init", TENANTRY_STORE=store))
                self.run_program("apply", "--historic", "-q", stdin=lines, TENANTRY_STORE=store)
                exported = self.exported("--reveal", store=store)
                self.assertGreater(len(exported.splitlines()), 100)
                copy = self.copy_of(exported, "copy-of-" + name)
                self.assertEqual(exported, self.exported("--reveal", store=copy))
                self.assertEqual(self.digests(store), self.digests(copy))
                self.assert_exit(0, self.run_program("verify", TENANTRY_STORE=copy))

    def test_hashes_and_tokens_are_kept_with_reveal_alone(self):
        self.fill()
        revealed = self.exported("--reveal")
        self.assertIn(b"pbkdf2_sha256$secret$hash", revealed)
        self.assertIn(b"tokentokentokentokentokentokentoken1", revealed)
        masked = self.exported()
        self.assertNotIn(b"pbkdf2", masked)
        self.assertNotIn(b"tokentoken", masked)

        copy = self.copy_of(masked)
        users = self.run_program("rows", "auth_user", "--reveal", TENANTRY_STORE=copy).stdout
        for line in users.splitlines():
            self.assertTrue(json.loads(line)["password"].startswith("!"), line)
        invitation = self.run_program(
            "rows", "tenants_invitation", "--reveal", TENANTRY_STORE=copy
        ).stdout
        self.assertEqual(64, len(json.loads(invitation)["token"]))
        self.assertEqual(masked, self.exported(store=copy))
        ours, theirs = self.digests(self.store), self.digests(copy)
        changed = {table for table in ours if ours[table] != theirs[table]}
        # Passwords belong to the application and stand in no digest.
        self.assertEqual({"tenants_invitation"}, changed)

    def test_applying_an_export_to_its_own_store_is_refused_or_changes_nothing(self):
        known = {"id": "0f8b5a0e-6c1d-4c0e-9a52-6a1f6f0c7b11"}
        self.apply(command("register_user", known, username="ann"))
        exported = self.exported("--reveal")
        again = self.run_program("apply", "--historic", stdin=exported)
        self.assert_exit(4, again)
        self.assertIn(b'"code":"id_reused"', again.stdout)
        self.assertEqual(1, self.tail())

    def test_filters(self):
        self.fill()
        names = [json.loads(line)["command"] for line in self.exported().splitlines()]
        self.assertEqual(8, len(names))
        for options, expected in (
            (("--user", "bob"), ["register_user", "add_member", "change_member_role"]),
            (("--kind", "DomainAdded"), ["add_domain"]),
            (("--channel", "admin"), ["change_member_role"]),
            (("--actor", "user:1", "--limit", "1"), ["create_tenant"]),
            (("--grep", "www.acme"), ["add_domain"]),
            (("--scope", "auth"), ["register_user", "register_user"]),
            (("--after", "2", "--through", "3"), ["register_user"]),
        ):
            with self.subTest(options):
                lines = self.exported(*options).splitlines()
                self.assertEqual(expected, [json.loads(line)["command"] for line in lines])

    def test_a_search_finds_no_secrets(self):
        self.fill()
        self.assertEqual(b"", self.exported("--reveal", "--grep", "pbkdf2"))

    def test_other_forms_are_refused(self):
        for options in (("-o", "csv"), ("-o", "table"), ("--fields", "command")):
            self.assert_error(2, "usage", self.run_program("export", *options))
        as_json = self.run_program("export", "-o", "json")
        self.assert_exit(2, as_json)
        self.assertEqual("usage", json.loads(as_json.stderr)["error"]["code"])
        self.assert_exit(0, self.run_program("export", "-o", "ndjson"))

    def test_an_empty_store_exports_nothing(self):
        self.assertEqual(b"", self.exported())


if __name__ == "__main__":
    unittest.main()
