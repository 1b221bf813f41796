"""Stops the PostgreSQL server at once while a projector is at work, and starts it again.

All processes of the server end without a word, as in a crash; batches that were committed may be
lost with it, whole and from the end, since they do not wait for the disk. Afterwards mark and rows
must agree. Meanwhile commands are taken. Who follows comes to the end of the log by itself; who
does not is run again, and nothing is applied twice.
"""

import threading
import time

from cases import check, exit_with, never
from driver import APPLIED, INTERRUPTED, OK, PATIENCE_SECONDS, UNAVAILABLE, end
from message_proxy import COMMIT, Interest
from read_model_case import ReadModelCase, ReadModelStage

RUN = 0.12  # Seconds within which a stop at any time comes.
STARTING = 0.15  # And a second one, while the server recovers from the first.
WAYS = ("any-time", "any-message", "before-commit", "after-commit")


class Stop(Interest):
    """Stops the server at one message, once."""

    def __init__(self, way, server, random):
        self.way = way
        self.server = server
        self.message = random.choice((random.randint(1, 30), random.randint(1, 400)))
        self.commit = random.choice((1, 2, 3))
        self.committing = None
        self.done = threading.Event()
        self.missed = False
        self.lock = threading.Lock()

    def stop(self):
        with self.lock:
            if not self.done.is_set() and not self.missed:
                self.server.stop_immediately()
                self.done.set()

    def give_up(self):
        """Whether it has come to pass; if not, it never will. What the program said last may reach
        the proxy after its end, and a stop may be under way."""
        with self.lock:
            self.missed = not self.done.is_set()
            return not self.missed

    def from_client(self, session, kind, body):
        self.message -= 1
        if self.way == "any-message" and self.message == 0:
            self.stop()
        elif kind == b"Q" and body == COMMIT:
            self.commit -= 1
            if self.commit == 0:
                self.committing = session
                if self.way == "before-commit":
                    self.stop()
        return True

    def from_server(self, session, kind, body):
        if self.way == "after-commit" and session is self.committing and kind == b"Z":
            self.stop()
        return True


class Case(ReadModelCase):
    ways = WAYS
    fault = "stopped"

    def run_once(self, way):
        """Whether the server was stopped while the program ran."""
        self.worker.reset(self.history, self.start)
        arguments = self.arguments()
        plan = Stop(way, self.worker.server, self.random)
        self.worker.proxy.interest = plan
        process = self.store.start(*arguments, "-q", read_model=self.worker.proxied_url)
        try:
            hit = self.stop_server(process, plan)
            done = self.see_it_through(process, hit)
        finally:
            self.worker.proxy.interest = Interest()
            end(process)
            self.worker.start_again()
        if not hit:
            done.expect(INTERRUPTED if self.verb == "follow" else OK)
            return False
        self.check_exit(done)
        self.check_all()
        return True

    def stop_server(self, process, plan):
        """Waits until the plan has come to pass; false if the program ended, or idles, before."""
        if plan.way == "any-time":
            time.sleep(self.random.random() * RUN)
            running = process.poll() is None
            if running:
                plan.stop()
            return running
        deadline = time.monotonic() + (2 if self.verb == "follow" else PATIENCE_SECONDS)
        while not plan.done.is_set():
            if process.poll() is not None or time.monotonic() > deadline:
                return plan.give_up()
            time.sleep(0.002)
        return True

    def see_it_through(self, process, hit):
        """Its end. One that follows gets the server back first, and comes to the tail."""
        if self.verb != "follow":
            done = self.finished(process)
        if hit:
            self.worker.proxy.interest = Interest()
            self.while_stopped()
            self.start_server()
        if self.verb == "follow":
            self.follow_to_tail(process)
            done = self.finished(process)
        return done

    def while_stopped(self):
        """Commands are taken, and no projection is possible."""
        begin = len(self.history.commands) - 40
        lines = self.history.lines(begin, begin + self.random.randint(1, 40), historic=False)
        self.store.run("apply", "-q", stdin=b"".join(lines)).expect(*APPLIED)
        self.tail = self.store.tail()
        if self.random.random() < 0.3:
            refused = self.store.run("project", "-q", read_model=self.model.url)
            refused.expect_error(UNAVAILABLE, "unavailable")

    def start_server(self):
        """Now and then it is stopped once more while it recovers."""
        server = self.worker.server
        if self.random.random() < 0.2:
            server.start_without_waiting()
            time.sleep(self.random.random() * STARTING)
            server.stop_immediately()
            self.count("stopped_in_recovery")
        self.worker.start_again()

    def check_all(self):
        mark = self.model.mark()
        check(mark is None or mark[0] <= self.tail, f"the mark {mark} is beyond the log")
        self.check_rows(mark)
        self.check_goes_on(mark)


class PostgresStopStage(ReadModelStage):
    name = "postgres-stop"
    durable = True
    case_class = Case

    def start_again(self):
        if not self.server.running:
            self.server.start()
            self.model.reconnect()

    def judge(self, facts, cases):
        if cases < 50:
            return
        yield from never(facts, ["stopped." + way for way in WAYS])
        yield from never(facts, ("noticed", "at.follow", "at.rebuild", "stopped_in_recovery"))


if __name__ == "__main__":
    exit_with(PostgresStopStage, __doc__)
