"""The tables of the read model: cli_schema_test.py PATH-OF-TENANTRY [TEST…]"""

import json
import os
import sqlite3
import unittest

from cli_case import TABLES, CliTestCase


class SchemaTest(CliTestCase):
    """A database of its own, and no store that a command could want."""

    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.directory, "app.sqlite3")
        self.url = "sqlite:" + self.path

        self.nowhere = os.path.join(self.directory, "nowhere")

    def schema(self, *arguments):
        return self.run_program(
            "schema", *arguments, "--read-model", self.url, TENANTRY_STORE=self.nowhere
        )

    def made(self, *arguments):
        result = self.schema("apply", *arguments)
        self.assert_exit(0, result)
        return [json.loads(line)["made"] for line in result.stdout.splitlines()]

    def check(self, expected_exit):
        result = self.schema("check")
        self.assert_exit(expected_exit, result)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def sql(self, statements):
        connection = sqlite3.connect(self.path)
        try:
            connection.executescript(statements)
        finally:
            connection.close()

    def make_django(self, *recorded):
        self.sql(
            "CREATE TABLE django_migrations (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,"
            " app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied datetime NOT NULL)"
        )
        for app, name in recorded:
            self.sql(f"INSERT INTO django_migrations VALUES (NULL, '{app}', '{name}', '')")

    def test_sql_is_what_apply_makes_and_needs_no_database(self):
        result = self.schema("sql")
        self.assert_exit(0, result)
        self.assertFalse(os.path.exists(self.path))
        statements = result.stdout.decode().splitlines()
        self.assertTrue(all(s.startswith("CREATE ") and s.endswith(";") for s in statements))
        self.sql(result.stdout.decode())
        self.assertEqual([], self.made())
        self.assertEqual([], self.check(0))

    def test_sql_as_records(self):
        result = self.schema("sql", "-o", "ndjson")
        first = json.loads(result.stdout.splitlines()[0])
        self.assertTrue(first["statement"].startswith('CREATE TABLE "auth_user"'))

    def test_apply_makes_what_is_missing_once(self):
        made = self.made()
        self.assertEqual(set(TABLES), {m[6:] for m in made if m.startswith("table ")})
        self.assertIn("index td_domain_idx", made)
        self.assertEqual([], self.made())
        self.sql("DROP INDEX td_domain_idx; DROP TABLE core_protein")
        self.assertEqual(["table core_protein", "index td_domain_idx"], self.made())

    def test_dry_run_makes_nothing(self):
        made = self.made("--dry-run")
        self.assertFalse(os.path.exists(self.path))
        self.assertEqual(made, self.made())
        self.sql("DROP INDEX td_domain_idx")
        before = self.bytes()
        self.assertEqual(["index td_domain_idx"], self.made("--dry-run"))
        self.assertEqual(before, self.bytes())

    def bytes(self):
        with open(self.path, "rb") as file:
            return file.read()

    def test_a_column_that_came_later_is_added(self):
        self.made()
        self.sql(
            "INSERT INTO tenants_tenant VALUES ('t', 'T', 't', NULL, NULL, '', '', 1, 0, NULL,"
            " '', '', '{}', NULL, NULL);"
            "ALTER TABLE tenants_tenantdomain DROP COLUMN is_active;"
            "INSERT INTO tenants_tenantdomain VALUES (1, 'd', 1, '', '', 't')"
        )
        found = self.check(1)
        self.assertEqual(1, len(found))
        self.assertEqual("fatal", found[0]["class"])
        self.assertEqual("tenants_tenantdomain", found[0]["table"])
        self.assertEqual("column is_active is missing", found[0]["message"])
        self.assertIn("DEFAULT 1;", found[0]["remedy"])
        self.assertEqual(["column tenants_tenantdomain.is_active"], self.made())
        self.assertEqual([], self.check(0))
        connection = sqlite3.connect(self.path)
        active = connection.execute("SELECT is_active FROM tenants_tenantdomain").fetchall()
        connection.close()
        self.assertEqual([(1,)], active)

    def test_nobody_is_made_a_superuser(self):
        self.made()
        self.sql("ALTER TABLE auth_user DROP COLUMN is_superuser")
        found = self.check(1)
        self.assertEqual(["column is_superuser is missing"], [f["message"] for f in found])
        self.assertIsNone(found[0]["remedy"])
        self.assertEqual([], self.made())

    def test_check_names_what_differs_and_what_mends_it(self):
        self.made()
        self.sql(
            "DROP INDEX td_domain_idx; CREATE UNIQUE INDEX x ON auth_user (email);"
            "ALTER TABLE tenants_tenant ADD COLUMN plan text"
        )
        before = self.bytes()
        found = self.check(1)
        self.assertEqual(before, self.bytes())
        self.assertEqual(
            [
                ("fatal", "auth_user"),
                ("warning", "tenants_tenant"),
                ("warning", "tenants_tenantdomain"),
            ],
            [(f["class"], f["table"]) for f in found],
        )
        table = self.schema("check", "-o", "table").stdout.decode()
        self.assertIn('\n    DROP INDEX "x";\n', table)
        for finding in found:
            if finding["remedy"]:
                self.sql(finding["remedy"])
        self.assertEqual(["warning"], [f["class"] for f in self.check(1)])

    def test_check_of_nothing_names_every_table(self):
        self.assertEqual(set(TABLES), {f["table"] for f in self.check(1)})
        self.assertFalse(os.path.exists(self.path))

    def test_status_is_a_list_for_people_and_records_for_programs(self):
        self.made()
        result = self.schema("status", "-o", "table")
        self.assertEqual(
            "[ ] core 0001_initial\n[ ] tenants 0001_initial\n", result.stdout.decode()
        )
        self.make_django(("auth", "0001_initial"), ("core", "0001_initial"))
        result = self.schema("status", "-o", "table")
        self.assertEqual(
            "[X] core 0001_initial\n[ ] tenants 0001_initial\n", result.stdout.decode()
        )
        records = [json.loads(line) for line in self.schema("status").stdout.splitlines()]
        self.assertEqual(
            {"application": "core", "name": "0001_initial", "applied": True}, records[0]
        )

    def test_django_makes_its_users_itself(self):
        self.make_django()
        for extra in ([], ["--dry-run"]):
            result = self.schema("apply", *extra)
            self.assert_error(2, "django_migrate_first", result)
            self.assertIn(b"migrate auth", result.stderr)

    def test_migrations_are_recorded_where_djangos_own_are(self):
        self.made()
        self.make_django(("auth", "0001_initial"))
        self.assertEqual(
            [
                "core 0001_initial is not on record, but its tables are there",
                "tenants 0001_initial is not on record, but its tables are there",
            ],
            [f["message"] for f in self.check(1)],
        )
        self.assertEqual(
            ["migration core 0001_initial", "migration tenants 0001_initial"], self.made()
        )
        self.assertEqual([], self.check(0))

    def test_ghosts_among_the_migrations_are_named(self):
        self.made()
        self.make_django(
            ("auth", "0001_initial"),
            ("core", "0001_initial"),
            ("tenants", "0001_initial"),
            ("core", "0009_gone"),
        )
        self.sql("DROP TABLE core_protein")
        ghosts = [f for f in self.check(1) if f["table"] == "django_migrations"]
        self.assertEqual(["warning"] * 2, [f["class"] for f in ghosts])
        self.assertEqual(
            "core 0001_initial is on record, but the table core_protein is missing",
            ghosts[0]["message"],
        )
        for finding in ghosts:
            self.sql(finding["remedy"])
        self.assertEqual(
            ["core_protein"], [f["table"] for f in self.check(1) if f["class"] == "fatal"]
        )

    def test_without_a_name_the_read_model_lies_in_the_store(self):
        for action in ("apply", "status", "check"):
            result = self.run_program("schema", action, TENANTRY_STORE=self.nowhere)
            self.assert_error(6, "store_not_found", result)
        self.assertFalse(os.path.exists(self.nowhere))
        self.assert_exit(0, self.run_program("schema", "sql", TENANTRY_STORE=self.nowhere))
        self.assert_exit(0, self.run_program("schema", "apply"))
        self.assertTrue(os.path.exists(os.path.join(self.store, "read_model.sqlite3")))

    def test_made_tables_take_a_projection(self):
        self.made()
        self.assert_exit(0, self.run_program("project", "--read-model", self.url))
        self.assertEqual([], self.check(0))

    def test_the_past_in_a_file_of_its_own(self):
        self.fill()
        self.assert_exit(0, self.run_program("rebuild"))
        self.assert_error(2, "as_of_needs_place", self.run_program("rebuild", "--as-of", "5"))
        copy = ("--read-model", self.url)
        self.assert_exit(0, self.run_program("rebuild", "--as-of", "5", *copy))
        self.assert_exit(0, self.run_program("verify", *copy))
        self.assert_error(2, "usage", self.run_program("rebuild", "--schema", "x", *copy))
        self.assert_exit(0, self.run_program("project", *copy))
        back = ("rebuild", "--as-of", "5", *copy)
        self.assert_error(2, "confirmation_needed", self.run_program(*back))
        self.assert_exit(0, self.run_program(*back, "--yes"))
        self.assert_exit(0, self.run_program("project", *copy))
        self.assert_exit(0, self.run_program("verify", *copy))

    def test_usage(self):
        self.assert_error(2, "usage", self.run_program("schema"))
        self.assert_error(2, "unknown_command", self.run_program("schema", "chek"))


if __name__ == "__main__":
    unittest.main()
