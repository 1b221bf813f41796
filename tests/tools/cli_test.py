"""What holds everywhere, and writing: cli_test.py PATH-OF-TENANTRY [TEST…]"""

import csv
import io
import json
import os
import pty
import resource
import signal
import socket
import subprocess
import unittest
import uuid

from cli_case import PROGRAM, CliTestCase, command, tenant

LINE_BYTES_MAX = 1 << 20


class EverywhereTest(CliTestCase):
    COMMANDS = [
        "init",
        "apply",
        "do",
        "resolve",
        "log",
        "show",
        "history",
        "blame",
        "rows",
        "status",
        "project",
        "rebuild",
        "verify",
        "generate",
        "members",
        "export",
        "completion",
    ]

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
            ([], "usage"),
            (["lgo"], "unknown_command"),
            (["log", "--foo"], "usage"),
            (["log", "-o", "xml"], "usage"),
            (["log", "--fields", "no"], "unknown_field"),
            (["log", "--kind", "MemberAded"], "unknown_kind"),
            (["log", "--scope", "x"], "unknown_scope"),
            (["log", "--after", "yesterday"], "usage"),
            (["rows", "tenants"], "unknown_table"),
            (["rows", "auth_user", "--where", "id=x"], "invalid_type"),
            (["rows", "auth_user", "--where", "nope=x"], "unknown_field"),
            (["rows", "auth_user", "--tenant", "acme"], "usage"),
            (["show", "x"], "usage"),
            (["resolve"], "usage"),
            (["do"], "usage"),
            (["do", "creat_tenant"], "unknown_command"),
            (["history", "acme"], "usage"),
            (["apply", "nowhere.ndjson"], "no_such_file"),
            (["apply", "--defaults", "who=me"], "usage"),
            (["apply", "--batch", "0"], "usage"),
            (["apply", "--batch", "-1"], "usage"),
            (["project", "--batch", "99999999999999999999"], "usage"),
            (["log", "--limit", "-1"], "usage"),
            (["log", "--limit", "0"], "usage"),
            (["log", "--limit", "1x"], "usage"),
            (["export", "--limit", "-1"], "usage"),
            (["log", "--kind", ","], "usage"),
            (["log", "--kind", ""], "usage"),
            (["log", "--tenant", ""], "usage"),
            (["export", "--tenant="], "usage"),
            (["log", "--fields", ","], "usage"),
            (["log", "-o", ""], "usage"),
            (["log", "--limt", "3"], "usage"),
            (["status", "now"], "usage"),
            (["log", "--color", "pink", "-o", "table"], "usage"),
        ]:
            with self.subTest(arguments):
                self.assert_error(2, code, self.run_program(*arguments))

    def test_near_matches_are_named(self):
        result = self.run_program("log", "--kind", "MemberAded")
        self.assertIn(b"hint: did you mean MemberAdded?", result.stderr)

        result = self.run_program("log", "--limt", "3")
        self.assertIn(b"hint: did you mean --limit?", result.stderr)

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
        self.assertEqual(
            ("too_long", "name"),
            (
                json.loads(result.stderr)["error"]["code"],
                json.loads(result.stderr)["error"]["field"],
            ),
        )

    def test_formats(self):
        self.fill()
        as_json = json.loads(self.run_program("log", "-o", "json").stdout)
        as_ndjson = self.records("log")
        self.assertEqual(as_json, as_ndjson)
        rows = list(
            csv.DictReader(io.StringIO(self.run_program("log", "-o", "csv").stdout.decode()))
        )
        self.assertEqual([str(e["position"]) for e in as_json], [r["position"] for r in rows])
        table = self.run_program("log", "-o", "table").stdout.decode().splitlines()
        self.assertEqual(len(as_json) + 1, len(table))
        self.assertTrue(table[0].startswith("position  recorded_at"))
        self.assertEqual(
            [], json.loads(self.run_program("log", "-o", "json", "--after", "999").stdout)
        )

    def test_fields(self):
        self.fill()
        self.assertEqual(
            {"kind": "TenantCreated", "position": 1},
            self.records("log", "--fields", "kind,position", "--limit", "1")[0],
        )

    def test_secrets_are_masked_unless_revealed(self):
        self.fill()
        for arguments in (
            ["log"],
            ["log", "-p"],
            ["show", "2"],
            ["rows", "auth_user"],
            ["history", "user/ann"],
            ["blame", "user/ann"],
            ["rows", "tenants_invitation"],
            ["log", "-o", "csv"],
            ["log", "-o", "table"],
            ["history", "invitation/tokent"],
        ):
            shown = self.run_program(*arguments).stdout.decode()
            self.assertNotIn("sha256$secret", shown, arguments)
            self.assertNotIn("tokentoken", shown, arguments)
        self.assertIn("pbkdf2…", self.run_program("log").stdout.decode())
        self.assertIn(
            "pbkdf2_sha256$secret$hash", self.run_program("log", "--reveal").stdout.decode()
        )
        self.assertEqual([], self.records("log", "--grep", "sha256$secret", "--reveal"))

    def test_table_and_colour_on_a_terminal(self):
        self.fill()
        self.assertIn("\x1b[1m", self.on_terminal("log"))
        self.assertNotIn("\x1b[1m", self.on_terminal("log", NO_COLOR="1"))
        self.assertNotIn("\x1b[1m", self.on_terminal("log", "--color", "never"))

    def on_terminal(self, *arguments, **environment):
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=self.directory,
            env=self.environment(**environment),
        )
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
        self.assertEqual(
            "accepted", self.apply(tenant("acme", contact_phone="\x1b[2J\u202e"))[0]["status"]
        )
        for arguments in (
            ["log", "-o", "table"],
            ["log", "-p", "-o", "table"],
            ["show", "1", "-o", "table"],
            ["rows", "tenants_tenant", "-o", "table"],
        ):
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
            result = subprocess.run(
                [PROGRAM, "log"],
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
                env=self.environment(),
            )
        self.assertEqual(6, result.returncode)
        self.assertIn(b"error[unavailable]", result.stderr)

    def test_a_low_limit_of_open_files_is_raised_as_far_as_it_may_be(self):
        for number in range(3):  # Each leaves table files behind.
            users = [command("register_user", username=f"u{number}-{n}") for n in range(5000)]
            self.assertEqual(5000, len(self.apply(*users)))
        few, hard = 16, resource.getrlimit(resource.RLIMIT_NOFILE)[1]

        def login(allowed):
            limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (few, allowed))
            return self.run_program("do", "record_login", "--user", "u0-1", limit=limit)

        self.assert_exit(0, login(hard))
        result = login(few)
        self.assert_error(6, "unavailable", result)
        self.assertIn(b"hint: raise the limit of open files: ulimit -n", result.stderr)

    def test_a_second_process_uses_the_store_through_its_owner(self):
        owner = self.start("apply")
        owner.stdin.write(json.dumps(tenant("acme")).encode() + b"\n")
        owner.stdin.flush()
        self.assertEqual(
            "accepted", json.loads(owner.stdout.readline())["status"]
        )  # It owns the store now.
        before = self.records("log")
        self.assertEqual(["TenantCreated"], [event["kind"] for event in before])
        answers = self.apply(command("register_user", username="ann"), tenant("acme"))
        self.assertEqual(["accepted", "rejected"], [answer["status"] for answer in answers])
        self.assert_exit(0, self.run_program("project"))
        self.assert_exit(0, self.run_program("verify"))
        owner.stdin.write(json.dumps(command("register_user", username="ann")).encode() + b"\n")
        owner.stdin.flush()
        self.assertEqual("username_taken", json.loads(owner.stdout.readline())["code"])
        owner.communicate()
        self.assertEqual(3, owner.returncode)
        self.assertEqual(2, self.tail())
        self.assertNotIn("OWNER.sock", os.listdir(self.store))

    def test_no_store(self):
        result = self.run_program("log", "--store", "nowhere")
        self.assert_error(6, "store_not_found", result)
        self.assertIn(b"hint: tenantry init", result.stderr)

    def test_a_file_where_the_store_is_to_be(self):
        path = os.path.join(self.directory, "file")
        with open(path, "w", encoding="utf-8") as file:
            file.write("something else")
        for arguments in (["init", "--store", path], ["backup", path]):
            result = self.run_program(*arguments)
            self.assert_error(2, "store_not_empty", result)
            self.assertIn(f"{path} is not a directory", result.stderr.decode())
        result = self.run_program("status", "--store", os.path.join(path, "store"))
        self.assert_error(6, "store_not_found", result)
        with open(path, encoding="utf-8") as file:
            self.assertEqual("something else", file.read())

    def test_a_status_that_does_not_ask_for_the_read_model_does_not_wait_for_it(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            url = f"postgresql://app@127.0.0.1:{port}/app?connect_timeout=60"
            result = self.run_program("status", "--read-model", url, "--fields", "tail")
            self.assert_exit(0, result)
            self.assertEqual({"tail": 0}, json.loads(result.stdout))

    def test_a_read_model_in_no_directory(self):
        path = os.path.join(self.directory, "absent", "x.sqlite3")
        for verb in ("project", "rebuild"):
            result = self.run_program(verb, "--read-model", "sqlite:" + path)
            self.assert_error(6, "unavailable", result)
            self.assertIn(f"{path}: No such file or directory", result.stderr.decode())
            hint = f"hint: there is no directory {os.path.dirname(path)}: make it"
            self.assertIn(hint, result.stderr.decode())

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

    def test_a_password_is_never_repeated(self):
        url = "postgresql://u:geheim@127.0.0.1:1/db"
        refused = self.run_program("project", "--read-model", url)
        self.assert_error(2, "password_on_command_line", refused)
        unreachable = self.run_program("verify", "-q", DATABASE_URL=url)
        self.assert_exit(6, unreachable)
        self.assertIn(b"postgresql://u@127.0.0.1:1/db", unreachable.stderr)
        status = self.run_program("status", DATABASE_URL=url)
        self.assert_exit(0, status)
        for result in (refused, unreachable, status):
            self.assertNotIn(b"geheim", result.stderr + result.stdout)


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
        answers = self.apply(
            tenant("acme", domain="acme.example"),
            tenant("ACME"),
            {"command": "activate_tenant", "data": {"tenant": "acme"}},
            {"command": "nope", "data": {}},
        )
        self.assertEqual([1, 2, 3, 4], [a["line"] for a in answers])
        self.assertEqual(("accepted", [1, 2]), (answers[0]["status"], answers[0]["positions"]))
        self.assertEqual(
            ("tenant", "acme"), (answers[0]["entity"]["kind"], answers[0]["entity"]["key"])
        )
        uuid.UUID(answers[0]["entity"]["id"])
        self.assertEqual(
            ("rejected", "slug_taken", "slug"),
            (answers[1]["status"], answers[1]["code"], answers[1]["field"]),
        )
        self.assertEqual(("accepted", []), (answers[2]["status"], answers[2]["positions"]))
        self.assertEqual(("invalid", "unknown_command"), (answers[3]["status"], answers[3]["code"]))
        self.assertEqual(2, self.last.returncode)

    def test_bad_lines(self):
        protein = command("add_protein", name="Beef")
        beef = json.dumps(protein)
        for line, code in [
            ("{", "invalid_json"),
            ("[]", "invalid_type"),
            ("1", "invalid_type"),
            ("nonsense", "invalid_json"),
            (b"\xff\xfe", "invalid_text"),
            (b'{"command":"a\x00b"}', "invalid_text"),
            ('{"data":{}}', "missing_field"),
            ('{"command":"add_protein"}', "missing_field"),
            ('{"command":1,"data":{}}', "invalid_type"),
            ('{"command":"add_protein","data":[]}', "invalid_type"),
            (beef[:-1] + ',"color":1}', "unknown_field"),
            (beef[:-1] + ',"at":"2020-01-01T00:00:00Z"}', "unknown_field"),
            (beef[:-1] + ',"id":"x"}', "invalid_type"),
            (beef[:-1] + ',"expected_version":0}', "invalid_type"),
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
            (b'"' + b"x" * (2 * LINE_BYTES_MAX) + b'"', "too_large"),
        ]:
            with self.subTest(line[:60]):
                raw = line if isinstance(line, bytes) else line.encode()
                answers = self.apply(raw=raw + b"\n" + beef.encode() + b"\n", options=["--dry-run"])
                self.assertEqual([1, 2], [a["line"] for a in answers])
                self.assertEqual(
                    ("invalid", code), (answers[0]["status"], answers[0].get("code")), answers[0]
                )
                self.assertEqual("accepted", answers[1]["status"])
                self.assertEqual(2, self.last.returncode)
        self.assertEqual(0, self.tail())

    def test_references_to_nothing(self):
        answers = self.apply(
            command("activate_tenant", tenant="none"),
            command("delete_user", user=99),
            command("remove_domain", domain="x.example"),
        )
        self.assertEqual(["not_found"] * 3, [a["code"] for a in answers])
        self.assertEqual(5, self.last.returncode)

    def test_exit_is_the_worst(self):
        self.fill()
        rejected = tenant("acme")
        missing = command("activate_tenant", tenant="none")
        conflict = command("activate_tenant", {"expected_version": 77}, tenant="acme")
        invalid = {"command": "x"}
        for commands, expected in (
            ([rejected], 3),
            ([rejected, missing], 5),
            ([conflict, missing, rejected], 4),
            ([rejected, invalid, conflict, missing], 2),
        ):
            self.apply(*commands)
            self.assertEqual(expected, self.last.returncode)

    def test_blank_lines_count_but_say_nothing(self):
        answers = self.apply(raw=b"\n  \n" + json.dumps(tenant("acme")).encode())
        self.assertEqual([3], [a["line"] for a in answers])

    def test_retries_are_counted(self):
        line = json.dumps(tenant("acme", line={"id": str(uuid.uuid4())})).encode()
        first = self.run_program("apply", stdin=line)
        self.assertIn(b"\n1 accepted, 0 rejected", b"\n" + first.stderr)
        again = self.run_program("apply", stdin=line)
        self.assertIn(b"1 accepted (1 of them known already), 0 rejected", again.stderr)

    def test_ids_make_retries_safe(self):
        commands = [
            command("add_protein", {"id": str(uuid.uuid4())}, name=f"p{i}") for i in range(50)
        ]
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
        answers = self.apply(
            tenant("c"), {"command": "x"}, tenant("d"), options=["--stop-on-error"]
        )
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
        self.assertEqual(
            {("me", "import")}, {(e["actor"], e["channel"]) for e in self.records("log")}
        )

    def test_historic_times(self):
        at = [
            command("add_protein", {"at": t}, name=f"p{i}")
            for i, t in enumerate(
                [
                    "2020-01-02T00:00:00Z",
                    "2020-01-02T00:00:00Z",
                    "2020-01-01T00:00:00Z",
                    "2999-01-01T00:00:00Z",
                ]
            )
        ]
        answers = self.apply(*at, options=["--historic"])
        self.assertEqual(
            ["accepted", "accepted", "rejected", "rejected"], [a["status"] for a in answers]
        )
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
        answer = self.records(
            "do",
            "create_tenant",
            "--slug",
            "acme",
            "--name",
            "Acme",
            "--contact-email",
            "a@b.cc",
            "--is-trial",
            "--is-active",
            "false",
            "--settings",
            '{"n":1.50}',
            "--null",
            "schema_name",
            "--actor",
            "user:1",
            "--reason",
            "why",
        )[0]
        self.assertEqual(("accepted", [1]), (answer["status"], answer["positions"]))
        event = self.records("log")[0]
        self.assertEqual(
            (True, False, None, "user:1", "why"),
            (
                event["data"]["is_trial"],
                event["data"]["is_active"],
                event["data"]["schema_name"],
                event["actor"],
                event["reason"],
            ),
        )
        self.assertIn('"settings":{"n": 1.50}', self.run_program("log").stdout.decode())

    def test_references(self):
        self.fill()
        answer = self.records(
            "do", "change_member_role", "--tenant", "acme", "--user", "id:2", "--role", "manager"
        )[0]
        self.assertEqual("acme/bob", answer["entity"]["key"])

    def test_refusals_are_errors(self):
        self.fill()
        for arguments, exit_code, code in (
            (
                ["create_tenant", "--slug", "acme", "--name", "A", "--contact-email", "a@b.cc"],
                3,
                "slug_taken",
            ),
            (["create_tenant", "--slug", "acme"], 2, "missing_field"),
            (["activate_tenant", "--tenant", "none"], 5, "not_found"),
            (
                ["activate_tenant", "--tenant", "acme", "--expected-version", "9"],
                4,
                "version_conflict",
            ),
            (["add_protein", "--name", "x", "--id", "one"], 2, "invalid_type"),
            (["add_protein", "--name", "x", "--nope", "one"], 2, "usage"),
            (["add_protein", "--null", "nmae"], 2, "unknown_field"),
            (["create_tenant", "--settings", "{"], 2, "invalid_json"),
            (["add_protein", "--name", "x", "--at", "2020-01-01"], 2, "unknown_field"),
            (["add_protein", "--name", "x", "--command-id", "7"], 2, "invalid_type"),
            (["add_protein", "--name", "x", "--command-id", ""], 2, "usage"),
            (["add_protein", "--name", "x", "--expected-version", ""], 2, "usage"),
            (["add_protein", "--name", "x", "--causation-position", ""], 2, "usage"),
            (["add_protein", "--name", "x", "--historic", "--at", ""], 2, "usage"),
        ):
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


if __name__ == "__main__":
    unittest.main()
