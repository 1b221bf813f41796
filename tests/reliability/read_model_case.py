"""What the stages with a read model in PostgreSQL share: a store that is ahead of it, checks."""

import json
import os
import signal
import tempfile
import threading

from cases import Stage, check
from driver import (
    APPLIED,
    INTERRUPTED,
    NOT_FOUND,
    OK,
    PATIENCE_SECONDS,
    UNAVAILABLE,
    Failure,
    finish,
)
from history import Histories, generator
from message_proxy import Proxy
from postgres_server import ReadModel, Server

STARTS = (0, 40, 250, 900)
TAIL = 160
TRIES = 20  # Until a fault hits the program while it is at work.
MORE = (30, 45, 60, 80)  # Commands that the store has, and the read model has not.


class ReadModelCase:
    """A store, and a read model at an earlier place of its log, or none yet.

    By itself a case tries one of `ways` after the other with `run_once(way)` until a fault hit,
    and counts it under `fault`.
    """

    ways = ()
    fault = ""

    # pylint: disable-next=too-many-arguments; a case is all of these.
    def __init__(self, worker, history, random, store, tail, start, seed):
        self.worker = worker
        self.seed = seed
        self.model = worker.model
        self.history = history
        self.random = random
        self.store = store
        self.start = start
        self.tail = tail
        self.verb = random.choices(("project", "follow", "rebuild"), (70, 15, 15))[0]
        self.facts = worker.facts

    def run(self):
        for _ in range(TRIES):
            way = self.random.choice(self.ways)
            if self.run_once(way):
                self.count(self.fault)
                self.count(f"{self.fault}.{way}")
                self.count("at." + self.verb)
                return
            self.count("missed")
        raise Failure(f"nothing was {self.fault} in {TRIES} tries")

    def run_once(self, way):
        """Whether the fault hit."""
        raise NotImplementedError

    def count(self, name):
        self.facts[name] += 1

    def arguments(self):
        batch = ["--batch", str(self.random.choice((1, 3, 10, 50, 1000)))]
        return {
            "project": ["project", *batch],
            "follow": ["project", "--follow", *batch],
            "rebuild": ["rebuild", "--yes"],
        }[self.verb]

    def follow_to_tail(self, process):
        """It must come to the end of the log without help; then it is stopped."""
        patience = threading.Timer(PATIENCE_SECONDS, process.kill)
        patience.start()
        for line in process.stdout:
            if json.loads(line)["checkpoint"] == self.tail:
                break
        patience.cancel()
        process.send_signal(signal.SIGINT)

    def finished(self, process):
        """Its end, and that nothing went wrong in the proxy before it."""
        done = finish(process)
        if self.worker.proxy.error:
            raise self.worker.proxy.error
        return done

    def check_exit(self, done):
        """Whether it noticed. That it did not is fine where nothing was left to do."""
        if self.verb == "follow":
            done.expect(INTERRUPTED)
            return False
        if done.code == OK:
            return False
        done.expect_error(UNAVAILABLE, "unavailable")
        self.count("noticed")
        return True

    def check_rows(self, mark):
        """The rows are those of the mark."""
        found = self.store.run("verify", "--quick", read_model=self.model.url)
        if mark is None:
            found.expect_error(NOT_FOUND, "read_model_absent")
            self.count("no_mark_yet")
        else:
            found.expect(OK)

    def check_goes_on(self, mark):
        """Run again, it applies what is left and nothing else."""
        done = self.store.records("project", "-q", read_model=self.model.url)[0]
        check(done["checkpoint"] == self.tail, f"it goes on to {done['checkpoint']} only")
        left = self.tail - (mark[0] if mark else 0)
        check(done["events"] == left, f"{done['events']} events are applied, and {left} were left")
        if self.random.random() < 0.25:
            self.store.run("verify", "--quick", read_model=self.model.url).expect(OK)


class ReadModelStage(Stage):
    """Each worker has a server, a database and a proxy before it."""

    name = ""  # Its draws are its own.
    durable = False
    case_class = ReadModelCase
    start_weights = (10, 40, 30, 20)

    def prepare(self, seeds):
        self.histories = Histories(self.program, self.place, STARTS, TAIL, count=3)
        self.histories.make(seeds)
        self.server = None

    def begin_worker(self, place):
        self.place_of_worker = place
        self.saved = set()
        self.stores = {}
        self.server = Server(os.path.join(place, "pg"), self.durable)
        self.model = ReadModel(self.server, "shop")
        self.proxy = Proxy(os.path.join(place, "proxy"), self.server.directory)
        self.proxied_url = self.server.url("shop", self.proxy.directory)

    def end_worker(self):
        if self.server:
            self.server.remove()

    def reset(self, history, start):
        """The read model as it was at a start of the history, or nothing for the first."""
        name = f"saved_{os.path.basename(history.place).replace('-', '_')}_{start}"
        if not self.model.is_reachable():  # A case that failed has left it like that.
            if self.server.postmaster() is None:
                self.server.start()
            self.model.reconnect()
        if start == STARTS[0]:
            self.model.clear()
        elif name in self.saved and self.model.has_tables():
            self.model.restore(name)
        else:
            self.model.clear()
            self.load(history, start)
            self.model.save(name)
            self.saved.add(name)

    def load(self, history, start):
        with tempfile.TemporaryDirectory(dir=self.place) as directory:
            store = history.store(start, os.path.join(directory, "store"))
            store.run("project", "-q", read_model=self.model.url).expect(OK)

    def run_case(self, seed, place):
        random = generator(self.name, seed)
        history = self.histories.of(seed)
        start = random.choices(STARTS, self.start_weights)[0]
        longer, tail = self.longer(history, start, random.choice(MORE))
        store = longer.copy(os.path.join(place, "store"))
        self.case_class(self, history, random, store, tail, start, seed).run()

    def longer(self, history, start, number):
        """A store that is so many commands further than the read model, to be copied; its tail."""
        key = (history, start, number)
        if key not in self.stores:
            directory = os.path.join(self.place, f"{os.getpid()}-longer-{len(self.stores)}")
            store = history.store(start, directory)
            lines = history.lines(start, start + number, historic=True)
            store.run("apply", "--historic", "-q", stdin=b"".join(lines)).expect(*APPLIED)
            self.stores[key] = (store, store.tail())
        return self.stores[key]
