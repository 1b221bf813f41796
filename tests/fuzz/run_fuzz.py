"""The stage `fuzz`: run_fuzz.py --seed S --count N [--target NAME]

Builds the fuzzers of the preset `fuzz` if need be and lets each target have its share of N thousand
executions, two targets at a time. Each begins with the same seeds and the random seed S, so that a
run can be repeated. An input that fails is kept beside the build; the line that names it says how
to run it alone.
"""

import argparse
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(SOURCE, "build", "fuzz")
PROGRAMS = os.path.join(BUILD, "tests", "fuzz")
CRASHES = os.path.join(BUILD, "crashes")
WORKERS = 2
EXECUTIONS_OF_A_CASE = 1000

# Parts of the executions, and the longest input. The slowest come first, so that both workers end
# at about the same time; what is cheap is tried more often. An input of `frames` is a conversation
# with an owner, and takes milliseconds; one of `segment` is a file that is written and read.
TARGETS = {
    "frames": (0.05, 4096),
    "segment": (1, 8192),
    "command": (8, 4096),
    "text": (8, 512),
    "block": (13, 4096),
    "files": (5, 70_000),
    "event": (18, 4096),
    "json": (20, 2048),
    "stored": (28, 4096),
}
# Freed memory is kept from reuse for a while, within the limit of 512 MiB. The compiler's cache
# holds for every checkout.
ENVIRONMENT = {
    "CCACHE_BASEDIR": SOURCE,
    "CCACHE_NOHASHDIR": "1",
    "ASAN_OPTIONS": "quarantine_size_mb=32:detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
CAUSE = re.compile(r"^(does not hold: .*|SUMMARY: .*|==\d+==\s?ERROR: .*)$", re.MULTILINE)
COVERAGE = re.compile(r"cov: (\d+)")
EXECUTED = re.compile(r"^stat::number_of_executed_units:\s*(\d+)$", re.MULTILINE)
ARTIFACT = re.compile(r"Test unit written to (\S+)")


@dataclass
class Outcome:
    target: str
    executions: int
    coverage: int
    seconds: float
    failure: str


class Processes:
    """What runs now; none of it outlives this program."""

    def __init__(self):
        self._running = set()
        self._stopped = False

    def run(self, command):
        """Its output, and its exit code."""
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=SOURCE,
            env={**os.environ, **ENVIRONMENT},
        ) as process:
            self._running.add(process)
            if self._stopped:
                process.terminate()
            output, _ = process.communicate()
            self._running.discard(process)
        return output, process.returncode

    def stop(self):
        self._stopped = True
        for process in list(self._running):
            process.terminate()


def build(processes):
    """The programs, made anew where a source is newer; output only if that fails."""
    jobs = os.environ.get("TENANTRY_JOBS", str(os.cpu_count() or 1))
    for command in (
        [os.path.join(SOURCE, "tools", "install-deps.sh"), "--fuzz"],
        ["cmake", "-S", SOURCE, "--preset", "fuzz"],
        ["ninja", "-C", BUILD, "-j", jobs, "tenantry_fuzzers"],
    ):
        output, code = processes.run(command)
        if code != 0:
            print(output[-8000:])
            sys.exit(f"fuzz: '{' '.join(command)}' failed")


def how_to_repeat(target, output):
    """Where the input that failed is kept, and the command that runs it."""
    artifact = ARTIFACT.search(output)
    if not artifact:
        return "no input was kept"
    program = os.path.relpath(os.path.join(PROGRAMS, "tenantry_run_inputs"), SOURCE)
    path = os.path.relpath(artifact.group(1), SOURCE)
    return (
        f"repeat: {program} {target} {path}; "
        f"keep it: cp {path} tests/fuzz/crashers/{target}/, under a name that says what it is"
    )


def failure_of(target, output, code, executions):
    if code != 0:
        causes = CAUSE.findall(output)
        cause = causes[0] if causes else f"exit {code}: {output[-300:].strip()}"
        return f"{cause}; {how_to_repeat(target, output)}"
    return "" if executions > 0 else "nothing was executed"


def fuzz(processes, target, seed, runs, seeds):
    began = time.monotonic()
    longest = TARGETS[target][1]
    with tempfile.TemporaryDirectory(prefix="tenantry-fuzz-") as corpus:
        output, code = processes.run(
            [
                os.path.join(PROGRAMS, f"tenantry_fuzz_{target}"),
                f"-seed={seed % 2**32 or 1}",  # To libFuzzer, 0 is the clock.
                f"-runs={runs}",
                f"-max_len={longest}",
                "-timeout=2",
                "-rss_limit_mb=512",
                "-print_final_stats=1",
                f"-artifact_prefix={os.path.join(CRASHES, target)}-",
                corpus,
                os.path.join(seeds, target),
            ]
        )
    executed = EXECUTED.search(output)
    executions = int(executed.group(1)) if executed else 0
    covered = COVERAGE.findall(output)
    failure = failure_of(target, output, code, executions)
    seconds = time.monotonic() - began
    return Outcome(target, executions, int(covered[-1]) if covered else 0, seconds, failure)


def run_all(processes, options, seeds):
    chosen = [options.target] if options.target else list(TARGETS)
    parts = sum(TARGETS[target][0] for target in chosen)
    wanted = options.count * EXECUTIONS_OF_A_CASE
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = pool.map(
            lambda target: fuzz(
                processes,
                target,
                options.seed,
                math.ceil(wanted * TARGETS[target][0] / parts),
                seeds,
            ),
            chosen,
        )
        for outcome in outcomes:
            print(
                f"{outcome.target}: {outcome.executions} executions, cov: {outcome.coverage},"
                f" {outcome.seconds:.0f} s",
                flush=True,
            )
            yield outcome


def parse():
    parser = argparse.ArgumentParser(description="Fuzzes what reads bytes of strangers.")
    parser.add_argument("--seed", type=int, required=True, help="libFuzzer's")
    parser.add_argument("--count", type=int, required=True, help="thousands of executions")
    parser.add_argument("--target", choices=sorted(TARGETS), help="only this one")
    return parser.parse_args()


def main():
    options = parse()
    processes = Processes()

    def end(*_):
        processes.stop()
        sys.exit(143)

    signal.signal(signal.SIGTERM, end)
    build(processes)
    os.makedirs(CRASHES, exist_ok=True)
    seeds = tempfile.mkdtemp(prefix="tenantry-fuzz-seeds-")
    executions = failed = 0
    try:
        program = os.path.join(PROGRAMS, "tenantry_run_inputs")
        output, code = processes.run([program, "--write-seeds", seeds])
        if code != 0:
            sys.exit(f"fuzz: the seeds could not be written: {output}")
        for outcome in run_all(processes, options, seeds):
            executions += outcome.executions
            if outcome.failure:
                failed += 1
                print(f"seed {options.seed}: {outcome.target}: {outcome.failure}", flush=True)
    finally:
        processes.stop()
        shutil.rmtree(seeds, ignore_errors=True)
    print(f"{executions // EXECUTIONS_OF_A_CASE} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
