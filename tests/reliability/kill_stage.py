"""Kills `tenantry` with SIGKILL at random moments, and looks at what is left.

A case is a store with some history. Up to three processes in a row are killed on it, then it must
hold what was answered, each command wholly or not at all, and go on as if nothing had happened:
its log and its answers are held against a history that was applied without a fault (history.py).

Killed are `apply`, fed through a pipe: after some number of answers, after some time, while it
opens the store, while it closes it, while it goes through another process that owns the store, or
that one under it; `project` and `rebuild` into SQLite; and `squash`, alone, or through an owner
that others write to: the one that asked is killed, or the owner. What squashes add to the log is
left out where it is compared, and positions are counted without it. One that has ended before it
is killed does not count, and is drawn again.
"""

import bisect
import json
import os
import re
import signal
import time

from cases import Stage, check, exit_with, never
from commands import encode
from driver import (
    APPLIED,
    INTERRUPTED,
    NOT_FOUND,
    OK,
    PATIENCE_SECONDS,
    TABLES,
    UNAVAILABLE,
    Feed,
    end,
    finish,
    kill,
    kill_after,
)
from history import Histories, generator, without_line, without_time

SLICE = 150  # Commands that an `apply` is given at most;
BULK = 800  # or at once, and all of them in the pipe before the first answer.
WINDOWS = (1, 1, 4, 16, 64)
TRIES = 20
# Seconds within which the kills by time come.
RUN = 0.06
OPENING = 0.03
CLOSING = 0.012
PROJECTING = 0.08
SQUASHING = 0.15

APPLY_WAYS = ("answers", "answers", "answers", "delay", "opening", "closing", "caller", "owner")
READ_MODEL_WAYS = ("project", "project", "rebuild", "rebuild-in-place")
SQUASH_WAYS = ("squash", "squash-caller", "squash-owner")
SQUASHING_SHARE = 0.3  # Of the cases.
READING = [
    *(("rows", table) for table in TABLES),
    ("status",),
    ("members",),
    ("log", "--reverse", "--limit", "20", "-p"),
    ("rows", "auth_user", "--as-of", "0"),
    ("export", "--reveal"),
    ("log", "--kind", "MemberAdded,UserRegistered"),
    ("project", "--dry-run"),
]
KNOWN = re.compile(r"(\d+) accepted(?: \((\d+) of them known already\))?, \d+ rejected, 0 invalid")


