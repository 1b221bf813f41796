"""Damaged stores: every reader gives what it gave before, or says where the damage is.

A case copies a store, damages one file of the copy in one way, and reads, verifies and writes. Each
reading command must print the same bytes with the same exit code as on the undamaged store, or end
with exit code 7 and name a place; `verify` must find whatever any other finds; a writing command
must leave a store in which all is right or still found, or refuse and change nothing.
"""

import collections
import json
import multiprocessing
import os
import pickle
import random
import uuid

from cases import Stage, exit_with
from damage_kinds import Damager, family_of, harmless_because
from damage_readers import Catalogue, judge, wanted
from damage_stores import SHAPES, SQUASHED, SQUASHED_SHARE, copy_whole, make_store
from driver import CORRUPT, OK, UNAVAILABLE, USAGE, Failure
from history import without_line

COSTLY_SHARE = 0.2  # Of the cases, those with a read that takes longer than the others.
PARTS = 2  # Reads of some of a store, beside those of much of it.
WRITING_PERCENT = 60
SQUASHING_SHARE = 0.2  # Of those that write.
SECONDS_MAX = 30  # More than any of them takes on a busy machine.
ANSWERS_AGAIN = 8
WRONG_MAX = 3  # What is wrong with one case tends to be wrong many times.
REFUSED = (UNAVAILABLE, CORRUPT)
OUTCOMES = ("detected", "harmless", "residual", "failed")
# What a reader changes too: it says who owns the store.
OWNERS = ("OWNER.lock",)


def fingerprint(store):
    """What tells whether a file was changed, replaced, made or removed."""
    found = {}
    for folder, _, files in os.walk(store):
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), store)
            if path not in OWNERS and not path.startswith("scratch"):
                about = os.stat(os.path.join(store, path))
                found[path] = (about.st_ino, about.st_size, about.st_mtime_ns)
    return found


class Case:
    """One damaged copy and what was found out about it."""

    def __init__(self, stage, seed, place):
        self.draw = random.Random(seed)
        beside = random.Random(f"archived {seed}")
        shape = self.draw.choices(list(SHAPES), list(SHAPES.values()))[0]
        if beside.random() < SQUASHED_SHARE:
            shape = SQUASHED
        self.squashes = beside.random() < SQUASHING_SHARE
        self.made, self.catalogue = stage.made_of(shape)
        self.costly = [self.catalogue.costly(beside)] if beside.random() < COSTLY_SHARE else []
        self.store = copy_whole(self.made.store, os.path.join(place, "store"))
        self.copy = self.store.directory
        self.wrong = []
        self.outcomes = set()
        self.damage = None
        self.outcome = "failed"
        self.reason = ""
        self.tail = 0  # What is left where the end is lost.

    def run(self):
        self.damage = Damager(self.made, self.copy, self.draw).damage()
        before = fingerprint(self.copy)
        if self._short_of_what_was_answered():
            self._judge_residual()
        else:
            self._read(before)
            if not self.wrong:
                self._classify()
            if not self.wrong and self.draw.randrange(100) < WRITING_PERCENT:
                self._write(before)
        if self.wrong:
            self.outcome = "failed"
            what = f"{self.made.name}: {self.damage}"
            raise Failure(*(f"{what}: {text}" for text in self.wrong[:WRONG_MAX]))

    def _program(self, *arguments, stdin=b""):
        run = self.store.run(*arguments, stdin=stdin, seconds_max=SECONDS_MAX)
        if run.code < 0:
            self.wrong.append(f"ended by a signal: {run}")
        return run

    # --- reading ----------------------------------------------------------------------------------

    def _reads(self):
        aimed = self.catalogue.aimed(family_of(self.damage, self.made), self.draw)
        parts = [self.catalogue.part(self.draw) for _ in range(PARTS)]
        return [self.catalogue.whole(self.draw), aimed, *parts, *self.costly]

    def _read(self, before):
        verified = self._read_one(["verify"])
        for arguments in self._reads():
            self._read_one(arguments)
        if fingerprint(self.copy) != before:
            self.wrong.append(f"reading changed {changed_files(before, fingerprint(self.copy))}")
        if "detected" in self.outcomes and verified != "detected":
            self.wrong.append("verify passes though a reader met damage")

    def _read_one(self, arguments):
        expected = wanted(self.made, arguments)
        verdict = judge(arguments, expected, self._program(*arguments, "-q"))
        if verdict not in ("same", "detected"):
            if self._refused_as_no_store():
                return "detected"
            self.wrong.append(verdict)
        self.outcomes.add(verdict)
        return verdict

    def _refused_as_no_store(self):
        """FORMAT tells what the directory is: without it, or with another version in it, there is
        nothing that this program may read, and it says so."""
        if self.damage.kind != "FORMAT":
            return False
        run = self._program("status")
        self.outcomes.add("detected")
        return (run.code, run.error_code()) in (
            (UNAVAILABLE, "store_not_found"),
            (USAGE, "store_format"),
        )

    def _classify(self):
        if "detected" in self.outcomes:
            self.outcome = "detected"
            return
        self.reason = harmless_because(self.damage, self.made, self.copy)
        self.outcome = "harmless"
        if not self.reason:
            self.wrong.append("nobody noticed, and nothing shows that it does no harm")

    # --- the residual -----------------------------------------------------------------------------

    def _short_of_what_was_answered(self):
        """Whether the end of a write-ahead log is gone that `ack` did not yet vouch for. That is
        the one loss that nothing can tell from a write that was never answered."""
        if self.made.settled or not self.damage.kind.endswith("log"):
            return False
        run = self._program("status", "-o", "ndjson", "-q")
        if run.code != OK:
            return False
        self.tail = run.records()[0]["tail"]
        return self.made.ack_tail <= self.tail < self.made.tail

    def _judge_residual(self):
        """What `ack` vouches for is there, and what is there is what was there."""
        self.outcome = "residual"
        kept = wanted(self.made, ["log", "--through", str(self.tail)])
        verdict = judge(["log"], kept, self._program("log", "-q"))
        if verdict != "same":
            self.wrong.append(verdict)
        verify = self._program("verify", "-q")
        if verify.code != OK:
            self.wrong.append(f"what is left does not verify: {verify}")

    # --- writing ----------------------------------------------------------------------------------

    def _write(self, before):
        if self.squashes:
            self._squash(before)
            return
        run, lines, answers = self._command()
        if run.code in REFUSED or self._refused_as_no_store():
            self._judge_refusal(before, run)
        elif run.code == OK:
            self._judge_answers(run, lines, answers)
            self._read_again()
        else:
            self.wrong.append(f"a command that was fine before: {run}")

    def _squash(self, before):
        run = self._program("squash", "-q")
        if run.code in REFUSED or self._refused_as_no_store():
            self._judge_refusal(before, run)
        elif run.code == OK:
            self._read_again()
        else:
            self.wrong.append(f"a squash that nothing speaks against: {run}")

    def _command(self):
        """Commands that were accepted before, with their answers, and one more."""
        again = self.draw.sample(self.made.answers, min(ANSWERS_AGAIN, len(self.made.answers)))
        name = f"damage-{self.draw.getrandbits(64):x}"
        new = {"command": "add_protein", "data": {"name": name}, "id": str(uuid.uuid4())}
        lines = [line for line, _ in again] + [json.dumps(new).encode()]
        text = b"\n".join(lines) + b"\n"
        run = self._program("apply", "--historic", "-q", stdin=text)
        return run, lines, [answer for _, answer in again]

    def _judge_refusal(self, before, run):
        """It may have been met after opening, which moves what the log holds into table files: then
        the damage must still be there to be found."""
        if "detected" not in self.outcomes and run.code == CORRUPT:
            self.wrong.append(f"only a writer met the damage: {run}")
        if fingerprint(self.copy) == before:
            return
        if self._program("verify", "-q").code != CORRUPT:
            changed = changed_files(before, fingerprint(self.copy))
            self.wrong.append(f"refused, but the evidence is gone: {changed}: {run}")

    def _judge_answers(self, run, lines, answers):
        told = [without_line(line) for line in run.out.splitlines()]
        if len(told) != len(lines) or told[:-1] != answers:
            self.wrong.append(f"answered {told}, not {answers}")
        elif told[-1].get("positions") != [self.made.tail + 1]:
            self.wrong.append(f"the new command was answered {told[-1]}")

    def _read_again(self):
        """Up to where the log went before, all is the same or damage is met; and what was found
        before is found again, or was mended by being written anew."""
        verify = self._program("verify", "-q")
        if verify.code not in (OK, CORRUPT):
            self.wrong.append(f"after writing: {verify}")
        found = set()
        table = self.draw.choice(["auth_user", "tenants_tenant_user"])
        for arguments in (
            ["log", "--through", str(self.made.tail)],
            ["rows", table, "--as-of", str(self.made.tail)],
        ):
            expected = wanted(self.made, arguments)
            found.add(judge(arguments, expected, self._program(*arguments, "-q")))
        self.wrong += [f"after writing: {what}" for what in found - {"same", "detected"}]
        if "detected" in found and verify.code == OK:
            self.wrong.append("after writing, verify passes though a reader met damage")


