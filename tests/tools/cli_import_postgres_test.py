"""Beginning a store with a database: cli_import_postgres_test.py PATH-OF-TENANTRY [TEST…]

TENANTRY_TEST_POSTGRES is the URL of a server; psql must be there."""

import unittest

from import_cases import ImportCases
from postgres_case import PostgresTestCase, psql


class PostgresImportTest(ImportCases, PostgresTestCase):
    def sql(self, statements):
        psql(self.url, statements)

    def forget_mark(self):
        self.sql("DROP SCHEMA tenantry CASCADE")

    def test_serials_other_names_and_another_order_are_taken(self):
        self.make_application()
        columns = psql(
            self.url,
            "COPY (SELECT string_agg(quote_ident(attname) || ' ' ||"
            " CASE attname WHEN 'id' THEN 'serial PRIMARY KEY' ELSE"
            " format_type(atttypid, atttypmod) END, ', ' ORDER BY attname DESC)"
            " FROM pg_attribute WHERE attrelid = 'tenants_tenantdomain'::regclass"
            " AND attnum > 0 AND attname <> 'is_active') TO STDOUT",
        ).strip()
        names = ", ".join(column.split(" ")[0] for column in columns.split(", "))
        self.sql(
            "BEGIN; ALTER TABLE tenants_tenantdomain RENAME TO newer;"
            f"CREATE TABLE tenants_tenantdomain ({columns});"
            f"INSERT INTO tenants_tenantdomain ({names}) SELECT {names} FROM newer;"
            "DROP TABLE newer; CREATE UNIQUE INDEX hosts ON tenants_tenantdomain (domain);"
            "SELECT setval(pg_get_serial_sequence('tenants_tenantdomain', 'id'), 77); COMMIT"
        )
        self.assert_exit(0, self.imported())
        self.apply({"command": "add_domain", "data": {"tenant": "acme", "domain": "b.example"}})
        self.assertEqual(
            [("www.acme.example", 1), ("b.example", 78)],
            [(row["domain"], row["id"]) for row in self.rows("tenants_tenantdomain")],
        )

    def test_orphans_are_named(self):
        self.make_application()
        key = psql(
            self.url,
            "COPY (SELECT conname FROM pg_constraint WHERE contype = 'f'"
            " AND conrelid = 'tenants_tenant_user'::regclass"
            " AND confrelid = 'auth_user'::regclass) TO STDOUT",
        ).strip()
        self.sql(
            f"ALTER TABLE tenants_tenant_user DROP CONSTRAINT {key};"
            "UPDATE tenants_tenant_user SET user_id = 99 WHERE role = 'admin'"
        )
        result = self.imported()
        self.assert_exit(0, result)
        self.assertIn("orphan: tenants_tenant_user", result.stderr.decode())
        self.assertIn("user_id names auth_user 99, which is not there", result.stderr.decode())
        self.assertIn("`tenantry do register_user --id 99 ", result.stderr.decode())
        members = self.records("members", "--fields", "user,user_id")
        self.assertIn({"user": None, "user_id": 99}, members)
        # The tables take it once there is such a user.
        rebuild = ("rebuild", "--read-model", self.url, "--schema", "copy")
        result = self.run_program(*rebuild)
        self.assert_error(4, "read_model_conflict", result)
        self.assertIn("rows of auth_user that are gone: 99", result.stderr.decode())
        self.assertIn("tenantry do register_user --id", result.stderr.decode())
        user = ("do", "register_user", "--id", "99", "--username", "cyd")
        self.assert_exit(0, self.run_program(*user))
        self.assert_exit(0, self.run_program(*rebuild))

    def test_a_role_that_may_only_read_is_enough(self):
        self.make_application()
        role = self.name + "_reader"
        self.sql(
            f"CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};"
            f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}"
        )
        self.addCleanup(self.sql, f"DROP OWNED BY {role}; DROP ROLE {role}")
        as_reader = self.url.replace("user=postgres", f"user={role}")
        self.assertNotEqual(self.url, as_reader)
        self.assert_exit(0, self.run_program("import", "--from", as_reader, "--dry-run"))
        self.sql("ALTER TABLE auth_user ENABLE ROW LEVEL SECURITY")
        result = self.run_program("import", "--from", as_reader, "--dry-run")
        self.assert_error(4, "read_model_shape", result)
        self.assertIn("row security hides rows", result.stderr.decode())

    def test_no_server(self):
        result = self.run_program("import", "--from", "postgresql://127.0.0.1:1/none")
        self.assert_exit(6, result)


if __name__ == "__main__":
    unittest.main()
