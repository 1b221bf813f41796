"""What the stages share: cases with seeds on several workers, and an end that leaves nothing.

A stage is a subclass of `Stage`. Each worker is a process of its own; a case gets its seed and a
directory that is gone afterwards. What a case raises is a failure; what it counts is summed up, and
`judge` looks at the sums, so that a run that tested nothing fails.
"""

import argparse
import collections
import multiprocessing
import os
import queue
import shutil
import signal
import sys
import tempfile
import time
import traceback

import driver
from driver import Failure

WORKERS = 2
SHARED_MEMORY = "/dev/shm"
ROOM_BYTES = 2 << 30  # More than the files of any stage.
END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def check(condition, what):
    if not condition:
        raise Failure(what)


def wait_until(condition, what, seconds=60):
    """What `condition` gives, once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        check(time.monotonic() < deadline, f"waited {seconds} s in vain for {what}")
        time.sleep(0.002)
    return found


class Stage:
    """Threads: each worker has an object of its own, forked after `prepare`."""

    in_memory = False  # Whether its files had better lie in memory: there they cost no disk.

    @staticmethod
    def add_options(parser):
        """What this stage takes on the command line beside what all take."""

    def __init__(self, options):
        self.program = os.path.abspath(options.program)
        self.place = None  # A directory for the whole run.
        self.facts = collections.Counter()  # What happened in this case.

    def prepare(self, seeds):
        """Once, before the workers are there."""

    def begin_worker(self, place):
        """In each worker, before its first case; `place` is its directory."""

    def end_worker(self):
        """In each worker, also after a failure or a signal."""

    def run_case(self, seed, place):
        """Raises what is wrong; counts in `self.facts` what happens."""
        raise NotImplementedError

    def judge(self, facts, cases):
        """Yields what is wrong with the run as a whole."""
        return ()

    def summary(self, facts):
        """Yields the lines that are printed at the end."""
        told = ", ".join(f"{name} {number}" for name, number in sorted(facts.items()))
        yield f"seen: {told or 'nothing'}"


def never(facts, names):
    """Yields what did not happen though it should."""
    for name in names:
        if facts[name] == 0:
            yield f"`{name}` never happened"


def ignore_signals():
    for number in END_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Ended(SystemExit):
    """A signal asked for the end."""


def end_on_signals():
    def end(number, _):
        ignore_signals()
        raise Ended(128 + number)

    for number in END_SIGNALS:
        signal.signal(number, end)


def run_one(stage, seed, parent):
    """What is wrong, and the facts of one case."""
    place = tempfile.mkdtemp(prefix="case-", dir=parent)
    stage.facts = collections.Counter()
    wrong = ()
    try:
        stage.run_case(seed, place)
    except Failure as failure:
        wrong = failure.args or ("failed, without a reason",)
    except Exception as error:  # pylint: disable=broad-except; each is the case's failure.
        wrong = ("".join(traceback.format_exception(error)),)
    finally:
        driver.kill_all()
        shutil.rmtree(place, ignore_errors=True)
    return wrong, stage.facts


def work(stage, place, seeds, results):
    end_on_signals()
    try:
        stage.begin_worker(place)
        while (seed := seeds.take()) is not None:
            results.put((seed, *run_one(stage, seed, place)))
        results.put(None)
    finally:
        ignore_signals()  # What is begun here is brought to its end.
        driver.kill_all()
        stage.end_worker()


class Seeds:
    """Those of a run; each goes to one worker."""

    def __init__(self, context, numbers):
        self.numbers = numbers
        self.taken = context.Value("q", 0)

    def take(self):
        """The next one, or none."""
        with self.taken.get_lock():
            at = self.taken.value
            self.taken.value += 1
        return self.numbers[at] if at < len(self.numbers) else None


class Run:
    """The workers of one run, and what they report."""

    def __init__(self, stage, seed, count):
        self.stage = stage
        self.numbers = range(seed, seed + count)
        self.passed = 0
        self.failed = 0
        self.facts = collections.Counter()
        self.workers = []

    def run(self):
        """Whether all is well."""
        context = multiprocessing.get_context("fork")
        seeds, results = Seeds(context, self.numbers), context.Queue()
        self.stage.prepare(self.numbers)
        for number in range(min(WORKERS, len(self.numbers))):
            place = os.path.join(self.stage.place, f"worker-{number}")
            os.mkdir(place, 0o711)
            worker = context.Process(target=work, args=(self.stage, place, seeds, results))
            worker.start()
            self.workers.append(worker)
        self.collect(results)
        if self.passed + self.failed < len(self.numbers):
            self.fail(f"seed {self.numbers[0]}: only {self.passed + self.failed} cases were run")
        for what in self.stage.judge(self.facts, self.passed) if self.failed == 0 else ():
            self.fail(f"seed {self.numbers[0]}: the run as a whole: {what}")
        return self.failed == 0 and self.passed > 0

    def collect(self, results):
        """Until all workers have said that they are done, or are gone."""
        at_work = len(self.workers)
        while at_work > 0:
            try:
                result = results.get(timeout=1)
            except queue.Empty:
                if not any(worker.is_alive() for worker in self.workers) and results.empty():
                    self.fail(f"seed {self.numbers[0]}: a worker died before its end")
                    return
                continue
            if result is None:
                at_work -= 1
            else:
                self.add(*result)

    def add(self, seed, wrong, facts):
        self.facts.update(facts)
        if wrong:
            self.fail(*(f"seed {seed}: {what}" for what in wrong))
        else:
            self.passed += 1

    def fail(self, *texts):
        self.failed += 1
        print(*texts, sep="\n", flush=True)

    def end(self):
        for worker in self.workers:
            if worker.is_alive():
                worker.terminate()
        for worker in self.workers:
            worker.join()


def parse(stage_class, description):
    parser = argparse.ArgumentParser(description=description)
    stage_class.add_options(parser)
    parser.add_argument("--program", required=True, help="the program under test")
    parser.add_argument("--seed", type=int, required=True, help="of the first case")
    parser.add_argument("--count", type=int, required=True, help="cases")
    return parser.parse_args()


def directory_for(stage):
    """Short, since sockets lie in it; others may pass, since a server has a user of its own."""
    free = shutil.disk_usage(SHARED_MEMORY).free if os.access(SHARED_MEMORY, os.W_OK) else 0
    parent = SHARED_MEMORY if stage.in_memory and free >= ROOM_BYTES else "/tmp"
    directory = tempfile.mkdtemp(prefix="tenantry-rel-", dir=parent)
    os.chmod(directory, 0o711)
    return directory


def main(stage_class, description):
    """The whole program of a stage; gives its exit code."""
    options = parse(stage_class, description.splitlines()[0])
    end_on_signals()
    stage = stage_class(options)
    stage.place = directory_for(stage)
    run = Run(stage, options.seed, options.count)
    try:
        sound = run.run()
    finally:
        ignore_signals()
        run.end()
        driver.kill_all()
        shutil.rmtree(stage.place, ignore_errors=True)
    print(*stage.summary(run.facts), sep="\n")
    print(f"{run.passed} passed, {run.failed} failed", flush=True)
    return 0 if sound else 1


def exit_with(stage_class, description):
    sys.exit(main(stage_class, description))
