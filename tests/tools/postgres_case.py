"""Drives the tenantry program against the PostgreSQL server that TENANTRY_TEST_POSTGRES names."""

import os
import subprocess
import uuid

from cli_case import CliTestCase

SERVER = os.environ["TENANTRY_TEST_POSTGRES"]


class PsqlError(Exception):
    """What the server said of a statement."""


def psql(url, statements):
    done = subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url],
        input=statements,
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode != 0:
        raise PsqlError(done.stderr)
    return done.stdout


class PostgresTestCase(CliTestCase):
    """A database of its own."""

    def setUp(self):
        super().setUp()
        self.name = "tenantry_test_" + uuid.uuid4().hex
        psql(SERVER, f"CREATE DATABASE {self.name}")
        self.addCleanup(psql, SERVER, f"DROP DATABASE {self.name} WITH (FORCE)")
        self.url = SERVER.replace("/postgres?", f"/{self.name}?")
