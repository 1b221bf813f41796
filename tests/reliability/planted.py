"""Plants each bug of core/planted.h and sees that a test finds it: planted.py --build DIR

DIR is a build with TENANTRY_PLANTED. A stage (see run_stage.py) with one case a bug; `--seed` and
`--count` are taken and mean nothing more. Each finder passes without the bug, and fails with it
within 20 seconds; what it said first is printed.
"""

import argparse
import os
import re
import subprocess
import sys
import threading
import time

SECONDS_MAX = 20
SIMULATION = ["tests/sim/tenantry_simulate", "--no-shrink", "--seed", "1", "--count"]


def simulation(lives):
    return [*SIMULATION, str(lives)]


def life(seed):
    return [*SIMULATION[:2], "--seed", str(seed), "--count", "1"]


def every_change(first, cases):
    return [*SIMULATION[:2], "--every-change", "--seed", str(first), "--count", str(cases)]


def planted_names():
    """Those that core/planted.cc knows."""
    source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(source, "core", "planted.cc"), encoding="utf-8") as file:
        return re.findall(r'\{"([a-z_]+)", Plant::', file.read())


def core(names):
    return ["tests/core/tenantry_core_test", "--gtest_brief=1", "--gtest_filter=" + names]


def projections(names):
    program = "tests/projections/tenantry_projections_test"
    return [program, "--gtest_brief=1", "--gtest_filter=" + names]


# The bug, and what finds it.
FINDERS = {
    "answer_before_write": simulation(20),
    "no_sync": simulation(20),
    "no_directory_sync": simulation(20),
    "retry_after_failed_sync": core("FailedSyncTest.*"),
    "forget_command_ids": simulation(10),
    "mark_apart": life(43),
    "ignore_ack": core("StoreDamageTest.A*"),
    "forgive_log_damage": core("RocksStorageTest.FlippedBit*"),
    "no_continuity": core("BlockStream*:LogReader*"),
    "no_tenant_bound": core("StateFindRowTest.*"),
    "late_head": core("StoreTest.NoReader*"),
    "plain_hash": core("KeyedHashTest.*"),
    "no_epoch": projections("*RebuildTest.*"),
    "reclaim_before_publish": every_change(380, 2),
    "skip_refused_events": projections("*ProjectorTest.*"),
}
COMPLAINT = re.compile(r"^seed \d+: |: Failure|\[  FAILED  \]|Assert|ERROR")


def run(build, finder, bug):
    """The exit status, the first complaint, and how long it took."""
    environment = {k: v for k, v in os.environ.items() if k != "TENANTRY_PLANT"}
    if bug:
        environment["TENANTRY_PLANT"] = bug
    with subprocess.Popen(
        [os.path.join(build, finder[0]), *finder[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    ) as process:
        began = time.monotonic()
        first = ""
        watchdog = threading.Timer(4 * SECONDS_MAX, process.kill)
        watchdog.start()
        for line in process.stdout:
            if not first and COMPLAINT.search(line):
                first = line.strip()
            if bug and first and line.startswith("seed "):
                process.kill()  # Found; the rest of the lives need not be lived.
        status = process.wait()
        watchdog.cancel()
        return status, first, time.monotonic() - began


def try_bug(build, bug):
    """What is wrong, in words; empty when the bug was found."""
    finder = FINDERS[bug]
    status, first, seconds = run(build, finder, bug)
    name = " ".join(finder)
    if status == 0 or (status < 0 and not first):
        return f"{bug}: {name} did not find it"
    if not first:
        return f"{bug}: {name} ended with {status} and named nothing"
    if seconds > SECONDS_MAX:
        return f"{bug}: {name} took {seconds:.0f} s to find it"
    print(f"{bug}: found in {seconds:.1f} s by {finder[0]}: {first[:160]}", flush=True)
    return ""


def sound(build):
    """The finders that complain of nothing but the code as it is."""
    wrong = []
    for finder in {tuple(finder): finder for finder in FINDERS.values()}.values():
        status, first, _ = run(build, finder, None)
        if status != 0:
            wrong.append(f"{' '.join(finder)} fails without any bug: {first}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description="Plants bugs and sees that a test finds each.")
    parser.add_argument("--build", required=True)
    parser.add_argument("--only", choices=sorted(FINDERS))
    parser.add_argument("--seed")
    parser.add_argument("--count")
    options = parser.parse_args()
    bugs = [options.only] if options.only else list(FINDERS)
    wrong = [words for words in (try_bug(options.build, bug) for bug in bugs) if words]
    wrong += [f"{bug}: no finder" for bug in sorted(set(planted_names()) - set(FINDERS))]
    failed = len(wrong)
    unsound = sound(options.build)
    for words in wrong + unsound:
        print(words)
    print(f"{max(len(bugs) - failed, 0)} passed, {failed + len(unsound)} failed")
    return 0 if not wrong and not unsound else 1


if __name__ == "__main__":
    sys.exit(main())
