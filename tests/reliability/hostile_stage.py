"""Hostile input: refused with a code at the edge, nothing changed, the next line still read.

A case is one row of hostile_table.py (or one scene below: input that is no line), through `apply`
and, where it can be said there, `do`; and two dozen mutated lines. So as many cases as there are
rows and scenes try each of them, whatever the seed.
"""

import itertools
import json
import os
import random

from cases import Stage, exit_with
from damage_stores import copy_whole
from driver import OK, UNAVAILABLE, USAGE, Failure, Store, fed_pipe
from hostile_lines import mutated
from hostile_table import ACCEPTED_ID, MARKER, PREPARED, all_rows, encode, exit_of

SECONDS_MAX = 2
RSS_BYTES_MAX = 512 << 20
GIANT_BYTES = 1 << 30
WAITED_SECONDS_MAX = 60  # On a machine that others load.
GIANT_SECONDS_MAX = 20  # It has to pass through a pipe.
PIECE_BYTES = 1 << 20
MUTATED_LINES = 24
EVENTS = 300  # Of the history whose lines are mutated.
BLANKS = b" \t\r"
STATE_FIELDS = "tail,log_digest,rows,last_recorded_at"
# Of several exit codes the worst is the program's.
WORST = (2, 4, 5, 3, 0)


class Prepared:
    """The store that every case has a copy of."""

    def __init__(self, program, directory):
        self.store = Store(program, os.path.join(directory, "prepared"))
        self.store.run("init").expect(OK)
        text = b"".join(encode(line) + b"\n" for line in PREPARED)
        run = self.store.run("apply", "-q", stdin=text).expect(OK)
        for line, answer in zip(PREPARED, run.out.splitlines()):
            if line.get("id") == ACCEPTED_ID:
                self.again = encode(line)
                self.answer = json.loads(answer)
        options = ["--tenants", "4", "--seed", "1", "--events", str(EVENTS)]
        self.lines = self.store.run("generate", *options).expect(OK).out.splitlines()


class HostileCase:
    """One copy of the store and what is tried on it."""

    def __init__(self, prepared, seed, directory):
        self.prepared = prepared
        self.draw = random.Random(seed)
        self.store = copy_whole(prepared.store, os.path.join(directory, "store"))
        self.directory = directory
        self.wrong = []
        self.title = ""

    def fail(self, text):
        self.wrong.append(f"{self.title}: {text}")

    def run_program(self, *arguments, seconds_max=SECONDS_MAX, **more):
        """Every run is held against the bounds of time and memory."""
        run = self.store.run(*arguments, **more)
        if run.code < 0:
            self.fail(f"ended by a signal: {run}")
        if run.cpu_seconds > seconds_max or run.seconds > WAITED_SECONDS_MAX:
            self.fail(f"took {run.seconds:.1f} s, {run.cpu_seconds:.1f} s of the processor")
        if run.rss_bytes > RSS_BYTES_MAX:
            self.fail(f"took {run.rss_bytes >> 20} MiB of memory")
        return run

    def state(self):
        run = self.store.run("status", "-q", "--fields", STATE_FIELDS)
        if run.code != OK:
            raise Failure(*self.wrong, f"{self.title}: the store is not readable: {run}")
        return run.records()[0]

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
        if second != {**self.prepared.answer, "line": 2}:
            self.fail(f"the next line was answered {second}")
        if run.code != row.exit:
            self.fail(f"exit {run.code}, not {row.exit}")
        self._judge_first(row, first, run, before)

    def _judge_first(self, row, first, run, before):
        if row.code is None:
            self._judge_accepted(row, first, before)
            return
        status = "invalid" if row.exit == 2 else "rejected"
        if (first["status"], first.get("code")) != (status, row.code):
            self.fail(f"answered {str(first)[:300]}, not {status} {row.code}")
        if row.code == "id_reused" and MARKER in str(first) + run.err:
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
        if run.code != row.exit or run.error_code() != row.code:
            self.fail(f"do: expected exit {row.exit} {row.code}: {run}")
        if row.code is not None and run.out:
            self.fail(f"do: printed {run.out[:100]!r} though it was refused")
        if row.code == "id_reused" and MARKER in run.err:
            self.fail("do: repeats what the other command said")

    def _answers(self, run, numbers):
        """One answer for each of the lines, in order."""
        try:
            answers = run.records()
        except ValueError:
            self.fail(f"an answer is no JSON: {run.out[:300]!r}")
            return []
        if [answer.get("line") for answer in answers] != numbers:
            lines = [answer.get("line") for answer in answers]
            self.fail(f"answered the lines {lines}, not {numbers}: {run}")
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
        elif run.code != min(ends, key=WORST.index):
            self.fail(f"exit {run.code}, the answers' are {ends}")
        self._judge_growth(before, answers)
        verify = self.store.run("verify", "-q")
        if verify.code != OK:
            self.fail(str(verify))

    # --- what is no line --------------------------------------------------------------------------

    def refused_input(self, arguments, code, end, stdin=b""):
        before = self.state()
        run = self.run_program("apply", "-q", *arguments, stdin=stdin)
        if (run.code, run.error_code(), run.out) != (end, code, b""):
            self.fail(f"expected exit {end} {code}: {run}")
        self.expect_unchanged(before)


