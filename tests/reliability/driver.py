"""Runs the program `tenantry` on a store: to its end, or until it is killed on the way."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

PATIENCE_SECONDS = 120
PIPE_BYTES = 65536
TOO_LATE = b"killed, since it took too long"
PIPES = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)

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

# What `rows` shows, and a read model has.
TABLES = (
    "auth_user",
    "core_protein",
    "core_userpreferences",
    "tenants_tenant",
    "tenants_tenantdomain",
    "tenants_tenant_user",
    "tenants_invitation",
)

_started = set()


class Failure(Exception):
    """What a case found to be wrong: one text or several."""


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
            with contextlib.suppress(BrokenPipeError):  # Bytes that nobody reads any more.
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


def state_of(pid):
    """As the kernel's letters have it: T is stopped, Z has ended; empty if there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


@dataclass(frozen=True)
class Finished:
    """A run that came to its end. A negative code is the signal that ended it."""

    command: list
    code: int
    out: bytes
    err: str
    seconds: float = 0
    cpu_seconds: float = 0  # Of the processor: others on the machine do not count.
    rss_bytes: int = 0  # The most that it had in memory.

    def __str__(self):
        words = " ".join([os.path.basename(self.command[0]), *self.command[1:]])
        told = self.out[-800:].decode(errors="replace") + self.err[-800:]
        return f"`{words}` ended with {self.code}: {' / '.join(told.splitlines())}"

    def records(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def error_code(self):
        """What stands in `error[…]`, or none; of JSON and of text."""
        for line in self.err.splitlines():
            if line.startswith('{"error":'):
                return json.loads(line)["error"]["code"]
            if line.startswith("error["):
                return line[len("error[") : line.index("]")]
        return None

    def expect(self, *codes):
        if self.code not in codes:
            raise Failure(f"{self}, not {' or '.join(map(str, codes))}")
        return self

    def expect_error(self, code, name):
        self.expect(code)
        if self.error_code() != name or "hint" not in self.err:
            raise Failure(f"{self}: not the error {name} with a hint")
        return self


def memory_file(content=b""):
    file = open(os.memfd_create("tenantry"), "w+b", buffering=0)  # pylint: disable=R1732
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]
    file.seek(0)
    return file


def read_whole(file):
    file.seek(0)
    return file.read()


@contextlib.contextmanager
def fed_pipe(pieces):
    """The end of a pipe through which the pieces come; fewer if nobody reads any more."""
    reading, writing = os.pipe()
    feeder = threading.Thread(target=feed, args=(writing, pieces), daemon=True)
    feeder.start()
    try:
        yield reading
    finally:
        os.close(reading)
        feeder.join()


def feed(descriptor, pieces):
    with contextlib.suppress(BrokenPipeError), open(descriptor, "wb") as pipe:
        pipe.writelines(pieces)


def wait_measured(process, seconds_max):
    """Waits, and kills what takes longer; the resources used, and whether it was killed."""
    descriptor = os.pidfd_open(process.pid)
    try:
        late = not select.select([descriptor], [], [], seconds_max)[0]
    finally:
        os.close(descriptor)
    if late:
        os.kill(process.pid, signal.SIGKILL)  # Nobody has waited for it: the number is its own.
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    end(process)
    return used, late


def finish(process, seconds_max=PATIENCE_SECONDS):
    """What start() began has no more input, and comes to its end by itself, or is killed."""
    if process.stdin and process.stdin.closed:
        process.stdin = None  # communicate() would flush it.
    try:
        out, err = process.communicate(timeout=seconds_max)
        end(process)
        code = process.returncode
    except subprocess.TimeoutExpired as late:  # Or a child of it goes on, and has its output.
        end(process)
        out, err = late.output or b"", (late.stderr or b"") + TOO_LATE
        code = -signal.SIGKILL
    return Finished(process.args, code, out, err.decode(errors="replace"))


class Store:
    """A store's directory, and verbs that run the program on it."""

    def __init__(self, program, directory, read_model=None):
        self.program = program
        self.directory = directory
        self.read_model = read_model

    def copy(self, directory, read_model=None):
        """The same store elsewhere; the reserve of disk space is made anew. Table files become
        second names of the same bytes: nobody writes them twice."""

        def copy_file(source, target):
            (os.link if source.endswith(".sst") else shutil.copy2)(source, target)

        ignore = shutil.ignore_patterns("ballast", "OWNER.sock")
        shutil.copytree(self.directory, directory, ignore=ignore, copy_function=copy_file)
        return Store(self.program, directory, read_model or self.read_model)

    def remove(self):
        shutil.rmtree(self.directory)

    def run(self, *arguments, stdin=b"", seconds_max=PATIENCE_SECONDS, **options):
        """Runs to the end. `stdin` is bytes, or a descriptor that is read."""
        with contextlib.ExitStack() as files:
            out, err = (files.enter_context(memory_file()) for _ in range(2))
            if isinstance(stdin, bytes):
                stdin = files.enter_context(memory_file(stdin))
            began = time.monotonic()
            process = self.start(*arguments, stdin=stdin, stdout=out, stderr=err, **options)
            used, late = wait_measured(process, seconds_max)
            seconds = time.monotonic() - began
            told = (read_whole(err) + TOO_LATE * late).decode(errors="replace")
            done = (process.args, process.returncode, read_whole(out), told)
            cpu_seconds = used.ru_utime + used.ru_stime
            return Finished(*done, seconds, cpu_seconds, used.ru_maxrss << 10)

    def start(self, *arguments, read_model=None, prefix=(), more=None, **options):
        """A process whose streams are pipes. `more` is for its environment."""
        model = read_model or self.read_model
        named = ["--read-model", model] if model else []
        plain = {
            **PIPES,
            "cwd": os.path.dirname(self.directory),
            "env": environment(TENANTRY_STORE=self.directory, **(more or {})),
        }
        return start_process([*prefix, self.program, *arguments, *named], **{**plain, **options})

    def start_owner(self):
        """A process that owns the store, lets others in and asks for nothing itself."""
        follow = ("log", "--follow", "-q", "--after", str(1 << 62))
        process = self.start(*follow, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.is_let_in():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"no owner that lets others in: {finish(process)}")
            time.sleep(0.001)
        return process

    def is_let_in(self):
        """Whether somebody listens at the store's socket."""
        directory = os.open(self.directory, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as caller:
                caller.connect(f"/proc/self/fd/{directory}/OWNER.sock")
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        finally:
            os.close(directory)
        return True

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

    def finish(self):
        """Until all lines are answered, or it ends before; what it came to."""
        self.run_until(len(self.lines), time.monotonic() + PATIENCE_SECONDS)
        self.close_input()
        while not self.ended:
            select.select([self.process.stdout], [], [], PATIENCE_SECONDS)
            self.receive()
        return finish(self.process)

    def kill(self):
        """Whether it was killed before it ended; then takes what it had still answered."""
        killed = kill(self.process)
        while not self.ended:
            select.select([self.process.stdout], [], [], PATIENCE_SECONDS)
            self.receive()
        end(self.process)
        return killed
