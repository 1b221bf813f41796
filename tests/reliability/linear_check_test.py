"""Histories that are linearizable, and some that are not: linear_check must tell them apart."""

import json
import unittest

import linear_check

A, B, C = 0, 1, 2  # Threads.
ID = "00000000-0000-4000-8000-000000000001"


def register(name, mark="m", **more):
    data = {"username": name, "email": "e@x.io", "first_name": mark}
    return {"command": "register_user", "data": data, **more}


def protein(name, **more):
    return {"command": "add_protein", "data": {"name": name}, **more}


def changed(first, kind, key, name, count=1, repeated=False):
    entity = [kind, str(key), name]
    return {"first": first, "count": count, "repeated": repeated, "entity": entity}


def refused(code):
    return {"code": code}


def command(thread, called, answered, what, answer, kind="submit"):
    return several(thread, called, answered, [(what, answer)], kind)


def several(thread, called, answered, pairs, kind="submit"):
    return {
        "thread": thread,
        "kind": kind,
        "called": called,
        "answered": answered,
        "commands": [what for what, _ in pairs],
        "answer": [answer for _, answer in pairs],
    }


def read(thread, called, answered, kind, answer, name=None):
    record = {"thread": thread, "kind": kind, "called": called, "answered": answered}
    return (
        {**record, "answer": answer} if name is None else {**record, "name": name, "answer": answer}
    )


def check(*records):
    return linear_check.check([json.dumps(record) for record in records])


ANN = changed(1, "user", 1, "ann")