# --- scenes ---------------------------------------------------------------------------------------


def feed_giant(case, size, byte, rest, expected):
    """A line of so many bytes: memory stays bounded. Expected are the codes of the answers."""
    before = case.state()
    pieces = itertools.repeat(byte * PIECE_BYTES, size // PIECE_BYTES)
    with fed_pipe(itertools.chain(pieces, [rest])) as pipe:
        run = case.run_program("apply", "-q", stdin=pipe, seconds_max=GIANT_SECONDS_MAX)
    if run.code != USAGE or [answer.get("code") for answer in run.records()] != expected:
        case.fail(f"a giant line: {run}")
    case.expect_unchanged(before)


def scene_giant_line(case):
    """The line after it is read."""
    rest = b"\n" + case.prepared.again + b"\n"
    feed_giant(case, GIANT_BYTES, b"x", rest, ["too_large", None])


def scene_giant_line_without_end(case):
    feed_giant(case, GIANT_BYTES // 8, b'"', b"", ["too_large"])


def scene_last_line_without_end(case):
    run = case.run_program("apply", "-q", stdin=case.prepared.again)
    if run.code != OK or run.records() != [{**case.prepared.answer, "line": 1}]:
        case.fail(f"the last line: {run}")


def scene_half_a_last_line(case):
    before = case.state()
    run = case.run_program("apply", "-q", stdin=case.prepared.again[:-5])
    if run.code != USAGE or [answer.get("code") for answer in run.records()] != ["invalid_json"]:
        case.fail(f"half a line: {run}")
    case.expect_unchanged(before)


def scene_nothing(case):
    before = case.state()
    for text in (b"", b"\n", b"\r\n \t\n\n", b"\n" * 200_000):
        run = case.run_program("apply", "-q", stdin=text)
        if run.code != OK or run.out:
            case.fail(f"{text[:9]!r}: {run}")
    case.expect_unchanged(before)


def scene_binary_garbage(case):
    """Every line of it is refused, and there is an answer for each."""
    before = case.state()
    text = case.draw.randbytes(200_000)
    numbers = [n for n, line in enumerate(text.split(b"\n"), 1) if line.strip(BLANKS)]
    run = case.run_program("apply", "-q", stdin=text)
    answers = run.records()
    if run.code != USAGE or [answer["line"] for answer in answers] != numbers:
        case.fail(f"{len(answers)} answers to {len(numbers)} lines: {run}")
    if {answer["status"] for answer in answers} != {"invalid"}:
        case.fail("took garbage for a command")
    case.expect_unchanged(before)


def scene_missing_file(case):
    case.refused_input(["nowhere.ndjson"], "no_such_file", USAGE)


def scene_missing_directory(case):
    case.refused_input(["nowhere/at/all.ndjson"], "no_such_file", USAGE)


def scene_name_too_long(case):
    case.refused_input(["n" * 5000], "no_such_file", USAGE)


def scene_empty_name(case):
    case.refused_input([""], "no_such_file", USAGE)


def scene_directory(case):
    case.refused_input([case.directory], "unavailable", UNAVAILABLE)


def scene_directory_as_input(case):
    directory = os.open(case.directory, os.O_RDONLY)
    case.refused_input(["-"], "unavailable", UNAVAILABLE, stdin=directory)
    os.close(directory)


def scene_good_file_then_none(case):
    """No file is begun when one of them is not there."""
    path = os.path.join(case.directory, "good")
    with open(path, "wb") as file:
        file.write(b'{"command":"add_protein","data":{"name":"a"}}\n')
    case.refused_input([path, "nowhere.ndjson"], "no_such_file", USAGE)


def scene_options_without_value(case):
    """An unset variable of a script takes away neither an id nor a condition."""
    before = case.state()
    for option in ("--command-id", "--expected-version", "--causation-position", "--at"):
        run = case.run_program("do", "add_protein", "--name", "a", "--historic", option, "")
        if (run.code, run.error_code()) != (USAGE, "usage"):
            case.fail(f"{option}: {run}")
    case.expect_unchanged(before)


SCENES = [scene for name, scene in sorted(globals().items()) if name.startswith("scene_")]


ROWS = all_rows()


class HostileStage(Stage):
    """Rows and scenes in turn, by the seed."""

    in_memory = True

    def prepare(self, seeds):
        self.prepared = Prepared(self.program, self.place)

    def run_case(self, seed, place):
        case = HostileCase(self.prepared, seed, place)
        which = seed % (len(ROWS) + len(SCENES))
        if which < len(ROWS):
            case.try_row(ROWS[which])
        else:
            scene = SCENES[which - len(ROWS)]
            case.title = scene.__name__
            scene(case)
        case.try_mutations()
        self.facts[which] += 1
        if case.wrong:
            raise Failure(*case.wrong)

    def summary(self, facts):
        total = len(ROWS) + len(SCENES)
        tried = f"{len(facts)} of {total} rows and scenes tried"
        yield f"{tried}, {MUTATED_LINES} mutated lines beside each"


if __name__ == "__main__":
    exit_with(HostileStage, __doc__)
