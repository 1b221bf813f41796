"""What differs between two points in history: cli_diff_test.py PATH-OF-TENANTRY [TEST…]"""

import itertools
import unittest

from cli_case import TABLES, CliTestCase, command, tenant

SHORT = "change,entity,position,actor,reason"


def fields(record):
    return {change["field"]: (change["old"], change["new"]) for change in record["changes"]}


class DiffTest(CliTestCase):
    def setUp(self):
        super().setUp()
        self.fill()

    def diff(self, *arguments):
        return self.records("diff", *arguments)

    def listed(self, *arguments):
        names = ("change", "entity", "position", "actor")
        return [tuple(record[name] for name in names) for record in self.diff(*arguments)]

    def test_rows_that_are_new(self):
        self.assertEqual(
            [
                ("inserted", "user/ann", 2, None),
                ("inserted", "user/bob", 3, None),
                ("inserted", "tenant/acme", 1, "user:1"),
                ("inserted", "domain/www.acme.example", 7, None),
                ("inserted", "member/acme/ann", 4, None),
                ("inserted", "member/acme/bob", 6, "user:1"),
                ("inserted", "invitation/eve@acme.example", 8, None),
            ],
            self.listed("0"),
        )
        (member,) = self.diff("4", "5")
        (row,) = self.records("rows", "tenants_tenant_user", "--as-of", "5", "--where", "user_id=2")
        self.assertEqual({name: (None, value) for name, value in row.items()}, fields(member))
        self.assertEqual("MemberAdded", member["kind"])
        self.assertEqual("tenants_tenant_user", member["table"])
        self.assertEqual((2, row["tenant_id"]), (member["id"], member["tenant_id"]))

    def test_rows_that_changed(self):
        (member,) = self.diff("5", "6")
        self.assertEqual(("changed", "member/acme/bob", 6), tuple(member.values())[:3])
        self.assertEqual({"role", "updated_at"}, fields(member).keys())
        self.assertEqual(("user", "admin"), fields(member)["role"])
        (event,) = self.records("log", "--after", "5", "--through", "6")
        self.assertEqual(event["recorded_at"], member["recorded_at"])

    def test_rows_that_are_gone(self):
        act = {"actor": "user:root", "reason": "left"}
        self.apply(
            command("remove_member", act, tenant="acme", user="bob"),
            command("delete_user", act, user="bob"),
        )
        self.assertEqual(
            [
                ("deleted", "user/bob", 10, "user:root"),
                ("deleted", "member/acme/bob", 9, "user:root"),
            ],
            self.listed("8"),
        )
        user, member = self.diff("8")
        self.assertEqual(("left", "UserDeleted"), (user["reason"], user["kind"]))
        self.assertEqual(("admin", None), fields(member)["role"])
        # Neither was there at either point.
        self.assertEqual([], self.listed("2", "10", "--table", "tenants_tenant_user")[1:])

    def test_what_is_undone_is_no_difference(self):
        self.apply(command("deactivate_domain", domain="www.acme.example"))
        self.apply(command("activate_domain", domain="www.acme.example"))
        (domain,) = self.diff("8")
        self.assertEqual({"updated_at"}, fields(domain).keys())
        self.assertEqual(10, domain["position"])
        for point in ("0", "8", "10"):
            self.assertEqual([], self.diff(point, point))

    def test_a_row_that_moves_to_another_tenant(self):
        self.apply(
            tenant("beta"),
            command(
                "move_domain", domain="www.acme.example", from_tenant="acme", to_tenant="beta"
            ),
        )
        acme, beta = (
            self.records("rows", "tenants_tenant", "--where", f"slug={slug}")[0]["id"]
            for slug in ("acme", "beta")
        )
        for options in ([], ["--tenant", "acme"], ["--tenant", "beta"]):
            (domain,) = self.diff("9", "10", *options)
            self.assertEqual(("changed", 10), (domain["change"], domain["position"]))
            self.assertEqual(beta, domain["tenant_id"])
            self.assertEqual((acme, beta), fields(domain)["tenant_id"])

    def test_filters(self):
        self.assertEqual(
            ["user/ann", "user/bob", "member/acme/ann"],
            [
                entity
                for _, entity, _, _ in self.listed(
                    "0", "4", "--table", "tenants_tenant_user", "--table", "auth_user"
                )
            ],
        )
        self.apply(tenant("beta"), command("change_tenant", tenant="acme", name="Other"))
        self.assertEqual(["tenant/acme", "tenant/beta"], sorted(r[1] for r in self.listed("8")))
        self.assertEqual(["tenant/beta"], [r[1] for r in self.listed("8", "--tenant", "beta")])
        self.assertEqual([], self.diff("0", "--tenant", "beta", "--table", "tenants_tenantdomain"))
        self.apply(command("delete_tenant", tenant="acme", confirm="acme"))
        gone = self.listed("8", "--tenant", "acme")
        self.assertEqual({"deleted"}, {change for change, *_ in gone})
        self.assertEqual(5, len(gone))

    def test_points(self):
        times = {e["position"]: e["recorded_at"] for e in self.records("log")}
        self.assertEqual(self.listed("5", "6"), self.listed(times[5], times[6]))
        self.assertEqual(self.listed("0", "8"), self.listed("1d"))
        self.assertEqual(self.listed("0", "8"), self.listed("2001-01-01", "0s"))

    def test_forms(self):
        table = self.run_program("diff", "5", "6", "-o", "table", "--fields", SHORT)
        self.assertEqual(
            [
                "change   entity           position  actor   reason",
                "changed  member/acme/bob         6  user:1  ",
                "    role: user → admin",
            ],
            table.stdout.decode().splitlines(),
        )
        self.assertEqual(
            "rows from position 5 to 6: 0 inserted, 0 deleted, 1 changed\n", table.stderr.decode()
        )
        csv = self.run_program("diff", "5", "6", "-o", "csv", "--fields", SHORT, "-q")
        self.assertEqual(
            "change,entity,position,actor,reason\nchanged,member/acme/bob,6,user:1,\n",
            csv.stdout.decode(),
        )
        self.assertEqual(b"", csv.stderr)
        self.assertEqual(b"[]\n", self.run_program("diff", "6", "6", "-o", "json").stdout)
        wide = self.run_program("diff", "0", "2", "-o", "table").stdout.decode().splitlines()
        self.assertNotIn("tenant_id", wide[0])

    def test_secrets_are_masked(self):
        shown = self.run_program("diff", "0", "2").stdout
        self.assertNotIn(b"secret$hash", shown)
        self.assertIn(b"secret$hash", self.run_program("diff", "0", "2", "--reveal").stdout)

    def test_wrong_input(self):
        for arguments, code in (
            (["6", "5"], "usage"),
            (["0s", "1d"], "usage"),
            (["yesterday"], "usage"),
            (["0", "1", "2"], "usage"),
            ([], "usage"),
            (["0", "--table", "auth_user", "--tenant", "acme"], "usage"),
            (["0", "--table", "auth_usr"], "unknown_table"),
            (["0", "--fields", "role"], "unknown_field"),
        ):
            self.assert_error(2, code, self.run_program("diff", *arguments))
        for arguments in (["9"], ["0", "9"], ["0", "--tenant", "nope"]):
            self.assert_error(5, "not_found", self.run_program("diff", *arguments))
        wrong = self.run_program("diff", "6", "5").stderr.decode()
        self.assertIn("position 6 comes after position 5\nhint: tenantry diff 5 6\n", wrong)
        near = self.run_program("diff", "0", "--table", "auth_usr").stderr.decode()
        self.assertIn("did you mean auth_user?", near)

    def test_history_that_is_discarded(self):
        self.assert_exit(0, self.run_program("squash", "--discard-history", "--yes"))
        self.assert_error(5, "history_discarded", self.run_program("diff", "3"))
        self.assert_error(5, "history_discarded", self.run_program("diff", "3", "8"))
        self.apply(command("remove_domain", domain="www.acme.example"))
        self.assertEqual(
            [("deleted", "domain/www.acme.example", self.tail(), None)], self.listed("8")
        )

    def test_through_the_owner_of_the_store(self):
        questions = (["0"], ["4", "8"], ["5", "--tenant", "acme", "-o", "table"], ["0", "9"])
        owner = self.start("apply", "-q")
        owner.stdin.write(b'{"command":"register_user","data":{"username":"last"}}\n')
        owner.stdin.flush()
        owner.stdout.readline()
        through = [self.run_program("diff", *question) for question in questions]
        wrong = self.run_program("diff", "8", "7")
        self.assertIsNone(owner.poll())
        owner.communicate()
        for question, result in zip(questions, through):
            self.assert_exit(0, result)
            self.assertEqual(self.run_program("diff", *question).stdout, result.stdout, question)
        self.assert_error(2, "usage", wrong)