class LinearCheckTest(unittest.TestCase):
    def refuses(self, words, *records):
        with self.assertRaisesRegex(linear_check.Unexplained, words):
            check(*records)

    # --- what is linearizable ---

    def test_calls_one_after_the_other(self):
        check(
            command(A, 1, 2, register("ann"), ANN),
            command(B, 3, 4, register("ann"), refused("username_taken")),
            read(C, 5, 6, "tail", 1),
        )

    def test_overlapping_calls_in_either_order(self):
        check(
            command(A, 1, 4, register("ann"), changed(2, "user", 2, "ann")),
            command(B, 2, 3, register("bob"), changed(1, "user", 1, "bob")),
        )

    def test_a_read_that_overlaps_a_change_sees_it_or_not(self):
        for tail in (0, 1):
            check(command(A, 1, 4, register("ann"), ANN), read(B, 2, 3, "tail", tail))

    def test_counts_calls_and_those_that_met_a_change(self):
        calls = check(
            command(A, 1, 4, register("ann"), ANN),
            read(B, 2, 3, "tail", 0),
            read(B, 5, 6, "tail", 1),
        )
        self.assertEqual(calls, (3, 1))

    def test_a_repeated_answer(self):
        check(
            command(A, 1, 4, register("ann", id=ID), ANN),
            command(B, 2, 5, register("ann", id=ID), {**ANN, "repeated": True}),
            command(B, 6, 7, register("ann", mark="n", id=ID), refused("id_reused")),
        )

    # --- the order of changes ---

    def test_a_gap_between_positions(self):
        self.refuses(
            "at position 3, not 2",
            command(A, 1, 2, register("ann"), ANN),
            command(A, 3, 4, register("bob"), changed(3, "user", 2, "bob")),
        )

    def test_one_position_twice(self):
        self.refuses(
            "at position 1, not 2",
            command(A, 1, 2, register("ann"), ANN),
            command(B, 1, 2, register("bob"), changed(1, "user", 2, "bob")),
        )

    def test_positions_against_the_moments(self):
        self.refuses(
            "was answered before",
            command(A, 3, 4, register("ann"), ANN),
            command(B, 1, 2, register("bob"), changed(2, "user", 2, "bob")),
        )

    def test_a_command_that_overtakes_one_of_its_thread(self):
        self.refuses(
            "overtook",
            command(A, 1, 4, register("ann"), changed(2, "user", 2, "ann"), "submit_later"),
            command(A, 2, 5, register("bob"), changed(1, "user", 1, "bob"), "submit_later"),
        )

    # --- rules ---

    def test_a_unique_name_given_twice(self):
        self.refuses(
            "the model {'code': 'username_taken'}",
            command(A, 1, 4, register("ann"), ANN),
            command(B, 2, 3, register("ann"), changed(2, "user", 2, "ann")),
        )

    def test_a_wrong_id_or_number_of_events(self):
        self.refuses("the model", command(A, 1, 2, register("ann"), changed(1, "user", 7, "ann")))
        self.refuses(
            "the model", command(A, 1, 2, register("ann"), changed(1, "user", 1, "ann", count=2))
        )

    def test_a_refusal_that_no_state_explains(self):
        self.refuses(
            "explains",
            command(A, 1, 2, register("ann"), ANN),
            command(B, 3, 4, register("bob"), refused("username_taken")),
        )

    def test_a_refusal_by_what_came_later(self):
        self.refuses(
            "explains",
            command(B, 1, 2, register("ann"), refused("username_taken")),
            command(A, 3, 4, register("ann"), ANN),
        )

    def test_commands_of_one_call_keep_their_order(self):
        pairs = [(register("ann"), refused("username_taken")), (register("ann"), ANN)]
        self.refuses("explains", several(A, 1, 2, pairs))
        check(several(A, 1, 2, pairs[::-1]))

    # --- ids ---

    def test_two_first_answers_under_one_id(self):
        self.refuses(
            "was accepted though its id was, too",
            command(A, 1, 2, register("ann", id=ID), ANN),
            command(B, 3, 4, protein("p", id=ID), changed(2, "protein", 1, "p")),
        )

    def test_a_repeated_answer_that_is_another(self):
        self.refuses(
            "repeats",
            command(A, 1, 2, register("ann", id=ID), ANN),
            command(B, 3, 4, register("ann", id=ID), {**ANN, "count": 2, "repeated": True}),
        )

    def test_a_repeated_answer_before_the_first(self):
        self.refuses(
            "began after its end",
            command(B, 1, 2, register("ann", id=ID), {**ANN, "repeated": True}),
            command(A, 3, 4, register("ann", id=ID), ANN),
        )

    def test_a_retry_that_is_decided_anew(self):
        self.refuses(
            "was accepted under its id before",
            command(A, 1, 2, register("ann", id=ID), ANN),
            command(B, 3, 4, register("ann", id=ID), refused("username_taken")),
        )

    def test_a_repeated_answer_without_a_first(self):
        self.refuses(
            "no command was accepted",
            command(B, 1, 2, register("ann", id=ID), {**ANN, "repeated": True}),
        )

    def test_id_reused_for_the_same_content(self):
        self.refuses(
            "is the same as",
            command(A, 1, 2, register("ann", id=ID), ANN),
            command(B, 3, 4, register("ann", id=ID), refused("id_reused")),
        )

    # --- reads ---

    def test_a_stale_read(self):
        self.refuses("explains", command(A, 1, 2, register("ann"), ANN), read(B, 3, 4, "tail", 0))

    def test_a_read_of_what_comes_later(self):
        self.refuses("explains", read(B, 1, 2, "tail", 1), command(A, 3, 4, register("ann"), ANN))

    def test_reads_that_go_back(self):
        self.refuses(
            "explains",
            command(A, 1, 8, register("ann"), ANN),
            read(B, 2, 3, "tail", 1),
            read(C, 4, 5, "tail", 0),
        )

    def test_a_refusal_after_a_read_that_saw_the_reason_go(self):
        remove = {"command": "delete_user", "data": {"user": "ann", "force": False}}
        self.refuses(
            "explains",
            command(A, 1, 2, register("ann"), ANN),
            command(A, 3, 10, remove, changed(2, "user", 1, "ann")),
            read(B, 4, 5, "tail", 2),
            command(C, 6, 7, register("ann"), refused("username_taken")),
        )

    def test_a_state_without_a_row(self):
        tables = {name: [] for name in linear_check.model.COLUMNS}
        row = {"id": 1, "username": "ann", "email": "e@x.io", "first_name": "m"}
        whole = {"tail": 1, **tables, "auth_user": [row]}
        first = command(A, 1, 2, register("ann"), ANN)
        check(first, read(B, 3, 4, "state", whole))
        self.refuses("explains", first, read(B, 3, 4, "state", {**whole, "auth_user": []}))
        other = {**whole, "auth_user": [{**row, "first_name": "n"}]}
        self.refuses("explains", first, read(B, 3, 4, "state", other))

    def test_a_tenant_resolved_by_what_it_is_not(self):
        uuid = "00000000-0000-4000-8000-00000000000a"
        data = {"id": uuid, "name": "m", "slug": "s0"}
        create = {"command": "create_tenant", "data": data}
        first = command(A, 1, 2, create, changed(1, "tenant", uuid, "s0"))
        answer = {"tenant": uuid, "slug": "s0", "name": "m", "matched": "subdomain"}
        check(first, read(B, 3, 4, "resolve_host", answer, "s0.io"))
        self.refuses("explains", first, read(B, 3, 4, "resolve_host", answer, "s1.io"))
        self.refuses(
            "explains", first, read(B, 3, 4, "resolve_host", {"code": "not_found"}, "s0.io")
        )


if __name__ == "__main__":
    unittest.main()
