"""Following a log: cli_follow_test.py PATH-OF-TENANTRY [TEST…]"""

import fcntl
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
import unittest

from cli_case import PROGRAM, CliTestCase, command

PATIENCE_SECONDS = 60


class Follower:
    """A following process; what it prints is gathered as it comes."""

    def __init__(self, case, *arguments):
        self.case = case
        self.process = case.start(*arguments)
        self.process.stdin.close()
        self.lines = []
        self.remarks = []
        self.changed = threading.Condition()
        self.readers = [
            threading.Thread(target=self.gather, args=(stream, lines), daemon=True)
            for stream, lines in (
                (self.process.stdout, self.lines),
                (self.process.stderr, self.remarks),
            )
        ]
        for reader in self.readers:
            reader.start()
        case.addCleanup(self.end)

    def gather(self, stream, lines):
        for line in stream:
            with self.changed:
                lines.append(line.decode())
                self.changed.notify_all()

    def wait_for(self, condition, what):
        with self.changed:
            met = self.changed.wait_for(condition, PATIENCE_SECONDS)
        self.case.assertTrue(met, f"no {what}: {self.lines} {self.remarks}")

    def wait_for_records(self, count):
        self.wait_for(lambda: len(self.lines) >= count, f"{count} records")
        return [json.loads(line) for line in self.lines]

    def wait_for_remark(self, text):
        self.wait_for(lambda: any(text in line for line in self.remarks), f"remark {text}")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self):
        code = self.process.wait(PATIENCE_SECONDS)
        for reader in self.readers:
            reader.join()
        return code

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for reader in self.readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


class FollowCase(CliTestCase):
    def owner(self):
        """Owns the store as another process would, until it is closed."""
        lock = open(os.path.join(self.store, "OWNER.lock"), "a+b")
        fcntl.lockf(lock, fcntl.LOCK_EX)
        self.addCleanup(lock.close)
        return lock

    def idle_owner(self):
        """An `apply` that owns the store, and lets others in."""
        owner = self.start("apply")
        self.addCleanup(owner.communicate)
        owner.stdin.write(json.dumps(command("register_user", username="owner")).encode() + b"\n")
        owner.stdin.flush()
        self.assertEqual("accepted", json.loads(owner.stdout.readline())["status"])
        return owner

    def add_user(self, name):
        answers = self.apply(command("register_user", username=name))
        self.assertEqual(["accepted"], [a["status"] for a in answers], self.last.stderr)

    def assert_sound(self):
        self.assert_exit(0, self.run_program("verify"))


