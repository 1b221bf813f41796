"""Full disks: an error within seconds, never a hang; nothing answered is lost; it goes on later.

    disk_full.py PATH-OF-TENANTRY --seed S --count N

A case mounts a disk of 8 to 64 MB of memory, fills it with a store and with what others write
there, or lets `apply` fill it, at a moment of the seed's choice; runs the commands that read, write
and make files on it; makes room again and looks whether everything answered is there. Mounting
needs a namespace of its own; where that is not allowed the stage says so and leaves its cases out.
"""

import collections
import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid

from case_pool import run_stage
from damage_stores import feed
from program_run import kill

MARK = "TENANTRY_DISK_NAMESPACE"
MIB = 1 << 20
# MB. A store takes commands while there is room for its ballast and as much beside it.
SIZES = (8, 16, 32, 40, 48, 48, 56, 56, 64, 64, 64, 64)
ROOM_BYTES = 512 * MIB  # When there is room again.
ERROR_SECONDS_MAX = 5
FILLING_SECONDS_MAX = 20  # Of who fills the disk first and is refused then.
ROOM_SECONDS_MAX = 60
REFUSALS = {"disk_low", "disk_full", "unavailable"}
REFUSED = 6
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

    def __init__(self, path, size):
        self.path = path
        self._filler = os.path.join(path, "others")
        os.mkdir(path)
        done = mount("-t", "tmpfs", "-o", f"size={size}m", "tmpfs", path)
        if done.returncode != 0:
            raise RuntimeError("cannot mount: " + done.stderr.decode())

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
        subprocess.run(["umount", "-l", self.path], check=True)


