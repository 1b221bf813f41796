"""Roles with no more rights than they need: cli_roles_postgres_test.py PATH-OF-TENANTRY [TEST…]

TENANTRY_TEST_POSTGRES is the URL of a server; psql must be there."""

import unittest

from cli_case import command
from postgres_case import PostgresTestCase, PsqlError, psql

# As the projector: what nobody who only writes rows has to do.
REFUSED = (
    "CREATE TABLE x ()",
    "CREATE TABLE tenantry.x ()",
    "CREATE SCHEMA x",
    "DROP TABLE core_protein",
    "ALTER TABLE core_protein ADD x int",
    "TRUNCATE core_protein",
    "TRUNCATE tenantry.mark",
    "CREATE TRIGGER x BEFORE INSERT ON core_protein FOR EACH ROW EXECUTE FUNCTION x()",
    "CREATE ROLE x",
    "SET ROLE postgres",
    "SET ROLE tenantry_owner",
    "SELECT * FROM shop.secrets",
    "COPY core_protein TO PROGRAM 'cat'",
)


class RolesTest(PostgresTestCase):
    """One test: roles belong to the whole server."""

    def url_of(self, role, more=""):
        return self.url.replace("user=postgres", f"user={role}") + more

    def refuses(self, url, statement):
        try:
            psql(url, statement)
        except PsqlError as error:
            self.assertRegex(str(error), "permission denied|must be owner|must be superuser")
        else:
            self.fail(f"{statement} was done")

    def tenantry(self, url, *arguments):
        return self.run_program(*arguments, "--read-model", url)

    def make_roles(self):
        made = self.run_program("schema", "sql", "--roles", "--read-model", "postgresql:")
        self.assert_exit(0, made)
        psql(self.url, made.stdout.decode())

    def test_each_role_does_its_work_and_no_more(self):
        self.fill()
        psql(
            self.url,
            "CREATE SCHEMA shop; CREATE TABLE shop.secrets (); CREATE ROLE tenantry_deployer LOGIN",
        )
        self.addCleanup(self.drop_roles)
        self.assert_exit(0, self.tenantry(self.url, "schema", "apply"))
        self.make_roles()
        self.make_roles()  # What is there stays.

        projector = self.url_of("tenantry_projector")
        self.assert_exit(0, self.tenantry(projector, "project"))
        self.apply(command("add_protein", name="Beef"))
        self.assert_exit(0, self.tenantry(projector, "project"))
        psql(self.url, "DELETE FROM core_protein")
        self.assert_exit(1, self.tenantry(projector, "verify"))
        self.assert_exit(0, self.tenantry(projector, "rebuild"))
        self.assert_exit(0, self.tenantry(projector, "schema", "check"))
        for statement in REFUSED:
            self.refuses(projector, statement)

        reader = self.url_of("tenantry_reader")
        self.assert_exit(0, self.tenantry(reader, "verify"))
        self.assert_exit(0, self.tenantry(reader, "schema", "check"))
        source = ("import", "--from", reader, "--store", self.store + "-copy")
        self.assert_exit(0, self.run_program(*source))
        self.apply(command("add_protein", name="Lamb"))
        self.assert_error(6, "unavailable", self.tenantry(reader, "project"))
        for statement in (
            *REFUSED,
            "DELETE FROM core_protein",
            "SELECT nextval('core_protein_id_seq')",
        ):
            self.refuses(reader, statement)

        # Who may take on the owner's role makes the tables, and those who work with them can.
        psql(
            self.url,
            "DROP OWNED BY tenantry_owner; DROP SCHEMA public, tenantry CASCADE;"
            " CREATE SCHEMA public; GRANT tenantry_owner TO tenantry_deployer",
        )
        self.make_roles()
        owner = self.url_of("tenantry_deployer", "&options=-c%20role%3Dtenantry_owner")
        self.assert_exit(0, self.tenantry(owner, "rebuild"))
        self.assert_exit(0, self.tenantry(projector, "rebuild"))
        self.assert_exit(0, self.tenantry(reader, "verify"))

    def drop_roles(self):
        # One by one: PostgreSQL 15 trips over a default right that two of them share.
        for name in ("deployer", "owner", "projector", "reader"):
            psql(self.url, f"DROP OWNED BY tenantry_{name}; DROP ROLE tenantry_{name}")

    def test_files_have_no_roles(self):
        self.assert_error(2, "no_roles", self.run_program("schema", "sql", "--roles"))


if __name__ == "__main__":
    unittest.main()
