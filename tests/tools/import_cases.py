"""What `import` does whatever the kind of the database: mixed into a CliTestCase that has `url`,
the database's, and `sql`, which runs statements in it as its application would."""

import json
import os
import shutil

from cli_case import TABLES, command


class ImportCases:
    def make_application(self):
        """An application's database, with rows and without a trace of ours; its store is gone."""
        self.fill()
        self.assert_exit(0, self.run_program("project", "--read-model", self.url))
        self.expected = {table: self.rows(table) for table in TABLES}
        shutil.rmtree(self.store)
        self.forget_mark()

    def rows(self, table):
        return self.records("rows", table, "--reveal")

    def imported(self, *options):
        return self.run_program("import", "--from", self.url, *options)

    def test_a_store_begins_with_what_the_database_holds(self):
        self.make_application()
        result = self.imported()
        self.assert_exit(0, result)
        answer = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(7, len(answer))
        self.assertTrue(all(a["equal"] for a in answer), answer)
        self.assertIn("what was before is not known", result.stderr.decode())
        self.assertEqual(self.expected, {table: self.rows(table) for table in TABLES})
        self.assert_exit(0, self.run_program("verify", "--full"))

    def test_a_dry_run_makes_nothing_and_strict_refuses(self):
        self.make_application()
        self.sql("UPDATE tenants_tenant_user SET role = 'user'")
        for option, expected in (("--dry-run", 0), ("--strict", 3)):
            result = self.imported(option)
            self.assert_exit(expected, result)
            self.assertIn("no_owner: tenants_tenant", result.stderr.decode())
            self.assertFalse(os.path.exists(self.store), os.listdir(self.directory))

    def test_life_goes_on_and_what_was_before_is_said_to_be_unknown(self):
        self.make_application()
        self.assert_exit(0, self.imported())
        answers = self.apply(
            command("change_user_profile", user="bob", username="bobby"),
            command("add_member", tenant="acme", user="bobby"),
        )
        self.assertEqual(["accepted", "rejected"], [a["status"] for a in answers], answers)
        lives = self.records("history", "user/bobby")
        self.assertEqual("UserImported", lives[0]["kind"])
        self.assertEqual(2, len(lives))
        told = self.run_program("history", "user/bobby", "-o", "table")
        self.assertIn("what was before is not known", (told.stdout + told.stderr).decode())
        shown = self.records("show", str(lives[0]["position"]))[0]
        self.assertEqual("import", shown["channel"])
        self.assertIn("as found in", shown["reason"])

    def test_an_export_has_what_came_after(self):
        self.make_application()
        self.assert_exit(0, self.imported())
        end = self.tail()
        self.apply(command("add_protein", name="Beef"))
        result = self.run_program("export")
        self.assert_error(2, "not_expressible", result)
        self.assertIn("--after", result.stderr.decode())
        after = self.records("export", "--after", str(end))
        self.assertEqual(["add_protein"], [line["command"] for line in after])

    def test_the_database_becomes_the_read_model(self):
        self.make_application()
        self.assert_exit(0, self.imported())
        project = ("project", "--read-model", self.url)
        self.assert_exit(4, self.run_program(*project))
        adopt = ("schema", "adopt", "--read-model", self.url)
        self.assert_exit(0, self.run_program(*adopt, "--dry-run"))
        self.assert_exit(4, self.run_program(*project))
        adopted = self.run_program(*adopt)
        self.assert_exit(0, adopted)
        self.assertEqual(TABLES, tuple(json.loads(a)["table"] for a in adopted.stdout.splitlines()))
        self.assert_error(4, "read_model_marked", self.run_program(*adopt))
        self.apply(command("change_user_profile", user="bob", username="bobby"))
        self.assert_exit(0, self.run_program(*project))
        self.assert_exit(0, self.run_program("verify", "--read-model", self.url, "--all-columns"))

    def test_adopting_refuses_rows_that_the_store_does_not_have(self):
        self.make_application()
        self.assert_exit(0, self.imported())
        self.sql("UPDATE auth_user SET email = 'x@y.example' WHERE username = 'bob'")
        result = self.run_program("schema", "adopt", "--read-model", self.url)
        self.assert_exit(1, result)
        self.assertIn("email is x@y.example, not", result.stdout.decode())
        self.assert_exit(4, self.run_program("project", "--read-model", self.url))

    def test_the_environment_names_the_source_too(self):
        self.make_application()
        self.assert_error(2, "source_not_named", self.run_program("import"))
        self.assert_exit(0, self.run_program("import", DATABASE_URL=self.url))

    def test_a_store_with_events_is_refused(self):
        self.make_application()
        self.assert_exit(0, self.run_program("init"))
        self.assert_exit(0, self.imported())
        self.assertEqual([], [name for name in os.listdir(self.store) if name.startswith(".new")])
        self.assert_error(4, "store_has_events", self.imported())
        self.assert_error(4, "store_has_events", self.imported("--dry-run"))

    def test_the_access_list_tells_where_it_came_from(self):
        self.make_application()
        self.assert_exit(0, self.imported())
        listed = self.run_program("members")
        self.assert_exit(0, listed)
        self.assertIn("what was before is not known", listed.stderr.decode())
        members = [json.loads(line) for line in listed.stdout.splitlines()]
        self.assertEqual(["MemberImported"] * 2, [m["kind"] for m in members], members)
        self.assertEqual([self.last_time()] * 2, [m["since"] for m in members])

    def last_time(self):
        return self.records("status")[0]["last_recorded_at"]

    def test_a_domain_may_lack_its_flag(self):
        self.make_application()
        self.sql("ALTER TABLE tenants_tenantdomain DROP COLUMN is_active")
        self.assert_exit(0, self.imported())
        self.assertEqual([True], [row["is_active"] for row in self.rows("tenants_tenantdomain")])

    def test_what_is_no_database_of_ours_is_refused(self):
        self.make_application()
        self.sql("DROP TABLE core_protein")
        result = self.imported()
        self.assert_error(4, "read_model_shape", result)
        self.assertIn("core_protein", result.stderr.decode())
        self.assertFalse(os.path.exists(self.store))
