"""Full disks: an error within seconds, never a hang; nothing answered is lost; it goes on later.

A case mounts a disk of 8 to 64 MB of memory, fills it with a store and with what others write
there, or lets `apply` fill it, at a moment of the seed's choice; runs the commands that read, write
and make files on it; makes room again and looks whether everything answered is there. Mounting
needs a namespace of its own; where that is not allowed the stage says so and leaves its cases out.
"""

import json
import os
import random
import subprocess
import sys
import time

from cases import Stage, check, exit_with
from commands import command_line
from driver import OK, UNAVAILABLE, Failure, Feed, Store, finish

MARK = "TENANTRY_DISK_NAMESPACE"
MIB = 1 << 20
# MB. A store takes commands while there is room for its ballast and as much beside it.
SIZES = (8, 16, 32, 40, 48, 48, 56, 56, 64, 64, 64, 64)
ROOM_BYTES = 512 * MIB  # When there is room again.
ERROR_SECONDS_MAX = 5
FILLING_SECONDS_MAX = 20  # Of who fills the disk first and is refused then.
ROOM_SECONDS_MAX = 60
REFUSALS = {"disk_low", "disk_full", "unavailable"}
PIECE = 64 << 10


# The second as an ordinary user.
NAMESPACES = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])
TRIAL = 'mount -t tmpfs -o size=1m tmpfs "$0"'


def enter_namespace():
    """Goes on in a mount namespace of its own, which ends with this process. False without."""
    if MARK in os.environ:
        return True
    for unshare in NAMESPACES:
        trial = [*unshare, "sh", "-c", TRIAL, os.path.dirname(os.path.abspath(__file__))]
        if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
            os.environ[MARK] = "1"
            os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])
    return False


def mount(*arguments):
    return subprocess.run(["mount", *arguments], capture_output=True, check=False)


class Disk:
    """A small disk in memory, full or not."""

    def __init__(self, path):
        self.path = path
        self._filler = os.path.join(path, "others")
        os.mkdir(path)

    def mount(self, size):
        done = mount("-t", "tmpfs", "-o", f"size={size}m", "tmpfs", self.path)
        if done.returncode != 0:
            raise Failure(f"cannot mount: {done.stderr.decode()}")

    def fill(self, keep=0):
        """Others write until at most `keep` bytes are free."""
        with open(self._filler, "ab", buffering=0) as file:
            while True:
                room = os.statvfs(self.path)
                free = room.f_bavail * room.f_frsize - keep
                if free <= 0:
                    return
                try:
                    file.write(bytes(min(PIECE, free)))
                except OSError:
                    return

    def make_room(self, draw):
        """Others remove what is theirs, or the disk grows, or both."""
        grows = draw.random() < 0.5 or not os.path.exists(self._filler)
        if os.path.exists(self._filler) and not (grows and draw.random() < 0.5):
            os.remove(self._filler)
        # What the store itself filled stays full unless the disk grows.
        mount("-o", f"remount,size={ROOM_BYTES}", self.path)

    def release(self):
        """Whether it was mounted."""
        done = subprocess.run(["umount", "-l", self.path], capture_output=True, check=False)
        return done.returncode == 0


