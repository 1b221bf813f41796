"""Whether a history of several threads on one store is linearizable.

It is if every call can be given a moment between its beginning and its end such that the model,
called in that order, answers the same. The store itself says the order of the commands that changed
something: their positions. So this needs no search:

 1. positions have no gap, and their order is one that the moments allow;
 2. the model, given the commands in that order, answers as the store did;
 3. every other call (refused, without effect, a repeated answer, a read) is explained by a state
    that there was between its beginning and its end, and not by one older than what a call that
    was over before it has seen.
"""

import json
from dataclasses import dataclass

import linear_model as model
from driver import Failure


class Unexplained(Failure):
    """The history is not linearizable; says which call, and why."""


@dataclass
class Call:
    """A command of a call of its own or of several, or a read."""

    thread: int
    kind: str
    called: int
    answered: int
    what: dict  # The command; of a read its name.
    answer: object
    place: tuple  # In the history: line, command in it.
    state: int = None  # Commands that changed something before it.
    choice: bool = False  # It overlaps a change, so that more than one state may explain it.

    def __str__(self):
        return f"{self.kind} {json.dumps(self.what)} of thread {self.thread}"

    @property
    def is_command(self):
        return self.kind.startswith("submit")

    @property
    def changes(self):
        return (
            self.is_command and not self.answer.get("repeated") and self.answer.get("count", 0) > 0
        )


def read_calls(lines):
    calls = []
    for number, line in enumerate(lines):
        record = json.loads(line)
        moments = (record["thread"], record["kind"], record["called"], record["answered"])
        if "commands" not in record:
            name = record.get("name")
            calls.append(Call(*moments, name, record["answer"], (number, 0)))
            continue
        if len(record["answer"]) != len(record["commands"]):
            raise Unexplained(f"{len(record['answer'])} answers to {record['commands']}")
        for at, (command, answer) in enumerate(zip(record["commands"], record["answer"])):
            calls.append(Call(*moments, command, answer, (number, at)))
    return calls


# --- 1: the order of changes ----------------------------------------------------------------------


def ordered_changes(calls):
    changes = sorted(
        (call for call in calls if call.changes), key=lambda call: call.answer["first"]
    )
    expected = 1
    latest = None  # The call that began last among those before.
    for call in changes:
        if call.answer["first"] != expected:
            raise Unexplained(f"{call}: at position {call.answer['first']}, not {expected}")
        expected += call.answer["count"]
        if latest and latest.called > call.answered:
            raise Unexplained(f"{call}: was answered before {latest} began, but comes after it")
        if latest is None or call.called > latest.called:
            latest = call
    check_own_order(changes)
    return changes


def check_own_order(changes):
    """Commands of one thread are decided in the order in which they were sent."""
    last = {}
    for call in changes:
        before = last.get(call.thread)
        if before and (before.called, before.place) > (call.called, call.place):
            raise Unexplained(f"{call}: overtook {before}, which its thread sent later")
        last[call.thread] = call


# --- 2: what the changes answered -----------------------------------------------------------------


def expected_answer(outcome):
    return (
        {"code": outcome}
        if isinstance(outcome, str)
        else {
            "count": outcome.count,
            "entity": outcome.entity,
        }
    )


def agrees(answer, outcome):
    expected = expected_answer(outcome)
    return all(answer.get(key) == value for key, value in expected.items()) and (
        ("code" in answer) == ("code" in expected)
    )


def states_of(changes):
    """The state before every change, and the one after all."""
    states = [model.State()]
    for number, call in enumerate(changes, 1):
        state, outcome = model.decide(states[-1], call.what)
        if not agrees(call.answer, outcome):
            raise Unexplained(
                f"{call}: answered {call.answer}, the model {expected_answer(outcome)}"
            )
        call.state = number
        states.append(state)
    return states


# --- 3: everything else ---------------------------------------------------------------------------


class FirstAnswers:
    """By id, the call that was accepted under it; other calls with it are judged by that."""

    def __init__(self, calls):
        self._first = {}
        for call in calls:
            if not call.is_command or "id" not in call.what:
                continue
            if "code" in call.answer or call.answer["repeated"]:
                continue
            if self._first.setdefault(call.what["id"], call) is not call:
                raise Unexplained(f"{call}: was accepted though its id was, too")

    def of(self, call):
        first = self._first.get(call.what.get("id"))
        return None if first is call else first


