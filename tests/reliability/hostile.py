"""Hostile input: refused with a code at the edge, nothing changed, the next line still read.

    hostile.py PATH-OF-TENANTRY --seed S --count N

A case is one row of hostile_table.py (or one scene below: input that is no line), through `apply`
and, where it can be said there, `do`; and two dozen mutated lines. So as many cases as there are
rows and scenes try each of them, whatever the seed.
"""

import json
import os
import random
import sys
import threading

from case_pool import run_stage
from damage_stores import copy_store
from hostile_lines import mutated
from hostile_table import ACCEPTED_ID, MARKER, PREPARED, all_rows, encode, exit_of
from program_run import feed_repeated

SECONDS_MAX = 2
RSS_BYTES_MAX = 512 << 20
GIANT_BYTES = 1 << 30
GIANT_SECONDS_MAX = 20  # It has to pass through a pipe.
MUTATED_LINES = 24
EVENTS = 300  # Of the history whose lines are mutated.
BLANKS = b" \t\r"
STATE_FIELDS = "tail,log_digest,rows,last_recorded_at"
# Of several exit codes the worst is the program's.
WORST = (2, 4, 5, 3, 0)


class Prepared:
    """The store that every case has a copy of."""

    def __init__(self, program, directory):
        self.path = os.path.join(directory, "prepared")
        self.answers = {}
        program.run(self.path, "init")
        text = b"".join(encode(line) + b"\n" for line in PREPARED)
        run = program.run(self.path, "apply", "-q", stdin=text)
        if run.exit != 0:
            raise RuntimeError("the store could not be prepared: " + run.describe())
        for line, answer in zip(PREPARED, run.out.splitlines()):
            if line.get("id") == ACCEPTED_ID:
                self.again = encode(line)
                self.answer = {**json.loads(answer), "line": None}
        options = ["--tenants", "4", "--seed", "1", "--events", str(EVENTS)]
        self.lines = program.run(self.path, "generate", *options).out.splitlines()