def changed_files(before, after):
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return ", ".join(names)


class DamageStage(Stage):
    in_memory = True

    def prepare(self, seeds):
        self.locks = {shape: multiprocessing.Lock() for shape in (*SHAPES, SQUASHED)}
        self.made = {}

    def made_of(self, shape):
        """The store of which there are copies, made by the worker that first needs one."""
        if shape not in self.made:
            with self.locks[shape]:
                made = self.make_or_load(shape)
            self.made[shape] = (made, Catalogue(made))
        return self.made[shape]

    def make_or_load(self, shape):
        note = os.path.join(self.place, shape.__name__)
        if os.path.exists(note):
            with open(note, "rb") as file:
                return pickle.load(file)
        made = make_store(self.program, self.place, shape)
        with open(note, "wb") as file:
            pickle.dump(made, file)
        return made

    def run_case(self, seed, place):
        case = Case(self, seed, place)
        try:
            case.run()
        finally:
            if case.damage:
                self.facts[case.damage.kind, case.damage.way, case.outcome] += 1
                if case.outcome == "harmless":
                    self.facts["harmless", case.damage.kind, case.reason] += 1

    def summary(self, facts):
        """A row for each kind of damage, and why some of it did no harm."""
        form = "{:<52} {:<23}" + " {:>9}" * len(OUTCOMES)
        yield form.format("file", "damage", *OUTCOMES)
        reasons = {key: count for key, count in facts.items() if key[0] == "harmless"}
        counts = facts - collections.Counter(reasons)
        for kind, way in sorted({key[:2] for key in counts}):
            yield form.format(
                kind, way, *(counts[kind, way, outcome] or "" for outcome in OUTCOMES)
            )
        sums = [sum(n for key, n in counts.items() if key[2] == outcome) for outcome in OUTCOMES]
        yield form.format("all", "", *sums)
        for (_, kind, reason), count in sorted(reasons.items()):
            yield f"harmless: {count:5} {kind}: {reason}"
        yield (
            "residual: the end of a log that was answered within the last 100 ms before the kill, "
            "and that ack does not vouch for yet"
        )


if __name__ == "__main__":
    exit_with(DamageStage, __doc__)
