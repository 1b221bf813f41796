"""Made-up histories: cli_generate_test.py PATH-OF-TENANTRY [TEST…]"""

import json
import os
import unittest

from cli_case import CliTestCase


class GenerateTest(CliTestCase):
    def generate(self, *options):
        result = self.run_program("generate", "-q", *options)
        self.assert_exit(0, result)
        self.assertEqual(b"", result.stderr)
        return result.stdout

    def test_a_history_is_accepted_projected_and_verified(self):
        raw = self.generate("--tenants", "10", "--seed", "1", "--events", "3000")
        answers = self.apply(raw=raw, options=["--historic"])
        self.assert_exit(0, self.last)
        self.assertEqual(len(raw.splitlines()), len(answers))
        self.assertEqual({"accepted"}, {a["status"] for a in answers})
        self.assertEqual(3000, self.tail())
        self.assertEqual(3000, sum(len(a["positions"]) for a in answers))
        self.assert_exit(0, self.run_program("project"))
        self.assert_exit(0, self.run_program("verify", "--full"))

    def test_applied_again_it_changes_nothing(self):
        raw = self.generate("--tenants", "3", "--seed", "2")
        first = self.apply(raw=raw, options=["--historic"])
        self.assertEqual(300, self.tail())
        self.assertEqual(first, self.apply(raw=raw, options=["--historic"]))
        self.assertEqual(300, self.tail())

    def test_the_same_options_give_the_same_bytes(self):
        options = ["--tenants", "5", "--seed", "9", "--events", "500"]
        self.assertEqual(self.generate(*options), self.generate(*options))
        other = ["--tenants", "5", "--seed", "8", "--events", "500"]
        self.assertNotEqual(self.generate(*options), self.generate(*other))

    def test_rejections_are_mixed_in(self):
        raw = self.generate(
            "--tenants", "5", "--seed", "4", "--events", "1000", "--rejections", "30"
        )
        answers = self.apply(raw=raw, options=["--historic"])
        statuses = [a["status"] for a in answers]
        self.assertEqual({"accepted", "rejected"}, set(statuses))
        self.assertAlmostEqual(0.3, statuses.count("rejected") / len(statuses), delta=0.06)
        self.assertGreater(len({a["code"] for a in answers if "code" in a}), 8)
        self.assertEqual(1000, self.tail())

    def test_the_largest_seed_and_texts_of_all_scripts(self):
        raw = self.generate("--tenants", "1", "--seed", str(2**64 - 1), "--events", "300")
        lines = [json.loads(line) for line in raw.decode().splitlines()]
        self.assertTrue(all(line["at"] >= "2018" for line in lines))
        self.assertTrue(any(byte > 127 for byte in raw))

    def test_no_store_is_needed(self):
        result = self.run_program(
            "generate", "--tenants", "1", "--seed", "1", TENANTRY_STORE=self.directory + "/none"
        )
        self.assert_exit(0, result)
        self.assertFalse(os.path.exists(self.directory + "/none"))

    def test_a_closed_pipe_ends_it_quietly(self):
        process = self.start("generate", "-q", "--tenants", "1000", "--seed", "1")
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(b"", process.stderr.read())
        self.assertEqual(0, process.wait(60))
        process.stderr.close()
        process.stdin.close()

    def test_usage_errors(self):
        good = {"--tenants": "10", "--seed": "1"}
        for wrong in [
            {"--tenants": "0"},
            {"--tenants": "-1"},
            {"--tenants": "1000001"},
            {"--tenants": "99999999999999999999999"},
            {"--tenants": "ten"},
            {"--tenants": "1.5"},
            {"--tenants": ""},
            {"--seed": "-1"},
            {"--seed": str(2**64)},
            {"--seed": "0x10"},
            {"--events": "0"},
            {"--events": "-5"},
            {"--events": "10000000001"},
            {"--rejections": "91"},
            {"--rejections": "-1"},
        ]:
            with self.subTest(wrong):
                options = [f"{k}={v}" for k, v in {**good, **wrong}.items()]
                self.assert_error(2, "usage", self.run_program("generate", *options))
        for missing in good:
            options = [f"{k}={v}" for k, v in good.items() if k != missing]
            self.assert_error(2, "usage", self.run_program("generate", *options))


if __name__ == "__main__":
    unittest.main()
