"""The stores that the damage stage damages: made once a run, by the program itself.

A shape is how a store came to be. Its histories have seeds of their own, so every run makes the
same shapes; the ids that the program draws differ, and with them some bytes.
"""

import json
import os
import random
import time
from dataclasses import dataclass, field

from commands import command_line
from driver import OK, PATIENCE_SECONDS, Failure, Feed, Store, finish
from history import without_line
from rocks_files import read_version

# What is answered is noted in `ack` within this time.
SETTLED_SECONDS = 0.4
# A round of so many events is flushed into table files when the store closes; a smaller one when it
# is opened again.
FLUSHED_EVENTS = 2100
COMPACTION_SECONDS_MAX = 30
STEP_SECONDS = 0.01
FILLED_BYTES = 2 << 20  # Some of the largest commands there are.
ACK_SLOT_BYTES = 64
ACK_TAIL_AT = 32


@dataclass
class MadeStore:
    """An undamaged store, never written again; copies of it are."""

    name: str
    store: Store
    settled: bool  # All that was answered stands in `ack`.
    stages: list  # Copies from its earlier life, oldest first.
    answers: list  # (command line with an id, its answer without the line number)
    version: object = None
    tail: int = 0
    ack_tail: int = 0
    wanted: dict = field(default_factory=dict)  # What undamaged reading gives, as it is asked for.

    @property
    def path(self):
        return self.store.directory

    @property
    def database(self):
        return os.path.join(self.path, "db")

    def archive(self):
        """The sealed files of squashes."""
        place = os.path.join(self.path, "archive")
        return sorted(os.listdir(place)) if os.path.exists(place) else []

    def logs(self):
        """The write-ahead logs, oldest first."""
        return sorted(name for name in os.listdir(self.database) if name.endswith(".log"))


def ack_tail(path):
    """The tail that the newer of the two slots of an undamaged `ack` names."""
    with open(os.path.join(path, "ack"), "rb") as file:
        data = file.read()
    tails = [
        int.from_bytes(data[slot + ACK_TAIL_AT : slot + ACK_TAIL_AT + 8], "little")
        for slot in (0, ACK_SLOT_BYTES)
    ]
    return max(tails)


def copy_whole(store, directory):
    """A copy with a ballast: as long, but it takes no room."""
    copy = store.copy(directory)
    ballast = os.path.join(store.directory, "ballast")
    if os.path.exists(ballast):
        with open(os.path.join(directory, "ballast"), "wb") as file:
            file.truncate(os.path.getsize(ballast))
    return copy


