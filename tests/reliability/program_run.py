"""Runs of the program under test, with what they took."""

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

SECONDS_MAX = 120


@dataclass(frozen=True)
class Run:
    """One run that ended. A negative exit is the signal that ended it."""

    exit: int
    out: bytes
    err: bytes
    seconds: float
    rss_bytes: int

    def error_code(self):
        """The code of the first error that was reported, or None."""
        at = self.err.find(b"error[")
        return self.err[at + 6 : self.err.index(b"]", at)].decode() if at >= 0 else None

    def describe(self):
        told = self.err.decode(errors="replace").strip().splitlines()
        return f"exit {self.exit}: {' / '.join(told[-3:])[:600]}"


def kill(process):
    """Popen.kill() would look for the exit first, and take it from who waits for it."""
    os.kill(process.pid, signal.SIGKILL)


class Children:
    """The processes that run now, so that all of them end with the stage."""

    def __init__(self):
        self._lock = threading.Lock()
        self._alive = set()
        self._closed = False

    def add(self, process):
        with self._lock:
            self._alive.add(process)
            if self._closed:
                kill(process)

    def remove(self, process):
        with self._lock:
            self._alive.discard(process)

    def kill_all(self):
        """Whatever is started afterwards is killed as well."""
        with self._lock:
            self._closed = True
            for process in self._alive:
                kill(process)


CHILDREN = Children()


def plain_environment(**more):
    """Without the variables that change what the program does."""
    steering = ("DATABASE_URL", "TENANTRY_READ_MODEL", "TENANTRY_STORE", "NO_COLOR")
    return {**{k: v for k, v in os.environ.items() if k not in steering}, **more}


def memory_file(content=b""):
    file = open(os.memfd_create("tenantry"), "w+b", buffering=0)  # pylint: disable=R1732
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]
    file.seek(0)
    return file


class Descriptor:
    """A descriptor that is no regular file's, to be read by another process."""

    def __init__(self, number):
        self._number = number

    def fileno(self):
        return self._number

    def close(self):
        os.close(self._number)


def read_whole(file):
    file.seek(0)
    return file.read()


def wait_for(process, seconds_max):
    """Waits; kills what takes longer. Gives the exit and the resources that were used."""
    timer = threading.Timer(seconds_max, kill, [process])
    timer.start()
    # Until nobody can kill it any more the number of the process stays its own.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    timer.cancel()
    timer.join()
    CHILDREN.remove(process)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used


class Program:
    """The executable; every run has a store, and a directory of its own choice."""

    def __init__(self, path):
        self.path = os.path.abspath(path)

    def run(self, store, *arguments, stdin=b"", seconds_max=SECONDS_MAX, **environment):
        """Runs to the end. `stdin` is bytes, or a descriptor that is read instead and closed."""
        source = memory_file(stdin) if isinstance(stdin, bytes) else Descriptor(stdin)
        out, err = memory_file(), memory_file()
        began = time.monotonic()
        try:
            process = subprocess.Popen(
                [self.path, *arguments],
                stdin=source,
                stdout=out,
                stderr=err,
                cwd=os.path.dirname(store),
                env=plain_environment(TENANTRY_STORE=store, **environment),
            )
            CHILDREN.add(process)
            code, used = wait_for(process, seconds_max)
            seconds = time.monotonic() - began
            return Run(code, read_whole(out), read_whole(err), seconds, used.ru_maxrss << 10)
        finally:
            for file in (source, out, err):
                file.close()

    def start(self, store, *arguments):
        """A process that goes on; its input and output are pipes."""
        process = subprocess.Popen(
            [self.path, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=os.path.dirname(store),
            env=plain_environment(TENANTRY_STORE=store),
        )
        CHILDREN.add(process)
        return process

    @staticmethod
    def end(process, at_once=False):
        """Ends what start() began by the end of its input, or kills it at once."""
        if at_once:
            kill(process)
        close_quietly(process.stdin)
        rest = process.stdout.read()
        process.stdout.close()
        code, _ = wait_for(process, SECONDS_MAX)
        return code, rest


def close_quietly(pipe):
    try:
        pipe.close()
    except BrokenPipeError:  # Whoever was killed left bytes unread.
        pass


def feed_repeated(descriptor, size, byte, rest):
    """Writes `size` times the byte, then the rest, and closes; less if nobody reads any more."""
    piece = byte * (1 << 20)
    try:
        with open(descriptor, "wb", buffering=0) as pipe:
            for _ in range(size // len(piece)):
                pipe.write(piece)
            pipe.write(rest)
    except BrokenPipeError:
        pass
