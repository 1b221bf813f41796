"""The service as its unit and its image start it: service_test.py PATH-OF-TENANTRY [TEST…]"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
import unittest

from cli_case import PROGRAM, CliTestCase

SERVICE = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "service")
STOP_SECONDS = 5
PATIENCE_SECONDS = 60


def unit():
    """The settings of the unit, by name."""
    with open(os.path.join(SERVICE, "tenantry.service"), encoding="utf-8") as file:
        pairs = [line.strip().split("=", 1) for line in file if re.match(r"[A-Z]\w*=", line)]
    return dict(pairs)


def container_command():
    """What an image starts, as a list."""
    with open(os.path.join(SERVICE, "Containerfile"), encoding="utf-8") as file:
        commands = [line[len("CMD ") :] for line in file if line.startswith("CMD ")]
    return json.loads(commands[-1])


class ServiceTest(CliTestCase):
    def words(self, setting):
        program, *arguments = shlex.split(unit()[setting])
        self.assertEqual("/usr/local/bin/tenantry", program)
        return arguments

    def begin(self, command, **options):
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env=self.environment(PATH=os.path.dirname(PROGRAM) + ":" + os.environ["PATH"]),
            **options,
        )
        self.addCleanup(lambda: process.poll() is None and process.kill())
        self.addCleanup(process.stderr.close)
        return process

    def wait_until_it_serves(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "OWNER.sock" not in os.listdir(self.store):
            self.assertLess(time.monotonic(), deadline, "it lets nobody in")
            time.sleep(0.01)

    def use(self):
        """Others look things up, write, and find their rows in the read model."""
        self.assert_exit(0, self.run_program(*self.words("ExecStartPost")))
        name = ("--username", "ann")
        done = self.run_program("do", "register_user", *name, "--wait", "default")
        self.assert_exit(0, done)
        self.assertIn("OWNER.sock", os.listdir(self.store))

    def test_what_the_unit_starts_serves_and_stops_in_time(self):
        service = self.begin([PROGRAM, *self.words("ExecStart")])
        self.wait_until_it_serves()
        self.use()
        began = time.monotonic()
        service.send_signal(signal.SIGTERM)
        code = service.wait(PATIENCE_SECONDS)
        self.assertLess(time.monotonic() - began, STOP_SECONDS)
        self.assertEqual(int(unit()["SuccessExitStatus"]), code)
        self.assertNotIn("OWNER.sock", os.listdir(self.store))
        self.assert_exit(0, self.run_program("verify"))

    def test_exit_codes_that_trying_again_does_not_mend(self):
        self.assertEqual("2 4 5 7", unit()["RestartPreventExitStatus"])
        os.truncate(os.path.join(self.store, "FORMAT"), 3)
        service = self.begin([PROGRAM, *self.words("ExecStart")])
        self.assertEqual(7, service.wait(PATIENCE_SECONDS))

    @unittest.skipUnless(os.geteuid() == 0, "only root makes a namespace of processes")
    def test_what_the_image_starts_is_a_sound_process_1(self):
        shutil.rmtree(self.store)
        image = self.begin(["unshare", "--pid", "--fork", *container_command()])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not os.path.exists(self.store) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.wait_until_it_serves()
        self.use()
        with open(f"/proc/{image.pid}/task/{image.pid}/children", encoding="ascii") as file:
            first = int(file.read())
        began = time.monotonic()
        os.kill(first, signal.SIGTERM)
        self.assertEqual(130, image.wait(PATIENCE_SECONDS))
        self.assertLess(time.monotonic() - began, STOP_SECONDS)
        self.assert_exit(0, self.run_program("verify"))

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
    def test_systemd_understands_the_unit(self):
        with open(os.path.join(SERVICE, "tenantry.service"), encoding="utf-8") as file:
            text = file.read().replace("/usr/local/bin/tenantry", PROGRAM)
        path = os.path.join(self.directory, "tenantry.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        told = subprocess.run(
            ["systemd-analyze", "verify", path], capture_output=True, text=True, check=False
        )
        self.assertEqual((0, ""), (told.returncode, told.stdout + told.stderr))


if __name__ == "__main__":
    unittest.main()
