"""Runs one stage of tests/reliability/stages.conf: run_stage.py NAME --build DIR [options]

A stage is a program that tries many cases. It takes `--seed S --count N`: case number k uses the
seed S + k, and nothing else decides what the case does. It prints what fails, each with
`seed N: ` before it, and "N passed, N failed" as its last line; it exits with 0 if none failed.

What the machine does not allow it leaves out, and says so in a line `left out: what and why`: then
fewer cases are no failure.

This script gives it a seed of the commit (so that other commits try other cases), after that every
seed of tests/seeds.txt that ever failed, and holds the number of cases against the target. The
first and the last line that it prints say how to repeat the run.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
LEFT_OUT = "left out: "
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed$")


@dataclass
class Stage:
    name: str
    target: int
    long_target: int
    needs: str
    cases: str
    command: list


def read_stages():
    stages = {}
    with open(os.path.join(HERE, "stages.conf"), encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, target, long_target, needs, cases, command = map(str.strip, line.split("|"))
                stages[name] = Stage(
                    name, int(target), int(long_target), needs, cases, command.split()
                )
    return stages


def kept_seeds(name):
    """The seeds on which the stage failed once: lines `STAGE SEED  what was found`."""
    with open(os.path.join(SOURCE, "tests", "seeds.txt"), encoding="utf-8") as file:
        words = [line.split(maxsplit=2) for line in file if not line.startswith("#")]
    return [int(line[1]) for line in words if line and line[0] == name]


def commit():
    named = subprocess.run(
        ["git", "-C", SOURCE, "rev-parse", "--short=12", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return named.stdout.strip() or "unknown"


def run(command, seed, count):
    """Passes the output on; gives the passed and the failed cases of its last line, and whether
    some were left out."""
    last = ""
    left_out = False
    with subprocess.Popen(
        [*command, "--seed", str(seed), "--count", str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:

        def end(*_):
            process.terminate()  # It leaves nothing behind; it is waited for.
            sys.exit(143)

        signal.signal(signal.SIGTERM, end)
        for line in process.stdout:
            if line.strip():
                last = line.strip()
            left_out = left_out or line.startswith(LEFT_OUT)
            print(line, end="", flush=True)
    counts = COUNTS.match(last)
    if not counts:
        print(f"the stage ended with exit {process.returncode} and without its counts")
        return 0, 1, False
    passed, failed = map(int, counts.groups())
    if process.returncode != 0 and failed == 0:
        print(f"the stage ended with exit {process.returncode} though it names no failure")
        failed = 1
    return passed, failed, left_out


def parse():
    parser = argparse.ArgumentParser(
        description="Runs one stage of tests/reliability/stages.conf.",
        epilog="Example: run_stage.py kill --build build/release --seed 7 --count 1",
    )
    parser.add_argument("name", choices=sorted(read_stages()), metavar="NAME")
    parser.add_argument("--build", required=True, help="the build's directory")
    parser.add_argument("--seed", type=int, help="of the first case (default: of the commit)")
    parser.add_argument("--count", type=int, help="cases (default: the suite's target)")
    parser.add_argument("--long", action="store_true", help="as many cases as a long run has")
    return parser.parse_args()


def main():
    options = parse()
    stage = read_stages()[options.name]
    target = options.count or (stage.long_target if options.long else stage.target)
    build = os.path.abspath(options.build)
    command = [word.replace("@build@", build).replace("@source@", SOURCE) for word in stage.command]
    at = commit()
    seed = options.seed
    if seed is None:
        seed = int(at[:8], 16) if at != "unknown" else 1
    repro = f"tools/soak.sh {stage.name} {seed} {target}"
    facts = f"seed={seed} commit={at} preset={os.path.basename(build)} repro: {repro}"
    print(f"{stage.name}: {facts}", flush=True)
    began = time.monotonic()
    passed, failed, left_out = run(command, seed, target)
    kept = kept_seeds(stage.name) if options.seed is None else []
    for old in kept:
        again, broken, _ = run(command, old, 1)
        failed += broken + (again == 0 and broken == 0 and not left_out)
    if passed < target and failed == 0 and not left_out:
        print(f"{passed} cases are fewer than the {target} asked for")
        failed = 1
    seconds = time.monotonic() - began
    print(
        f"{stage.name}: {passed} of {target} {stage.cases}, {failed} failed, {len(kept)} old seeds,"
        f" {seconds:.0f} s; {facts}"
    )
    return 0 if failed == 0 and (passed > 0 or left_out) else 1


if __name__ == "__main__":
    sys.exit(main())
