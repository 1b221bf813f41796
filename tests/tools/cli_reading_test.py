"""History and read models: cli_reading_test.py PATH-OF-TENANTRY [TEST…]"""

import contextlib
import os
import sqlite3
import unittest

from cli_case import TABLES, CliTestCase, command, tenant


class HistoryTest(CliTestCase):
    def setUp(self):
        super().setUp()
        self.fill()

    def positions(self, *arguments):
        return [e["position"] for e in self.records("log", *arguments)]

    def test_filters(self):
        everything = self.positions()
        self.assertEqual(list(range(1, len(everything) + 1)), everything)
        self.assertEqual(everything[::-1], self.positions("--reverse"))
        self.assertEqual([2, 3], self.positions("--after", "1", "--through", "3"))
        self.assertEqual([], self.positions("--through", "2001-01-01"))
        self.assertEqual(everything, self.positions("--after", "1d"))
        self.assertEqual([2, 3], self.positions("--scope", "auth"))
        self.assertEqual([4, 5], self.positions("--kind", "MemberAdded"))
        self.assertEqual([1, 5, 6], self.positions("--actor", "user:1"))
        self.assertEqual([6], self.positions("--channel", "admin"))
        self.assertEqual([3, 5, 6], self.positions("--user", "bob"))
        self.assertEqual([1, 4, 5, 6, 7, 8], self.positions("--tenant", "acme"))
        self.assertEqual([5, 6], self.positions("--stream", "member/acme/bob"))
        self.assertEqual([5, 6], self.positions("--stream", "member/2"))
        self.assertEqual([7], self.positions("--grep", "www.acme.example"))
        self.assertEqual([1, 2], self.positions("--limit", "2", "--live-only"))

    def test_patch_shows_old_and_new(self):
        for extra in ([], ["--reverse"], ["--after", "5"]):
            event = [e for e in self.records("log", "-p", *extra) if e["position"] == 6][0]
            self.assertEqual([{"field": "role", "old": "user", "new": "admin"}], event["changes"])
        self.assertIn(
            "    role: user → admin", self.run_program("log", "-p", "-o", "table").stdout.decode()
        )

    def test_show(self):
        event = self.records("show", "6")[0]
        self.assertEqual("patch", event["row_changes"][0]["effect"])
        self.assertEqual("admin", event["row_changes"][0]["columns"]["role"])
        self.assertEqual([{"field": "role", "old": "user", "new": "admin"}], event["replaced"])
        self.assertEqual(64, len(event["chain_hash"]))
        self.assert_error(5, "not_found", self.run_program("show", "999"))

    def test_show_names_the_other_events_of_the_command(self):
        self.apply(command("delete_tenant", tenant="acme", confirm="acme"))
        first = self.records("log", "--kind", "TenantDeleted")[0]["position"]
        self.assertEqual(
            [9, 10, 11, 12], self.records("show", str(first))[0]["other_events_of_command"]
        )

    def test_names_of_what_is_gone(self):
        self.apply(
            command("change_tenant", tenant="acme", slug="new"),
            command("change_user_profile", user="bob", username="rob"),
        )
        for reference in ("tenant/acme", "tenant/new"):
            self.assertEqual(2, len(self.records("history", reference)), reference)
        self.assertEqual(2, len(self.records("history", "user/bob")))
        self.apply(command("delete_tenant", tenant="new", confirm="new"))
        self.assertEqual("TenantDeleted", self.records("history", "tenant/acme")[-1]["kind"])
        self.apply(tenant("acme"))
        result = self.run_program("log", "--tenant", "acme")
        self.assert_error(2, "ambiguous", result)
        self.assert_error(5, "not_found", self.run_program("history", "tenant/never"))

    def test_history_of_every_kind(self):
        self.apply(
            command("set_preferences", user="ann", theme="dark"),
            command("add_protein", name="Beef"),
        )
        for reference in (
            "tenant/acme",
            "user/ann",
            "user/id:1",
            "user/1",
            "domain/www.acme.example",
            "member/acme/ann",
            "preferences/ann",
            "protein/Beef",
            "invitation/EVE@acme.example",
            "invitation/tokent",
        ):
            self.assertTrue(self.records("history", reference), reference)

    def test_blame(self):
        blamed = {b["field"]: b for b in self.records("blame", "member/acme/bob")}
        self.assertEqual(
            (6, "user:1", "admin"),
            (blamed["role"]["position"], blamed["role"]["actor"], blamed["role"]["value"]),
        )
        self.assertEqual(5, blamed["user_id"]["position"])

    def test_blame_shows_null(self):
        table = self.run_program("blame", "tenant/acme", "-o", "table", "--fields", "field,value")
        self.assertRegex(table.stdout.decode(), r"(?m)^trial_ends_at +NULL$")
        logo = [b for b in self.records("blame", "tenant/acme") if b["field"] == "logo"]
        self.assertIsNone(logo[0]["value"])

    def test_rows(self):
        self.assertEqual(["ann", "bob"], [r["username"] for r in self.records("rows", "auth_user")])
        rows = self.records("rows", "tenants_tenant_user", "--names", "--where", "role=admin")
        self.assertEqual([("acme", "bob")], [(r["tenant_slug"], r["user_username"]) for r in rows])
        self.assertEqual(
            "user",
            self.records("rows", "tenants_tenant_user", "--where", "user_id=2", "--as-of", "5")[0][
                "role"
            ],
        )
        self.assertEqual([], self.records("rows", "auth_user", "--as-of", "2001-01-01"))
        self.assertEqual(1, len(self.records("rows", "tenants_tenantdomain", "--tenant", "acme")))
        self.assert_error(5, "not_found", self.run_program("rows", "auth_user", "--as-of", "999"))

    def test_resolve(self):
        for arguments, matched in (
            (["--host", "www.acme.example"], "domain"),
            (["--host", "acme.other.example"], "subdomain"),
            (["--user", "ann"], "membership"),
        ):
            self.assertEqual(matched, self.records("resolve", *arguments)[0]["matched"])
        self.assert_exit(5, self.run_program("resolve", "--host", "www.other.example"))
        self.apply(command("register_user", username="out"))
        tenant_id = self.records("rows", "tenants_tenant")[0]["id"]
        self.assert_exit(3, self.run_program("resolve", "--tenant-id", tenant_id, "--user", "out"))

    def test_status_for_people_holds_no_json(self):
        self.run_program("project")
        text = self.run_program("status", "-o", "table").stdout.decode()
        self.assertNotIn("{", text)
        columns = (
            "scope events last_position base live live_bytes archived discarded archive_bytes"
            " last_squash squashed_at"
        )
        self.assertRegex(text, "(?m)^" + columns.replace(" ", " +") + "$")
        self.assertRegex(text, r"(?m)^tenants +6 +8 +0 +6 +\d+ +0 +0 +0 *$")
        self.assertRegex(text, r"(?m)^tenants_tenant_user +2$")
        self.assertRegex(text, r"(?m)^state +up_to_date$")
        self.assertRegex(text, r"(?m)^lag +0$")

    def test_status(self):
        status = self.records("status")[0]
        self.assertEqual(
            (8, 2, "absent"),
            (status["tail"], status["rows"]["auth_user"], status["read_model"]["state"]),
        )


