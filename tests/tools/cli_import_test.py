"""Beginning a store with the rows of a SQLite file: cli_import_test.py PATH-OF-TENANTRY [TEST…]"""

import os
import sqlite3
import unittest

from cli_case import CliTestCase
from import_cases import ImportCases


class SqliteImportTest(ImportCases, CliTestCase):
    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.directory, "application.sqlite3")
        self.url = "sqlite:" + self.file

    def sql(self, statements):
        connection = sqlite3.connect(self.file)
        self.addCleanup(connection.close)
        connection.executescript(statements)

    def forget_mark(self):
        self.sql("DROP TABLE tenantry_mark")

    def test_a_value_that_no_event_holds_is_named(self):
        self.make_application()
        for value, words in (("'yes'", "another type"), ("x'00'", "another type")):
            self.sql(f"UPDATE auth_user SET is_staff = {value} WHERE username = 'bob'")
            result = self.imported()
            self.assert_error(4, "row_not_importable", result)
            self.assertIn("auth_user (username=bob): is_staff", result.stderr.decode())
            self.assertIn(words, result.stderr.decode())

    def test_ids_beyond_their_columns_are_named(self):
        self.make_application()
        self.sql("UPDATE sqlite_sequence SET seq = 3000000000 WHERE name = 'auth_user'")
        result = self.imported()
        self.assert_error(4, "row_not_importable", result)
        self.assertIn("the sequence of auth_user stands at 3000000000", result.stderr.decode())
        self.assertFalse(os.path.exists(self.store))

    def test_rows_that_no_table_of_ours_takes_are_named(self):
        self.make_application()
        self.sql(
            "ALTER TABLE core_protein RENAME TO older;"
            "CREATE TABLE core_protein (id integer PRIMARY KEY AUTOINCREMENT NOT NULL,"
            " name varchar(50) NOT NULL);"
            "INSERT INTO core_protein (name) VALUES ('Beef'), ('Beef')"
        )
        result = self.imported()
        self.assert_error(4, "row_not_importable", result)
        self.assertIn(
            "core_protein (name=Beef): protein 1 has the same (protein_taken)",
            result.stderr.decode(),
        )

    def test_there_is_no_such_file(self):
        result = self.run_program("import", "--from", "sqlite:" + self.file + "x")
        self.assertNotEqual(0, result.returncode)
        self.assertIn(self.file + "x", result.stderr.decode())


if __name__ == "__main__":
    unittest.main()
