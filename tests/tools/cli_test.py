"""Drives the program as scripts and people do. Usage: cli_test.py PATH-OF-TENANTRY [unittest arguments]"""

import csv
import io
import json
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest
import uuid

PROGRAM = ""
LINE_BYTES_MAX = 1 << 20


def command(kind, line=None, /, **data):
    return {"command": kind, "data": data, **(line or {})}


def tenant(slug, line=None, **more):
    return command("create_tenant", line, name=slug.title(), slug=slug, contact_email="it@acme.example", **more)


class CliTestCase(unittest.TestCase):
    """A directory of its own with an empty store in it."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="tenantry-cli-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.store = os.path.join(self.directory, "store")
        self.assert_exit(0, self.run_program("init"))

    def environment(self, **more):
        keep = {k: v for k, v in os.environ.items()
                if k not in ("DATABASE_URL", "TENANTRY_READ_MODEL", "NO_COLOR")}
        return {**keep, "TENANTRY_STORE": self.store, **more}

    def run_program(self, *arguments, stdin=b"", **environment):
        if isinstance(stdin, str):
            stdin = stdin.encode()
        return subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, check=False,
                              cwd=self.directory, env=self.environment(**environment), timeout=120)

    def start(self, *arguments):
        return subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, cwd=self.directory, env=self.environment())

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
            command("register_user", username="ann", email="ann@acme.example",
                    password="pbkdf2_sha256$secret$hash"),
            command("register_user", username="bob"),
            command("add_member", tenant="acme", user="ann", role="owner"),
            command("add_member", {"actor": "user:1"}, tenant="acme", user="bob"),
            command("change_member_role", {"actor": "user:1", "channel": "admin"}, tenant="acme",
                    user="bob", role="admin"),
            command("add_domain", tenant="acme", domain="www.acme.example"),
            command("invite", tenant="acme", email="eve@acme.example",
                    token="tokentokentokentokentokentokentoken1"))
        self.assertEqual(["accepted"] * 8, [a["status"] for a in answers], answers)


class EverywhereTest(CliTestCase):
    COMMANDS = ["init", "apply", "do", "resolve", "log", "show", "history", "blame", "rows", "status",
                "project", "rebuild", "verify"]

    def test_help_starts_with_examples(self):
        for name in [[], *([c] for c in self.COMMANDS), ["do", "create_tenant"]]:
            result = self.run_program(*name, "--help")
            self.assert_exit(0, result)
            self.assertTrue(result.stdout.startswith(b"Examples:\n  tenantry"), result.stdout)

    def test_version(self):
        result = self.run_program("--version")
        self.assert_exit(0, result)
        self.assertRegex(result.stdout.decode(), r"^tenantry \d+\.\d+\.\d+\n$")

    def test_usage_errors(self):
        for arguments, code in [
                ([], "usage"), (["lgo"], "unknown_command"), (["log", "--foo"], "usage"),
                (["log", "-o", "xml"], "usage"), (["log", "--fields", "no"], "unknown_field"),
                (["log", "--kind", "MemberAded"], "unknown_kind"), (["log", "--scope", "x"], "unknown_scope"),
                (["log", "--after", "yesterday"], "usage"), (["rows", "tenants"], "unknown_table"),
                (["rows", "auth_user", "--where", "id=x"], "invalid_type"),
                (["rows", "auth_user", "--where", "nope=x"], "unknown_field"),
                (["rows", "auth_user", "--tenant", "acme"], "usage"), (["show", "x"], "usage"),
                (["resolve"], "usage"), (["do"], "usage"), (["do", "creat_tenant"], "unknown_command"),
                (["history", "acme"], "usage"), (["apply", "nowhere.ndjson"], "no_such_file"),
                (["apply", "--defaults", "who=me"], "usage"), (["apply", "--batch", "0"], "usage"),
                (["log", "--color", "pink", "-o", "table"], "usage")]:
            with self.subTest(arguments):
                self.assert_error(2, code, self.run_program(*arguments))

    def test_near_matches_are_named(self):
        result = self.run_program("log", "--kind", "MemberAded")
        self.assertIn(b"hint: did you mean MemberAdded?", result.stderr)

    def test_error_as_json(self):
        for form in (["-o", "json"], ["-o", "ndjson"], ["--output=json"]):
            result = self.run_program("log", "--tenant", "none", *form)
            self.assert_exit(5, result)
            error = json.loads(result.stderr)["error"]
            self.assertEqual("not_found", error["code"])
            self.assertIn("message", error)

    def test_error_of_a_command_names_its_field(self):
        result = self.run_program("do", "add_protein", "--name", "x" * 51, "-o", "json")
        self.assert_exit(2, result)
        self.assertEqual(("too_long", "name"),
                         (json.loads(result.stderr)["error"]["code"], json.loads(result.stderr)["error"]["field"]))

    def test_formats(self):
        self.fill()
        as_json = json.loads(self.run_program("log", "-o", "json").stdout)
        as_ndjson = self.records("log")
        self.assertEqual(as_json, as_ndjson)
        rows = list(csv.DictReader(io.StringIO(self.run_program("log", "-o", "csv").stdout.decode())))
        self.assertEqual([str(e["position"]) for e in as_json], [r["position"] for r in rows])
        table = self.run_program("log", "-o", "table").stdout.decode().splitlines()
        self.assertEqual(len(as_json) + 1, len(table))
        self.assertTrue(table[0].startswith("position  recorded_at"))
        self.assertEqual([], json.loads(self.run_program("log", "-o", "json", "--after", "999").stdout))

    def test_fields(self):
        self.fill()
        self.assertEqual({"kind": "TenantCreated", "position": 1},
                         self.records("log", "--fields", "kind,position", "--limit", "1")[0])

    def test_secrets_are_masked_unless_revealed(self):
        self.fill()
        for arguments in (["log"], ["log", "-p"], ["show", "2"], ["rows", "auth_user"], ["history", "user/ann"],
                          ["blame", "user/ann"], ["rows", "tenants_invitation"], ["log", "-o", "csv"],
                          ["log", "-o", "table"], ["history", "invitation/tokent"]):
            shown = self.run_program(*arguments).stdout.decode()
            self.assertNotIn("sha256$secret", shown, arguments)
            self.assertNotIn("tokentoken", shown, arguments)
        self.assertIn("pbkdf2…", self.run_program("log").stdout.decode())
        self.assertIn("pbkdf2_sha256$secret$hash", self.run_program("log", "--reveal").stdout.decode())
        self.assertEqual([], self.records("log", "--grep", "sha256$secret", "--reveal"))

    def test_table_and_colour_on_a_terminal(self):
        self.fill()
        self.assertIn("\x1b[1m", self.on_terminal("log"))
        self.assertNotIn("\x1b[1m", self.on_terminal("log", NO_COLOR="1"))
        self.assertNotIn("\x1b[1m", self.on_terminal("log", "--color", "never"))

    def on_terminal(self, *arguments, **environment):
        master, slave = pty.openpty()
        process = subprocess.Popen([PROGRAM, *arguments], stdin=slave, stdout=slave, stderr=slave,
                                   cwd=self.directory, env=self.environment(**environment))
        os.close(slave)
        text = b""
        try:
            while chunk := os.read(master, 65536):
                text += chunk
        except OSError:  # The end, as Linux reports it.
            pass
        os.close(master)
        process.wait()
        return text.decode()

    def test_control_characters_never_reach_a_table(self):
        self.assertEqual("accepted", self.apply(tenant("acme", contact_phone="\x1b[2J\u202e"))[0]["status"])
        for arguments in (["log", "-o", "table"], ["log", "-p", "-o", "table"], ["show", "1", "-o", "table"],
                          ["rows", "tenants_tenant", "-o", "table"]):
            shown = self.run_program(*arguments).stdout.decode()
            self.assertNotIn("\x1b", shown)
            self.assertNotIn("\u202e", shown)

    def test_closed_pipe_is_quiet(self):
        self.apply(*[command("add_protein", name=f"p{i}") for i in range(2000)])
        process = self.start("log")
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(b"", process.stderr.read())
        self.assertEqual(0, process.wait())
        process.stderr.close()
        process.stdin.close()

    def test_full_disk_is_an_error(self):
        self.fill()
        with open("/dev/full", "wb") as full:
            result = subprocess.run([PROGRAM, "log"], stdout=full, stderr=subprocess.PIPE, check=False,
                                    env=self.environment())
        self.assertEqual(6, result.returncode)
        self.assertIn(b"error[unavailable]", result.stderr)

    def test_second_process_is_told_who_owns_the_store(self):
        owner = self.start("apply")
        owner.stdin.write(json.dumps(tenant("acme")).encode() + b"\n")
        owner.stdin.flush()
        self.assertEqual("accepted", json.loads(owner.stdout.readline())["status"])  # It owns the store now.
        self.assert_error(6, "unavailable", self.run_program("log"))
        owner.communicate()
        self.assertEqual(0, owner.returncode)

    def test_no_store(self):
        result = self.run_program("log", "--store", "nowhere")
        self.assert_error(6, "store_not_found", result)
        self.assertIn(b"hint: tenantry init", result.stderr)

    def test_damaged_store(self):
        self.fill()
        for folder, _, files in os.walk(self.store):
            for name in files:
                if name.endswith((".log", ".sst")):
                    path = os.path.join(folder, name)
                    with open(path, "r+b") as file:
                        file.seek(os.path.getsize(path) // 3)
                        file.write(b"\xff" * 64)
        self.assert_exit(7, self.run_program("verify"))

    def test_postgresql_is_declined_without_its_password(self):
        for arguments, environment in ((["project", "--read-model", "postgresql://u:geheim@h/db"], {}),
                                       (["verify"], {"DATABASE_URL": "postgres://u:geheim@h/db"})):
            result = self.run_program(*arguments, **environment)
            self.assert_exit(2, result)
            self.assertIn(b"error[unsupported_read_model]", result.stderr)
            self.assertNotIn(b"geheim", result.stderr + result.stdout)
        self.assert_exit(0, self.run_program("status", DATABASE_URL="postgres://u:geheim@h/db"))


class InitTest(CliTestCase):
    def test_second_time_changes_nothing(self):
        self.assertFalse(self.records("init")[0]["created"])
        with open(os.path.join(self.store, ".gitignore"), encoding="utf-8") as file:
            self.assertEqual("*\n", file.read())

    def test_directory_with_something_else(self):
        self.assert_exit(2, self.run_program("init", "--store", self.directory))

    def test_dry_run_makes_nothing(self):
        other = os.path.join(self.directory, "other")
        self.assertTrue(self.records("init", "--dry-run", "--store", other)[0]["created"])
        self.assertFalse(os.path.exists(other))


class ApplyTest(CliTestCase):
    def test_answers_in_order(self):
        answers = self.apply(tenant("acme", domain="acme.example"), tenant("ACME"),
                             {"command": "activate_tenant", "data": {"tenant": "acme"}}, {"command": "nope", "data": {}})
        self.assertEqual([1, 2, 3, 4], [a["line"] for a in answers])
        self.assertEqual(("accepted", [1, 2]), (answers[0]["status"], answers[0]["positions"]))
        self.assertEqual(("tenant", "acme"), (answers[0]["entity"]["kind"], answers[0]["entity"]["key"]))
        uuid.UUID(answers[0]["entity"]["id"])
        self.assertEqual(("rejected", "slug_taken", "slug"),
                         (answers[1]["status"], answers[1]["code"], answers[1]["field"]))
        self.assertEqual(("accepted", []), (answers[2]["status"], answers[2]["positions"]))
        self.assertEqual(("invalid", "unknown_command"), (answers[3]["status"], answers[3]["code"]))
        self.assertEqual(2, self.last.returncode)

    def test_bad_lines(self):
        protein = command("add_protein", name="Beef")
        beef = json.dumps(protein)
        for line, code in [
                ("{", "invalid_json"), ("[]", "invalid_type"), ("1", "invalid_type"), ("nonsense", "invalid_json"),
                (b"\xff\xfe", "invalid_text"), (b'{"command":"a\x00b"}', "invalid_text"),
                ('{"data":{}}', "missing_field"), ('{"command":"add_protein"}', "missing_field"),
                ('{"command":1,"data":{}}', "invalid_type"), ('{"command":"add_protein","data":[]}', "invalid_type"),
                (beef[:-1] + ',"color":1}', "unknown_field"), (beef[:-1] + ',"at":"2020-01-01T00:00:00Z"}', "unknown_field"),
                (beef[:-1] + ',"id":"x"}', "invalid_type"), (beef[:-1] + ',"expected_version":0}', "invalid_type"),
                (json.dumps(command("add_protein", name=7)), "invalid_type"),
                (json.dumps(command("add_protein", name="x" * 51)), "too_long"),
                (json.dumps(command("add_protein", name="")), "missing_field"),
                (json.dumps(command("add_protein", name="a\0b")), "invalid_text"),
                (json.dumps(command("add_protein", name="a", size=1)), "unknown_field"),
                (json.dumps(command("register_user", username="a", id=2**31)), "invalid_type"),
                (json.dumps(command("add_protein", name="a", id=2**64)), "invalid_type"),
                (json.dumps(command("add_protein", name="a", id=1.5)), "invalid_type"),
                ('{"command":"add_protein","data":{"name":"a","name":"b"}}', "invalid_json"),
                (json.dumps(command("add_protein", {"actor": "x" * 201}, name="a")), "too_long"),
                (json.dumps(tenant("a", settings=[])), "invalid_type"),
                (json.dumps(tenant("a", settings={"a": "x" * (300 << 10)})), "too_large"),
                (b'"' + b"x" * (2 * LINE_BYTES_MAX) + b'"', "too_large")]:
            with self.subTest(line[:60]):
                raw = line if isinstance(line, bytes) else line.encode()
                answers = self.apply(raw=raw + b"\n" + beef.encode() + b"\n", options=["--dry-run"])
                self.assertEqual([1, 2], [a["line"] for a in answers])
                self.assertEqual(("invalid", code), (answers[0]["status"], answers[0].get("code")), answers[0])
                self.assertEqual("accepted", answers[1]["status"])
                self.assertEqual(2, self.last.returncode)
        self.assertEqual(0, self.tail())

    def test_references_to_nothing(self):
        answers = self.apply(command("activate_tenant", tenant="none"), command("delete_user", user=99),
                             command("remove_domain", domain="x.example"))
        self.assertEqual(["not_found"] * 3, [a["code"] for a in answers])
        self.assertEqual(5, self.last.returncode)

    def test_exit_is_the_worst(self):
        self.fill()
        rejected = tenant("acme")
        missing = command("activate_tenant", tenant="none")
        conflict = command("activate_tenant", {"expected_version": 77}, tenant="acme")
        invalid = {"command": "x"}
        for commands, expected in (([rejected], 3), ([rejected, missing], 5), ([conflict, missing, rejected], 4),
                                   ([rejected, invalid, conflict, missing], 2)):
            self.apply(*commands)
            self.assertEqual(expected, self.last.returncode)

    def test_blank_lines_count_but_say_nothing(self):
        answers = self.apply(raw=b"\n  \n" + json.dumps(tenant("acme")).encode())
        self.assertEqual([3], [a["line"] for a in answers])

    def test_ids_make_retries_safe(self):
        commands = [command("add_protein", {"id": str(uuid.uuid4())}, name=f"p{i}") for i in range(50)]
        first = self.apply(*commands)
        tail = self.tail()
        self.assertEqual(first, self.apply(*commands))
        self.assertEqual((0, tail), (self.last.returncode, self.tail()))
        changed = {**commands[0], "data": {"name": "other"}}
        self.assertEqual("id_reused", self.apply(changed)[0]["code"])
        self.assertEqual(4, self.last.returncode)

    def test_stop_on_error(self):
        answers = self.apply(tenant("a"), tenant("a"), tenant("b"), options=["--stop-on-error"])
        self.assertEqual(["accepted", "rejected"], [a["status"] for a in answers])
        answers = self.apply(tenant("c"), {"command": "x"}, tenant("d"), options=["--stop-on-error"])
        self.assertEqual(["accepted", "invalid"], [a["status"] for a in answers])
        self.assertEqual(2, self.tail())

    def test_quiet_accepted(self):
        answers = self.apply(tenant("a"), tenant("a"), options=["--quiet-accepted"])
        self.assertEqual([2], [a["line"] for a in answers])

    def test_dry_run_writes_nothing_and_sees_its_own_effects(self):
        answers = self.apply(tenant("a"), tenant("a"), options=["--dry-run"])
        self.assertEqual(["accepted", "rejected"], [a["status"] for a in answers])
        self.assertEqual(0, self.tail())

    def test_defaults(self):
        self.apply(tenant("a"), tenant("b"), options=["--defaults", "actor=me,channel=import"])
        self.assertEqual({("me", "import")}, {(e["actor"], e["channel"]) for e in self.records("log")})

    def test_historic_times(self):
        at = [command("add_protein", {"at": t}, name=f"p{i}") for i, t in enumerate(
              ["2020-01-02T00:00:00Z", "2020-01-02T00:00:00Z", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])]
        answers = self.apply(*at, options=["--historic"])
        self.assertEqual(["accepted", "accepted", "rejected", "rejected"], [a["status"] for a in answers])
        self.assertEqual({"invalid_period"}, {a["code"] for a in answers[2:]})
        self.assertEqual("2020-01-02T00:00:00.000000Z", self.records("log")[0]["recorded_at"])
        self.assertEqual(["time_supplied"], self.records("show", "1")[0]["flags"])

    def test_several_files(self):
        for name in ("one", "two"):
            with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
                file.write(json.dumps(tenant(name)) + "\n")
        result = self.run_program("apply", "-q", "one", "two")
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([("one", 1), ("two", 1)], [(a["file"], a["line"]) for a in answers])

    def test_slow_input_is_answered_line_by_line(self):
        process = self.start("apply", "-q")
        for i in range(3):
            process.stdin.write(json.dumps(command("add_protein", name=f"p{i}")).encode() + b"\n")
            process.stdin.flush()
            self.assertEqual(i + 1, json.loads(process.stdout.readline())["line"])
        process.communicate()
        self.assertEqual(0, process.returncode)

    def test_ctrl_c_stops_cleanly(self):
        process = self.start("apply", "-q")
        process.stdin.write(json.dumps(tenant("acme")).encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.wait()
        process.communicate()
        self.assertEqual(130, process.returncode)
        self.assertEqual(1, self.tail())
        self.assert_exit(0, self.run_program("verify"))

    def test_closed_pipe_stops(self):
        path = os.path.join(self.directory, "many")
        with open(path, "w", encoding="utf-8") as file:
            for i in range(5000):
                file.write(json.dumps(command("add_protein", name=f"p{i}")) + "\n")
        process = self.start("apply", "-q", "--batch", "10", path)
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(b"", process.stderr.read())
        self.assertEqual(130, process.wait())
        process.stderr.close()
        process.stdin.close()
        self.assert_exit(0, self.run_program("verify"))


class DoTest(CliTestCase):
    def test_fields_become_options(self):
        answer = self.records("do", "create_tenant", "--slug", "acme", "--name", "Acme", "--contact-email", "a@b.cc",
                              "--is-trial", "--is-active", "false", "--settings", '{"n":1.50}', "--null", "schema_name",
                              "--actor", "user:1", "--reason", "why")[0]
        self.assertEqual(("accepted", [1]), (answer["status"], answer["positions"]))
        event = self.records("log")[0]
        self.assertEqual((True, False, None, "user:1", "why"),
                         (event["data"]["is_trial"], event["data"]["is_active"], event["data"]["schema_name"],
                          event["actor"], event["reason"]))
        self.assertIn('"settings":{"n": 1.50}', self.run_program("log").stdout.decode())

    def test_references(self):
        self.fill()
        answer = self.records("do", "change_member_role", "--tenant", "acme", "--user", "id:2", "--role", "manager")[0]
        self.assertEqual("acme/bob", answer["entity"]["key"])

    def test_refusals_are_errors(self):
        self.fill()
        for arguments, exit_code, code in (
                (["create_tenant", "--slug", "acme", "--name", "A", "--contact-email", "a@b.cc"], 3, "slug_taken"),
                (["create_tenant", "--slug", "acme"], 2, "missing_field"),
                (["activate_tenant", "--tenant", "none"], 5, "not_found"),
                (["activate_tenant", "--tenant", "acme", "--expected-version", "9"], 4, "version_conflict"),
                (["add_protein", "--name", "x", "--id", "one"], 2, "invalid_type"),
                (["add_protein", "--name", "x", "--nope", "one"], 2, "usage"),
                (["add_protein", "--null", "nmae"], 2, "unknown_field"),
                (["create_tenant", "--settings", "{"], 2, "invalid_json"),
                (["add_protein", "--name", "x", "--at", "2020-01-01"], 2, "unknown_field"),
                (["add_protein", "--name", "x", "--command-id", "7"], 2, "invalid_type")):
            with self.subTest(arguments):
                self.assert_error(exit_code, code, self.run_program("do", *arguments))

    def test_dry_run(self):
        self.assert_exit(0, self.run_program("do", "add_protein", "--name", "Beef", "--dry-run"))
        self.assertEqual(0, self.tail())

    def test_list_names_every_command(self):
        self.assertEqual(38, len(self.records("do", "--list")))

    def test_command_id(self):
        again = ["do", "add_protein", "--name", "Beef", "--command-id", str(uuid.uuid4())]
        self.assertEqual(self.records(*again), self.records(*again))
        self.assertEqual(1, self.tail())


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
        self.assertIn("    role: user → admin", self.run_program("log", "-p", "-o", "table").stdout.decode())

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
        self.assertEqual([9, 10, 11, 12], self.records("show", str(first))[0]["other_events_of_command"])

    def test_names_of_what_is_gone(self):
        self.apply(command("change_tenant", tenant="acme", slug="new"), command("change_user_profile", user="bob", username="rob"))
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
        self.apply(command("set_preferences", user="ann", theme="dark"), command("add_protein", name="Beef"))
        for reference in ("tenant/acme", "user/ann", "user/id:1", "user/1", "domain/www.acme.example", "member/acme/ann",
                          "preferences/ann", "protein/Beef", "invitation/EVE@acme.example", "invitation/tokent"):
            self.assertTrue(self.records("history", reference), reference)

    def test_blame(self):
        blamed = {b["field"]: b for b in self.records("blame", "member/acme/bob")}
        self.assertEqual((6, "user:1", "admin"),
                         (blamed["role"]["position"], blamed["role"]["actor"], blamed["role"]["value"]))
        self.assertEqual(5, blamed["user_id"]["position"])

    def test_rows(self):
        self.assertEqual(["ann", "bob"], [r["username"] for r in self.records("rows", "auth_user")])
        rows = self.records("rows", "tenants_tenant_user", "--names", "--where", "role=admin")
        self.assertEqual([("acme", "bob")], [(r["tenant_slug"], r["user_username"]) for r in rows])
        self.assertEqual("user", self.records("rows", "tenants_tenant_user", "--where", "user_id=2", "--as-of", "5")[0]["role"])
        self.assertEqual([], self.records("rows", "auth_user", "--as-of", "2001-01-01"))
        self.assertEqual(1, len(self.records("rows", "tenants_tenantdomain", "--tenant", "acme")))
        self.assert_error(5, "not_found", self.run_program("rows", "auth_user", "--as-of", "999"))

    def test_resolve(self):
        for arguments, matched in ((["--host", "www.acme.example"], "domain"), (["--host", "acme.other.example"], "subdomain"),
                                   (["--user", "ann"], "membership")):
            self.assertEqual(matched, self.records("resolve", *arguments)[0]["matched"])
        self.assert_exit(5, self.run_program("resolve", "--host", "www.other.example"))
        self.apply(command("register_user", username="out"))
        tenant_id = self.records("rows", "tenants_tenant")[0]["id"]
        self.assert_exit(3, self.run_program("resolve", "--tenant-id", tenant_id, "--user", "out"))

    def test_status(self):
        status = self.records("status")[0]
        self.assertEqual((8, 2, "absent"), (status["tail"], status["rows"]["auth_user"], status["read_model"]["state"]))


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
        self.assertEqual([("ann",), ("bob",)], self.sql("select username from auth_user order by id"))
        self.assertEqual(0, self.records("project")[0]["events"])
        self.assert_exit(0, self.run_program("verify"))
        self.apply(command("add_protein", name="Beef"))
        self.assert_exit(0, self.run_program("verify"))  # Lag is no difference.
        self.assertEqual(("behind", 1), (self.records("status")[0]["read_model"]["state"],
                                         self.records("status")[0]["read_model"]["lag"]))

    def test_dry_runs_make_no_database(self):
        self.assertEqual(8, self.records("project", "--dry-run")[0]["events"])
        self.assert_exit(0, self.run_program("rebuild", "--dry-run"))
        self.assertFalse(os.path.exists(self.database) and os.path.getsize(self.database) > 0)

    def test_rebuild_ends_with_a_certificate(self):
        certificate = self.records("rebuild")[0]
        self.assertEqual(("equal", "fresh", 8), (certificate["verdict"], certificate["mode"], certificate["position"]))
        again = self.records("rebuild", "--from-events")[0]
        self.assertEqual([t["found_digest"] for t in certificate["tables"]], [t["found_digest"] for t in again["tables"]])
        self.assertIn(b"verdict", self.run_program("rebuild", "-o", "table").stdout)

    def test_difference_is_found_and_mended(self):
        self.records("rebuild")
        self.sql("update tenants_tenant_user set role = 'owner' where user_id = 2")
        self.sql("insert into core_protein (id, name) values (9, 'Tofu')")
        result = self.run_program("verify", "-o", "table")
        self.assert_exit(1, result)
        self.assertIn("role is owner, not admin; last written by event 6", result.stdout.decode())
        self.assert_exit(1, self.run_program("rebuild"))
        self.assert_error(2, "confirmation_needed", self.run_program("rebuild", "-q", "--delete-unknown"))
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
        self.assert_error(2, "confirmation_needed",
                          self.run_program("rebuild", "-q", "--take-over", "--store", other, "--read-model", url))
        self.assert_exit(0, self.run_program("rebuild", "--take-over", "--yes", "--store", other, "--read-model", url))

    def test_verify_names_a_read_model_that_is_not_there(self):
        result = self.run_program("verify", "--read-model", "sqlite:nowhere.db")
        self.assert_exit(5, result)
        self.assertIn(b"error[read_model_absent]", result.stderr)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
