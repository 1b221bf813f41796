"""What stages of many cases share: the command line, workers, a place for files, the counts."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback

from program_run import CHILDREN, Program

SHARED_MEMORY = "/dev/shm"
ROOM_BYTES = 2 << 30  # More than the files of any stage.


def parse(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("program", help="path of tenantry")
    parser.add_argument("--seed", type=int, required=True, help="of the first case")
    parser.add_argument("--count", type=int, required=True, help="cases")
    return parser.parse_args()


def roomy_parent():
    """Shared memory where it is large enough: there cases cost no writes to a disk."""
    try:
        room = os.statvfs(SHARED_MEMORY)
    except OSError:
        return None
    enough = room.f_bavail * room.f_frsize >= ROOM_BYTES and os.access(SHARED_MEMORY, os.W_OK)
    return SHARED_MEMORY if enough else None


class Pool:
    """Tries the cases `seed` to `seed + count - 1`, as many at once as there are processors.

    `try_case(seed, directory)` gives the list of what is wrong; its directory is its own and is
    removed afterwards.
    """

    def __init__(self, directory, try_case):
        self._directory = directory
        self._try_case = try_case
        self._lock = threading.Lock()
        self._next = 0
        self._end = 0
        self.passed = 0
        self.failed = 0

    def run(self, seed, count, workers):
        self._next, self._end = seed, seed + count
        threads = [threading.Thread(target=self._work) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        finally:
            self.stop()
            for thread in threads:
                thread.join()

    def stop(self):
        """No further case begins."""
        with self._lock:
            self._end = self._next

    def _take(self):
        with self._lock:
            if self._next >= self._end:
                return None
            self._next += 1
            return self._next - 1

    def _work(self):
        while (seed := self._take()) is not None:
            wrong = self._judge(seed)
            with self._lock:
                self.passed += not wrong
                self.failed += bool(wrong)
                for text in wrong:
                    print(f"seed {seed}: {text}", flush=True)

    def _judge(self, seed):
        directory = os.path.join(self._directory, f"case-{seed}")
        os.mkdir(directory)
        try:
            return self._try_case(seed, directory)
        except Exception:  # pylint: disable=W0718
            # Whatever the case did not foresee is a failure of it, never the end of the others.
            return ["the case broke off: " + " | ".join(traceback.format_exc().splitlines()[-4:])]
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def end_on_signal(number, _frame):
    CHILDREN.kill_all()
    sys.exit(128 + number)


def run_stage(description, make_stage, workers=None):
    """Runs the stage that `make_stage(program, directory)` gives: an object with `try_case(seed,
    directory)` and `summary()`, the lines to print at the end. Gives the exit code."""
    options = parse(description)
    signal.signal(signal.SIGTERM, end_on_signal)
    signal.signal(signal.SIGINT, end_on_signal)
    directory = tempfile.mkdtemp(prefix="tenantry-stage-", dir=roomy_parent())
    try:
        stage = make_stage(Program(options.program), directory)
        pool = Pool(directory, stage.try_case)
        pool.run(options.seed, options.count, workers or os.cpu_count() or 2)
        for line in stage.summary():
            print(line)
        print(f"{pool.passed} passed, {pool.failed} failed", flush=True)
        return 1 if pool.failed or not pool.passed else 0
    finally:
        CHILDREN.kill_all()
        shutil.rmtree(directory, ignore_errors=True)