class DiffLawTest(CliTestCase):
    """What differs, applied to the rows of the earlier point, gives those of the later one."""

    EVENTS = 1500

    def setUp(self):
        super().setUp()
        history = self.run_program(
            "generate", "-q", "--tenants", "6", "--seed", "11", "--events", str(self.EVENTS)
        )
        options = ("--historic", "--quiet-accepted", "-q", "--batch", "8")
        self.assert_exit(0, self.run_program("apply", *options, stdin=history.stdout))
        self.events = self.records("log", "--through", str(self.EVENTS))

    def rows(self, point):
        """By table and id, without what is NULL."""
        return {
            (table, row["id"]): {name: value for name, value in row.items() if value is not None}
            for table in TABLES
            for row in self.records("rows", table, "--reveal", "--as-of", str(point))
        }

    def apply_to(self, rows, differences):
        for record in differences:
            key = record["table"], record["id"]
            self.assertEqual(record["change"] == "inserted", key not in rows, record)
            row = rows.setdefault(key, {})
            for name, (old, new) in fields(record).items():
                self.assertEqual(old, row.pop(name, None), record)
                if new is not None:
                    row[name] = new
            self.assertEqual(record["change"] == "deleted", not row, record)
            if not row:
                del rows[key]

    def last_events(self, earlier, later):
        """By stream."""
        between = (event for event in self.events if earlier < event["position"] <= later)
        return {event["stream"]: event for event in between}

    def check(self, earlier, later):
        differences = self.records("diff", str(earlier), str(later), "--reveal")
        tables = [table for table, _ in itertools.groupby(r["table"] for r in differences)]
        self.assertEqual(sorted(tables, key=TABLES.index), tables)
        rows = self.rows(earlier)
        self.apply_to(rows, differences)
        self.assertEqual(self.rows(later), rows)
        last = self.last_events(earlier, later)
        for record in differences:
            stream = f"{record['entity'].partition('/')[0]}/{record['id']}"
            for name in ("position", "recorded_at", "actor", "reason", "kind"):
                self.assertEqual(last[stream][name], record[name], record)
        return differences

    def test_between_any_points(self):
        changes = set()
        for earlier, later in ((0, 700), (350, 1100), (700, 701), (1100, 1500), (0, 1500)):
            changes |= {record["change"] for record in self.check(earlier, later)}
        self.assertEqual({"inserted", "deleted", "changed"}, changes)

    def test_of_tenants(self):
        everything = self.records("diff", "300", "1200", "--reveal")
        tenants = {record["tenant_id"] for record in everything} - {None}
        self.assertGreater(len(tenants), 2)
        for one in tenants:
            expected = [
                record
                for record in everything
                if one in (record["tenant_id"], *fields(record).get("tenant_id", ()))
            ]
            found = self.records("diff", "300", "1200", "--reveal", "--tenant", one)
            self.assertEqual(self.by_id(expected), self.by_id(found))

    def by_id(self, records):
        return sorted(records, key=lambda record: (record["table"], str(record["id"])))

    def test_after_squashes(self):
        pairs = (("200", "900"), ("900", "1300"), ("0", "1500"))
        expected = [self.records("diff", *pair) for pair in pairs]
        for options in (["--through", "800"], []):
            self.assert_exit(0, self.run_program("squash", *options))
            self.assertEqual(expected, [self.records("diff", *pair) for pair in pairs])
        self.check(200, 900)


if __name__ == "__main__":
    unittest.main()
