"""Squashing through the command line: cli_squash_test.py PATH-OF-TENANTRY [TEST…]"""

import json
import os
import pty
import random
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

from cli_case import PROGRAM, TABLES, CliTestCase, command, tenant

EVENTS = 1500
SCOPES = ("auth", "core", "tenants")
NOBODY = 65534


class SquashCase(CliTestCase):
    def setUp(self):
        super().setUp()
        self.archive = os.path.join(self.directory, "elsewhere")

    def generate(self, events=EVENTS):
        """A made-up history, most of it years old."""
        history = self.run_program(
            "generate", "-q", "--tenants", "6", "--seed", "5", "--events", str(events)
        )
        self.assert_exit(0, history)
        self.apply_history(history.stdout)

    def apply_history(self, lines):
        # In small blocks, of which none is cut.
        options = ("--historic", "--quiet-accepted", "-q", "--batch", "8")
        self.assert_exit(0, self.run_program("apply", *options, stdin=lines))

    def squash(self, *options):
        return {record["scope"]: record for record in self.records("squash", *options)}

    def scopes(self):
        return {scope["scope"]: scope for scope in self.records("status")[0]["scopes"]}

    def live(self):
        return {scope: of_scope["live"] for scope, of_scope in self.scopes().items()}

    def files(self, directory=None):
        directory = directory or os.path.join(self.store, "archive")
        return sorted(os.listdir(directory)) if os.path.isdir(directory) else []

    def copy(self, name):
        """The store once more, under another name."""
        place = os.path.join(self.directory, name)
        shutil.copytree(self.store, place)
        return place


