"""The access list: cli_members_test.py PATH-OF-TENANTRY [TEST…]"""

import unittest

from cli_case import CliTestCase, command, tenant


class MembersTest(CliTestCase):
    FIELDS = ("tenant", "user", "role", "is_active", "given_by")

    def setUp(self):
        super().setUp()
        self.fill()  # acme: ann owner; bob added as user, then admin.

    def listed(self, *arguments, fields=FIELDS):
        records = self.records("members", "--fields", ",".join(fields), *arguments)
        return [tuple(r[f] for f in fields) for r in records]

    def test_who_has_which_role_given_by_whom(self):
        self.assertEqual(
            [("acme", "ann", "owner", True, None), ("acme", "bob", "admin", True, "user:1")],
            self.listed(),
        )

    def test_since_is_the_event_that_gave_the_role(self):
        events = {e["position"]: e for e in self.records("log")}
        for record in self.records("members"):
            event = events[record["position"]]
            self.assertEqual(event["recorded_at"], record["since"])
            self.assertEqual(event["kind"], record["kind"])
        kinds = [r["kind"] for r in self.records("members")]
        self.assertEqual(["MemberAdded", "MemberRoleChanged"], kinds)

    def test_a_deactivation_takes_access_and_gives_none(self):
        before = self.listed("--user", "bob", fields=("since",))
        self.apply(command("deactivate_member", {"actor": "user:9"}, tenant="acme", user="bob"))
        self.assertEqual([("acme", "bob", "admin", False, "user:1")], self.listed("--user", "bob"))
        self.assertEqual(before, self.listed("--user", "bob", fields=("since",)))
        self.apply(command("reactivate_member", {"actor": "user:9"}, tenant="acme", user="bob"))
        self.assertEqual([("acme", "bob", "admin", True, "user:9")], self.listed("--user", "bob"))

    def test_the_flags_of_the_account(self):
        self.apply(command("set_user_flags", user="bob", is_active=False, is_staff=True))
        fields = ("user", "user_is_active", "is_staff", "is_superuser")
        self.assertEqual(
            [("ann", True, False, False), ("bob", False, True, False)], self.listed(fields=fields)
        )

    def test_filters(self):
        self.apply(
            tenant("zeta"), tenant("beta"), command("add_member", tenant="beta", user="bob")
        )
        pairs = ("tenant", "user")
        self.assertEqual(
            [("acme", "ann"), ("acme", "bob"), ("beta", "bob")], self.listed(fields=pairs)
        )
        self.assertEqual([("beta", "bob")], self.listed("--tenant", "beta", fields=pairs))
        self.assertEqual(
            [("acme", "bob"), ("beta", "bob")], self.listed("--user", "bob", fields=pairs)
        )
        self.assertEqual([("acme", "ann")], self.listed("--role", "owner", fields=pairs))
        self.assertEqual(
            [("acme", "bob")], self.listed("--user", "bob", "--tenant", "acme", fields=pairs)
        )
        self.assertEqual([], self.listed("--tenant", "zeta", fields=pairs))

    def test_as_of(self):
        position = self.records("log", "--kind", "MemberRoleChanged")[0]["position"]
        self.apply(command("delete_tenant", tenant="acme", confirm="acme"))
        self.assertEqual([], self.listed())
        self.assertEqual(
            [("acme", "bob", "user", True, "user:1")],
            self.listed("--as-of", str(position - 1), "--user", "bob"),
        )
        self.assertEqual(
            [("acme", "bob", "admin", True, "user:1")],
            self.listed("--as-of", str(position), "--tenant", "acme", "--user", "bob"),
        )

    def test_errors(self):
        self.assert_error(2, "unknown_role", self.run_program("members", "--role", "boss"))
        self.assert_error(5, "not_found", self.run_program("members", "--tenant", "nope"))
        self.assert_error(5, "not_found", self.run_program("members", "--user", "nope"))
        self.assert_error(5, "not_found", self.run_program("members", "--as-of", "9999"))

    def test_formats(self):
        csv = self.run_program("members", "-o", "csv", "--fields", "user,role").stdout.decode()
        self.assertEqual("user,role\nann,owner\nbob,admin\n", csv)
        table = self.run_program("members", "-o", "table").stdout.decode().splitlines()
        self.assertEqual(3, len(table))
        self.assertNotIn("tenant_id", table[0])


if __name__ == "__main__":
    unittest.main()
