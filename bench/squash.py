"""Squashes, backups and archives beside their rivals, and what memory jobs need as a log grows:

    squash.py --build DIR [--events N] [--larger N] [--rounds N] [--only PART] [--directory DIR]

A made-up history is applied to a store. Then every round runs every part once, in turned order,
each on a copy of its own: the store's side and its rival one after the other. A ratio is taken
inside a round; the table gives the median and the range.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PARTS = ("squash", "append", "backup", "open", "memory")
SEED = "7"
EVENTS_A_TENANT = 100
LEFT = 0.01  # Of a log, behind a squash of nearly all.
MEMORY_MEGABYTES = 128 + 32  # The goal's, and what DatabaseMemory gives to the block cache.
MEMORY_JOBS = {
    "rebuild": ("rebuild", "--yes"),
    "rebuild --from-events": ("rebuild", "--yes", "--from-events"),
    "verify --full": ("verify", "--full"),
    "log": ("log",),
    "export": ("export",),
    "squash": ("squash",),
    "log, archived": ("log",),
    "rebuild --from-events, archived": ("rebuild", "--yes", "--from-events"),
}
# Goal, what is ours, its rival, what the ratio is to be at most or, below zero, at least.
GOALS = (
    ("11", "squash, nothing kept", "SstFileWriter, DeleteFilesInRanges", 1.3),
    ("11", "squash", "SstFileWriter, DeleteFilesInRanges", 1.3),
    ("–", "squash", "the same, packed by zstd, read again", None),
    ("11", "bytes of the log left", "the same events in a new database", 1.02),
    ("11", "bytes of log and index left", "what counts of them, in a new database", 1.02),
    ("11, p99", "append beside a squash", "append, nothing beside it", 2.0),
    ("12", "backup", "RocksDB's checkpoint", 2.0),
    ("12", "backup without its check", "RocksDB's checkpoint", 2.0),
    ("open", "open and read the end, 99 % squashed", "the same of a store as short", 1.2),
    ("archive", "bytes of the archive", "the same blocks, zstd -3", 1.3),
    ("archive", "time of zstd -d", "time of reading the archived history", -0.7),
)


def say(text):
    print(f"squash: {text}", file=sys.stderr, flush=True)


def fail(text):
    sys.exit(f"squash: error: {text}")


def spread(values, digits=2):
    median = statistics.median(values)
    return f"{median:.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.tenantry = os.path.join(options.build, "tools", "tenantry")
        self.parts_program = os.path.join(options.build, "bench", "tenantry_squash_parts")
        self.found = {}  # By name, one value for each round; of both sides of each goal.
        self.memory = {}  # By job, one value for each size.

    def at(self, name):
        return os.path.join(self.directory, name)

    # --- stores -----------------------------------------------------------------------------------

    def make_store(self, name, events):
        say(f"a store of {events} events")
        self.run(name, "init", "-q")
        tenants = str(max(3, events // EVENTS_A_TENANT))
        words = ("generate", "-q", "--tenants", tenants, "--seed", SEED, "--events", str(events))
        with subprocess.Popen([self.tenantry, *words], stdout=subprocess.PIPE) as made:
            self.run(name, "apply", "--historic", "--quiet-accepted", "-q", stdin=made.stdout)

    def copy(self, name="store"):
        """Made anew, and on the disk before anything is measured."""
        place = self.at("copy")
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.at(name), place, ignore=shutil.ignore_patterns("ballast", "*.sock"))
        os.sync()
        return "copy"

    def run(self, store, *words, stdin=subprocess.DEVNULL):
        """The most memory that it had, in megabytes."""
        where = ["--store", self.at(store)]
        if words[0] == "rebuild":
            where += ["--read-model", f"sqlite:{self.at('model.sqlite3')}"]
        with open(self.at("log"), "w+", encoding="utf-8") as log:
            with subprocess.Popen(
                [self.tenantry, *words, *where], stdin=stdin, stdout=subprocess.DEVNULL, stderr=log
            ) as process:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                log.seek(0)
                fail(f"{' '.join(words)} ended with {process.returncode}: {log.read()[-800:]}")
        return usage.ru_maxrss / 1024

    def measure(self, what, store, with_output=False):
        """Numbers by name."""
        words = [self.parts_program, what, self.at(store)]
        out = self.at("out")
        done = subprocess.run(
            words + [out] * with_output, capture_output=True, text=True, check=False
        )
        shutil.rmtree(out, ignore_errors=True)
        if done.returncode != 0:
            fail(done.stderr)
        say(f"{what}: {done.stdout.strip()}")
        return json.loads(done.stdout)

    def note(self, name, value):
        self.found.setdefault(name, []).append(value)

    # --- parts ------------------------------------------------------------------------------------

    def squash(self):
        bare = self.measure("bare", self.copy())["seconds"]
        self.note("SstFileWriter, DeleteFilesInRanges", bare)
        self.note("squash, nothing kept", self.measure("discard", self.copy())["seconds"])
        archived = self.measure("bare-archive", self.copy())["seconds"]
        self.note("the same, packed by zstd, read again", archived)
        self.note("squash", self.measure("squash", self.copy())["seconds"])
        self.archive("copy")

    def archive(self, store):
        """Of a store that was squashed."""
        told = self.measure("archive", store)
        self.note("bytes of the archive", told["file_bytes"])
        self.note("the same blocks, zstd -3", told["packed_bytes"])
        self.note("time of zstd -d", told["unpacking"])
        self.note("time of reading the archived history", told["history"])

    def append(self):
        told = self.measure("append", self.copy())
        self.note("append, nothing beside it", told["idle"])
        self.note("append beside a squash", told["beside"])

    def backup(self):
        store = self.copy()
        told = self.measure("backup", store, with_output=True)
        self.note("backup", told["seconds"])
        self.note("backup without its check", told["unchecked"])
        told = self.measure("checkpoint", store, with_output=True)
        self.note("RocksDB's checkpoint", told["seconds"])

    def open(self):
        store = self.copy()
        self.measure("squash99", store)
        told = self.measure("left", store, with_output=True)
        self.note("bytes of the log left", told["log_left"])
        self.note("the same events in a new database", told["log_live"])
        self.note("bytes of log and index left", told["log_left"] + told["index_left"])
        live = told["log_live"] + told["index_live"]
        self.note("what counts of them, in a new database", live)
        names = {
            store: "open and read the end, 99 % squashed",
            "short": "the same of a store as short",
        }
        seconds = {name: [] for name in names}
        for _ in range(5):
            for name, of_store in seconds.items():
                of_store.append(self.measure("tail", name)["seconds"])
        for name, of_store in seconds.items():
            self.note(names[name], statistics.median(of_store))

    def parts(self):
        return {
            "squash": self.squash,
            "append": self.append,
            "backup": self.backup,
            "open": self.open,
        }

    def round(self, number):
        parts = [run for name, run in self.parts().items() if name in self.options.only]
        turn = number % max(1, len(parts))
        for part in parts[turn:] + parts[:turn]:
            part()

    def measure_memory(self, store):
        """Each job once, in this order: from the squash on, most events are in the archive."""
        copy = self.copy(store)
        for job, words in MEMORY_JOBS.items():
            for suffix in ("", "-wal", "-shm"):
                if os.path.exists(self.at("model.sqlite3" + suffix)):
                    os.unlink(self.at("model.sqlite3" + suffix))
            began = time.monotonic()
            megabytes = self.run(copy, *words, "-q")
            say(f"{job}, {store}: {megabytes:.0f} MB, {time.monotonic() - began:.1f} s")
            self.memory.setdefault(job, []).append(megabytes)

    # --- what comes of it -------------------------------------------------------------------------

    def print_tables(self):
        if self.found:
            print(f"{self.options.events} events, {self.options.rounds} rounds\n")
            self.print_ratios()
        if self.memory:
            self.print_memory()

    def print_ratios(self):
        print("| goal | ours | rival | target | ratio | |\n|---|---|---|---|---|---|")
        for goal, ours, rival, target in GOALS:
            if ours in self.found and rival in self.found:
                values = [a / b for a, b in zip(self.found[ours], self.found[rival])]
                told = f"{bound(target)} | {spread(values)} | {verdict(target, values)}"
                print(f"| {goal} | {ours} | {rival} | {told} |")
        print("\n| measured | seconds, bytes or, of appends, µs |\n|---|---|")
        for name, values in sorted(self.found.items()):
            digits = 0 if min(values) > 100 else 3
            print(f"| {name} | {spread(values, digits)} |")

    def print_memory(self):
        small, large = self.options.events, self.options.larger
        print(f"\n| goal | job | MB, {small} events | MB, {large} | ratio | target | |")
        print("|---|---|---|---|---|---|---|")
        for job, (first, second) in self.memory.items():
            met = "met" if max(first, second) <= MEMORY_MEGABYTES else "**not met**"
            sizes = f"{first:.0f} | {second:.0f} | {second / first:.2f}"
            print(f"| 13 | {job} | {sizes} | ≤ {MEMORY_MEGABYTES} MB | {met} |")


def bound(target):
    if target is None:
        return "–"
    return f"≥ {-target:.2f}" if target < 0 else f"≤ {target:.2f}"


def verdict(target, values):
    if target is None:
        return "–"
    median = statistics.median(values)
    return "met" if (median >= -target if target < 0 else median <= target) else "**not met**"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, metavar="DIR", help="a build's directory")
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--larger", type=int, metavar="N", help="of the second store for memory")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--only", choices=PARTS, action="append", help="several times for several")
    parser.add_argument("--directory", help="where stores are made and removed (default: TMPDIR)")
    options = parser.parse_args()
    options.only = options.only or PARTS
    options.larger = options.larger or 3 * options.events
    return options


def main():
    options = parse()
    directory = tempfile.mkdtemp(prefix="tenantry-squash-", dir=options.directory)
    try:
        bench = Bench(options, directory)
        bench.make_store("store", options.events)
        if "open" in options.only:
            bench.make_store("short", int(options.events * LEFT))
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            bench.round(number)
        if "memory" in options.only:
            bench.measure_memory("store")
            shutil.rmtree(bench.at("store"))
            bench.make_store("larger", options.larger)
            bench.measure_memory("larger")
        bench.print_tables()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