class LogFollowTest(FollowCase):
    def test_everything_arrives_and_ctrl_c_gives_130(self):
        self.add_user("ann")
        log = Follower(self, "log", "--follow")
        log.wait_for_records(1)
        for number in range(8):
            self.add_user(f"user{number}")
        records = log.wait_for_records(9)
        self.assertEqual(list(range(1, 10)), [r["position"] for r in records])
        self.assertEqual(130, log.stop())
        self.assertEqual([], log.remarks)
        self.assert_sound()

    def test_filters_hold_and_fields_are_shown(self):
        self.add_user("ann")
        log = Follower(self, "log", "--follow", "--kind", "UserRenamed", "-p", "--after", "0")
        self.apply(command("change_user_profile", user="ann", username="anna"))
        self.add_user("bob")
        self.apply(command("change_user_profile", user="anna", username="annie"))
        records = log.wait_for_records(2)
        self.assertEqual(
            [("ann", "anna"), ("anna", "annie")],
            [(r["changes"][0]["old"], r["changes"][0]["new"]) for r in records],
        )
        self.assertEqual(130, log.stop())

    def test_a_limit_ends_it(self):
        log = Follower(self, "log", "--follow", "--limit", "2")
        for name in ("ann", "bob", "cem"):
            self.add_user(name)
        self.assertEqual(0, log.wait())
        self.assertEqual([1, 2], [json.loads(line)["position"] for line in log.lines])

    def test_json_is_whole_when_it_is_stopped(self):
        self.add_user("ann")
        log = Follower(self, "log", "--follow", "-o", "json", "--fields", "position")
        log.wait_for(lambda: log.lines or log.process.poll() is None, "output")
        self.add_user("bob")
        time.sleep(2)
        self.assertEqual(130, log.stop())
        self.assertEqual([{"position": 1}, {"position": 2}], json.loads("".join(log.lines)))

    def test_a_closed_pipe_ends_it_quietly(self):
        read_end, write_end = os.pipe()
        with os.fdopen(write_end, "wb") as output:
            idle = self.start_into(output, "log", "--follow")
        os.close(read_end)
        self.assertEqual(0, idle.wait(PATIENCE_SECONDS))

    def start_into(self, output, *arguments):
        return subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            cwd=self.directory,
            env=self.environment(),
        )

    def test_an_owner_is_waited_for_and_named_once(self):
        lock = self.owner()
        log = Follower(self, "log", "--follow")
        log.wait_for_remark("owns the store")
        lock.close()
        self.add_user("ann")
        log.wait_for_records(1)
        self.assertEqual(130, log.stop())
        self.assertEqual(1, len(log.remarks), log.remarks)

    def test_what_contradicts_it_is_refused(self):
        self.assert_error(2, "usage", self.run_program("log", "--follow", "--reverse"))
        self.assert_error(2, "usage", self.run_program("log", "--follow", "--through", "3"))

    def test_another_store_in_its_place_ends_it(self):
        self.add_user("ann")
        log = Follower(self, "log", "--follow")
        log.wait_for_records(1)
        other = os.path.join(self.directory, "other")
        self.run_program("init", TENANTRY_STORE=other)
        for name in ("a", "b", "c"):
            self.run_program("do", "register_user", "--username", name, TENANTRY_STORE=other)
        os.rename(self.store, self.store + ".old")
        os.rename(other, self.store)
        self.assertEqual(4, log.wait())
        self.assertIn("error[store_replaced]", "".join(log.remarks))


class OwnerTest(FollowCase):
    def test_a_short_owner_is_waited_for(self):
        lock = self.owner()
        threading.Timer(0.5, lock.close).start()
        self.add_user("ann")
        self.assertEqual(1, self.tail())

    def test_a_long_owner_is_not(self):
        self.owner()
        started = time.monotonic()
        result = self.run_program("status")
        self.assert_error(6, "unavailable", result)
        self.assertIn(b"owns the store", result.stderr)
        self.assertGreater(time.monotonic() - started, 1.5)

    def test_an_owner_that_is_frozen_is_named(self):
        owner = self.idle_owner()
        owner.send_signal(signal.SIGSTOP)
        result = self.run_program("status")
        owner.send_signal(signal.SIGCONT)
        self.assert_error(6, "unavailable", result)
        self.assertIn(f"pid {owner.pid}".encode(), result.stderr)
        self.assert_exit(0, self.run_program("status"))

    def test_a_killed_owner_is_succeeded_by_who_follows(self):
        owner = self.idle_owner()
        log = Follower(self, "log", "--follow")
        log.wait_for_records(1)
        owner.kill()
        owner.wait()
        self.add_user("ann")
        log.wait_for_records(2)
        self.add_user("bob")
        self.assertEqual([1, 2, 3], [r["position"] for r in log.wait_for_records(3)])
        self.assertEqual(130, log.stop())
        self.assertEqual([], log.remarks)
        self.assert_sound()

    def test_waiting_is_interrupted(self):
        self.owner()
        waiting = self.start("status")
        time.sleep(0.5)
        waiting.send_signal(signal.SIGINT)
        _, errors = waiting.communicate(timeout=PATIENCE_SECONDS)
        self.assertIn(waiting.returncode, (130, -signal.SIGINT), errors)


class ReadModelCase(FollowCase):
    def setUp(self):
        super().setUp()
        self.read_model = os.path.join(self.store, "read_model.sqlite3")

    def usernames(self):
        database = sqlite3.connect(self.read_model)
        try:
            return [n for (n,) in database.execute("SELECT username FROM auth_user ORDER BY id")]
        finally:
            database.close()


