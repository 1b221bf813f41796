"""Two stores that got the same commands, of which one is squashed: who asks both must be answered
alike.

A squash adds to the log one event of scope `system` for each scope that it squashed. So whatever
follows has higher positions in the squashed store than in its twin, by the number of such events
before it, and nothing else differs. That is what is compared: positions of the squashed store are
counted without these events (`plain`), which is the twin's numbering; where a question names a
position, the squashed store is asked for the same event (`At`). All other bytes of an answer, and
the order of its lines, have to be the same: places in scopes and streams, payloads, times, ids.
Commands that name an event as their cause name the same event to both.
The events of squashes themselves are left out of logs, and have to be those that `squashes` lists.

Chain hashes cover positions. Both stores begin as copies of one, with one id, so they have equal
hashes up to the first squash; behind it hashes are not compared, and `verify --full` proves each
store's own.

A squash happens at the time of the event before it: the program is given a clock (given_clock.cc).
So no time differs, none goes back, and questions about times mean the same events in both.
"""

import bisect
import itertools
import json
import os
import re
import threading
from dataclasses import dataclass

from cases import check
from driver import OK, Store, finish

FIRST_POSITION = re.compile(rb'^\{"position":(\d+)')
OF_SQUASH = re.compile(rb'^\{"position":(\d+),"recorded_at":"[^"]*","scope":"system"')
# Each of their lines names one position, at its beginning, or none.
PLAIN_LINES = ("log", "history", "rows", "export")
POSITIONS = ("position", "causation_position")
LISTS_OF_POSITIONS = ("positions", "other_events_of_command")


@dataclass(frozen=True)
class At:
    """A position in a question, as the twin counts."""

    position: int


@dataclass(frozen=True)
class AtSquash:
    """Where the squashed store tells of a squash; in the twin, the event before it."""

    position: int


class Twins:
    """The stores, made in `place`."""

    def __init__(self, program, place, patience_seconds):
        self.patience_seconds = patience_seconds
        self.squashed = Store(program, os.path.join(place, "squashed"))
        self.squashed.run("init").expect(OK)
        self.twin = self.squashed.copy(os.path.join(place, "twin"))
        self.stores = (self.twin, self.squashed)
        self.squashes = []  # Positions of the events that tell of squashes.
        self.left_out = []  # Those that the last answer had.

    def read_squashes(self):
        self.squashes = [told["position"] for told in self.squashed.records("squashes")]

    def plain(self, position):
        """In the twin, of what has that position in the squashed store."""
        return position - bisect.bisect_left(self.squashes, position)

    def shifted(self, position):
        """In the squashed store, of what has that position in the twin."""
        for squash in self.squashes:
            position += squash <= position
        return position

    def run(self, store, *arguments, **options):
        done = store.run(*arguments, seconds_max=self.patience_seconds, **options)
        return done.expect(OK)

    # --- asking -----------------------------------------------------------------------------------

    def ask(self, *question, stdins=(None, None), codes=(OK,)):
        """Both answer alike, with one of these exit codes; how many lines."""
        number = 0
        lines = self.lines(question, stdins=stdins, codes=codes)
        for number, (twin, squashed) in enumerate(lines, 1):
            expected = twin and self.without_hash(twin, question)
            found = squashed and self.without_shift(squashed, question)
            check(expected == found, f"{question}: line {number} is {squashed}, not as {twin}")
        return number

    def both(self, *arguments, models=(None, None)):
        """The records of a verb that both run at the same time."""
        lines = self.lines(arguments, models)
        return [[json.loads(line) for line in of_one if line] for of_one in zip(*lines)]

    def lines(self, words, models=(None, None), stdins=(None, None), codes=(OK,)):
        """Pairs of lines, as the two print them; none where one has no more."""
        processes = []
        for store, model, stdin in zip(self.stores, models, stdins):
            own = [self.word(word, store) for word in words]
            more = {"stdin": stdin} if stdin else {}
            processes.append(store.start(*own, "-q", "-o", "ndjson", read_model=model, **more))
        patience = threading.Timer(
            self.patience_seconds, lambda: [process.kill() for process in processes]
        )
        patience.start()
        try:
            twin, squashed = (process.stdout for process in processes)
            yield from itertools.zip_longest(twin, self.without_squashes(squashed))
        finally:
            patience.cancel()
        done = [finish(process).expect(*codes) for process in processes]
        ends = [(one.code, one.error_code()) for one in done]
        check(ends[0] == ends[1], f"{words}: ended with {ends[1]}, the twin with {ends[0]}")

    def word(self, word, store):
        is_squashed = store is self.squashed
        if isinstance(word, At):
            return str(self.shifted(word.position) if is_squashed else word.position)
        if isinstance(word, AtSquash):
            return str(word.position if is_squashed else self.plain(word.position) - 1)
        return word

    def without_squashes(self, lines):
        self.left_out = []
        for line in lines:
            if told := OF_SQUASH.match(line):
                self.left_out.append(int(told.group(1)))
            else:
                yield line

    def without_shift(self, line, question):
        """A line of the squashed store, as the twin would have it."""
        if question[0] in PLAIN_LINES:
            return FIRST_POSITION.sub(
                lambda found: b'{"position":%d' % self.plain(int(found.group(1))), line, 1
            )
        record = self.without_hash(line, question)
        for name in POSITIONS:
            if record.get(name):
                record[name] = self.plain(record[name])
        for name in LISTS_OF_POSITIONS:
            if name in record:
                record[name] = [self.plain(position) for position in record[name]]
        return record

    def without_hash(self, line, question):
        """A line of the twin, as it is compared."""
        if question[0] in PLAIN_LINES:
            return line
        record = json.loads(line)
        if self.squashes and record.get("position", 0) >= self.squashes[0]:
            record.pop("chain_hash", None)
        return record