class HostileCase:
    """One copy of the store and what is tried on it."""

    def __init__(self, stage, seed, directory):
        self.program = stage.program
        self.prepared = stage.prepared
        self.draw = random.Random(seed)
        self.store = os.path.join(directory, "store")
        self.directory = directory
        self.wrong = []
        self.title = ""
        copy_store(self.prepared.path, self.store)

    def fail(self, text):
        self.wrong.append(f"{self.title}: {text}")

    def run_program(self, *arguments, seconds_max=SECONDS_MAX, **more):
        """Every run is held against the bounds of time and memory."""
        run = self.program.run(self.store, *arguments, **more)
        if run.exit < 0:
            self.fail(f"ended by signal {-run.exit}: {run.describe()}")
        if run.seconds > seconds_max:
            self.fail(f"took {run.seconds:.1f} s")
        if run.rss_bytes > RSS_BYTES_MAX:
            self.fail(f"took {run.rss_bytes >> 20} MiB of memory")
        return run

    def state(self):
        run = self.program.run(self.store, "status", "-q", "--fields", STATE_FIELDS)
        if run.exit != 0:
            self.fail("the store is not readable: " + run.describe())
            return {}
        return json.loads(run.out)

    def expect_unchanged(self, before):
        after = self.state()
        if after != before:
            self.fail(f"changed the store from {before} to {after}")

    # --- one row ----------------------------------------------------------------------------------

    def try_row(self, row):
        self.title = row.name
        before = self.state()
        if row.do:
            self._do(row)
            self.expect_unchanged(before)
        text = row.line + b"\n" + self.prepared.again + b"\n"
        run = self.run_program("apply", "-q", stdin=text)
        answers = self._answers(run, [1, 2])
        if not answers:
            return
        first, second = answers
        if {**second, "line": None} != self.prepared.answer:
            self.fail(f"the next line was answered {second}")
        if run.exit != row.exit:
            self.fail(f"exit {run.exit}, not {row.exit}")
        self._judge_first(row, first, run, before)

    def _judge_first(self, row, first, run, before):
        if row.code is None:
            self._judge_accepted(row, first, before)
            return
        status = "invalid" if row.exit == 2 else "rejected"
        if (first["status"], first.get("code")) != (status, row.code):
            self.fail(f"answered {str(first)[:300]}, not {status} {row.code}")
        if row.code == "id_reused" and MARKER.encode() in run.out.splitlines()[0] + run.err:
            self.fail("repeats what the other command said")
        self.expect_unchanged(before)

    def _judge_accepted(self, row, first, before):
        if first["status"] != "accepted":
            self.fail(f"answered {str(first)[:300]}, not accepted")
            self.expect_unchanged(before)
            return
        for key, value in row.entity:
            if first["entity"].get(key) != value:
                self.fail(f"accepted as {first['entity']}, whose {key} is not {value}")
        self._judge_growth(before, [first])

    def _do(self, row):
        """What is to be accepted is only rehearsed: the line does it."""
        rehearse = ["--dry-run"] if row.code is None else []
        run = self.run_program("do", *row.do, *rehearse)
        if run.exit != row.exit or run.error_code() != row.code:
            self.fail(f"do: expected exit {row.exit} {row.code}: {run.describe()}")
        if row.code is not None and run.out:
            self.fail(f"do: printed {run.out[:100]!r} though it was refused")
        if row.code == "id_reused" and MARKER.encode() in run.err:
            self.fail("do: repeats what the other command said")

    def _answers(self, run, numbers):
        """One answer for each of the lines, in order."""
        try:
            answers = [json.loads(line) for line in run.out.splitlines()]
        except ValueError:
            self.fail(f"an answer is no JSON: {run.out[:300]!r}")
            return []
        if [answer.get("line") for answer in answers] != numbers:
            lines = [answer.get("line") for answer in answers]
            self.fail(f"answered the lines {lines}, not {numbers}: {run.describe()}")
            return []
        return answers

    def _judge_growth(self, before, answers):
        """The log grew by what was accepted, and by nothing else."""
        after = self.state()
        told = [p for answer in answers for p in answer.get("positions", [])]
        new = sorted({p for p in told if p > before["tail"]})
        if new != list(range(before["tail"] + 1, after["tail"] + 1)):
            self.fail(
                f"the tail went from {before['tail']} to {after['tail']}, answered were {new}"
            )
        if not new and after != before:
            self.fail(f"changed the store from {before} to {after}")

    # --- mutated lines ----------------------------------------------------------------------------

    def try_mutations(self):
        lines = mutated(self.draw, self.prepared.lines, MUTATED_LINES)
        text = b"\n".join(lines) + b"\n"
        self.title = "mutated lines"
        numbers = [n for n, line in enumerate(text.split(b"\n"), 1) if line.strip(BLANKS)]
        before = self.state()
        run = self.run_program("apply", "-q", "--historic", stdin=text)
        answers = self._answers(run, numbers)
        if not answers:
            return
        ends = {exit_of(answer.get("code")) for answer in answers}
        if None in ends:
            codes = {a["code"] for a in answers if exit_of(a.get("code")) is None}
            self.fail(f"codes that are not documented: {codes}")
        elif run.exit != min(ends, key=WORST.index):
            self.fail(f"exit {run.exit}, the answers' are {ends}")
        self._judge_growth(before, answers)
        verify = self.program.run(self.store, "verify", "-q")
        if verify.exit != 0:
            self.fail("verify: " + verify.describe())

    # --- what is no line --------------------------------------------------------------------------

    def refused_input(self, arguments, code, end, stdin=b""):
        before = self.state()
        run = self.run_program("apply", "-q", *arguments, stdin=stdin)
        if (run.exit, run.error_code(), run.out) != (end, code, b""):
            self.fail(f"expected exit {end} {code}: {run.describe()}, printed {run.out[:100]!r}")
        self.expect_unchanged(before)


# --- scenes ---------------------------------------------------------------------------------------


def scene_giant_line(case):
    """A line of 1 GiB: memory stays bounded, and the line after it is read."""
    before = case.state()
    read, write = os.pipe()
    rest = b"\n" + case.prepared.again + b"\n"
    feeder = threading.Thread(target=feed_repeated, args=(write, GIANT_BYTES, b"x", rest))
    feeder.start()
    run = case.run_program("apply", "-q", stdin=read, seconds_max=GIANT_SECONDS_MAX)
    feeder.join()
    codes = [json.loads(line).get("code") for line in run.out.splitlines()]
    if run.exit != 2 or codes != ["too_large", None]:
        case.fail(f"answered {run.out[:300]!r}: {run.describe()}")
    case.expect_unchanged(before)