class ProjectFollowTest(ReadModelCase):
    def test_what_moves_is_verified_as_it_is(self):
        self.fill()
        follower = Follower(self, "project", "--follow")
        follower.wait_for_records(1)
        writer = self.start("apply", "-q")
        done = threading.Event()

        def write():
            for number in itertools.count():
                line = json.dumps(command("register_user", username=f"user{number}"))
                writer.stdin.write(line.encode() + b"\n")
                writer.stdin.flush()
                if done.wait(0.002):
                    return

        feeding = threading.Thread(target=write)
        feeding.start()
        try:
            for _ in range(20):
                self.assert_exit(0, self.run_program("verify", "--quick"))
        finally:
            done.set()
            feeding.join()
            writer.communicate()
        self.assertEqual(130, follower.stop())

    def test_rows_follow_the_log(self):
        self.add_user("ann")
        follower = Follower(self, "project", "--follow")
        follower.wait_for_records(1)
        for number in range(5):
            self.add_user(f"user{number}")
        follower.wait_for(
            lambda: follower.lines and json.loads(follower.lines[-1])["checkpoint"] == 6,
            "checkpoint 6",
        )
        last = json.loads(follower.lines[-1])
        self.assertEqual((6, 0), (last["tail"], last["lag"]))
        self.assertEqual(130, follower.stop())
        self.assertEqual(["ann"] + [f"user{n}" for n in range(5)], self.usernames())
        self.assert_sound()

    def test_what_another_one_applied_is_told(self):
        self.add_user("ann")
        self.idle_owner()
        follower = Follower(self, "project", "--follow")
        follower.wait_for_records(1)
        for position, name in ((3, "bob"), (4, "cem")):
            time.sleep(0.5)  # Then it waits, and the read model is closed.
            follower.process.send_signal(signal.SIGSTOP)
            self.add_user(name)
            self.assert_exit(0, self.run_program("project", "-q"))
            follower.process.send_signal(signal.SIGCONT)
            last = follower.wait_for_records(position - 1)[-1]
            self.assertEqual((position, 0, 0), (last["checkpoint"], last["lag"], last["events"]))
        self.assertEqual(130, follower.stop())

    def test_a_read_model_that_is_locked_is_waited_for(self):
        self.add_user("ann")
        # As a service: what it waits for is told all the same.
        follower = Follower(self, "project", "--follow", "--quiet")
        follower.wait_for_records(1)
        database = sqlite3.connect(self.read_model, isolation_level=None)
        self.addCleanup(database.close)
        database.execute("BEGIN EXCLUSIVE")
        self.add_user("bob")
        follower.wait_for_remark("trying again")
        self.add_user("cem")  # The store is free meanwhile.
        database.execute("ROLLBACK")
        follower.wait_for_remark("the read model is back")
        follower.wait_for(
            lambda: json.loads(follower.lines[-1])["checkpoint"] == 3, "checkpoint 3"
        )
        self.assertEqual(130, follower.stop())
        self.assertEqual(2, len(follower.remarks), follower.remarks)
        self.assertTrue(all(line.startswith("warning: ") for line in follower.remarks))
        self.assertRegex(follower.remarks[0], "; trying again; the log is [12] events ahead")
        self.assertEqual(["ann", "bob", "cem"], self.usernames())

    def test_rows_that_clash_end_it(self):
        self.add_user("ann")
        follower = Follower(self, "project", "--follow")
        follower.wait_for_records(1)
        database = sqlite3.connect(self.read_model)
        database.execute("UPDATE auth_user SET id = 2")
        database.commit()
        database.close()
        self.add_user("bob")
        self.assertEqual(4, follower.wait())
        self.assertIn("error[read_model_conflict]", "".join(follower.remarks))

    def test_a_dry_run_follows_nothing(self):
        self.assert_error(2, "usage", self.run_program("project", "--follow", "--dry-run"))

    def test_several_read_models_follow_at_their_own_pace(self):
        self.add_user("ann")
        other = f"sqlite:{self.directory}/other.sqlite3"
        follower = Follower(self, "project", "--follow")
        follower.wait_for_records(1)
        second = Follower(self, "project", "--follow", "--read-model", other)
        second.wait_for_records(1)
        second.process.send_signal(signal.SIGSTOP)
        self.add_user("bob")
        follower.wait_for_records(2)
        second.process.send_signal(signal.SIGCONT)
        second.wait_for_records(2)
        follower.process.kill()  # It owned the store.
        self.add_user("cem")
        self.assertEqual(3, second.wait_for_records(3)[-1]["tail"])
        self.assertEqual(130, second.stop())
        self.assert_exit(0, self.run_program("verify", "--read-model", other))


