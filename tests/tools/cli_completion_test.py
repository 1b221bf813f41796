"""Completion in shells: cli_completion_test.py PATH-OF-TENANTRY [TEST…]"""

import os
import shutil
import subprocess
import unittest

from cli_case import CliTestCase


class CompletionTest(CliTestCase):
    def script(self, shell):
        result = self.run_program("completion", shell)
        self.assert_exit(0, result)
        path = os.path.join(self.directory, "completion." + shell)
        with open(path, "wb") as out:
            out.write(result.stdout)
        return path

    def complete(self, *words):
        """What bash offers for the last one of the words."""
        ask = (
            'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
            "compopt() { :; }; _tenantry; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        result = subprocess.run(
            ["bash", "-uc", ask, "bash", self.script("bash"), "tenantry", *words],
            capture_output=True,
            check=False,
            cwd=self.directory,
        )
        self.assertEqual((0, b""), (result.returncode, result.stderr))
        return result.stdout.decode().split()

    def test_commands(self):
        self.assertEqual(["export"], self.complete("exp"))
        self.assertIn("members", self.complete(""))
        self.assertIn("--store", self.complete("--st"))

    def test_every_command_of_the_help_is_offered(self):
        offered = set(self.complete(""))
        text = self.run_program("--help").stdout.decode()
        listed = text.split("Subcommands:\n")[1].splitlines()
        names = {line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "}
        self.assertGreater(len(names), 15)
        self.assertEqual(set(), names - offered)

    def test_options_of_a_command(self):
        self.assertEqual(["--follow"], self.complete("log", "--fo"))
        self.assertEqual(["--reveal"], self.complete("export", "--rev"))
        self.assertEqual([], self.complete("status", "--fo"))

    def test_values(self):
        self.assertEqual(["json"], self.complete("log", "-o", "j"))
        self.assertEqual(["json"], self.complete("log", "--output", "=", "j"))
        self.assertEqual(["MemberRemoved"], self.complete("log", "--kind", "MemberRem"))
        self.assertEqual(["tenants"], self.complete("log", "--scope", "t"))
        self.assertEqual(["core_protein"], self.complete("rows", "core_p"))
        self.assertEqual(["core_protein"], self.complete("diff", "7d", "--table", "core_p"))
        self.assertEqual(["bash"], self.complete("completion", "b"))
        self.assertEqual(["store"], self.complete("--store", "st"))

    def test_commands_of_the_schema(self):
        self.assertEqual(["create_tenant"], self.complete("do", "create_"))
        self.assertEqual(["--contact-email"], self.complete("do", "create_tenant", "--contact-e"))
        self.assertEqual(
            ["readonly"], self.complete("do", "add_member", "--user", "ann", "--role", "r")
        )
        self.assertEqual(["--actor"], self.complete("do", "create_tenant", "--act"))

    def test_commands_below_a_command(self):
        self.assertEqual(["status"], self.complete("schema", "stat"))
        self.assertEqual(["--dry-run"], self.complete("schema", "apply", "--dry"))

    def test_values_are_no_commands(self):
        self.assertEqual(["--follow"], self.complete("--store", "rows", "log", "--fol"))

    def test_files_for_apply(self):
        open(os.path.join(self.directory, "commands.ndjson"), "w", encoding="utf-8").close()
        self.assertEqual(["commands.ndjson"], self.complete("apply", "comm"))

    def test_other_shells_take_their_scripts(self):
        for shell, check in (("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")):
            path = self.script(shell)
            if shutil.which(shell) is None:
                continue
            result = subprocess.run([shell, check, path], capture_output=True, check=False)
            self.assertEqual((0, b""), (result.returncode, result.stderr), shell)

    def test_unknown_shells_are_refused(self):
        self.assert_error(2, "usage", self.run_program("completion", "tcsh"))
        self.assert_error(2, "usage", self.run_program("completion"))


if __name__ == "__main__":
    unittest.main()