class DiskCase:
    """One disk, a store on it, and what was answered."""

    def __init__(self, stage, seed, directory):
        self.program = stage.program
        self.counts = stage.counts
        self.draw = random.Random(seed)
        self.size = self.draw.choice(SIZES)
        self.disk = Disk(os.path.join(directory, "disk"), self.size)
        self.store = os.path.join(self.disk.path, "store")
        self.accepted = []  # (line, answer)
        self.wrong = []
        self.steps = []

    def fail(self, text):
        self.wrong.append(f"{self.size} MB, {' > '.join(self.steps)}: {text}")

    def run(self):
        try:
            if self._begin():
                self.draw.choice(
                    [self._fill_by_apply, self._fill_by_others, self._fill_meanwhile]
                )()
                for step in self.draw.sample(self._steps_on_full(), 4):
                    step()
                self._recover()
            return self.wrong
        finally:
            self.disk.release()

    # --- commands ---------------------------------------------------------------------------------

    def users(self, count):
        for _ in range(count):
            name = f"u{self.draw.getrandbits(60):x}"
            long = "%x" % self.draw.getrandbits(600)
            line = {
                "command": "register_user",
                "data": {"username": name, "first_name": long, "last_name": long},
                "id": str(uuid.UUID(int=self.draw.getrandbits(128), version=4)),
            }
            yield json.dumps(line).encode()

    def tenants(self, count):
        for _ in range(count):
            name = f"t{self.draw.getrandbits(60):x}"
            data = {"name": name, "slug": name, "contact_email": "it@example.com"}
            note = "%x" % self.draw.getrandbits(4 * 200_000)
            line = {"command": "create_tenant", "data": {**data, "settings": {"note": note}}}
            line["id"] = str(uuid.UUID(int=self.draw.getrandbits(128), version=4))
            yield json.dumps(line).encode()

    def lines(self):
        """Few large commands or many small ones, more than the disk holds."""
        if self.draw.random() < 0.5:
            return list(self.tenants(self.size * MIB // 300_000 + 20))
        return list(self.users(self.size * MIB // 2000))

    def keep(self, lines, out):
        """Remembers what was accepted; an answer that is cut off was not given."""
        whole = out[: out.rfind(b"\n") + 1].splitlines()
        for line, text in zip(lines, whole):
            answer = json.loads(text)
            if answer["status"] == "accepted":
                self.accepted.append((line, answer))
            else:
                self.fail(f"answered {str(answer)[:200]}")

    def run_program(self, *arguments, seconds_max=ERROR_SECONDS_MAX, **more):
        """Runs and judges: done, or refused with a documented code, in time."""
        run = self.program.run(self.store, *arguments, **more)
        what = " ".join(arguments)
        if run.exit < 0:
            self.fail(f"{what}: ended by signal {-run.exit}: {run.describe()}")
        elif run.exit == REFUSED and run.error_code() not in REFUSALS:
            self.fail(f"{what}: the code {run.error_code()}: {run.describe()}")
        elif run.exit not in (0, REFUSED):
            self.fail(f"{what}: {run.describe()}")
        elif run.exit == REFUSED and run.seconds > seconds_max:
            self.fail(f"{what}: refused after {run.seconds:.1f} s")
        elif run.seconds > ROOM_SECONDS_MAX:
            self.fail(f"{what}: took {run.seconds:.1f} s")
        if run.exit == REFUSED:
            self.counts[arguments[0], run.error_code()] += 1
        else:
            self.counts[arguments[0], "done"] += 1
        return run

    def apply(self, lines, *options, **more):
        text = b"\n".join(lines) + b"\n"
        run = self.run_program("apply", "-q", *options, stdin=text, **more)
        self.keep(lines, run.out)
        return run

    # --- filling ----------------------------------------------------------------------------------

    def _begin(self):
        """A store with a few answers in it, where the disk has room for one."""
        self.steps.append("init")
        if self.draw.random() < 0.1:
            self.steps[0] = "init on a full disk"
            self.disk.fill(self.draw.randrange(200_000))
        made = self.run_program("init")
        if made.exit != 0:
            self._judge_no_store()
            return False
        first = self.apply(list(self.users(self.draw.randrange(1, 300))), "--batch", "50")
        if first.exit == REFUSED and not self.accepted:
            self.counts["apply", "no room for the first"] += 1
        if self.draw.random() < 0.5:
            self.run_program("project", "-q")
        return not self.wrong

    def _judge_no_store(self):
        """What could not be made is not half made: with room, it is made."""
        self.disk.make_room(self.draw)
        run = self.program.run(self.store, "init")
        if run.exit != 0:
            self.fail("init with room again: " + run.describe())

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
        process = self.program.start(self.store, "apply", "-q", "--batch", "16")
        feeder = threading.Thread(target=feed, args=(process.stdin, lines))
        feeder.start()
        watch = threading.Timer(ROOM_SECONDS_MAX, kill, [process])
        watch.start()
        out = b"".join(process.stdout.readline() for _ in range(self.draw.randrange(1, 200)))
        self.disk.fill(self.draw.choice([0, 0, 4096, 1_000_000]))
        began = time.monotonic()
        out += process.stdout.read()
        seconds = time.monotonic() - began
        watch.cancel()
        watch.join()
        feeder.join()
        code, _ = self.program.end(process)
        if code not in (0, REFUSED) or seconds > ERROR_SECONDS_MAX:
            self.fail(f"apply: exit {code}, {seconds:.1f} s after the disk was full")
        self.counts["apply", f"filled meanwhile: exit {code}"] += 1
        self.keep(lines, out)

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
        if run.exit == 0 and json.loads(run.out)["positions"] != answer["positions"]:
            self.fail(f"answered {run.out[:200]!r}, not {answer}")

    def _read(self):
        self.steps.append("read")
        run = self.run_program("log", "-q", "--fields", "position")
        if run.exit == 0:
            self._expect_positions(run)
        else:
            self.fail("log: " + run.describe())

    def _expect_positions(self, run):
        found = [json.loads(line)["position"] for line in run.out.splitlines()]
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
        if log.exit == 0:
            self._expect_positions(log)
        answers = self.draw.sample(self.accepted, min(20, len(self.accepted)))
        for line, answer in answers:
            run = self.program.run(self.store, "apply", "-q", stdin=line + b"\n")
            if run.exit != 0:
                self.fail("a repeated command: " + run.describe())
            self._same_answer(run, answer)
        more = self.apply(list(self.users(5)))
        if more.exit != 0:
            self.fail("a new command: " + more.describe())
        self._expect_done("project")
        self._expect_done("verify")

    def _expect_done(self, *arguments):
        run = self.program.run(self.store, *arguments, "-q")
        if run.exit != 0:
            self.fail(
                f"with room again: {' '.join(arguments)}: {run.describe()} {run.out[-300:]!r}"
            )
        return run


class DiskStage:
    """All cases of a run, and how often each command met what."""

    def __init__(self, program, _directory):
        self.program = program
        self.counts = collections.Counter()

    def try_case(self, seed, directory):
        return DiskCase(self, seed, directory).run()

    def summary(self):
        for (command, outcome), count in sorted(self.counts.items()):
            yield f"{command:<10} {outcome:<32} {count:6}"


def main():
    if enter_namespace():
        return run_stage(__doc__.splitlines()[0], DiskStage)
    print(
        "left out: every case, because mounting is not allowed here; full disks are tried by the"
        " simulation, on the file system that it brings"
    )
    print("0 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
