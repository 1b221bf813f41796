"""Runs the program `tenantry` on a store: to its end, or until it is killed on the way."""

import json
import os
import select
import shutil
import signal
import subprocess
import time

PATIENCE_SECONDS = 120
PIPE_BYTES = 65536

OK = 0
DIFFERS = 1
USAGE = 2
REJECTED = 3
CONFLICT = 4
NOT_FOUND = 5
UNAVAILABLE = 6
CORRUPT = 7
INTERRUPTED = 130

# What `apply` may end with when lines were refused by rules, and nothing else went wrong.
APPLIED = (OK, REJECTED, CONFLICT, NOT_FOUND)

_started = set()


class Unexpected(Exception):
    """The program did what it should not."""


def kill_all():
    """Ends all that was started here and still runs."""
    for process in list(_started):
        end(process)


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    _started.discard(process)


def environment(**more):
    """Without what would name another store or read model."""
    foreign = ("DATABASE_URL", "TENANTRY_READ_MODEL", "TENANTRY_STORE", "NO_COLOR")
    kept = {k: v for k, v in os.environ.items() if k not in foreign and not k.startswith("PG")}
    return {**kept, **more}


def start_process(command, **options):
    """A process that is ended with the case at the latest."""
    process = subprocess.Popen(command, **options)
    _started.add(process)
    return process


class Finished:
    """A run that came to its end."""

    def __init__(self, arguments, code, out, err):
        self.arguments = arguments
        self.code = code
        self.out = out
        self.err = err

    def __str__(self):
        words = " ".join(self.arguments)
        return f"`tenantry {words}` ended with {self.code}: {self.out[-800:]}{self.err[-800:]}"

    def records(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def error_code(self):
        """What stands in `error[…]`, or nothing; of JSON and of text."""
        for line in self.err.splitlines():
            if line.startswith('{"error":'):
                return json.loads(line)["error"]["code"]
            if line.startswith("error["):
                return line[len("error[") : line.index("]")]
        return ""

    def expect(self, *codes):
        if self.code not in codes:
            raise Unexpected(f"{self}, not {' or '.join(map(str, codes))}")
        return self

    def expect_error(self, code, name):
        self.expect(code)
        if self.error_code() != name or "hint" not in self.err:
            raise Unexpected(f"{self}: not the error {name} with a hint")
        return self


class Store:
    """A store's directory, and verbs that run the program on it."""

    def __init__(self, program, directory, read_model=None):
        self.program = program
        self.directory = directory
        self.read_model = read_model

    def copy(self, directory, read_model=None):
        """The same store elsewhere; the reserve of disk space is made anew."""
        shutil.copytree(self.directory, directory, ignore=shutil.ignore_patterns("ballast"))
        return Store(self.program, directory, read_model or self.read_model)

    def remove(self):
        shutil.rmtree(self.directory)

    def command_line(self, arguments, read_model):
        named = ["--read-model", read_model] if read_model else []
        return [self.program, *arguments, "--store", self.directory, *named]

    def run(self, *arguments, stdin=b"", read_model=None):
        process = self.start(*arguments, read_model=read_model)
        try:
            out, err = process.communicate(stdin, timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Unexpected(f"`tenantry {' '.join(arguments)}` hangs") from error
        finally:
            end(process)
        return Finished(
            arguments,
            process.returncode,
            out.decode(errors="replace"),
            err.decode(errors="replace"),
        )

    def start(self, *arguments, read_model=None, **more):
        return start_process(
            self.command_line(arguments, read_model or self.read_model),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**more),
        )

    def records(self, *arguments, **options):
        return self.run(*arguments, **options).expect(OK).records()

    def tail(self):
        return self.records("status")[0]["tail"]


def kill(process):
    """SIGKILL; whether it still ran. A process that has ended on its own was not killed."""
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE_SECONDS)
    return process.returncode == -signal.SIGKILL


def kill_after(process, seconds):
    """Kills it that long from now, unless it ends before; whether it was killed."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    killed = kill(process)
    end(process)
    return killed


class Feed:
    """`apply` with its lines coming through a pipe, and its answers read as they come.

    At most `window` lines are without an answer. Only whole answers count.
    """

    def __init__(self, process, lines, window):
        self.process = process
        self.lines = lines
        self.window = window
        self.sent = 0  # Lines whose last byte is in the pipe.
        self.answers = []
        self.unsent = b""
        self.queued = 0  # Lines in `unsent` or sent.
        self.rest = b""
        self.ended = False
        for stream in (process.stdin, process.stdout):
            os.set_blocking(stream.fileno(), False)

    def run_until(self, answers, deadline):
        """Until there are so many answers, the time has come or the program has ended."""
        while len(self.answers) < answers and not self.ended:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self.step(left)

    def step(self, seconds):
        self.queue_lines()
        writing = [self.process.stdin] if self.unsent else []
        ready, open_for_more, _ = select.select([self.process.stdout], writing, [], seconds)
        if open_for_more:
            self.send()
        if ready:
            self.receive()

    def queue_lines(self):
        while self.queued < len(self.lines) and self.queued - len(self.answers) < self.window:
            if len(self.unsent) > PIPE_BYTES:
                return
            self.unsent += self.lines[self.queued]
            self.queued += 1

    def send(self):
        try:
            sent = os.write(self.process.stdin.fileno(), self.unsent[:PIPE_BYTES])
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.unsent = b""
            self.window = 0
            return
        self.sent += self.unsent[:sent].count(b"\n")
        self.unsent = self.unsent[sent:]

    def receive(self):
        try:
            got = os.read(self.process.stdout.fileno(), PIPE_BYTES)
        except BlockingIOError:
            return
        self.ended = not got
        *whole, self.rest = (self.rest + got).split(b"\n")
        self.answers += whole

    def close_input(self):
        self.process.stdin.close()

    def kill(self):
        """Whether it was killed before it ended; then takes what it had still answered."""
        killed = kill(self.process)
        while not self.ended:
            select.select([self.process.stdout], [], [], PATIENCE_SECONDS)
            self.receive()
        return killed