class Case:
    """One store, its kills and its checks."""

    # pylint: disable-next=too-many-arguments; a case is all of these.
    def __init__(self, history, random, squashing, store, start, facts):
        self.history = history
        self.random = random
        self.store = store
        self.start = start
        # Half of a long history's time would be spent on one bulk: few cases have one.
        self.bulk = random.random() < 0.06
        self.end = start + (BULK if self.bulk else random.randint(10, SLICE))
        self.historic = random.random() < 0.6
        self.squashing = None  # What decides about squashes, if there may be some.
        if squashing.random() < SQUASHING_SHARE:
            self.squashing = squashing
            self.historic = False  # A squash is of today, and history is applied in order.
        self.squashes = []  # Positions of the events that tell of squashes.
        self.read_model_file = os.path.join(store.directory, "read_model.sqlite3")
        self.next = start  # The first command whose answer is not known.
        self.sent = start  # Commands that ever were in a pipe.
        self.read_model = False
        self.owner = None  # Who lives beside what is killed, and has the store.
        self.facts = facts

    def run(self):
        for _ in range(self.random.choice((1, 1, 2, 3))):
            self.kill_one()
        self.check_all()

    def kill_one(self):
        for _ in range(TRIES):
            may_squash = self.squashing and self.history.ends[self.next] > 0
            if may_squash and self.squashing.random() < 0.5:
                way = self.squashing.choice(SQUASH_WAYS)
                killed = self.kill_squash(way)
            elif self.random.random() < 0.3 and self.history.ends[self.next] > 0:
                way = self.random.choice(READ_MODEL_WAYS)
                killed = self.kill_read_model(way)
            else:
                way = self.random.choice(APPLY_WAYS)
                killed = self.kill_apply(way)
            if killed:
                self.facts["kills"] += 1
                self.facts["kills." + way] += 1
                return
            self.facts["missed"] += 1
        check(False, f"no kill hit in {TRIES} tries")

    # --- kills ------------------------------------------------------------------------------------

    def kill_apply(self, way):
        """Feeds the commands that have no answer yet; whether the process was killed."""
        if not self.pending():
            self.end += self.random.randint(10, SLICE)
        options = ["--historic"] if self.historic else []
        if self.random.random() < 0.3:
            options += ["--batch", str(self.random.choice((1, 3, 10)))]
        pending = self.pending()
        lines = self.lines_of(pending)
        if way in ("caller", "owner") and not self.owner:
            self.owner = self.store.start_owner()
        feed = Feed(self.store.start("apply", *options), lines, self.window(way))
        now = time.monotonic()
        if way in ("answers", "closing"):
            wanted = len(lines) if way == "closing" else self.random.randint(0, len(lines) - 1)
            feed.run_until(wanted, now + PATIENCE_SECONDS)
            check(len(feed.answers) >= wanted, f"`apply` stops at {len(feed.answers)} answers")
            if way == "closing":
                feed.close_input()
                time.sleep(self.random.random() * CLOSING)
        else:
            span = OPENING if way == "opening" else RUN
            feed.run_until(len(lines) + 1, now + self.random.random() * span)
        killed = self.kill_owner(feed) if way == "owner" else feed.kill()
        self.take_answers(pending, feed)
        return killed

    def kill_squash(self, way):
        """Kills a squash, or the owner that does it while others write; whether it hit."""
        if way == "squash":
            self.dismiss_owner()
            killed = kill_after(self.start_squash(), self.squashing.random() * SQUASHING)
            self.read_squashes()
            return killed
        if not self.pending():
            self.end += self.squashing.randint(10, SLICE)
        if not self.owner:
            self.owner = self.store.start_owner()
        pending = self.pending()
        feed = Feed(self.store.start("apply"), self.lines_of(pending), self.window(way))
        squash = self.start_squash()
        moment = time.monotonic() + self.squashing.random() * SQUASHING
        feed.run_until(len(feed.lines) + 1, moment)
        if way == "squash-owner":
            killed = self.kill_owner(feed)
            finish(squash).expect(OK, UNAVAILABLE)
        else:
            killed = kill(squash)
            end(squash)
            feed.finish().expect(*APPLIED)
            self.dismiss_owner()  # Whatever it does of the squash is done.
        self.read_squashes()
        self.take_answers(pending, feed)
        return killed

    def start_squash(self):
        tail = self.history.ends[self.next]
        elsewhere = os.path.join(os.path.dirname(self.store.directory), "elsewhere")
        options = self.squashing.choice(
            (
                [],
                [],
                ["--scope", "tenants"],
                ["--scope", "auth,core"],
                ["--through", str(self.squashing.randint(1, tail))],
                ["--archive", elsewhere],
            )
        )
        return self.store.start("squash", "-q", *options)

    def read_squashes(self):
        before = len(self.squashes)
        self.squashes = [told["position"] for told in self.store.records("squashes")]
        check(len(self.squashes) >= before, "a squash is undone")
        self.facts["squashed_scopes"] += len(self.squashes) - before

    def plain(self, position):
        """Where it would be without squashes."""
        return position - bisect.bisect_left(self.squashes, position)

    def kill_owner(self, feed):
        """Whoever went through it goes on, or cannot know what became of what was under way."""
        killed = kill(self.owner)
        end(self.owner)
        self.owner = None
        done = feed.finish()
        if done.code == UNAVAILABLE:
            done.expect_error(UNAVAILABLE, "unavailable")
            check("nobody knows" in done.err, f"{done}: not what an owner leaves behind")
            check(len(feed.answers) < len(feed.lines), f"{done}: there was nothing under way")
            self.facts["owner.unknown"] += 1
        else:
            done.expect(*APPLIED)
            self.facts["owner.succeeded"] += 1
        return killed

    def dismiss_owner(self):
        if self.owner:
            self.owner.send_signal(signal.SIGTERM)
            finish(self.owner).expect(INTERRUPTED)
            self.owner = None

    def pending(self):
        """The commands that are sent next: those that have no answer, as a client would do.

        Not what a rule refused in the undisturbed run, if it was sent before: the store keeps no
        answer to that, and may know later commands by now, so that it could decide otherwise.
        """
        open_ones = range(self.next, self.end)
        return [i for i in open_ones if i >= self.sent or self.history.accepted(i)]

    def lines_of(self, indexes):
        commands = self.history.commands
        return [encode(commands[i], self.historic) for i in indexes]

    def window(self, way):
        if self.bulk or way == "opening":
            return BULK
        return self.random.choice(WINDOWS)

    def take_answers(self, pending, feed):
        """Holds the answers against the undisturbed ones; what is open has an unknown fate."""
        for index, line in zip(pending, feed.answers):
            self.check_answer(index, line)
        ends = [*pending, self.end]
        self.next = ends[len(feed.answers)]
        self.sent = max(self.sent, ends[feed.sent])
        if self.sent > self.next:
            self.facts["kills.with_open_answers"] += 1
        self.facts["answers_before_kills"] += len(feed.answers)

    def check_answer(self, index, line):
        answer, first = without_line(line), self.history.answers[index]
        if "positions" in answer:
            answer["positions"] = [self.plain(position) for position in answer["positions"]]
        check(
            answer == first,
            f"command {index} is answered {answer}, and was {first} in the undisturbed run",
        )

    def kill_read_model(self, way):
        """Kills what fills the read model; whether it hit."""
        self.read_model = True
        arguments = {
            "project": ["project", "--batch", str(self.random.choice((1, 2, 5, 20, 200)))],
            "rebuild": ["rebuild", "--yes"],
            "rebuild-in-place": ["rebuild", "--in-place", "--yes"],
        }[way]
        if way == "rebuild-in-place":
            self.store.run("project").expect(OK)  # There must be tables.
        if way != "project" and self.random.random() < 0.3:
            arguments.append("--from-events")
        process = self.store.start(*arguments, "-q")
        return kill_after(process, self.random.random() * PROJECTING)

    # --- checks -----------------------------------------------------------------------------------

    def check_all(self):
        # Which of these opens the store after the kill is left to chance: each must do.
        if self.random.random() < 0.5:
            self.dismiss_owner()
        steps = [self.check_log]
        if self.random.random() < 0.5:
            steps.append(self.check_reading)
        self.random.shuffle(steps)
        for step in steps:
            step()
        self.check_verify()
        self.check_retries()
        if self.read_model or self.random.random() < 0.6:
            self.check_end()
        self.dismiss_owner()

    def log_after_start(self):
        before = self.history.ends[self.start]
        found = self.store.run("log", "--reveal", "--after", str(before)).expect(OK)
        lines = found.out.splitlines()
        return self.without_squashes(lines) if self.squashes else lines

    def without_squashes(self, lines):
        events = [json.loads(line) for line in lines]
        told = [event["position"] for event in events if event["kind"] == "ScopeSquashed"]
        check(told == self.squashes, f"squashes at {told}, not at {self.squashes}")
        kept = [event for event in events if event["kind"] != "ScopeSquashed"]
        for event in kept:
            event["position"] = self.plain(event["position"])
        return [json.dumps(event) for event in kept]

    def check_log(self):
        """What is there is a beginning of the undisturbed log, and ends with a whole command."""
        found = self.log_after_start()
        ends = self.history.ends
        tail = ends[self.start] + len(found)
        self.compare_log(found)
        check(
            tail >= ends[self.next],
            f"answered up to command {self.next - 1}, so up to position {ends[self.next]}, but the"
            f" log ends at {tail}",
        )
        check(
            tail <= ends[self.sent],
            f"the log ends at {tail}, but what was sent ends at {ends[self.sent]}",
        )
        check(
            tail in ends[self.next : self.sent + 1],
            f"the log ends at {tail}, in the middle of a command",
        )
        self.facts["unanswered_but_kept"] += tail - ends[self.next]
        self.tail = tail

    def compare_log(self, found):
        first = self.history.ends[self.start]
        kept = self.history.log[first : first + len(found)]
        check(len(kept) == len(found), f"the log has {len(found) - len(kept)} events too many")
        for at, (line, right) in enumerate(zip(found, kept)):
            same = line == right if self.historic else without_time(line) == without_time(right)
            check(same, f"event {first + 1 + at} is {line}, and {right} in the undisturbed run")

    def check_reading(self):
        self.store.run(*self.random.choice(READING)).expect(OK)

    def check_verify(self):
        """The store, and a read model that was being written: at its checkpoint, wherever it is."""
        full = self.read_model or self.random.random() < 0.2 or self.squashes
        depth = "--full" if full else "--quick"
        if not self.read_model:
            self.store.run("verify", depth).expect(OK)
            self.facts["verify." + depth[2:]] += 1
            return
        state = self.store.records("status")[0]["read_model"]["state"]
        self.facts["read_model." + state] += 1
        if state in ("absent", "not_ours"):  # Without tables, or with empty ones and no mark yet.
            named = f"sqlite:{self.read_model_file}"
            found = self.store.run("verify", depth, read_model=named)
            found.expect_error(NOT_FOUND, "read_model_absent")
        else:
            self.store.run("verify", depth).expect(OK)

    def check_retries(self):
        """Every command that was accepted or is unknown, once more."""
        history = self.history
        again = [i for i in range(self.start, self.next) if history.accepted(i)]
        sent = again + self.pending()
        options = ["--historic"] if self.historic else []
        lines = b"".join(self.lines_of(sent))
        done = self.store.run("apply", *options, stdin=lines).expect(*APPLIED)
        answers = done.out.splitlines()
        check(len(answers) == len(sent), f"{len(answers)} answers to {len(sent)} retries")
        for index, line in zip(sent, answers):
            self.check_answer(index, line)
        self.check_known(done.err, len(again))
        for name in ("elsewhere", os.path.join("store", "archive")):
            place = os.path.join(os.path.dirname(self.store.directory), name)
            found = os.listdir(place) if os.path.exists(place) else []
            left = [file for file in found if file.endswith(".tmp")]
            check(not left, f"{left} are left in {name}, though the store was opened")

    def check_known(self, summary, answered):
        """How many of the retries the store says that it knew."""
        told = KNOWN.search(summary)
        check(told, f"`apply` does not say how many it knew: {summary}")
        known = int(told.group(2) or 0)
        ends, history = self.history.ends, self.history
        # Accepted commands without an event leave no trace in the log: between these two.
        least = sum(history.accepted(i) for i in range(self.next, self.end) if self.kept(i))
        last = max(i for i in range(self.next, self.sent + 1) if ends[i] == self.tail)
        most = sum(history.accepted(i) for i in range(self.next, last))
        check(
            answered + least <= known <= answered + most,
            f"{known} retries were known, not {answered + least} to {answered + most}",
        )
        self.facts["retries_known"] += known

    def kept(self, index):
        """Whether the log showed that the command was there before it was sent again."""
        return self.history.events_of(index) > 0 and self.history.ends[index + 1] <= self.tail

    def check_end(self):
        """All is there once, as in the undisturbed run."""
        found = self.log_after_start()
        self.compare_log(found)
        tail = self.history.ends[self.start] + len(found)
        check(
            tail == self.history.ends[self.end],
            f"after all retries the log ends at {tail}, not at {self.history.ends[self.end]}",
        )
        if self.read_model:
            self.check_read_model(tail)
        elif self.random.random() < 0.2:
            self.store.run("verify").expect(OK)

    def check_read_model(self, tail):
        if self.random.random() < 0.5:
            self.store.run("rebuild", "-q", "--yes").expect(OK)
        done = self.store.records("project", "-q")[0]
        ends_at = self.plain(done["checkpoint"] + 1) - 1
        check(ends_at == tail, f"the read model ends at {ends_at}, not at {tail}")
        self.store.run("verify").expect(OK)
        left = [name for name in os.listdir(self.store.directory) if ".loading-" in name]
        self.facts["left_over_loads"] += len(left)


class KillStage(Stage):
    def prepare(self, seeds):
        self.histories = Histories(self.program, self.place)
        self.histories.make(seeds)

    def run_case(self, seed, place):
        history = self.histories.of(seed)
        random = generator("kill", seed)
        start = random.choices(history.starts, (20, 30, 30, 15, 5))[0]
        store = history.store(start, os.path.join(place, "store"))
        squashing = generator("squash", seed)
        Case(history, random, squashing, store, start, self.facts).run()

    def judge(self, facts, cases):
        if cases < 50:
            return
        ways = sorted({*APPLY_WAYS, *READ_MODEL_WAYS})
        facts_needed = ["unanswered_but_kept", "answers_before_kills", "retries_known"]
        facts_needed += ["owner.unknown", "owner.succeeded"]
        yield from never(facts, [*("kills." + way for way in ways), *facts_needed])
        if cases >= 300:
            yield from never(facts, [*("kills." + way for way in SQUASH_WAYS), "squashed_scopes"])
        share = facts["kills.with_open_answers"] / facts["kills"]
        if share < 0.25:
            yield f"only {share:.0%} of the kills hit while answers were open"


if __name__ == "__main__":
    exit_with(KillStage, __doc__)
