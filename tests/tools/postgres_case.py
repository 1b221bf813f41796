"""Drives the tenantry program against the PostgreSQL server that TENANTRY_TEST_POSTGRES names."""

import os
import subprocess
import uuid

from cli_case import CliTestCase

SERVER = os.environ["TENANTRY_TEST_POSTGRES"]


def psql(url, statements):
    return subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url],
        input=statements,
        capture_output=True,
        check=True,
        text=True,
    ).stdout


class PostgresTestCase(CliTestCase):
    """A database of its own."""

    def setUp(self):
        super().setUp()
        self.name = "tenantry_test_" + uuid.uuid4().hex
        psql(SERVER, f"CREATE DATABASE {self.name}")
        self.addCleanup(psql, SERVER, f"DROP DATABASE {self.name} WITH (FORCE)")
        self.url = SERVER.replace("/postgres?", f"/{self.name}?")
