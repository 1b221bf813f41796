"""Terminates the server's process behind a projector, before, during and after its COMMIT.

A case has a store and a read model that is behind it, or empty. `project`, `project --follow` or
`rebuild` works through a proxy that knows the protocol, so that pg_terminate_backend comes at a
known place. Afterwards mark and rows must agree; where the place was before the COMMIT nothing may
have changed, and where it was after it everything must have, known to the projector or not. Run
again, it goes on from there, and nothing is applied twice.
"""

import re
import threading
import time

from cases import check, exit_with, never, wait_until
from driver import INTERRUPTED, OK, end
from message_proxy import COMMIT, Interest
from postgres_server import ReadModel
from read_model_case import ReadModelCase, ReadModelStage

GATE = 4711  # The advisory lock that holds a COMMIT back.
WAYS = (
    "any-message",
    "any-message",
    "before-commit",
    "before-commit",
    "at-commit",
    "at-commit",
    "in-commit",
    "after-commit-unknown",
    "after-commit-unknown",
    "after-commit-known",
    "any-time",
)
BEFORE = ("before-commit", "in-commit")
AFTER = ("after-commit-unknown", "after-commit-known")

# A constraint trigger on the mark which, when the mark moves, leaves work for the COMMIT itself:
# there it waits for a lock that an administrator holds.
GATE_SQL = """
CREATE SCHEMA gate;
CREATE TABLE gate.work (id int);
CREATE FUNCTION gate.wait() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(4711); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON gate.work
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gate.wait();
CREATE FUNCTION gate.leave() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN SET CONSTRAINTS gate.wait DEFERRED; INSERT INTO gate.work VALUES (1); RETURN NULL; END $$;
"""
MOVES_MARK = re.compile(rb"(?:UPDATE|INSERT INTO) tenantry\.mark")
SHUT_GATE = (
    "CREATE TRIGGER leave AFTER INSERT OR UPDATE ON tenantry.mark"
    " FOR EACH ROW EXECUTE FUNCTION gate.leave()"
)
OPEN_GATE = "DROP TRIGGER IF EXISTS leave ON tenantry.mark"


class Termination(Interest):
    """Ends one session at one place, once."""

    def __init__(self, way, worker, random):
        self.way = way
        self.model = worker.model
        self.release_gate = worker.release_gate
        self.message = random.choice((random.randint(1, 30), random.randint(1, 400)))
        self.commit = 1 if way == "in-commit" else random.choice((1, 1, 1, 2, 3))
        self.cuts = random.random() < 0.5  # The client's socket too, without a last word.
        self.early = random.random() < 0.3  # The signal is on its way before the COMMIT.
        self.delay = random.choice((0, random.random() * 0.0005, random.random() * 0.002))
        self.before = None  # The mark before the transaction whose COMMIT is meant.
        self.done = threading.Event()
        self.movers = set()  # Statements that move the mark, by session and name.
        self.moving = set()  # Sessions whose transaction has moved the mark.
        self.committing = None  # The session that sends the COMMIT that is meant.

    def terminate(self, session):
        check(self.model.terminate(session.pid), "pg_terminate_backend found no session")
        self.done.set()

    def note_commit(self, session, kind, body):
        """Whether this message is the COMMIT that is meant: one that moves the mark."""
        if kind == b"P" and MOVES_MARK.search(body):
            self.movers.add((session, body.split(b"\0", 1)[0]))
        prepared = kind == b"B" and (session, body.split(b"\0", 2)[1]) in self.movers
        if prepared or (kind == b"Q" and MOVES_MARK.search(body)):
            self.moving.add(session)
        if kind != b"Q" or body != COMMIT or session not in self.moving:
            return False
        self.moving.discard(session)
        self.commit -= 1
        return self.commit == 0

    def from_client(self, session, kind, body):
        if self.done.is_set():
            return True
        if self.way == "any-message":
            self.message -= 1
            if self.message <= 0 and session.pid:
                self.terminate(session)
        elif self.way == "after-commit-known" and session is self.committing:
            self.terminate(session)  # With what it says next: a BEGIN, or its farewell.
        elif self.note_commit(session, kind, body):
            self.before = self.model.mark()
            self.committing = session
            if self.way == "before-commit":
                self.terminate(session)
            elif self.way == "at-commit" and self.early:
                self.model.signal(session.pid)
                self.done.set()
        return True

    def sent(self, session, kind, body):
        if session is not self.committing or self.done.is_set() or body != COMMIT:
            return
        if self.way == "at-commit":
            time.sleep(self.delay)
            self.terminate(session)
        elif self.way == "in-commit":
            self.wait_at_gate(session)
            self.terminate(session)
            self.release_gate()

    def wait_at_gate(self, session):
        def waits():
            found = self.model.ask(
                "SELECT wait_event FROM pg_stat_activity WHERE pid = %s AND query = 'COMMIT'"
                " AND wait_event_type = 'Lock'",
                (session.pid,),
            )
            return found == [("advisory",)]

        wait_until(waits, "the COMMIT that waits at the gate")

    def from_server(self, session, kind, body):
        unknown = self.way == "after-commit-unknown" and session is self.committing
        if not unknown or self.done.is_set():
            return True
        if kind == b"Z":  # The server has said all, and is ready for the next statement.
            self.terminate(session)
            if self.cuts:
                session.close()
        return False


