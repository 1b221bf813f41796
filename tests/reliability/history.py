"""Histories that were applied without any fault: what stores that met faults are held against.

The commands of a seed are applied by one undisturbed run of `apply`; its answers and its log are
kept, and copies of the store at a few places on the way. A case goes on from such a copy with the
commands that follow, and whatever happens to it, its log must be the beginning of the kept one,
and its answers the kept ones.
"""

import json
import os
import random

from commands import Commands, encode
from driver import APPLIED, OK, Failure, Store

STARTS = (0, 25, 200, 1500, 6000)
TAIL = 1500  # Commands after the last start.


class History:
    """Commands 0, 1, …, their answers, and the log after them."""

    def __init__(self, program, seed, place, starts=STARTS, tail=TAIL):
        self.program = program
        self.place = place
        self.starts = starts
        made = Commands(seed)
        self.commands = [made.line() for _ in range(starts[-1] + tail)]
        self.answers = []  # Objects without their line numbers.
        self.log = []  # Lines of the log as they are printed.
        self.ends = [0]  # After so many commands, so many events.
        self.apply()
        self.check_reference()

    def apply(self):
        store = Store(self.program, os.path.join(self.place, "reference"))
        store.run("init").expect(OK)
        for begin, through in zip(self.starts, [*self.starts[1:], len(self.commands)]):
            store.copy(self.at(begin))
            lines = b"".join(self.lines(begin, through, historic=True))
            done = store.run("apply", "--historic", stdin=lines).expect(*APPLIED)
            self.answers += [without_line(line) for line in done.out.splitlines()]
        self.log = store.run("log", "--reveal").expect(OK).out.splitlines()
        store.run("verify").expect(OK)

    def check_reference(self):
        """What every log must fulfil, before anything is compared with this one."""
        if len(self.answers) != len(self.commands):
            raise Failure("the undisturbed run did not answer every command")
        for command, answer in zip(self.commands, self.answers):
            positions = answer.get("positions", [])
            end = self.ends[-1] + len(positions)
            if positions != list(range(self.ends[-1] + 1, end + 1)):
                raise Failure(f"the undisturbed run skips positions: {answer}")
            for position in positions:
                event = json.loads(self.log[position - 1])
                if event["position"] != position or event["command_id"] != command["id"]:
                    raise Failure(f"the undisturbed run has another event there: {event}")
            self.ends.append(end)
        if len(self.log) != self.ends[-1]:
            raise Failure("the undisturbed run has events that it did not answer")
        accepted = sum(answer["status"] == "accepted" for answer in self.answers)
        if not 0.4 <= accepted / len(self.answers) <= 0.95:
            raise Failure(
                f"of {len(self.answers)} commands {accepted} are accepted: a poor mixture"
            )

    def at(self, start):
        return os.path.join(self.place, f"at-{start}")

    def store(self, start, directory):
        """A copy of the store as it was before command `start`."""
        return Store(self.program, self.at(start)).copy(directory)

    def lines(self, begin, through, historic):
        return [encode(command, historic) for command in self.commands[begin:through]]

    def events_of(self, index):
        return self.ends[index + 1] - self.ends[index]

    def accepted(self, index):
        return self.answers[index]["status"] == "accepted"


def without_line(text):
    answer = json.loads(text)
    del answer["line"]
    return answer


def without_time(text):
    """What does not depend on when it was recorded."""
    event = json.loads(text)
    del event["recorded_at"]
    event["data"].pop("accepted_at", None)
    return event


class Histories:
    """A few histories for all cases of a run: a case belongs to one of them by its seed."""

    def __init__(self, program, place, starts=STARTS, tail=TAIL, count=6):
        self.program = program
        self.place = place
        self.extent = (starts, tail)
        self.count = count
        self.made = {}

    def make(self, seeds):
        for number in sorted({seed % self.count for seed in seeds}):
            directory = os.path.join(self.place, f"history-{number}")
            os.mkdir(directory)
            self.made[number] = History(self.program, number, directory, *self.extent)

    def of(self, seed):
        return self.made[seed % self.count]


def generator(stage, seed):
    """What decides all about a case."""
    return random.Random(f"{stage} {seed}")