class ReadModelTest(CliTestCase):
    def setUp(self):
        super().setUp()
        self.fill()
        self.database = os.path.join(self.store, "read_model.sqlite3")

    def sql(self, statement):
        with sqlite3.connect(self.database) as connection:
            rows = connection.execute(statement).fetchall()
        connection.close()
        return rows

    def test_project_then_verify(self):
        projected = self.records("project")[0]
        self.assertEqual((8, 8), (projected["checkpoint"], projected["events"]))
        self.assertEqual(
            [("ann",), ("bob",)], self.sql("select username from auth_user order by id")
        )
        self.assertEqual(0, self.records("project")[0]["events"])
        self.assert_exit(0, self.run_program("verify"))
        self.apply(command("add_protein", name="Beef"))
        self.assert_exit(0, self.run_program("verify"))  # Lag is no difference.
        self.assertEqual(
            ("behind", 1),
            (
                self.records("status")[0]["read_model"]["state"],
                self.records("status")[0]["read_model"]["lag"],
            ),
        )

    def test_dry_runs_make_no_database(self):
        self.assertEqual(8, self.records("project", "--dry-run")[0]["events"])
        self.assert_exit(0, self.run_program("rebuild", "--dry-run"))
        self.assertFalse(os.path.exists(self.database) and os.path.getsize(self.database) > 0)

    def test_a_certificate_fits_a_terminal(self):
        self.assert_exit(0, self.run_program("project"))
        database = sqlite3.connect(os.path.join(self.store, "read_model.sqlite3"))
        database.execute("INSERT INTO core_protein (id, name) VALUES (77, 'Tofu')")
        database.commit()
        database.close()
        result = self.run_program("rebuild", "-o", "table")
        self.assert_exit(1, result)
        table = result.stdout.decode().split("\n\n")[1]
        self.assertLessEqual(max(len(line) for line in table.splitlines()), 120)
        self.assertRegex(table, r"(?m)^auth_user .* true +[0-9a-f]{12}…$")
        self.assertRegex(table, r"(?m)^ +expected: 0 rows, digest [0-9a-f]{12}…$")
        whole = self.run_program("rebuild", "-o", "csv", "--fields", "found_digest").stdout
        self.assertTrue(all(len(line) == 64 for line in whole.decode().split()[1:]), whole)

    def test_rebuild_ends_with_a_certificate(self):
        certificate = self.records("rebuild")[0]
        self.assertEqual(
            ("equal", "fresh", 8),
            (certificate["verdict"], certificate["mode"], certificate["position"]),
        )
        again = self.records("rebuild", "--from-events")[0]
        self.assertEqual(
            [t["found_digest"] for t in certificate["tables"]],
            [t["found_digest"] for t in again["tables"]],
        )
        self.assertIn(b"verdict", self.run_program("rebuild", "-o", "table").stdout)

    def test_difference_is_found_and_mended(self):
        self.records("rebuild")
        self.sql("update tenants_tenant_user set role = 'owner' where user_id = 2")
        self.sql("insert into core_protein (id, name) values (9, 'Tofu')")
        result = self.run_program("verify", "-o", "table")
        self.assert_exit(1, result)
        self.assertIn("role is owner, not admin; last written by event 6", result.stdout.decode())
        self.assert_exit(1, self.run_program("rebuild"))
        self.assert_error(
            2, "confirmation_needed", self.run_program("rebuild", "-q", "--delete-unknown")
        )
        self.assertEqual(1, len(self.sql("select * from core_protein")))
        self.assert_exit(0, self.run_program("rebuild", "--delete-unknown", "--yes"))
        self.assertEqual([], self.sql("select * from core_protein"))
        self.assert_exit(0, self.run_program("verify"))

    def test_read_model_of_another_store_is_refused(self):
        self.records("rebuild")
        other = os.path.join(self.directory, "other")
        url = "sqlite:" + self.database
        self.assert_exit(0, self.run_program("init", "--store", other))
        for name in ("project", "rebuild"):
            self.assert_exit(4, self.run_program(name, "--store", other, "--read-model", url))
        self.assert_error(
            2,
            "confirmation_needed",
            self.run_program("rebuild", "-q", "--take-over", "--store", other, "--read-model", url),
        )
        self.assert_exit(
            0,
            self.run_program(
                "rebuild", "--take-over", "--yes", "--store", other, "--read-model", url
            ),
        )

    def test_verify_leaves_out_a_file_that_a_failed_projection_left_without_tables(self):
        default = os.path.join(self.store, "read_model.sqlite3")
        with open(default, "wb"):
            pass
        self.assert_exit(0, self.run_program("verify"))
        named = self.run_program("verify", "--read-model", "sqlite:" + default)
        self.assert_exit(5, named)

    def test_tables_that_were_dropped_are_not_left_out(self):
        self.assert_exit(0, self.run_program("project"))
        connection = sqlite3.connect(os.path.join(self.store, "read_model.sqlite3"))
        with contextlib.closing(connection):
            for table in reversed(TABLES):
                connection.execute(f"DROP TABLE {table}")
        verified = self.run_program("verify")
        self.assert_exit(4, verified)
        self.assertIn(b"has no table auth_user", verified.stderr)
        self.assertEqual("absent", self.records("status")[0]["read_model"]["state"])
        self.assertEqual("fresh", self.records("rebuild", "--fresh")[0]["mode"])
        self.assert_exit(0, self.run_program("verify"))

    def test_verify_names_a_read_model_that_is_not_there(self):
        result = self.run_program("verify", "--read-model", "sqlite:nowhere.db")
        self.assert_exit(5, result)
        self.assertIn(b"error[read_model_absent]", result.stderr)


if __name__ == "__main__":
    unittest.main()