class DiskCase:
    """One disk, a store on it, and what was answered."""

    def __init__(self, stage, seed):
        self.counts = stage.facts
        self.draw = random.Random(seed)
        self.size = self.draw.choice(SIZES)
        self.disk = stage.disk
        self.store = Store(stage.program, os.path.join(self.disk.path, "store"))
        self.accepted = []  # (line, answer)
        self.wrong = []
        self.steps = []

    def fail(self, text):
        self.wrong.append(f"{self.size} MB, {' > '.join(self.steps)}: {text}")

    def run(self):
        if self._begin():
            self.draw.choice([self._fill_by_apply, self._fill_by_others, self._fill_meanwhile])()
            for step in self.draw.sample(self._steps_on_full(), 4):
                step()
            self._recover()
        if self.wrong:
            raise Failure(*self.wrong)

    # --- commands ---------------------------------------------------------------------------------

    def users(self, count):
        for _ in range(count):
            name = f"u{self.draw.getrandbits(60):x}"
            long = "%x" % self.draw.getrandbits(600)
            data = {"username": name, "first_name": long, "last_name": long}
            yield command_line("register_user", data, self.draw)

    def tenants(self, count):
        for _ in range(count):
            name = f"t{self.draw.getrandbits(60):x}"
            data = {"name": name, "slug": name, "contact_email": "it@example.com"}
            note = "%x" % self.draw.getrandbits(4 * 200_000)
            yield command_line("create_tenant", {**data, "settings": {"note": note}}, self.draw)

    def lines(self):
        """Few large commands or many small ones, more than the disk holds."""
        if self.draw.random() < 0.5:
            return list(self.tenants(self.size * MIB // 300_000 + 20))
        return list(self.users(self.size * MIB // 2000))

    def keep(self, lines, answers):
        """Remembers what was accepted."""
        for line, text in zip(lines, answers):
            answer = json.loads(text)
            if answer["status"] == "accepted":
                self.accepted.append((line, answer))
            else:
                self.fail(f"answered {str(answer)[:200]}")

    def run_program(self, *arguments, seconds_max=ERROR_SECONDS_MAX, **more):
        """Runs and judges: done, or refused with a documented code, in time."""
        run = self.store.run(*arguments, **more)
        refused = run.code == UNAVAILABLE
        if run.code not in (OK, UNAVAILABLE) or (refused and run.error_code() not in REFUSALS):
            self.fail(str(run))
        elif run.seconds > (seconds_max if refused else ROOM_SECONDS_MAX):
            self.fail(f"{run.seconds:.1f} s: {run}")
        self.counts[arguments[0], (run.error_code() or "no code") if refused else "done"] += 1
        return run

    def apply(self, lines, *options, **more):
        text = b"\n".join(lines) + b"\n"
        run = self.run_program("apply", "-q", *options, stdin=text, **more)
        # An answer that is cut off was not given.
        self.keep(lines, run.out[: run.out.rfind(b"\n") + 1].splitlines())
        return run

    # --- filling ----------------------------------------------------------------------------------

    def _begin(self):
        """A store with a few answers in it, where the disk has room for one."""
        self.steps.append("init")
        if self.draw.random() < 0.1:
            self.steps[0] = "init on a full disk"
            self.disk.fill(self.draw.randrange(200_000))
        made = self.run_program("init")
        if made.code != OK:
            self._judge_no_store()
            return False
        first = self.apply(list(self.users(self.draw.randrange(1, 300))), "--batch", "50")
        if first.code == UNAVAILABLE and not self.accepted:
            self.counts["apply", "no room for the first"] += 1
        if self.draw.random() < 0.5:
            self.run_program("project", "-q")
        return not self.wrong

    def _judge_no_store(self):
        """What could not be made is not half made: with room, it is made."""
        self.disk.make_room(self.draw)
        self._expect_done("init")

    def _fill_by_apply(self):
        self.steps.append("apply fills it")
        batch = str(self.draw.choice([1, 16, 1024]))
        self.apply(self.lines(), "--batch", batch, seconds_max=FILLING_SECONDS_MAX)

    def _fill_by_others(self):
        self.steps.append("others fill it")
        self.disk.fill(self.draw.choice([0, 0, 4096, 100_000, self.draw.randrange(8 * MIB)]))

    def _fill_meanwhile(self):
        """Others fill the disk while the store is written: the room is gone between two looks."""
        self.steps.append("others fill it while apply writes")
        lines = self.lines()
        process = self.store.start("apply", "-q", "--batch", "16")
        feed = Feed(process, [line + b"\n" for line in lines], len(lines))
        deadline = time.monotonic() + ROOM_SECONDS_MAX
        feed.run_until(self.draw.randrange(1, 200), deadline)
        self.disk.fill(self.draw.choice([0, 0, 4096, 1_000_000]))
        began = time.monotonic()
        feed.run_until(len(lines), deadline)
        feed.close_input()
        run = finish(process, ERROR_SECONDS_MAX)
        seconds = time.monotonic() - began
        if run.code not in (OK, UNAVAILABLE) or seconds > ERROR_SECONDS_MAX:
            self.fail(f"{seconds:.1f} s after the disk was full: {run}")
        self.counts["apply", f"filled meanwhile: exit {run.code}"] += 1
        self.keep(lines, feed.answers)

    # --- on the full disk -------------------------------------------------------------------------

    def _steps_on_full(self):
        return [
            self._write,
            self._write,
            self._repeat,
            self._read,
            self._verify,
            self._export,
            self._project,
            self._rebuild,
            self._open_again_and_again,
        ]

    def _write(self):
        self.steps.append("write")
        self.apply(list(self.users(self.draw.choice([1, 50]))))

    def _repeat(self):
        """What was answered is answered again, or refused for want of room."""
        self.steps.append("repeat")
        if self.accepted:
            line, answer = self.draw.choice(self.accepted)
            run = self.run_program("apply", "-q", stdin=line + b"\n")
            self._same_answer(run, answer)

    def _same_answer(self, run, answer):
        if run.code == OK and run.records()[0]["positions"] != answer["positions"]:
            self.fail(f"not answered {answer}: {run}")

    def _read(self):
        self.steps.append("read")
        run = self.run_program("log", "-q", "--fields", "position")
        if run.code == OK:
            self._expect_positions(run)
        else:
            self.fail(str(run))

    def _expect_positions(self, run):
        found = [event["position"] for event in run.records()]
        answered = max((p for _, a in self.accepted for p in a["positions"]), default=0)
        if found != list(range(1, len(found) + 1)) or len(found) < answered:
            self.fail(f"the log has {len(found)} events, answered was up to {answered}")

    def _verify(self):
        self.steps.append("verify")
        self.run_program("verify", "-q")

    def _export(self):
        self.steps.append("export")
        self.run_program("export", "-q")

    def _project(self):
        self.steps.append("project")
        self.run_program("project", "-q")

    def _rebuild(self):
        self.steps.append("rebuild")
        self.run_program("rebuild", "-q", *self.draw.choice([[], ["--from-events"]]))

    def _open_again_and_again(self):
        self.steps.append("open")
        for _ in range(3):
            self.run_program("apply", "-q")

    # --- afterwards -------------------------------------------------------------------------------

    def _recover(self):
        """With room again: it opens, all is there, it goes on, and it verifies."""
        self.steps.append("room again")
        self.disk.make_room(self.draw)
        self._expect_done("status")
        log = self._expect_done("log", "--fields", "position")
        if log.code == OK:
            self._expect_positions(log)
        answers = self.draw.sample(self.accepted, min(20, len(self.accepted)))
        for line, answer in answers:
            self._same_answer(self._expect_done("apply", stdin=line + b"\n"), answer)
        more = self.apply(list(self.users(5)))
        if more.code != OK:
            self.fail(f"a new command: {more}")
        self._expect_done("project")
        self._expect_done("verify")

    def _expect_done(self, *arguments, **more):
        run = self.store.run(*arguments, "-q", **more)
        if run.code != OK:
            self.fail(f"with room again: {run}")
        return run


class DiskFullStage(Stage):
    disk = None

    def begin_worker(self, place):
        self.disk = Disk(os.path.join(place, "disk"))

    def end_worker(self):
        if self.disk:
            self.disk.release()  # A signal may have come while that was done.

    def run_case(self, seed, place):
        case = DiskCase(self, seed)
        try:
            self.disk.mount(case.size)
            case.run()
        finally:
            released = self.disk.release()
        check(released, "the disk was gone")

    def summary(self, facts):
        """How often each command met what."""
        for (command, outcome), count in sorted(facts.items()):
            yield f"{command:<10} {outcome:<32} {count:6}"


def main():
    if enter_namespace():
        exit_with(DiskFullStage, __doc__)
    print(
        "left out: every case, because mounting is not allowed here; full disks are tried by the"
        " simulation, on the file system that it brings"
    )
    print("0 passed, 0 failed")


if __name__ == "__main__":
    main()