class WaitTest(ReadModelCase):
    def follow(self):
        follower = Follower(self, "project", "--follow")
        follower.wait_for(lambda: os.path.exists(self.read_model), "read model")
        return follower

    def test_an_answer_comes_when_the_rows_are_visible(self):
        self.follow()
        applying = self.start("apply", "--wait", "default")
        for name in ("ann", "bob", "cem"):
            line = json.dumps(command("register_user", username=name)).encode()
            applying.stdin.write(line + b"\n")
            applying.stdin.flush()
            self.assertEqual("accepted", json.loads(applying.stdout.readline())["status"])
            self.assertEqual(name, self.usernames()[-1])
        applying.communicate()
        self.assertEqual(0, applying.returncode)
        result = self.run_program("do", "register_user", "--username", "dot", "--wait", "default")
        self.assert_exit(0, result)
        self.assertEqual("dot", self.usernames()[-1])

    def test_another_read_model_is_named_by_its_url(self):
        self.follow()
        url = f"sqlite:{self.read_model}"
        result = self.run_program("do", "register_user", "--username", "ann", "--wait", url)
        self.assert_exit(0, result)
        self.assertEqual(["ann"], self.usernames())

    def test_nobody_projects(self):
        lines = json.dumps(command("register_user", username="ann")).encode()
        arguments = ("--wait", "default", "--wait-max", "1")
        result = self.run_program("apply", *arguments, stdin=lines)
        self.assert_invisible(result, b"there is no file")
        self.assert_exit(0, self.run_program("project"))
        result = self.run_program("do", "register_user", "--username", "bob", *arguments)
        self.assert_invisible(result, b"it is at position 1")
        self.assertEqual(2, self.tail())

    def assert_invisible(self, result, why):
        """The answer is there, and then the error."""
        self.assert_exit(6, result)
        self.assertIn(b"error[not_visible]", result.stderr)
        self.assertIn(why, result.stderr)
        self.assertEqual("accepted", json.loads(result.stdout)["status"])

    def test_a_stop_ends_waiting_after_the_answer(self):
        doing = self.start("do", "register_user", "--username", "ann", "--wait", "default")
        while not self.tail():
            time.sleep(0.05)
        doing.send_signal(signal.SIGINT)
        out, errors = doing.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(130, doing.returncode, errors)
        self.assertEqual("accepted", json.loads(out)["status"])

    def test_the_read_model_of_another_store(self):
        other = os.path.join(self.directory, "other")
        self.run_program("init", TENANTRY_STORE=other)
        self.run_program("do", "register_user", "--username", "x", TENANTRY_STORE=other)
        self.assert_exit(0, self.run_program("project", TENANTRY_STORE=other))
        url = f"sqlite:{other}/read_model.sqlite3"
        result = self.run_program("do", "register_user", "--username", "ann", "--wait", url)
        self.assert_error(4, "read_model_foreign", result)
        self.assertEqual(0, self.tail())

    def test_status_waits_for_a_position(self):
        follower = self.follow()
        waiting = self.start("status", "--wait-for", "2")
        self.add_user("ann")
        self.add_user("bob")
        out, errors = waiting.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(0, waiting.returncode, errors)
        self.assertEqual(2, json.loads(out)["read_model"]["checkpoint"])
        self.assertEqual(130, follower.stop())
        result = self.run_program("status", "--wait-for", "3", "--wait-max", "1")
        self.assert_error(6, "not_visible", result)

    def test_what_cannot_be_waited_for(self):
        result = self.run_program("apply", "--dry-run", "--wait", "default")
        self.assert_error(2, "usage", result)
        result = self.run_program("apply", "--wait", "mysql:x")
        self.assert_error(2, "unsupported_read_model", result)
        self.assert_error(2, "usage", self.run_program("status", "--wait-for", "soon"))


if __name__ == "__main__":
    unittest.main()