def same_request(left, right):
    return all(left.get(key) == right.get(key) for key in ("command", "data"))


def check_later(call, first):
    """A call that was told of the first answer under its id."""
    if first is None:
        raise Unexplained(f"{call}: {call.answer}, though no command was accepted under its id")
    if call.answered < first.called:
        raise Unexplained(f"{call}: tells of {first}, which began after its end")
    same = same_request(call.what, first.what)
    if call.answer.get("code") == "id_reused":
        if same:
            raise Unexplained(f"{call}: is told id_reused, but is the same as {first}")
        return
    keys = ("first", "count", "entity")
    if not same or any(call.answer.get(key) != first.answer.get(key) for key in keys):
        raise Unexplained(f"{call}: {call.answer} repeats {first.answer} of {first}")


def explained_by(call, state, positions):
    """Whether the call would be answered so on the state."""
    if call.kind == "resolve_host":
        return call.answer == model.resolve_host(state, call.what)
    if call.kind == "resolve_user":
        return call.answer == model.resolve_user(state, call.what)
    if call.kind == "tail":
        return call.answer == positions
    if call.kind == "state":
        return call.answer["tail"] == positions and not model.different_table(state, call.answer)
    outcome = model.decide(state, call.what)[1]
    # What changes something would have been a change.
    without_effect = isinstance(outcome, str) or outcome.count == 0
    return without_effect and agrees(call.answer, outcome)


def bounds_of(call, changes, first):
    """The first and the last state that its moment can meet, counted in changes before it."""
    lowest, highest = 0, len(changes)
    for number, change in enumerate(changes, 1):
        own = change.place[0] == call.place[0]  # Of one call, whose commands keep their order.
        if change.answered < call.called or (own and change.place < call.place):
            lowest = number
        after = change.called > call.answered or (own and change.place > call.place)
        if after:
            highest = min(highest, number - 1)
    if first is not None and first.changes:
        if call.answer.get("repeated") or call.answer.get("code") == "id_reused":
            lowest = max(lowest, first.state)
        else:
            highest = min(highest, first.state - 1)
    return lowest, highest


def place_call(call, changes, states, seen, answers):
    """Gives the call the earliest state that explains it."""
    first = answers.of(call) if call.is_command else None
    told = call.is_command and (
        call.answer.get("repeated") or call.answer.get("code") == "id_reused"
    )
    if told:
        check_later(call, first)
    elif first is not None and first.answered < call.called:
        raise Unexplained(f"{call}: {call.answer}, though {first} was accepted under its id before")
    lowest, highest = bounds_of(call, changes, first)
    call.choice = highest > max(lowest, seen)
    for number in range(max(lowest, seen), highest + 1):
        before = changes[number - 1].answer if number else {"first": 1, "count": 0}
        positions = before["first"] + before["count"] - 1
        if told or explained_by(call, states[number], positions):
            call.state = number
            return
    raise Unexplained(
        f"{call}: no state after {lowest} to {highest} changes, of which {seen} were seen by a call"
        f" before it, explains {json.dumps(call.answer)[:300]}"
    )


def place_others(calls, changes, states):
    """In the order of their ends: whatever was over before a call began is placed before it."""
    answers = FirstAnswers(calls)
    placed = []  # (end, the latest state that a call which ended by then has seen)
    for call in sorted(calls, key=lambda call: (call.answered, call.place)):
        seen = max(
            (state for end, line, state in placed if end < call.called or (line == call.place[0])),
            default=0,
        )
        if call.changes:
            if call.state <= seen:
                raise Unexplained(f"{call}: its change was seen by a call that was over before it")
        else:
            place_call(call, changes, states, seen, answers)
        placed.append((call.answered, call.place[0], call.state))


def check(lines):
    """The calls, and those that met changes; Unexplained if they are not linearizable."""
    calls = read_calls(lines)
    changes = ordered_changes(calls)
    states = states_of(changes)
    place_others(calls, changes, states)
    return len(calls), sum(call.choice for call in calls)
