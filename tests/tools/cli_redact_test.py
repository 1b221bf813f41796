"""Redacting a tenant through the command line: cli_redact_test.py PATH-OF-TENANTRY [TEST…]"""

import os
import random
import shutil
import signal
import time
import unittest

from cli_case import CliTestCase, command

EVENTS = 1200


class RedactTest(CliTestCase):
    def setUp(self):
        super().setUp()
        history = self.run_program(
            "generate", "-q", "--tenants", "6", "--seed", "5", "--events", str(EVENTS)
        )
        self.assert_exit(0, history)
        options = ("--historic", "--quiet-accepted", "-q", "--batch", "8")
        self.assert_exit(0, self.run_program("apply", *options, stdin=history.stdout))
        # The one that most is told of, and one that is there all the time.
        self.tenant, self.other = self.tenants()[:2]

    def tenants(self):
        counts = {}
        for event in self.records("log", "--scope", "tenants"):
            counts[event["tenant_id"]] = counts.get(event["tenant_id"], 0) + 1
        return sorted(counts, key=counts.get, reverse=True)

    def redact(self, *options):
        (record,) = self.records("squash", "--tenant", self.tenant, "--redact", "--yes", *options)
        return record

    def log(self):
        return {event["position"]: event for event in self.records("log", "--reveal")}

    def rows_at(self, *options):
        return self.records("rows", "tenants_tenant_user", *options)

    def copy(self, name):
        place = os.path.join(self.directory, name)
        shutil.copytree(self.store, place)
        return place

    def test_a_plan_tells_who_is_in_the_way(self):
        self.assert_exit(0, self.run_program("project"))
        (line,) = self.apply(command("activate_tenant", tenant=self.other))
        self.apply(command("deactivate_tenant", tenant=self.tenant))
        options = ("squash", "--tenant", self.tenant, "--redact", "--yes")
        plan = self.run_program(*options, "--dry-run")
        self.assert_exit(0, plan)
        self.assertIn("the redaction is refused until it has come further", plan.stderr.decode())
        self.assert_error(4, "consumer_behind", self.run_program(*options))

    def test_the_events_stay_and_what_they_say_goes(self):
        before = self.log()
        rows = {tenant: self.rows_at("--tenant", tenant) for tenant in self.tenants()}
        plan = self.redact("--dry-run")
        self.assertEqual(before, self.log())
        done = self.redact("--actor", "ann", "--reason", "asked to be forgotten")
        self.assertGreater(done["events"], 10)
        self.assertEqual(plan["events"], done["events"])
        after = self.log()
        redacted = 0
        for position, event in before.items():
            if event["tenant_id"] != self.tenant or event["kind"] == "DomainMoved":
                self.assertEqual(event, after[position])
                continue
            redacted += 1
            self.assertEqual({"redacted": True}, after[position]["data"])
            for field in ("recorded_at", "kind", "stream", "version", "tenant_id", "command_id"):
                self.assertEqual(event[field], after[position][field])
        self.assertEqual(done["events"], redacted)
        self.assertEqual("TenantRedacted", after[done["event"]]["kind"])
        for tenant, expected in rows.items():
            self.assertEqual(expected, self.rows_at("--tenant", tenant))
        self.assert_exit(0, self.run_program("verify", "--full"))

    def test_who_asks_is_told_by_whom_and_why(self):
        done = self.redact("--actor", "ann", "--reason", "asked to be forgotten")
        (first, *_) = self.records("log", "--tenant", self.tenant, "--limit", "1")
        shown = self.records("show", str(first["position"]))[0]
        self.assertEqual(done["event"], shown["redacted_by"])
        self.assertEqual("ann", shown["redacted_actor"])
        self.assertEqual("asked to be forgotten", shown["redacted_reason"])
        remark = b"what some of these events said was redacted"
        for verb in (("log", "--tenant", self.tenant), ("history", "tenant/" + self.tenant)):
            self.assertIn(remark, self.run_program(*verb).stderr)
        blame = {field["field"]: field for field in self.records("blame", "tenant/" + self.tenant)}
        row = next(
            row for row in self.records("rows", "tenants_tenant") if row["id"] == self.tenant
        )
        self.assertEqual(row["slug"], blame["slug"]["value"])
        self.assertIsNone(blame["slug"]["position"])
        # What is changed later has somebody who did it.
        self.apply(command("change_tenant", tenant=self.tenant, name="New name"))
        blame = {field["field"]: field for field in self.records("blame", "tenant/" + self.tenant)}
        self.assertEqual("New name", blame["name"]["value"])
        self.assertIsNotNone(blame["name"]["position"])
        (change,) = self.records("history", "tenant/" + self.tenant, "--reverse")[:1]
        self.assertEqual([{"field": "name", "new": "New name"}], change["changes"])

    def test_squashes_lists_it(self):
        done = self.redact("--actor", "ann", "--reason", "asked to be forgotten")
        listed = self.records("squashes")
        self.assertEqual(
            [event["position"] for event in self.records("log", "--scope", "system")],
            [told["position"] for told in listed],
        )
        told = listed[-1]
        self.assertEqual({"ScopeSquashed"}, {before["kind"] for before in listed[:-1]})
        expected = {
            "position": done["event"],
            "kind": "TenantRedacted",
            "scope": None,
            "tenant_id": self.tenant,
            "after": None,
            "through": done["through"],
            "events": done["events"],
            "actor": "ann",
            "reason": "asked to be forgotten",
        }
        self.assertEqual(expected, {field: told[field] for field in expected})
        self.assertRegex(told["recorded_at"], r"Z$")
        self.assertRegex(told["archive_digest"], r"^[0-9a-f]{64}$")
        shown = self.run_program("squashes", "-o", "table")
        self.assert_exit(0, shown)
        (line,) = (text for text in shown.stdout.decode().splitlines() if "Redacted" in text)
        self.assertEqual([str(done["event"]), told["recorded_at"]], line.split()[:2])
        self.assertTrue(line.rstrip().endswith("ann    asked to be forgotten"), line)
        self.assertIn(self.tenant, line)
        alone = self.run_program("squashes").stdout
        process = self.start("project", "--follow")
        process.stdout.readline()
        self.assertEqual(alone, self.run_program("squashes").stdout)
        process.send_signal(signal.SIGINT)
        process.communicate()

    def test_the_past_of_others_goes_on(self):
        middle = str(EVENTS * 3 // 4)
        before = self.rows_at("--as-of", middle, "--tenant", self.other)
        self.assertTrue(before)
        self.redact()
        self.assertEqual(before, self.rows_at("--as-of", middle, "--tenant", self.other))
        result = self.run_program("rows", "tenants_tenant_user", "--as-of", middle)
        self.assert_exit(0, result)
        self.assertNotIn(self.tenant.encode(), result.stdout)
        self.assertIn(b"there are no rows of tenant " + self.tenant.encode(), result.stderr)
        of_the_tenant = ("rows", "tenants_tenant", "--as-of", middle, "--tenant", self.tenant)
        for refused in (of_the_tenant, ("export",)):
            self.assert_error(5, "history_redacted", self.run_program(*refused))
        differences = self.records("diff", middle)
        self.assertTrue(differences)
        self.assertNotIn(self.tenant, {row["tenant_id"] for row in differences})
        self.assert_error(
            5, "history_redacted", self.run_program("diff", middle, "--tenant", self.tenant)
        )
        past = "sqlite:" + os.path.join(self.directory, "past.sqlite3")
        rebuild = ("rebuild", "--as-of", middle, "--read-model", past)
        self.assert_error(5, "history_redacted", self.run_program(*rebuild))

    def test_read_models(self):
        followed = "sqlite:" + os.path.join(self.directory, "followed.sqlite3")
        behind = "sqlite:" + os.path.join(self.directory, "behind.sqlite3")
        self.assert_exit(0, self.run_program("project", "-q", "--read-model", followed))
        self.assert_exit(0, self.run_program("project", "-q", "--read-model", behind))
        self.apply(command("change_tenant", tenant=self.tenant, name="Another name"))
        self.assert_exit(0, self.run_program("project", "-q", "--read-model", followed))
        result = self.run_program("squash", "--tenant", self.tenant, "--redact", "--yes")
        self.assert_error(4, "consumer_behind", result)
        self.assertIn(b"--rebase", result.stderr)
        consumers = self.records("status")[0]["consumers"]
        (late,) = [consumer["consumer"] for consumer in consumers if consumer["lag"] > 0]
        self.assertEqual([1, 1], [consumer["schema_version"] for consumer in consumers])
        self.redact("--rebase", late)
        self.assert_exit(0, self.run_program("project", "-q", "--read-model", followed))
        self.assert_error(
            5, "history_redacted", self.run_program("project", "-q", "--read-model", behind)
        )
        fresh = "sqlite:" + os.path.join(self.directory, "fresh.sqlite3")
        self.assert_exit(0, self.run_program("project", "-q", "--read-model", fresh))
        tables = []
        for url, options in ((followed, ()), (behind, ()), (fresh, ("--from-events",))):
            (certificate,) = self.records("rebuild", *options, "--read-model", url)
            self.assertEqual("equal", certificate["verdict"])
            tables.append([table["found_digest"] for table in certificate["tables"]])
        self.assertEqual([tables[0]] * 3, tables)

    def test_a_file_elsewhere_is_left_to_who_may_need_it(self):
        away, backup = (os.path.join(self.directory, name) for name in ("away", "backup"))
        self.assert_exit(0, self.run_program("squash", "--archive", away))
        self.assert_exit(0, self.run_program("backup", backup))
        before = self.log()
        options = ("squash", "--tenant", self.tenant, "--redact", "--yes")
        result = self.run_program(*options)
        self.assert_exit(0, result)
        self.assertIn(b"remove it when none does", result.stderr)
        self.store = os.path.join(self.directory, "restored")
        self.assert_exit(0, self.run_program("restore", backup))
        after = self.log()
        self.assertEqual(before, {position: after[position] for position in before})

    def test_a_domain_that_came_from_the_tenant_is_not_guessed(self):
        others = [tenant for tenant in self.tenants() if tenant != self.tenant]
        host = "moved.example"
        self.apply(
            command("add_domain", tenant=self.tenant, domain=host),
            command("move_domain", domain=host, from_tenant=self.tenant, to_tenant=others[0]),
        )
        then = str(self.tail())
        self.apply(command("change_tenant", tenant=self.tenant, name="Another name"))
        rows = ("rows", "tenants_tenantdomain", "--as-of", then, "--tenant")
        self.assertIn(host.encode(), self.run_program(*rows, others[0]).stdout)
        self.redact()
        self.assert_error(5, "history_redacted", self.run_program(*rows, others[0]))
        self.assert_exit(0, self.run_program(*rows, others[1]))
        result = self.run_program("diff", then)
        self.assert_exit(0, result)
        self.assertNotIn(host.encode(), result.stdout)
        self.assertIn(b"1 rows that others had from such a tenant", result.stderr)

    def test_the_report_is_markdown(self):
        report = os.path.join(self.directory, "report.md")
        self.redact("--report", report, "--actor", "ann")
        with open(report, encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text.startswith("# Redaction of store "))
        self.assertIn(self.tenant, text)
        self.assertIn("- By: ann\n", text)

    def test_wrong_input(self):
        before = self.log()
        for options, code, told in (
            (("--redact", "--yes"), 2, "usage"),
            (("--tenant", self.tenant), 2, "usage"),
            (("--tenant", self.tenant, "--redact", "--scope", "auth"), 2, "usage"),
            (("--tenant", self.tenant, "--redact", "--discard-history"), 2, "usage"),
            (("--tenant", self.tenant, "--redact"), 2, "confirmation_needed"),
            (("--tenant", "nobody", "--redact", "--yes"), 5, "not_found"),
            (("--tenant", self.tenant, "--redact", "--yes", "--through", "99999"), 5, "not_found"),
        ):
            self.assert_error(code, told, self.run_program("squash", *options))
        self.assertEqual(before, self.log())

    def test_the_owner_of_the_store_does_it(self):
        alone = self.copy("alone")
        options = ("squash", "--tenant", self.tenant, "--redact", "--yes")
        fields = ("--fields", "tenant_id,through,events,redacted_earlier,kept,payload_bytes")
        expected = self.run_program(*options, *fields, "--store", alone)
        self.assert_exit(0, expected)
        process = self.start("project", "--follow")
        process.stdout.readline()
        self.assertEqual(expected.stdout, self.run_program(*options, *fields).stdout)
        middle = str(EVENTS * 3 // 4)
        rows = ("rows", "tenants_tenant_user", "--as-of", middle)
        direct = self.run_program(*rows, "--store", alone)
        self.assertEqual(direct.stdout, self.run_program(*rows).stdout)
        self.assert_exit(0, self.run_program("verify", "--full"))
        process.send_signal(signal.SIGINT)
        process.communicate()

    def test_one_that_is_interrupted_goes_on_from_there(self):
        chance = random.Random(7)
        interrupted = 0
        for number in range(40):
            if interrupted == 3:
                break
            original, self.store = self.store, self.copy(f"copy-{number}")
            program = self.start("squash", "--tenant", self.tenant, "--redact", "--yes")
            time.sleep(chance.uniform(0.02, 0.12))
            program.send_signal(signal.SIGINT)
            errors = program.communicate()[1]
            if program.returncode == 130 and errors:
                interrupted += 1
                self.assertIn(b"the same command goes on from there", errors)
            done = self.records("log", "--kind", "TenantRedacted")
            again = self.redact()
            self.assertEqual(bool(done), again["events"] == 0)
            self.assert_exit(0, self.run_program("verify", "--full"))
            self.store = original
        self.assertGreater(interrupted, 0)

    def test_one_that_is_killed_is_forgotten_or_finished(self):
        chance = random.Random(3)
        undone = 0
        away, kept = (os.path.join(self.directory, name) for name in ("away", "kept"))
        self.assert_exit(0, self.run_program("squash", "--archive", away))
        events = self.log()
        for number in range(12):
            original, self.store = self.store, self.copy(f"copy-{number}")
            shutil.copytree(away, kept)
            program = self.start("squash", "--tenant", self.tenant, "--redact", "--yes")
            time.sleep(chance.uniform(0.0, 0.12))
            program.kill()
            program.communicate()
            self.assert_exit(0, self.run_program("do", "add_protein", "--name", "Opens it"))
            done = self.records("log", "--kind", "TenantRedacted")
            if not done:
                undone += 1
                after = self.log()
                self.assertEqual(events, {position: after[position] for position in events})
            self.assertEqual(4 if done else 3, len(os.listdir(away)))
            self.assert_exit(0, self.run_program("verify", "--full"))
            shutil.rmtree(away)
            os.rename(kept, away)
            self.store = original
        self.assertGreater(undone, 0)


if __name__ == "__main__":
    unittest.main()
