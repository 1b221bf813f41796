"""Freezes a projector, lets another one get past it, and thaws it.

The other one works from a copy of the store: the same store id, another directory. A case is one
of these, by its seed:
- `before-batch`: frozen with a transaction that is about to begin;
- `in-batch`: frozen in a transaction that holds the mark; the server ends that session, as it does
  by itself with one that idles too long;
- `in-commit`: frozen before it can know that it has committed;
- `epoch`: as `before-batch`, and the other one has rebuilt the read model at the same position;
- `sqlite`: frozen at any moment, the read model in SQLite;
- `waits`: not frozen but slow: the other one waits for it;
- `idle-follower`: frozen between two looks at the log.
What it then writes first must be refused, and the rows are those of the mark.
"""

import os
import signal
import sqlite3
import threading
import time

from cases import check, exit_with, never, wait_until
from commands import lines_of
from driver import (
    APPLIED,
    CONFLICT,
    INTERRUPTED,
    OK,
    PATIENCE_SECONDS,
    UNAVAILABLE,
    finish,
    state_of,
)
from message_proxy import COMMIT, Interest
from read_model_case import ReadModelCase, ReadModelStage

KINDS = ("before-batch", "in-batch", "in-commit", "epoch", "sqlite", "waits", "idle-follower")
TRIES = 40
BEGIN = b"BEGIN ISOLATION LEVEL"
STEP = 0.001  # Seconds for which a projector into SQLite runs between two looks at it.
REBUILD = ("rebuild", "--yes", "-q")


class Hold(Interest):
    """Holds one message back until it is released; the proxy carries nothing meanwhile."""

    def __init__(self, where, transaction, messages):
        self.where = where
        self.transaction = transaction  # The how-manieth.
        self.messages = messages  # After its BEGIN.
        self.session = None
        self.held = threading.Event()
        self.release = threading.Event()

    def hold(self):
        self.held.set()
        self.release.wait(PATIENCE_SECONDS)

    def from_client(self, session, kind, body):
        if self.held.is_set():
            return True
        if kind == b"Q" and body.startswith(BEGIN):
            self.transaction -= 1
            if self.transaction == 0:
                self.session = session
                if self.where == "before-batch":
                    self.hold()
        elif session is self.session and self.where == "in-batch":
            self.messages -= 1
            if self.messages == 0 or (kind == b"Q" and body == COMMIT):
                self.hold()
        elif session is self.session and kind == b"Q" and body == COMMIT:
            self.where = "answer to the commit"
        return True

    def from_server(self, session, kind, body):
        if self.where == "answer to the commit" and session is self.session and kind == b"Z":
            if not self.held.is_set():
                self.hold()
        return True