class Case(ReadModelCase):
    ways = WAYS
    fault = "terminated"

    def run_once(self, way):
        """Whether a session was terminated."""
        self.worker.reset(self.history, self.start)
        arguments = self.arguments()
        if way == "in-commit":
            if not self.worker.shut_gate():
                return False  # There is no mark yet to put it at.
        plan = Termination(way, self.worker, self.random)
        self.worker.proxy.interest = plan
        process = self.store.start(*arguments, "-q", read_model=self.worker.proxied_url)
        try:
            if way == "any-time":
                self.terminate_at_any_time(plan)
            return self.watch(process, plan)
        finally:
            self.worker.proxy.interest = Interest()
            end(process)
            self.worker.open_gate()

    def terminate_at_any_time(self, plan):
        """As somebody would who looks at the list of sessions."""
        time.sleep(self.random.random() * 0.05)
        for _ in range(2000):
            for pid, *_ in self.model.sessions():
                if self.model.terminate(pid):
                    plan.done.set()
                return
            time.sleep(0.0001)

    # --- what became of it ------------------------------------------------------------------------

    def watch(self, process, plan):
        """Waits for the end and checks what is there; false if nothing was terminated."""
        if self.verb == "follow":
            self.follow_to_tail(process)
        done = self.finished(process)
        if not plan.done.is_set():
            done.expect(INTERRUPTED if self.verb == "follow" else OK)
            return False
        if not self.check_exit(done) and self.verb != "follow":
            check(plan.way not in BEFORE, f"{done}, though its transaction was rolled back")
        if plan.committing:
            self.model.wait_for_end(plan.committing.pid)  # What it does, it has done then.
        mark = self.model.mark()
        if self.verb != "follow":
            self.check_mark(plan, mark)
        self.check_rows(mark)
        self.check_goes_on(mark)
        return True

    def check_mark(self, plan, mark):
        """Before the COMMIT nothing may have happened, after it all must have."""
        if plan.way in BEFORE:
            check(mark == plan.before, f"the mark was {plan.before}, and is {mark} without COMMIT")
        elif plan.way in AFTER:
            check(mark != plan.before, f"the mark stayed {mark} after its COMMIT")
        elif plan.way == "at-commit":
            self.count("at-commit.kept" if mark != plan.before else "at-commit.undone")


class PostgresCutStage(ReadModelStage):
    name = "postgres-cut"
    case_class = Case

    def begin_worker(self, place):
        super().begin_worker(place)
        self.model.ask(GATE_SQL)
        self.gate = ReadModel(self.server, "shop", make=False)

    def shut_gate(self):
        """From now on a COMMIT that moves the mark waits; false if there is no mark."""
        if self.model.mark() is None:
            return False
        self.model.ask(SHUT_GATE)
        self.gate.ask("SELECT pg_advisory_lock(%s)", (GATE,))
        return True

    def release_gate(self):
        """Whoever waits goes on."""
        self.gate.ask("SELECT pg_advisory_unlock_all()")

    def open_gate(self):
        self.release_gate()
        if self.model.mark() is not None:
            self.model.ask(OPEN_GATE)

    def judge(self, facts, cases):
        if cases < 500:
            return
        yield from never(facts, ["terminated." + way for way in sorted(set(WAYS))])
        yield from never(facts, ("at-commit.kept", "at-commit.undone", "noticed"))


if __name__ == "__main__":
    exit_with(PostgresCutStage, __doc__)