class Maker:
    """Makes one store step by step, and remembers what was answered."""

    def __init__(self, program, directory, name):
        self.directory = os.path.join(directory, name)
        os.mkdir(self.directory)
        self.name = name
        self.store = Store(program, os.path.join(self.directory, "store"))
        self.stages = []
        self.answers = []
        self.store.run("init").expect(OK)

    def generate(self, tenants, seed, events):
        options = ["--tenants", str(tenants), "--seed", str(seed), "--events", str(events)]
        return self.store.run("generate", *options).expect(OK).out.splitlines()

    def apply(self, lines):
        text = b"\n".join(lines) + b"\n"
        run = self.store.run("apply", "--historic", "-q", stdin=text).expect(OK)
        self._remember(lines, run.out.splitlines())

    def _remember(self, lines, answers):
        if len(answers) != len(lines):
            raise Failure(f"{len(lines)} commands, {len(answers)} answers")
        for line, answer in zip(lines, answers):
            told = without_line(answer)
            if told["status"] == "accepted" and b'"id":"' in line:
                self.answers.append((line, told))

    def apply_and_kill(self, lines, *options, settle):
        """Kills the program once everything is answered, at once or when `ack` says so too."""
        feed = self._feed(lines, *options)
        feed.run_until(len(lines), time.monotonic() + PATIENCE_SECONDS)
        if settle:
            time.sleep(SETTLED_SECONDS)
        feed.kill()
        self._remember(lines, feed.answers)

    def _feed(self, lines, *options):
        process = self.store.start("apply", "--historic", "-q", *options)
        return Feed(process, [line + b"\n" for line in lines], len(lines))

    def kill_with_two_logs(self, lines):
        """Kills the program when one write-ahead log is full, the next begun, and neither flushed;
        lines that were not answered then are left out."""
        feed = self._feed(lines, "--batch", "1")
        deadline = time.monotonic() + COMPACTION_SECONDS_MAX
        while len(feed.answers) < len(lines) and time.monotonic() < deadline:
            if len(filled_logs(os.path.join(self.store.directory, "db"))) > 1:
                break
            feed.step(STEP_SECONDS)
        feed.kill()
        self._remember(lines[: len(feed.answers)], feed.answers)

    def settle_tree(self):
        """Holds the store open until what its table files wait for is merged."""
        feed = self._feed([self.answers[0][0]])
        feed.run_until(1, time.monotonic() + PATIENCE_SECONDS)
        deadline = time.monotonic() + COMPACTION_SECONDS_MAX
        seen, since = None, time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - since < 0.5:
            names = sorted(os.listdir(os.path.join(self.store.directory, "db")))
            if names != seen:
                seen, since = names, time.monotonic()
            time.sleep(0.05)
        finish(feed.process).expect(OK)

    def squash(self, *options):
        self.store.run("squash", "-q", *options).expect(OK)

    def keep_stage(self):
        target = os.path.join(self.directory, f"stage-{len(self.stages)}")
        copy_whole(self.store, target)
        self.stages.append(target)

    def finish(self, settled=True):
        ballast = os.path.join(self.store.directory, "ballast")
        if os.path.exists(ballast):
            size = os.path.getsize(ballast)
            with open(ballast, "wb") as file:  # Zeros as before, without their room.
                file.truncate(size)
        made = MadeStore(self.name, self.store, settled, self.stages, self.answers)
        made.version = read_version(made.database)
        made.ack_tail = ack_tail(made.path)
        made.tail = self.store.tail()
        return made


def filled_logs(database):
    """Write-ahead logs that surely have a whole record in them."""
    found = []
    for name in os.listdir(database):
        if name.endswith(".log"):
            try:
                if os.path.getsize(os.path.join(database, name)) >= FILLED_BYTES:
                    found.append(name)
            except FileNotFoundError:  # Flushed meanwhile.
                pass
    return found


def eventless(lines, draw):
    """Commands with ids that change nothing: what they ask for is so already."""
    tenants = [json.loads(line)["data"]["id"] for line in lines if b'"create_tenant"' in line]
    return [command_line("activate_tenant", {"tenant": tenant}, draw) for tenant in tenants]


def long_named_users(count, draw):
    """Names of 150 characters that nothing can compress: few commands fill many table files."""
    for _ in range(count):
        name = "".join(chr(draw.randrange(0x20000, 0x2A000)) for _ in range(150))
        yield command_line("register_user", {"username": name}, draw)


def large_tenants(count, draw):
    for number in range(count):
        note = "%x" % draw.getrandbits(4 * 240_000)
        data = {"name": f"T{number}", "slug": f"t{number}", "contact_email": "it@example.com"}
        yield command_line("create_tenant", {**data, "settings": {"note": note}}, draw)


def make_small(maker):
    """Killed after a few hundred events: all of them in the write-ahead log."""
    lines = maker.generate(8, 3, 420)
    maker.apply(lines[:100])
    maker.keep_stage()
    maker.apply_and_kill(lines[100:200], settle=True)
    maker.keep_stage()
    maker.apply_and_kill(lines[200:], "--batch", "7", settle=True)
    return maker.finish()


def make_unsettled(maker):
    """Killed right after the last answers: `ack` may say less than was answered."""
    lines = maker.generate(6, 4, 400)
    maker.apply(lines[:150])
    maker.keep_stage()
    maker.apply_and_kill(lines[150:], "--batch", "3", settle=False)
    return maker.finish(settled=False)