class Case(ReadModelCase):
    def run(self):
        kind = KINDS[self.seed % len(KINDS)]
        self.verb = self.random.choice(("project", "follow"))
        self.read_model = self.model.url
        self.twin = None
        self.worker.reset(self.history, self.start)
        getattr(self, kind.replace("-", "_"))()
        self.count("kind." + kind)

    # --- verbs ------------------------------------------------------------------------------------

    def make_twin(self, longer=0.5):
        """The same store elsewhere, now and then with commands that the frozen one has not seen."""
        self.twin = self.store.copy(self.store.directory + "-twin")
        if self.random.random() < longer:
            self.apply_more(self.twin)
        self.twin_tail = self.twin.tail()

    def apply_more(self, store):
        lines = lines_of(f"more {self.seed}", self.random.randint(20, 40))
        store.run("apply", "-q", stdin=lines).expect(*APPLIED)

    def freeze(self, process):
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: state_of(process.pid) == "T", "the process to stop")

    def start_held(self, where, transaction, messages=1):
        """A projector that has come to the place where its plan holds it, and is frozen there."""
        batch = self.random.choice((2, 5, 8))
        # A batch ends with a command: there may be fewer than the events of the rest would fill.
        left = self.tail - self.history.ends[self.start]
        self.plan = Hold(where, min(transaction, max(1, left // (2 * batch))), messages)
        self.worker.proxy.interest = self.plan
        follow = ["--follow"] if self.verb == "follow" else []
        self.process = self.store.start(
            "project", *follow, "-q", "--batch", str(batch), read_model=self.worker.proxied_url
        )
        check(self.plan.held.wait(PATIENCE_SECONDS), f"it never came to `{where}`")
        self.freeze(self.process)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        self.plan.release.set()

    def get_past(self):
        """The other one brings the read model to the end of its log."""
        self.make_twin()
        command = ("project", "-q") if self.random.random() < 0.6 else REBUILD
        self.twin.run(*command, read_model=self.read_model).expect(OK)

    def check_fenced(self, mark):
        self.finished(self.process).expect_error(CONFLICT, "fenced")
        check(self.model.mark() == mark, f"the mark was {mark}, and is {self.model.mark()}")
        self.count("fenced")
        self.check_twin()

    def check_twin(self):
        """The read model is that of the other store, and goes on from there."""
        self.twin.run("verify", "--quick", read_model=self.read_model).expect(OK)
        self.apply_more(self.twin)
        done = self.twin.records("project", "-q", read_model=self.read_model)[0]
        check(done["checkpoint"] == self.twin.tail(), "it does not go on to the end of the log")
        self.twin.run("verify", "--quick", read_model=self.read_model).expect(OK)

    # --- kinds ------------------------------------------------------------------------------------

    def before_batch(self):
        self.start_held("before-batch", self.random.randint(1, 3))
        self.get_past()
        mark = self.model.mark()
        self.thaw()
        self.check_fenced(mark)

    def epoch(self):
        """The position is the same; only the epoch tells that the read model is another one."""
        self.start_held("before-batch", 1)
        self.twin = self.history.store(self.start, self.store.directory + "-twin")
        before = self.model.mark()
        self.twin.run(*REBUILD, "--in-place", read_model=self.read_model).expect(OK)
        mark = self.model.mark()
        check(mark == (before[0], before[1] + 1), f"the rebuild leads from {before} to {mark}")
        self.thaw()
        self.check_fenced(mark)

    def in_commit(self):
        self.start_held("in-commit", self.random.randint(1, 2))
        mark = self.model.mark()
        self.get_past()
        reached = self.model.mark()
        self.thaw()
        if mark[0] < self.tail:
            self.check_fenced(reached)
            return
        if self.verb == "follow":
            self.process.stdout.readline()
            self.process.send_signal(signal.SIGINT)
        self.finished(self.process).expect(INTERRUPTED if self.verb == "follow" else OK)
        self.check_twin()

    def in_batch(self):
        self.start_held("in-batch", self.random.randint(1, 2), self.random.randint(1, 60))
        check(self.model.terminate(self.plan.session.pid), "there was no session to terminate")
        self.get_past()
        mark = self.model.mark()
        self.thaw()
        if self.verb == "project":
            self.finished(self.process).expect_error(UNAVAILABLE, "unavailable")
            self.count("fenced")
        elif self.twin_tail > self.tail:  # It looks again, and finds what its store does not know.
            self.finished(self.process).expect_error(CONFLICT, "read_model_diverged")
            self.count("fenced")
        else:
            self.tail = mark[0]
            self.follow_to_tail(self.process)
            self.finished(self.process).expect(INTERRUPTED)
        check(self.model.mark() == mark, f"the mark was {mark}, and is {self.model.mark()}")
        self.check_twin()

    def waits(self):
        """Two at once: the second waits for the lock, and then finds that the mark has moved."""
        self.verb = "project"
        self.start_held("in-batch", 1, 60)
        self.make_twin()
        second = self.twin.start("project", "-q", read_model=self.read_model)
        wait_until(lambda: self.waiting_session(), "the second projector to wait")
        check(second.poll() is None, "the second projector does not wait")
        self.thaw()
        finish(second).expect_error(CONFLICT, "fenced")
        self.finished(self.process).expect(OK)
        self.count("waited")
        self.check_twin()

    def waiting_session(self):
        return [session for session in self.model.sessions() if session[2] == "Lock"]

    def idle_follower(self):
        """Frozen while it waits for more: through the same owner commands go on, and others
        project."""
        self.verb = "follow"
        owner = self.store.start_owner()
        self.process = self.store.start("project", "--follow", "-q", read_model=self.read_model)
        self.process.stdout.readline()
        wait_until(lambda: not self.model.sessions(), "the follower to wait for more")
        self.freeze(self.process)
        self.apply_more(self.store)
        self.twin = self.store
        done = self.store.records("project", "-q", read_model=self.read_model)[0]
        check(
            done["checkpoint"] == self.store.tail(), "the other projector does not come to the end"
        )
        self.process.send_signal(signal.SIGCONT)
        self.apply_more_with_new_ids()
        self.tail = self.store.tail()
        self.follow_to_tail(self.process)
        self.finished(self.process).expect(INTERRUPTED)
        self.check_twin()
        owner.send_signal(signal.SIGTERM)
        finish(owner).expect(INTERRUPTED)

    def apply_more_with_new_ids(self):
        lines = lines_of(f"still more {self.seed}", 30)
        self.store.run("apply", "-q", stdin=lines).expect(*APPLIED)

    def sqlite(self):
        """There is no proxy for a file: it is frozen again and again until it is in the middle."""
        self.verb = "project"
        path = os.path.join(self.worker.place_of_worker, "model.sqlite3")
        self.read_model = f"sqlite:{path}"
        began = self.history.ends[self.start]
        # One that holds the lock keeps the other one waiting for ten seconds: few cases do that.
        holds = self.random.random() < 0.1
        for _ in range(TRIES):
            self.begin_sqlite(path)
            while self.step_frozen():
                at, locked = look_at_file(path)
                if began < at < self.tail and (holds or not locked):
                    self.get_past_in_sqlite()
                    return
            self.finished(self.process).expect(OK)
        check(False, f"it was never frozen in the middle in {TRIES} tries")

    def step_frozen(self):
        """Lets it go on for a moment; false if it has ended."""
        self.process.send_signal(signal.SIGCONT)
        time.sleep(self.random.random() * STEP)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)
            wait_until(lambda: state_of(self.process.pid) in "TZ", "the process to stop")
        return self.process.poll() is None

    def begin_sqlite(self, path):
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)
        before = self.history.store(self.start, self.store.directory + "-before")
        before.run("project", "-q", read_model=self.read_model).expect(OK)
        before.remove()
        self.process = self.store.start("project", "-q", "--batch", "1", read_model=self.read_model)

    def get_past_in_sqlite(self):
        self.make_twin()
        command = ("project", "-q") if self.random.random() < 0.6 else REBUILD
        other = self.twin.run(*command, read_model=self.read_model)
        self.process.send_signal(signal.SIGCONT)
        if other.code == OK:
            self.finished(self.process).expect_error(CONFLICT, "fenced")
            self.count("fenced")
            self.count("fenced_in_sqlite")
        else:  # It was frozen in a transaction, which nobody can end.
            other.expect_error(UNAVAILABLE, "unavailable")
            self.finished(self.process).expect(OK)
            self.count("locked_in_sqlite")
        self.check_twin()


def look_at_file(path):
    """The position of a read model in SQLite, and whether somebody is writing to it."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        at = connection.execute("SELECT position FROM tenantry_mark").fetchone()[0]
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return at, True
        return at, False
    except sqlite3.OperationalError:  # It is being opened or closed.
        return 0, True
    finally:
        connection.close()


class ZombieStage(ReadModelStage):
    name = "zombie"
    case_class = Case
    start_weights = (0, 40, 30, 20)  # There is a mark to be fenced by.

    def judge(self, facts, cases):
        if cases < 4 * len(KINDS):
            return
        yield from never(facts, ["kind." + kind for kind in KINDS] + ["fenced_in_sqlite"])
        if facts["fenced"] < 0.3 * cases:
            yield f"only {facts['fenced']} projectors were fenced"


if __name__ == "__main__":
    exit_with(ZombieStage, __doc__)
