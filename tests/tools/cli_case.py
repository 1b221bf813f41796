"""What the tests of the command line share: a store of their own and verbs to drive it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TABLES = (
    "auth_user",
    "core_protein",
    "core_userpreferences",
    "tenants_tenant",
    "tenants_tenantdomain",
    "tenants_tenant_user",
    "tenants_invitation",
)

PROGRAM = os.path.abspath(sys.argv.pop(1))


def command(kind, line=None, /, **data):
    return {"command": kind, "data": data, **(line or {})}


def tenant(slug, line=None, **more):
    return command(
        "create_tenant", line, name=slug.title(), slug=slug, contact_email="it@acme.example", **more
    )


class CliTestCase(unittest.TestCase):
    """A directory of its own with an empty store in it."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="tenantry-cli-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.store = os.path.join(self.directory, "store")
        self.assert_exit(0, self.run_program("init"))

    def environment(self, **more):
        keep = {
            k: v
            for k, v in os.environ.items()
            if k not in ("DATABASE_URL", "TENANTRY_READ_MODEL", "NO_COLOR")
        }
        return {**keep, "TENANTRY_STORE": self.store, **more}

    def run_program(self, *arguments, stdin=b"", limit=None, **environment):
        if isinstance(stdin, str):
            stdin = stdin.encode()
        return subprocess.run(
            [PROGRAM, *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            cwd=self.directory,
            env=self.environment(**environment),
            preexec_fn=limit,
            timeout=120,
        )

    def start(self, *arguments):
        return subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env=self.environment(),
        )

    def apply(self, *commands, options=(), raw=None):
        lines = raw if raw is not None else "".join(json.dumps(c) + "\n" for c in commands).encode()
        self.last = self.run_program("apply", "-q", *options, stdin=lines)
        return [json.loads(line) for line in self.last.stdout.splitlines()]

    def records(self, *arguments):
        result = self.run_program(*arguments)
        self.assert_exit(0, result)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def tail(self):
        return self.records("status")[0]["tail"]

    def assert_exit(self, expected, result):
        self.assertEqual(expected, result.returncode, result.stdout + result.stderr)

    def assert_error(self, expected_exit, code, result):
        self.assert_exit(expected_exit, result)
        self.assertTrue(result.stderr.decode().startswith(f"error[{code}]: "), result.stderr)
        self.assertEqual(b"", result.stdout)

    def fill(self):
        answers = self.apply(
            tenant("acme", line={"actor": "user:1", "reason": "first"}),
            command(
                "register_user",
                username="ann",
                email="ann@acme.example",
                password="pbkdf2_sha256$secret$hash",
            ),
            command("register_user", username="bob"),
            command("add_member", tenant="acme", user="ann", role="owner"),
            command("add_member", {"actor": "user:1"}, tenant="acme", user="bob"),
            command(
                "change_member_role",
                {"actor": "user:1", "channel": "admin"},
                tenant="acme",
                user="bob",
                role="admin",
            ),
            command("add_domain", tenant="acme", domain="www.acme.example"),
            command(
                "invite",
                tenant="acme",
                email="eve@acme.example",
                token="tokentokentokentokentokentokentoken1",
            ),
        )
        self.assertEqual(["accepted"] * 8, [a["status"] for a in answers], answers)