def scene_giant_line_without_end(case):
    before = case.state()
    read, write = os.pipe()
    feeder = threading.Thread(target=feed_repeated, args=(write, GIANT_BYTES // 8, b'"', b""))
    feeder.start()
    run = case.run_program("apply", "-q", stdin=read, seconds_max=GIANT_SECONDS_MAX)
    feeder.join()
    codes = [json.loads(line).get("code") for line in run.out.splitlines()]
    if run.exit != 2 or codes != ["too_large"]:
        case.fail(f"answered {run.out[:300]!r}: {run.describe()}")
    case.expect_unchanged(before)


def scene_last_line_without_end(case):
    run = case.run_program("apply", "-q", stdin=case.prepared.again)
    if run.exit != 0 or {**json.loads(run.out or "{}"), "line": None} != case.prepared.answer:
        case.fail(f"answered {run.out[:300]!r}: {run.describe()}")


def scene_half_a_last_line(case):
    before = case.state()
    run = case.run_program("apply", "-q", stdin=case.prepared.again[:-5])
    if run.exit != 2 or json.loads(run.out or "{}").get("code") != "invalid_json":
        case.fail(f"answered {run.out[:300]!r}: {run.describe()}")
    case.expect_unchanged(before)


def scene_nothing(case):
    before = case.state()
    for text in (b"", b"\n", b"\r\n \t\n\n", b"\n" * 200_000):
        run = case.run_program("apply", "-q", stdin=text)
        if run.exit != 0 or run.out:
            case.fail(f"{text[:9]!r}: answered {run.out[:100]!r}: {run.describe()}")
    case.expect_unchanged(before)


def scene_binary_garbage(case):
    """Every line of it is refused, and there is an answer for each."""
    before = case.state()
    text = case.draw.randbytes(200_000)
    numbers = [n for n, line in enumerate(text.split(b"\n"), 1) if line.strip(BLANKS)]
    run = case.run_program("apply", "-q", stdin=text)
    answers = [json.loads(line) for line in run.out.splitlines()]
    if run.exit != 2 or [answer["line"] for answer in answers] != numbers:
        case.fail(f"{len(answers)} answers to {len(numbers)} lines: {run.describe()}")
    if {answer["status"] for answer in answers} != {"invalid"}:
        case.fail("took garbage for a command")
    case.expect_unchanged(before)


def scene_missing_file(case):
    case.refused_input(["nowhere.ndjson"], "no_such_file", 2)


def scene_missing_directory(case):
    case.refused_input(["nowhere/at/all.ndjson"], "no_such_file", 2)


def scene_name_too_long(case):
    case.refused_input(["n" * 5000], "no_such_file", 2)


def scene_empty_name(case):
    case.refused_input([""], "no_such_file", 2)


def scene_directory(case):
    case.refused_input([case.directory], "unavailable", 6)


def scene_directory_as_input(case):
    case.refused_input(["-"], "unavailable", 6, stdin=os.open(case.directory, os.O_RDONLY))


def scene_good_file_then_none(case):
    """No file is begun when one of them is not there."""
    path = os.path.join(case.directory, "good")
    with open(path, "wb") as file:
        file.write(b'{"command":"add_protein","data":{"name":"a"}}\n')
    case.refused_input([path, "nowhere.ndjson"], "no_such_file", 2)


def scene_options_without_value(case):
    """An unset variable of a script takes away neither an id nor a condition."""
    before = case.state()
    for option in ("--command-id", "--expected-version", "--causation-position", "--at"):
        run = case.run_program("do", "add_protein", "--name", "a", "--historic", option, "")
        if (run.exit, run.error_code()) != (2, "usage"):
            case.fail(f"{option}: {run.describe()}")
    case.expect_unchanged(before)


SCENES = [scene for name, scene in sorted(globals().items()) if name.startswith("scene_")]


class HostileStage:
    """Rows and scenes in turn, by the seed."""

    def __init__(self, program, directory):
        self.program = program
        self.prepared = Prepared(program, directory)
        self._rows = all_rows()
        self._tried = set()

    def try_case(self, seed, directory):
        case = HostileCase(self, seed, directory)
        which = seed % (len(self._rows) + len(SCENES))
        if which < len(self._rows):
            case.try_row(self._rows[which])
        else:
            scene = SCENES[which - len(self._rows)]
            case.title = scene.__name__
            scene(case)
        case.try_mutations()
        self._tried.add(which)
        return case.wrong

    def summary(self):
        total = len(self._rows) + len(SCENES)
        tried = f"{len(self._tried)} of {total} rows and scenes tried"
        yield f"{tried}, {MUTATED_LINES} mutated lines beside each"


if __name__ == "__main__":
    sys.exit(run_stage(__doc__.splitlines()[0], HostileStage))
