"""Tries to get a second writer into a store that has one.

A case is one way in, by its seed; as many cases as there are ways try all of them. The owner is an
`apply` that has answered commands and waits for more: whatever is tried, others get in through it
or not at all, it goes on, and nothing is in the log but what it and those were answered. What this
machine does not allow is said and left out, beside the same by other means.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import time

from cases import Stage, check, exit_with, never, wait_until
from commands import Commands, encode
from driver import (
    APPLIED,
    NOT_FOUND,
    OK,
    PATIENCE_SECONDS,
    UNAVAILABLE,
    Feed,
    Store,
    end,
    finish,
    kill,
    state_of,
)

WAYS = (
    "second-process",
    "readers-that-are-stuck",
    "other-paths",
    "bind-mount",
    "forked-child-of-a-killed-owner",
    "forked-child-of-an-owner-that-ended",
    "frozen-owner",
    "lock-file-touched-by-the-owner",
    "lock-file-touched-by-others",
    "copy-of-the-directory",
    "owner-file-removed",
    "many-at-once",
)
READING = (
    ("status",),
    ("log",),
    ("verify", "--quick"),
    ("export",),
    ("rows", "auth_user"),
    ("resolve", "--user", "nobody"),
    ("project",),
)
REBUILD = ("rebuild", "--yes")
WRITING = (("apply",), ("do", "register_user", "--username", "second"))
SECOND = (*READING, REBUILD, *WRITING)
AT_ONCE = 8
STUCK = (("export",), ("log",), ("rows", "auth_user"))
PIPE_BYTES = 1 << 16  # What a pipe takes that nobody reads.


class Owner:
    """An `apply` that has the store, and answers when it is asked."""

    def __init__(self, store, commands, acts=None, place=None):
        self.commands = commands
        self.note = os.path.join(place or store.directory, "acts")
        more = None
        if acts:
            more = {
                "LD_PRELOAD": acts,
                "TENANTRY_ACTS_FILE": os.path.join(store.directory, "db", "LOCK"),
                "TENANTRY_ACTS_NOTE": self.note,
                "ASAN_OPTIONS": "verify_asan_link_order=0",
            }
        self.process = store.start("apply", more=more)
        self.feed = Feed(self.process, [], 1)
        self.store = store
        self.works()

    def works(self):
        """It takes commands, and says that they are durable."""
        self.feed.lines += [encode(self.commands.line(), historic=False) for _ in range(3)]
        wanted = len(self.feed.lines)
        self.feed.run_until(wanted, time.monotonic() + PATIENCE_SECONDS)
        check(len(self.feed.answers) == wanted, "the owner does not answer any more")

    def act(self, number):
        """Has it do what the signal stands for; gives the number it noted."""
        self.process.send_signal(number)

        def noted():
            if not os.path.exists(self.note):
                return ""
            with open(self.note, encoding="ascii") as file:
                return file.read()

        return int(wait_until(lambda: noted().endswith("\n") and noted(), "the owner to act"))

    def events(self):
        answers = [json.loads(answer) for answer in self.feed.answers]
        return sum(len(answer.get("positions", [])) for answer in answers)

    def close(self):
        self.feed.close_input()
        # Its output may go on: a child of it has it too.
        wait_until(lambda: self.process.poll() is not None, "the owner to end")
        check(self.process.returncode in APPLIED, f"the owner ended with {self.process.returncode}")
        end(self.process)


class Case:
    def __init__(self, stage, seed, place):
        self.stage = stage
        self.place = place
        self.commands = Commands(f"two-writers {seed}")
        self.store = Store(stage.program, os.path.join(place, "store"))
        self.store.run("init").expect(OK)
        self.facts = stage.facts
        self.added = 0  # Events of those who came in through the owner.
        self.way = WAYS[seed % len(WAYS)]

    def run(self):
        getattr(self, self.way.replace("-", "_"))()
        self.store.run("verify").expect(OK)
        self.facts["way." + self.way] += 1

    def owner(self, acts=None):
        return Owner(self.store, self.commands, acts, self.place)

    # --- checks -----------------------------------------------------------------------------------

    def let_in_all(self, *prefix, directory=None):
        """Everything that opens the store goes through its owner, all at once."""
        store = Store(self.store.program, directory or self.store.directory)
        options = {"prefix": prefix, "stdin": subprocess.PIPE, "cwd": self.place}
        self.added += 1
        line = {"command": "register_user", "data": {"username": f"through{self.added}"}}
        reading = [store.start(*words, **options) for words in READING]
        writing = store.start("apply", **options)
        writing.stdin.write(json.dumps(line).encode())
        for process in (*reading, writing):
            process.stdin.close()
        answer = finish(writing).expect(OK).records()[0]
        check(answer["status"] == "accepted", f"{line} was answered {answer}")
        for done in map(finish, reading):
            done.expect(NOT_FOUND if "resolve" in done.command else OK)
            self.facts["let_in"] += 1
        store.run(*REBUILD, prefix=prefix, cwd=self.place).expect(OK)

    def refuse_all(self, process_named, *prefix, directory=None, commands=SECOND):
        """Everything that opens the store is refused: all at once, since each waits a little."""
        store = Store(self.store.program, directory or self.store.directory)
        options = {"prefix": prefix, "stdin": subprocess.DEVNULL, "cwd": self.place}
        for process in [store.start(*words, **options) for words in commands]:
            done = finish(process).expect_error(UNAVAILABLE, "unavailable")
            if process_named:
                check(f"pid {process_named}" in done.err, f"{done}: the owner is not named")
            self.facts["refused"] += 1

    def check_owner(self, owner):
        """It goes on, and the log is what it answered."""
        owner.works()
        owner.close()
        self.check_log(owner)

    def check_log(self, owner):
        answered = owner.events() + self.added
        tail = self.store.tail()
        check(tail == answered, f"{answered} events are answered, the log has {tail}")

    # --- ways in ----------------------------------------------------------------------------------

    def second_process(self):
        owner = self.owner()
        self.let_in_all()
        self.check_owner(owner)

    def readers_that_are_stuck(self):
        """Whoever only reads makes room, though nobody reads what it prints, and reads on."""
        lines = [
            {"command": "register_user", "data": {"username": f"user{n}"}} for n in range(1500)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.added = len(self.store.run("apply", "-q", stdin=text).expect(OK).records())
        wanted = [self.store.run(*words).expect(OK).out for words in STUCK]
        check(min(map(len, wanted)) > 2 * PIPE_BYTES, "the readers would not be stuck")
        readers = []
        for words in STUCK:
            readers.append(self.store.start(*words))
            check(select.select([readers[-1].stdout], [], [], PATIENCE_SECONDS)[0], "no output")
        self.let_in_all()
        owner = self.owner()
        for reader, output in zip(readers, wanted):
            done = finish(reader).expect(OK)
            check(done.out == output, f"{done}: it printed something else, having been stuck")
        self.check_owner(owner)

    def other_paths(self):
        owner = self.owner()
        link = os.path.join(self.place, "link")
        os.symlink(self.store.directory, link)
        for path in (link, "store", "./store/../store/", f"/proc/{os.getpid()}/root{link}"):
            self.let_in_all(directory=path)
        self.check_owner(owner)

    def bind_mount(self):
        """The same directory under a path that does not lead through the first one."""
        owner = self.owner()
        other = os.path.join(self.place, "mounted")
        os.mkdir(other)
        mount = 'mount --bind "$1" "$2" || exit 77; shift 2; exec "$@"'
        prefix = ["unshare", "--mount", "sh", "-c", mount, "sh", self.store.directory, other]
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
            print("two-writers: a bind mount was left out: this machine does not allow it")
            self.facts["left_out"] += 1
            self.let_in_all()
        else:
            self.let_in_all(*prefix, directory=other)
        self.check_owner(owner)

    def forked_child_of_a_killed_owner(self):
        """The child shares lock and socket, and could still write: it keeps the store, and answers
        nobody, until it ends."""
        owner = self.owner(self.stage.acts)
        child = owner.act(signal.SIGUSR1)
        try:
            check(kill(owner.process), "the owner had ended")
            self.refuse_all(None)
        finally:
            os.kill(child, signal.SIGKILL)
        wait_until(lambda: self.store.run("status").code == OK, "the store to be free")
        self.next_owner_has(owner)

    def forked_child_of_an_owner_that_ended(self):
        """Who ends in good order gives the store up, whatever its children hold."""
        owner = self.owner(self.stage.acts)
        child = owner.act(signal.SIGUSR1)
        try:
            self.let_in_all()
            owner.works()
            owner.close()
            check(state_of(child) in ("S", "R"), "the child has ended")
            self.next_owner_has(owner)
        finally:
            os.kill(child, signal.SIGKILL)

    def next_owner_has(self, owner):
        self.check_log(owner)
        successor = self.owner()
        successor.close()

    def frozen_owner(self):
        owner = self.owner()
        owner.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: state_of(owner.process.pid) == "T", "the owner to stop")
        self.refuse_all(owner.process.pid)
        owner.process.send_signal(signal.SIGCONT)
        self.let_in_all()
        self.check_owner(owner)

    def lock_file_touched_by_the_owner(self):
        """Closing any descriptor of RocksDB's LOCK ends the lock that RocksDB has on it."""
        owner = self.owner(self.stage.acts)
        lock = os.path.join(self.store.directory, "db", "LOCK")
        check(
            holder_of(lock) == owner.process.pid, "RocksDB does not lock its LOCK: nothing to try"
        )
        owner.act(signal.SIGUSR2)
        check(holder_of(lock) is None, "RocksDB still has its lock: nothing was tried")
        self.let_in_all()
        self.check_owner(owner)

    def lock_file_touched_by_others(self):
        owner = self.owner()
        for _ in range(3):
            for name in ("OWNER.lock", "db/LOCK"):
                with open(os.path.join(self.store.directory, name), "rb") as file:
                    file.read()
        self.let_in_all()
        self.check_owner(owner)

    def copy_of_the_directory(self):
        """A copy is a store of its own; taking it and using it opens no way into the first."""
        owner = self.owner()
        for way in ("cp", "link"):
            copy = Store(self.store.program, os.path.join(self.place, way))
            shutil.copytree(
                self.store.directory,
                copy.directory,
                ignore=shutil.ignore_patterns("OWNER.sock"),
            )
            source = os.path.join(self.store.directory, "OWNER.sock")
            # A second name of the socket leads to the owner of the first store.
            more = ["--link"] if way == "link" else []
            subprocess.run(["cp", "-a", *more, source, copy.directory], check=True)
            copy.run("do", "register_user", "--username", "of-the-copy").expect(OK)
            copy.run("verify").expect(OK)
        self.let_in_all()
        self.check_owner(owner)

    def owner_file_removed(self):
        """Without our lock's file RocksDB's own lock is left: who writes is refused."""
        owner = self.owner()
        os.unlink(os.path.join(self.store.directory, "OWNER.lock"))
        self.refuse_all(None, commands=WRITING)
        self.check_owner(owner)

    def many_at_once(self):
        """Each owns the store, or goes through the one who does; what was answered is there."""
        lines = [
            json.dumps({"command": "register_user", "data": {"username": f"u{number}"}}).encode()
            for number in range(AT_ONCE)
        ]
        runs = [self.store.start("apply", "-q") for _ in lines]
        for line, process in zip(lines, runs):
            process.stdin.write(line)
            process.stdin.close()
        events = 0
        for done in map(finish, runs):
            answers = done.expect(*APPLIED).records()
            check(len(answers) == 1, f"{done}: not one answer")
            events += len(answers[0]["positions"])
        check(self.store.tail() == events, f"{events} events are answered, not those of the log")
        self.facts["entered"] += events


def holder_of(path):
    """The process that has a POSIX lock on a file, or none."""
    with open(path, "r+b") as file:
        asked = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack("hhqqi", fcntl.fcntl(file, fcntl.F_GETLK, asked))
        return None if kind == fcntl.F_UNLCK else pid


class TwoWritersStage(Stage):
    @staticmethod
    def add_options(parser):
        parser.add_argument("--acts", required=True, help="the library made of owner_acts.cc")

    def __init__(self, options):
        super().__init__(options)
        self.acts = os.path.abspath(options.acts)

    def run_case(self, seed, place):
        Case(self, seed, place).run()

    def judge(self, facts, cases):
        if cases < len(WAYS):
            return
        yield from never(facts, ["way." + way for way in WAYS] + ["entered", "let_in", "refused"])


if __name__ == "__main__":
    exit_with(TwoWritersStage, __doc__)
