"""codes_test.py ISOLATION: the codes that `isolation` must meet are those of the source."""

import os
import re
import subprocess
import sys
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# refuse("code", …); Refusal{false, "code", …}; SyntaxRule kName{holds, "code", …}; (…, code = "…").
GIVEN = [
    re.compile(r'\brefuse\(\s*"([a-z_]+)"'),
    re.compile(r'{\s*(?:true|false),\s*"([a-z_]+)"'),
    re.compile(r'\bSyntaxRule k\w+{\s*\w+,\s*"([a-z_]+)"'),
    re.compile(r'\bcode = "([a-z_]+)"'),
]
# What no rule of a command answers: resolve's code, and that of a fault.
NOT_OF_COMMANDS = {"forbidden", "unavailable"}


def source_files():
    for folder in ("events", "core"):
        for name in sorted(os.listdir(os.path.join(SOURCE, folder))):
            if name.endswith((".cc", ".h", ".capnp")):
                yield os.path.join(SOURCE, folder, name)


def codes_of_source():
    codes = set()
    for path in source_files():
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for pattern in GIVEN:
            codes.update(pattern.findall(text))
    return codes - NOT_OF_COMMANDS


class CodesTest(unittest.TestCase):
    program = ""

    def test_every_code_of_the_source_is_to_be_met(self):
        printed = subprocess.run(
            [self.program, "--codes"], capture_output=True, text=True, check=True
        )
        self.assertEqual(sorted(codes_of_source()), sorted(printed.stdout.split()))


if __name__ == "__main__":
    CodesTest.program = sys.argv.pop(1)
    unittest.main()