def make_often_opened(maker):
    """Opened often and written seldom, with answers that have no events; closed cleanly."""
    draw = random.Random(5)
    lines = maker.generate(10, 5, 600)
    for begin in range(0, 300, 50):
        maker.apply(lines[begin : begin + 50])
        maker.keep_stage()
    maker.apply(lines[300:])
    maker.apply(eventless(lines, draw))
    for _ in range(4):
        maker.apply([maker.answers[0][0]])
    maker.keep_stage()
    maker.apply(eventless(lines, draw))
    return maker.finish()


def fill_rounds(maker, rounds, events, seed):
    """So many rounds of events, flushed each; gives the lines that are left."""
    lines = maker.generate(30, seed, (rounds + 1) * events)
    share = len(lines) // (rounds + 1)
    for number in range(rounds):
        maker.apply(lines[number * share : (number + 1) * share])
        if number in (1, rounds // 2, rounds - 1):
            maker.keep_stage()
    return lines[rounds * share :]


def make_levels(maker):
    """Table files on two levels in every family, and a log that holds the newest; closed."""
    rest = fill_rounds(maker, 11, 600, 6)
    maker.settle_tree()
    maker.keep_stage()
    maker.apply(rest[:200])
    maker.keep_stage()
    maker.apply(rest[200:500])
    return maker.finish()


def make_levels_killed(maker):
    """Most of it on the first level, and killed while it was written."""
    rest = fill_rounds(maker, 5, FLUSHED_EVENTS, 7)
    maker.apply_and_kill(rest[:400], settle=True)
    maker.keep_stage()
    maker.apply_and_kill(rest[400:700], "--batch", "50", settle=True)
    return maker.finish()


def make_wide(maker):
    """Several table files in the sorted levels of the log, the state and the answers."""
    lines = list(long_named_users(30_090, random.Random(8)))
    for begin in range(0, 30_000, 3000):
        maker.apply(lines[begin : begin + 3000])
        if begin == 12_000:
            maker.keep_stage()
    maker.settle_tree()
    maker.keep_stage()
    maker.apply_and_kill(lines[30_000:], settle=True)
    return maker.finish()


def make_two_logs(maker):
    """Killed between two write-ahead logs that both hold what no table file has yet."""
    maker.apply(maker.generate(4, 10, 200))
    maker.keep_stage()
    maker.kill_with_two_logs(list(large_tenants(220, random.Random(11))))
    return maker.finish(settled=False)


def make_squashed(maker):
    """Squashed four times, in part and whole, with answers that are older; killed after more."""
    lines = maker.generate(12, 12, 1500)
    maker.apply(lines)
    tail = maker.store.tail()
    maker.squash("--through", str(tail // 3))
    maker.keep_stage()
    maker.squash("--scope", "tenants", "--through", str(2 * tail // 3))
    maker.squash("--through", str(2 * tail // 3))
    maker.keep_stage()
    users = list(long_named_users(160, random.Random(13)))
    maker.apply(users[:80])
    maker.squash("--scope", "auth")
    maker.keep_stage()
    maker.apply_and_kill(users[80:], "--batch", "7", settle=True)
    return maker.finish()


# One case in ten damages it, chosen beside the others: so those of older seeds stay what they were.
SQUASHED = make_squashed
SQUASHED_SHARE = 0.1

# How many of a thousand cases damage the shape: large ones take longer.
SHAPES = {
    make_small: 220,
    make_unsettled: 140,
    make_often_opened: 180,
    make_levels: 210,
    make_levels_killed: 190,
    make_wide: 45,
    make_two_logs: 15,
}


def make_store(program, directory, shape):
    """An undamaged store of the shape, in a directory of its name."""
    name = shape.__name__.removeprefix("make_").replace("_", "-")
    return shape(Maker(program, directory, name))