class SquashTest(SquashCase):
    def test_a_plan_counts_events_by_kind_and_changes_nothing(self):
        self.fill()
        plan = self.squash("--dry-run")
        self.assertEqual({"UserRegistered": 2}, plan["auth"]["kinds"])
        self.assertEqual({}, plan["core"]["kinds"])
        self.assertEqual(
            {
                "TenantCreated": 1,
                "MemberAdded": 2,
                "MemberRoleChanged": 1,
                "DomainAdded": 1,
                "InvitationIssued": 1,
            },
            plan["tenants"]["kinds"],
        )
        self.assertEqual([2, 0, 6], [plan[scope]["events"] for scope in SCOPES])
        self.assertEqual([3, 0, 8], [plan[scope]["through"] for scope in SCOPES])
        self.assertTrue(all(record["dry_run"] for record in plan.values()))
        shown = self.run_program("squash", "--dry-run", "-o", "table")
        self.assert_exit(0, shown)
        self.assertIn(b"    2 UserRegistered\n", shown.stdout)
        self.assertNotIn(b"snapshot", shown.stdout)
        self.assertIn(b"dry run: 8 events would go", shown.stderr)
        self.assertEqual([], self.records("squashes"))
        self.assertEqual([], self.files())
        self.assertEqual(8, self.tail())

    def test_commands_go_on_before_and_after(self):
        self.fill()
        done = self.squash("--actor", "ann", "--reason", "year end")
        self.assertEqual([2, 0, 6], [done[scope]["events"] for scope in SCOPES])
        self.apply(command("register_user", username="cy"), tenant("after"))
        self.assertEqual([11, 12], [e["position"] for e in self.records("log", "--after", "10")])
        self.assert_exit(
            3, self.run_program("do", "register_user", "--username", "ann", "-o", "json")
        )
        again = self.squash()
        self.assertEqual([1, 0, 1], [again[scope]["events"] for scope in SCOPES])
        self.assertEqual(3, again["auth"]["after"])
        first, second, third, fourth = self.records("squashes")
        self.assertEqual(("auth", 0, 3), (first["scope"], first["after"], first["through"]))
        self.assertEqual(("ann", "year end"), (second["actor"], second["reason"]))
        self.assertEqual(("auth", 3, 11), (third["scope"], third["after"], third["through"]))
        self.assertEqual(("tenants", 8, 12), (fourth["scope"], fourth["after"], fourth["through"]))
        for listed, told in ((first, done["auth"]), (fourth, again["tenants"])):
            for field in ("events", "archive", "chain_hash", "snapshot_digest", "archive_digest"):
                self.assertEqual(told[field], listed[field], field)
        scopes = self.scopes()
        self.assertEqual({"system": 4, "auth": 0, "tenants": 0}, self.live())
        self.assertEqual((3, 11), (scopes["auth"]["archived"], scopes["auth"]["base"]))
        self.assert_exit(0, self.run_program("verify", "--full"))

    def test_the_status_tells_of_the_last_squash(self):
        self.generate()
        before = self.scopes()
        self.assertEqual({None}, {scope["last_squash"] for scope in before.values()})
        self.assertEqual({None}, {scope["squashed_at"] for scope in before.values()})
        self.squash("--scope", "auth,core", "--through", str(EVENTS // 2))
        self.squash("--scope", "auth")
        told = {}
        for squash in self.records("squashes"):
            told[squash["scope"]] = (squash["position"], squash["recorded_at"])
        after = self.scopes()
        found = {s: (of["last_squash"], of["squashed_at"]) for s, of in after.items()}
        nothing = (None, None)
        self.assertEqual({"system": nothing, "tenants": nothing, **told}, found)
        for scope in ("core", "tenants"):
            self.assertGreater(after[scope]["live_bytes"], 0)
        self.assertLess(after["auth"]["live_bytes"], before["auth"]["live_bytes"] / 2)
        shown = self.run_program("status", "-o", "table")
        self.assert_exit(0, shown)
        (header,) = (line for line in shown.stdout.decode().splitlines() if "live_bytes" in line)
        self.assertEqual(["last_squash", "squashed_at"], header.split()[-2:])
        (line,) = (x for x in shown.stdout.decode().splitlines() if x.startswith("auth "))
        self.assertEqual([str(cell) for cell in told["auth"]], line.split()[-2:])
        process = self.start("project", "--follow")
        process.stdout.readline()
        asked = self.scopes()
        self.assertEqual(found, {s: (o["last_squash"], o["squashed_at"]) for s, o in asked.items()})
        self.assertGreater(asked["core"]["live_bytes"], 0)
        process.send_signal(signal.SIGINT)
        process.communicate()

    def test_a_plan_tells_what_stays_because_no_block_is_cut(self):
        self.generate()
        seen = 0
        for point in range(EVENTS // 3, EVENTS // 3 + 12):
            options = ("squash", "--dry-run", "--through", str(point))
            plan = self.squash(*options[1:])
            uncut = sum(record["uncut"] for record in plan.values())
            for scope in SCOPES:
                events = self.records("log", "--scope", scope, "--through", str(point))
                told = plan[scope]
                self.assertEqual(len(events), told["events"] + told["uncut"])
            result = self.run_program(*options, "-o", "table")
            told = f"; {uncut} up to the point would stay, since".encode()
            self.assertEqual(uncut > 0, told in result.stderr, result.stderr)
            self.assertIn(b" uncut", result.stdout)
            seen = max(seen, uncut)
            if uncut:
                last = (point, plan)
        self.assertGreater(seen, 1)
        self.assertEqual(0, sum(record["uncut"] for record in self.squash("--dry-run").values()))
        point, plan = last
        process = self.start("project", "--follow")
        process.stdout.readline()
        asked = self.squash("--dry-run", "--through", str(point))
        for scope in SCOPES:
            self.assertEqual(plan[scope]["uncut"], asked[scope]["uncut"])
        process.send_signal(signal.SIGINT)
        process.communicate()
        done = self.squash("--through", str(point))
        for scope in SCOPES:
            self.assertEqual(plan[scope]["uncut"], done[scope]["uncut"])
            live = self.records("log", "--scope", scope, "--live-only", "--through", str(point))
            self.assertEqual(done[scope]["uncut"], len(live))

    def test_an_export_counts_causes_without_all_that_squashes_added(self):
        self.fill()
        self.squash()
        self.assertEqual([9, 10], [told["position"] for told in self.records("squashes")])
        causes = (8, 9, 10, 11)
        for cause in causes:
            line = {"causation_position": cause}
            self.apply(command("register_user", line, username=f"after{cause}"))
        exported = self.records("export", "--reveal")[-len(causes) :]
        found = [line.get("causation_position") for line in exported]
        self.assertEqual([8, None, None, 9], found)

    def test_every_format_says_the_same(self):
        self.fill()
        fields = ("--fields", "scope,after,through,events")
        for verb in (("squash", "--dry-run"), ("squash",), ("squashes",)):
            first = verb == ("squash",)
            rows = [["auth", 0, 3, 2], ["core", 0, 0, 0], ["tenants", 0, 8, 6]]
            if verb == ("squashes",):
                rows.pop(1)
            for form in ("ndjson", "json", "csv", "table"):
                store = self.copy(f"of-{form}") if first else self.store
                result = self.run_program(*verb, *fields, "-o", form, "--store", store)
                self.assert_exit(0, result)
                text = result.stdout.decode()
                if form in ("csv", "table"):
                    split = "," if form == "csv" else None
                    found = [
                        line.split(split) for line in text.splitlines() if not line.startswith(" ")
                    ]
                    self.assertEqual(
                        [fields[1].split(",")] + [[str(cell) for cell in row] for row in rows],
                        found,
                    )
                    continue
                records = (
                    json.loads(text)
                    if form == "json"
                    else [json.loads(line) for line in text.splitlines()]
                )
                self.assertEqual(rows, [list(record.values()) for record in records])
            if first:
                self.squash()
        self.assert_error(
            2, "unknown_field", self.run_program("squashes", "--fields", "bytes", "-o", "csv")
        )

    def test_the_report_is_markdown(self):
        self.fill()
        report = os.path.join(self.directory, "report.md")
        (auth,) = self.records("squash", "--scope", "auth", "--report", report, "--reason", "why")
        with open(report, encoding="utf-8") as file:
            text = file.read()
        store = self.records("status")[0]["store_id"]
        self.assertTrue(text.startswith(f"# Squash of store {store}\n"), text)
        self.assertIn("\n- By: system:squash\n- Reason: why\n", text)
        self.assertIn("\n| auth |  | 0 | 3 | 2 |", text)
        self.assertIn("\n| 2 | UserRegistered |\n", text)
        for digest in ("chain_hash", "snapshot_digest", "archive_digest"):
            self.assertIn(f"`{auth[digest]}`", text)
        self.assert_exit(0, self.run_program("squash", "--dry-run", "--report", report))
        with open(report, encoding="utf-8") as file:
            self.assertTrue(file.read().startswith("# Plan of a squash of store "))

    def test_a_report_that_cannot_be_written_is_told_before_the_work(self):
        self.fill()
        for place, code in ((os.path.join("no", "such", "report.md"), 6), (self.directory, 2)):
            self.assert_exit(code, self.run_program("squash", "--report", place))
        self.assertEqual([], self.records("squashes"))
        self.assertEqual(8, self.tail())

    def test_a_report_replaces_nothing_but_a_file(self):
        self.fill()
        pipe, link = (os.path.join(self.directory, name) for name in ("pipe", "link"))
        os.mkfifo(pipe)
        os.symlink("nowhere", link)
        for path in (pipe, link, self.directory):
            result = self.run_program("squash", "--report", path)
            self.assert_error(2, "usage", result)
            self.assertIn(f"{path} is no file", result.stderr.decode())
        self.assertEqual([], self.files())
        self.assertTrue(os.path.islink(link))

    def test_twice_and_of_an_empty_store(self):
        for events in (0, 8):
            if events:
                self.fill()
            for left in (events, 0):
                result = self.run_program("squash", "-o", "ndjson")
                self.assert_exit(0, result)
                records = [json.loads(line) for line in result.stdout.splitlines()]
                self.assertEqual(left, sum(record["events"] for record in records))
                self.assertEqual(left == 0, b"nothing had to leave the log" in result.stderr)
            self.assert_exit(0, self.run_program("verify", "--full"))
        self.assertEqual(10, self.tail())

    def test_scopes(self):
        self.fill()
        self.assertEqual({"core", "tenants"}, set(self.squash("--scope", "core,tenants")))
        self.assertEqual(["auth"], list(self.squash("--scope", "auth", "--scope", "auth")))
        scopes = self.scopes()
        self.assertEqual((3, 8), (scopes["auth"]["base"], scopes["tenants"]["base"]))
        unknown = self.run_program("squash", "--scope", "tenant")
        self.assert_error(2, "unknown_scope", unknown)
        self.assertIn(b"did you mean tenants?", unknown.stderr)
        self.assert_error(2, "usage", self.run_program("squash", "--scope", "system"))
        self.assert_error(2, "usage", self.run_program("squash", "--scope", "core", "--all"))

    def test_points(self):
        self.apply(command("register_user", username="old"))
        time.sleep(0.01)
        between = self.records("log")[0]["recorded_at"]
        self.apply(command("register_user", username="new"))
        for option in (("--through", "1"), ("--through", between)):
            plan = self.squash("--dry-run", *option)
            self.assertEqual((1, 1), (plan["auth"]["through"], plan["auth"]["events"]))
        self.assertEqual(0, self.squash("--dry-run", "--keep", "1d")["auth"]["events"])
        self.assertEqual(2, self.squash("--dry-run", "--keep", "0s")["auth"]["events"])
        self.assertEqual(1, self.squash("--through", "1")["auth"]["events"])
        self.assertEqual(0, self.squash("--through", "1")["auth"]["events"])
        self.assertEqual([2, 3], [e["position"] for e in self.records("log", "--live-only")])
        self.assertEqual([1, 2, 3], [e["position"] for e in self.records("log")])
        self.assert_error(5, "not_found", self.run_program("squash", "--through", "99"))
        for wrong in (("--through", "soon"), ("--keep", "5"), ("--keep", "2026-01-31")):
            self.assert_error(2, "usage", self.run_program("squash", *wrong))
        both = self.run_program("squash", "--keep", "1d", "--through", "1")
        self.assert_error(2, "usage", both)

    def test_history_is_discarded_only_by_who_says_so(self):
        self.fill()
        result = self.run_program("squash", "--discard-history")
        self.assert_error(2, "confirmation_needed", result)
        self.assertIn(self.records("status")[0]["store_id"].encode(), result.stderr)
        self.assert_error(
            2, "usage", self.run_program("squash", "--discard-history", "--archive", "x", "--yes")
        )
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        with subprocess.Popen(
            [PROGRAM, "squash", "--discard-history"],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            env=self.environment(),
        ) as program:
            os.close(slave)
            os.write(master, b"yes\n")
            self.assertEqual(b"", program.communicate(timeout=60)[0])
        self.assertEqual(2, program.returncode)
        self.assertIn(b"nothing was squashed", os.read(master, 65536))
        self.assertEqual(8, self.tail())
        self.assert_exit(0, self.run_program("squash", "--discard-history", "--dry-run"))

    def test_an_archive_that_alone_is_discarded_is_told(self):
        self.generate(600)
        self.squash("--through", "400")
        archived = {scope: of["archived"] for scope, of in self.scopes().items() if of["archived"]}
        total = sum(archived.values())
        self.assertGreater(total, 0)
        report = os.path.join(self.directory, "report.md")
        options = ("squash", "--through", "100", "--discard-history", "--yes", "--report", report)
        for dry, said in ((("--dry-run",), "would be"), ((), "are")):
            process = self.start("apply", "-q") if dry else None
            if process:  # Through the owner of the store it says the same.
                process.stdin.write(b'{"command":"register_user","data":{"username":"first"}}\n')
                process.stdin.flush()
                process.stdout.readline()
            result = self.run_program(*options, *dry, "-o", "ndjson")
            self.assert_exit(0, result)
            told = f"nothing ha[ds] (?:had )?to leave the log; {total} archived events {said} disc"
            self.assertRegex(result.stderr.decode(), told)
            records = {r["scope"]: r for r in map(json.loads, result.stdout.splitlines())}
            for scope, count in archived.items():
                record = records[scope]
                self.assertEqual((0, count), (record["events"], record["discarded_events"]))
            with open(report, encoding="utf-8") as file:
                text = file.read()
            self.assertIn(f"; {total} archived events {said} discarded", text)
            for scope, count in archived.items():
                self.assertIn(f"\n- {scope}: {count} archived events, up to position ", text)
            if process:
                process.send_signal(signal.SIGINT)
                process.communicate()
                self.assertEqual(400, len(self.records("log", "--through", "400")))
        self.assertEqual(0, sum(of["archived"] for of in self.scopes().values()))
        again = self.run_program(*options)
        self.assert_exit(0, again)
        self.assertIn(b"nothing had to leave the log\n", again.stderr)
        self.assert_exit(0, self.run_program("verify", "--full"))

    def test_who_is_rebased_is_forgotten_also_where_nothing_goes(self):
        self.fill()
        self.squash()
        model = "sqlite:" + os.path.join(self.directory, "model.sqlite3")
        self.assert_exit(0, self.run_program("project", "-q", "--read-model", model))
        (noted,) = self.records("status")[0]["consumers"]
        # One block, which is not cut.
        self.apply(*(command("register_user", username=name) for name in ("first", "second")))
        rebase = ("squash", "--through", str(noted["checkpoint"] + 1), "--rebase")
        for more, said in ((("--dry-run",), "would be forgotten"), ((), "and forgotten")):
            result = self.run_program(*rebase, noted["consumer"], *more)
            self.assert_exit(0, result)
            told = result.stderr.decode()
            self.assertRegex(told, "nothing ha[ds] (?:had )?to leave the log")
            self.assertIn(f"{noted['consumer']} is not waited for, and", told)
            self.assertIn(said, told)
            kept = [one["consumer"] for one in self.records("status")[0]["consumers"]]
            self.assertEqual([noted["consumer"]] if more else [], kept)

    def test_wrong_places(self):
        missing = os.path.join(self.directory, "missing")
        for verb in ("squash", "squashes"):
            self.assert_error(6, "store_not_found", self.run_program(verb, "--store", missing))
        self.fill()
        for inside in ("", "db", "archive/deeper"):
            place = os.path.join(self.store, inside)
            self.assert_error(
                2, "archive_inside_store", self.run_program("squash", "--archive", place)
            )
        file = os.path.join(self.directory, "file")
        with open(file, "w", encoding="utf-8"):
            pass
        self.assert_error(6, "unavailable", self.run_program("squash", "--archive", file))
        self.assertEqual((8, []), (self.tail(), self.records("squashes")))
        # The store's own place, by name.
        self.squash("--archive", os.path.join(self.store, "archive"))
        self.assertEqual(4, len(self.files()))

    def test_an_archive_elsewhere_that_is_away_and_comes_back(self):
        self.fill()
        self.squash("--archive", self.archive)
        self.assertEqual(2, len(self.files(self.archive)))
        self.apply(command("register_user", username="cy"))
        before = self.run_program("log", "-o", "ndjson").stdout
        away = self.archive + ".away"
        os.rename(self.archive, away)
        for verb in (("log",), ("history", "user/ann"), ("rows", "auth_user", "--as-of", "3")):
            result = self.run_program(*verb)
            self.assert_error(6, "unavailable", result)
            self.assertIn(self.archive.encode(), result.stderr)
            self.assertIn(b"mount or restore that directory", result.stderr)
        # What needs no history goes on.
        self.assertEqual(3, len(self.records("rows", "auth_user")))
        self.assertEqual([9, 10, 11], [e["position"] for e in self.records("log", "--live-only")])
        self.apply(command("register_user", username="dee"))
        self.assertEqual(2, self.squash("--scope", "auth")["auth"]["events"])
        os.rename(away, self.archive)
        self.assertTrue(self.run_program("log", "-o", "ndjson").stdout.startswith(before))
        self.assert_exit(0, self.run_program("verify", "--full"))


class DiscardedTest(SquashCase):
    """What is not known any more is said to be so, not made up."""

    def setUp(self):
        super().setUp()
        self.fill()
        self.assert_exit(0, self.run_program("squash", "--discard-history", "--yes"))
        (answer,) = self.apply(
            command("change_member_role", tenant="acme", user="bob", role="user")
        )
        (self.changed,) = answer["positions"]
        (answer,) = self.apply(
            command("change_member_role", tenant="acme", user="bob", role="admin")
        )
        (self.again,) = answer["positions"]

    def assert_remark(self, expected, *arguments):
        result = self.run_program(*arguments)
        self.assert_exit(0, result)
        self.assertIn(expected, result.stderr.decode())
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_what_an_event_replaced(self):
        unknown = "what some of these events replaced (`?`, or no `old`) was discarded"
        for verb in (["log", "-p", "--scope", "tenants"], ["history", "member/acme/bob"]):
            events = self.assert_remark(unknown, *verb)
            changes = {event["position"]: event["changes"] for event in events}
            self.assertEqual([{"field": "role", "new": "user"}], changes[self.changed])
            again = [{"field": "role", "old": "user", "new": "admin"}]
            self.assertEqual(again, changes[self.again])
        (shown,) = self.assert_remark(unknown, "show", str(self.changed))
        self.assertEqual([{"field": "role", "new": "user"}], shown["replaced"])
        table = self.run_program("log", "-p", "-o", "table", "--after", str(self.changed - 1))
        self.assertIn("role: ? → user", table.stdout.decode())
        self.assertNotIn(b"no `old`", self.run_program("show", str(self.again)).stderr)

    def test_who_gave_access(self):
        members = self.assert_remark("discarded the events that tell since when", "members")
        by_user = {member["user"]: member for member in members}
        for field in ("since", "given_by", "kind", "position", "reason"):
            self.assertIsNone(by_user["ann"][field], field)
        self.assertEqual(self.again, by_user["bob"]["position"])

    def test_who_set_a_field(self):
        said = "who set the other fields is not known"
        fields = self.assert_remark(said, "blame", "tenant/acme")
        by_name = {field["field"]: field for field in fields}
        self.assertEqual(("acme", None), tuple(by_name["slug"][k] for k in ("value", "position")))
        fields = self.assert_remark(said, "blame", "member/acme/bob")
        by_name = {field["field"]: field for field in fields}
        self.assertEqual(self.again, by_name["role"]["position"])

    def test_what_commands_did_since(self):
        exported = self.records("export", "--reveal", "--after", str(self.changed - 1))
        self.assertEqual(
            [("change_member_role", role) for role in ("user", "admin")],
            [(line["command"], line["data"]["role"]) for line in exported],
        )
        self.assertEqual([], self.records("export", "--after", str(self.tail() + 5)))
        self.assertEqual([], self.records("export", "--after", str(self.tail())))
        for after in (0, self.changed - 5):
            result = self.run_program("export", "--after", str(after))
            self.assert_error(5, "history_discarded", result)

    def test_what_is_all_there_is_not_said_to_lack_something(self):
        lacks = b"not all are left"
        for arguments in (["log"], ["log", "--scope", "auth"], ["history", "member/acme/bob"]):
            self.assertIn(lacks, self.run_program(*arguments).stderr, arguments)
        self.apply(command("register_user", username="late"))
        for arguments in (
            ["log", "--scope", "system"],
            ["log", "--reverse", "--limit", "1"],
            ["history", "user/late"],
        ):
            self.assertNotIn(lacks, self.run_program(*arguments).stderr, arguments)

    def test_a_plan_names_who_holds_it_back(self):
        self.assert_exit(0, self.run_program("project"))
        self.apply(command("register_user", username="late"))
        plan = self.squash("--dry-run", "--scope", "auth")["auth"]
        self.assertEqual([[self.read_model_name()], []], [plan["held_by"], plan["rebased"]])
        name = self.read_model_name()
        plan = self.squash("--dry-run", "--scope", "auth", "--rebase", name)["auth"]
        self.assertEqual([[], [name]], [plan["held_by"], plan["rebased"]])

    def read_model_name(self):
        return "sqlite:" + os.path.join(self.store, "read_model.sqlite3")

    def test_who_is_not_there(self):
        result = self.run_program("history", "user/nobody")
        self.assert_error(5, "not_found", result)
        self.assertIn("as far as the events that are left tell", result.stderr.decode())


class SameAnswersTest(SquashCase):
    """Whatever is asked of a store is answered as if nothing had been squashed."""

    def setUp(self):
        super().setUp()
        self.generate()

    def names(self):
        (user, *_) = self.records("log", "--kind", "UserRenamed", "--limit", "1")
        (member, *_) = self.records("log", "--kind", "MemberRoleChanged", "--limit", "1")
        (slug, *_) = self.records("rows", "tenants_tenant", "--fields", "slug")
        (host, *_) = self.records("rows", "tenants_tenantdomain", "--fields", "domain")
        return (
            f"user/id:{user['data']['id']}",
            member["stream"],
            "tenant/" + slug["slug"],
            host["domain"],
        )

    def questions(self):
        user, member, place, host = self.names()
        end = str(EVENTS)
        (middle, *_) = self.records("log", "--after", "700", "--limit", "1")
        yield "log", "--through", end, "-p", "--reveal"
        yield "log", "--through", end, "--reverse", "-o", "csv"
        yield "log", "--through", end, "--limit", "40", "-o", "table"
        yield "log", "--through", middle["recorded_at"], "--fields", "position,data"
        yield "log", "--after", middle["recorded_at"], "--through", end, "--scope", "auth"
        for option, value in (
            ("--tenant", place.partition("/")[2]),
            ("--user", user.partition("/")[2]),
            ("--stream", member),
            ("--actor", middle["actor"]),
            ("--kind", "MemberAdded,UserRenamed"),
            ("--grep", "example"),
        ):
            yield "log", option, value, "--through", end, "-p"
            yield "log", option, value, "--through", end, "--reverse", "--limit", "3"
        for verb in ("history", "blame"):
            for reference in (user, member, place):
                yield verb, reference
        for position in range(1, EVENTS + 1, 211):
            yield "show", str(position)
        for table in TABLES:
            yield "rows", table, "--reveal"
            for point in ("700", end):
                yield "rows", table, "--as-of", point
        for pair in (("300", "900"), (middle["recorded_at"], end)):
            yield "diff", *pair, "--reveal"
        for point in ("300", middle["recorded_at"], end):
            yield "members", "--as-of", point
        yield "resolve", "--host", host
        yield "export", "--reveal"
        yield "export", "--after", "400", "--through", "1200"

    def answers(self, questions):
        answers = {}
        for question in questions:
            result = self.run_program(*question, "-q")
            self.assertNotEqual(2, result.returncode, (question, result.stderr))
            answers[question] = (result.returncode, result.stdout, result.stderr)
        return answers

    def assert_same(self, expected):
        for question, answer in self.answers(expected).items():
            self.assertEqual(expected[question], answer, question)

    def model(self, name):
        return os.path.join(self.directory, name + ".sqlite3")

    def rows(self, name):
        connection = sqlite3.connect(self.model(name))
        self.addCleanup(connection.close)
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
            for table in TABLES
        }

    def rebuild(self, name, *options):
        url = "sqlite:" + self.model(name)
        (certificate,) = self.records("rebuild", *options, "--read-model", url)
        self.assertEqual("equal", certificate["verdict"])
        return certificate["tables"]

    def test_of_all_that_reads(self):
        expected = self.answers(self.questions())
        self.assertIn(0, {answer[0] for answer in expected.values()})
        self.squash("--through", "400")
        self.assert_same(expected)
        self.squash("--scope", "auth", "--scope", "core", "--through", "1000")
        self.squash("--scope", "tenants", "--archive", self.archive)
        self.assert_same(expected)
        self.squash()
        self.assert_same(expected)
        self.assertEqual([], self.records("log", "--through", str(EVENTS), "--live-only"))
        self.assert_exit(0, self.run_program("verify", "--full"))

    def test_of_read_models(self):
        self.assertEqual(self.rebuild("state"), self.rebuild("events", "--from-events"))
        expected = self.rows("events")
        certified = self.rebuild("past", "--as-of", "800")
        past = self.rows("past")
        for name in ("old", "new"):
            self.records("project", "--read-model", "sqlite:" + self.model(name))
        self.assertEqual(expected, self.rows("new"))
        os.remove(self.model("new"))
        more = [command("register_user", username=f"later{n}") for n in range(20)]
        self.apply(*more)
        later = self.copy("later")
        self.squash("--through", "900")
        self.apply(command("add_protein", name="Seitan"))
        self.squash()
        self.assertEqual(certified, self.rebuild("past-again", "--as-of", "800"))
        self.assertEqual(past, self.rows("past-again"))
        self.rebuild("state-again")
        self.rebuild("events-again", "--from-events")
        expected = self.rows("state-again")
        self.assertEqual(expected, self.rows("events-again"))
        for name in ("old", "new"):
            url = "sqlite:" + self.model(name)
            self.records("project", "--read-model", url)
            self.assertEqual(expected, self.rows(name), name)
            self.assert_exit(0, self.run_program("verify", "--full", "--read-model", url))
        self.store = later
        self.apply(command("add_protein", name="Seitan"))
        self.rebuild("unsquashed", "--from-events")
        for table in TABLES:
            if table != "core_protein":  # Its last row has another time.
                self.assertEqual(expected[table], self.rows("unsquashed")[table])

    def test_of_a_restored_backup(self):
        self.squash("--through", "900")
        backup = os.path.join(self.directory, "backup")
        restored = os.path.join(self.directory, "restored")
        self.records("backup", backup)
        self.assertEqual(self.files(), self.files(os.path.join(backup, "archive")))
        expected = self.answers(self.questions())
        self.squash()
        self.assert_exit(0, self.run_program("restore", backup, "--store", restored))
        shutil.rmtree(backup)
        shutil.rmtree(self.store)
        self.store = restored
        self.assert_same(expected)
        self.assert_exit(0, self.run_program("verify", "--full"))
        self.assertEqual(
            [os.path.join(restored, "archive")] * 3,
            [record["archive"] for record in self.records("squashes")],
        )
        self.squash()
        self.assert_same(expected)

    def test_for_a_user_who_may_only_read(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become another user")
        self.squash("--through", "900")
        expected = self.run_program("log", "--through", str(EVENTS), "-o", "csv")
        for place, directories, files in os.walk(self.directory):
            for name in (*directories, *files, "."):
                path = os.path.join(place, name)
                os.chmod(path, 0o755 if os.path.isdir(path) else 0o644)

        def become_nobody():
            os.setgid(NOBODY)
            os.setuid(NOBODY)

        seen = self.run_program("--version", limit=become_nobody)
        if seen.returncode != 0:
            self.skipTest("the program is in a place that nobody else may see")
        result = self.run_program(
            "log", "--through", str(EVENTS), "-o", "csv", limit=become_nobody
        )
        self.assert_exit(0, result)
        self.assertEqual(expected.stdout, result.stdout)
        self.assert_exit(0, self.run_program("squash", "--dry-run", limit=become_nobody))
        result = self.run_program("squash", limit=become_nobody)
        self.assert_exit(6, result)
        self.assertEqual(b"", result.stdout)
        self.assertEqual(3, len(self.records("squashes")))


class SquashBesideOthersTest(SquashCase):
    def test_the_owner_of_the_store_does_it_with_the_same_output(self):
        self.generate(600)
        fields = "scope,after,through,events,segments,kinds,chain_hash,snapshot_digest"
        options = ("squash", "--through", "400", "--fields", fields)
        alone = self.copy("alone")
        expected = self.run_program(*options, "--store", alone)
        self.assert_exit(0, expected)
        for owner in (("apply", "-q"), ("project", "--follow")):
            self.store = os.path.join(self.directory, owner[0])
            shutil.copytree(os.path.join(self.directory, "store"), self.store)
            process = self.start(*owner)
            if owner[0] == "apply":
                process.stdin.write(b'{"command":"register_user","data":{"username":"first"}}\n')
                process.stdin.flush()
            process.stdout.readline()
            plan = self.run_program(*options, "--dry-run")
            self.assert_exit(0, plan)
            result = self.run_program(*options)
            self.assert_exit(0, result)
            self.assertEqual(expected.stdout, result.stdout)
            self.assertIn(b" events went into ", result.stderr)
            self.assertEqual(3, len(self.records("squashes")))
            self.assertEqual(400, len(self.records("log", "--through", "400")))
            place = os.path.join(self.directory, owner[0] + "-archive")
            self.squash("--archive", os.path.basename(place))
            self.assertEqual(3, len(self.files(place)))
            self.assert_exit(0, self.run_program("verify", "--full"))
            process.send_signal(signal.SIGINT)
            process.communicate()
            self.assert_exit(0, self.run_program("verify", "--full"))

    def end_at_any_moment(self, how, elsewhere):
        """Squashes of copies that `how` ends, some with archives elsewhere; how many were."""
        self.generate(4000)
        chance = random.Random(11)
        ended = 0
        for number in range(14):
            original, self.store = self.store, self.copy(f"copy-{number}")
            archive = f"{self.archive}-{number}" if elsewhere and number % 2 else None
            program = self.start("squash", *(("--archive", archive) if archive else ()))
            time.sleep(chance.uniform(0.0, 0.5))
            program.send_signal(how)
            program.communicate()
            done = self.records("squashes")
            if program.returncode == 0:
                self.assertEqual(3, len(done))
            if not done:
                ended += 1
                # Before the program hears signals, either ends it.
                self.assertIn(program.returncode, (130, -how) if how == signal.SIGINT else (-how,))
                self.assert_exit(0, self.run_program("do", "add_protein", "--name", "Opens it"))
                self.assertEqual([], self.files())
                self.assertEqual([], self.files(archive) if archive else [])
            self.assert_exit(0, self.run_program("verify", "--full"))
            self.store = original
        return ended

    def test_ctrl_c_leaves_nothing(self):
        self.assertGreater(self.end_at_any_moment(signal.SIGINT, elsewhere=True), 0)

    def test_one_that_is_killed_is_forgotten_or_finished(self):
        self.assertGreater(self.end_at_any_moment(signal.SIGKILL, elsewhere=True), 0)


if __name__ == "__main__":
    unittest.main()
