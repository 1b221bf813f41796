#!/usr/bin/env python3
"""Holds SQLite and PostgreSQL against each other on generated histories.

    tools/postgres.sh run tests/engines_agree.py                     20 seeds, 100,000 commands each
    tools/postgres.sh run tests/engines_agree.py --seeds 3 --commands 5000 --first-seed 40

For each seed a history is generated and applied; each kind of database is projected in batches of a
size of its own and verified, rebuilt from nothing, and rebuilt in place by folding the events.
All must give the same digest for every table, and the last must find nothing to change. The server
is that of TENANTRY_TEST_POSTGRES. Ends with "N passed, N failed", one for each seed.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from org_history import Failure, PostgresModel, SqliteModel, Tenantry

FIRST = 100  # Commands that are projected before the others are applied.
BATCHES = (1, 7, 50, 200, 1000, 5000, 100_000)


def certificate(tenantry, *options):
    made = json.loads(tenantry.run("rebuild", "-q", "-o", "json", *options))
    made = made[0] if isinstance(made, list) else made
    if made["verdict"] != "equal":
        raise Failure(f"rebuild {' '.join(options)}: {made['verdict']}")
    return made["tables"]


def digests(tables):
    return {table["table"]: (table["found_rows"], table["found_digest"]) for table in tables}


def run_engine(tenantry, read_model, batch):
    tenantry.use(read_model)
    tenantry.run("project", "-q", "--batch", str(batch))
    tenantry.run("verify", "-q")
    projected = certificate(tenantry, "--in-place")
    read_model.drop()
    fresh = certificate(tenantry, "--fresh")
    folded = certificate(tenantry, "--in-place", "--from-events")
    for name, tables in (("project", projected), ("rebuild --from-events", folded)):
        changed = [t["table"] for t in tables if t["inserted"] or t["updated"] or t["deleted"]]
        if changed:
            raise Failure(f"{read_model.name}: {name} left other rows in {', '.join(changed)}")
        if digests(tables) != digests(fresh):
            raise Failure(f"{read_model.name}: {name} and rebuild --fresh give other digests")
    return digests(fresh)


def generate(binary, seed, commands, first, rest):
    tenants = max(1, commands // 100)
    with first.open("wb") as beginning, rest.open("wb") as output:
        generator = subprocess.Popen(
            [binary, "generate", "--tenants", str(tenants), "--seed", str(seed),
             "--events", str(2 * commands)], stdout=subprocess.PIPE)
        with generator.stdout as lines:
            for number, line in zip(range(commands), lines):
                (beginning if number < FIRST else output).write(line)
        generator.wait()  # A closed pipe ends it quietly.


def run_seed(binary, seed, commands, server, folder):
    choice = random.Random(seed)
    store = folder / f"store-{seed}"
    parts = [folder / f"{part}-{seed}.ndjson" for part in ("first", "rest")]
    generate(binary, seed, commands, *parts)
    tenantry = Tenantry(binary, store)
    tenantry.run("init")
    postgres = PostgresModel(server)
    read_models = (SqliteModel(store), postgres)
    try:
        for part in parts:  # An empty read model would be loaded, not projected.
            tenantry.run("apply", "-q", "--historic", "--quiet-accepted", str(part))
            if part == parts[0]:
                for read_model in read_models:
                    tenantry.use(read_model)
                    tenantry.run("project", "-q")
        found = {}
        for read_model in read_models:
            batch = choice.choice(BATCHES if commands <= 10_000 else BATCHES[2:])
            found[read_model.name] = run_engine(tenantry, read_model, batch)
    finally:
        postgres.close()
    if found["SQLite"] != found["PostgreSQL"]:
        raise Failure(f"other digests: {found}")
    return sum(rows for rows, _ in found["SQLite"].values())


def main(arguments):
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenantry", default=str(root / "build/release/tools/tenantry"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--commands", type=int, default=100_000)
    options = parser.parse_args(arguments)
    server = os.environ.get("TENANTRY_TEST_POSTGRES")
    if not server:
        print("TENANTRY_TEST_POSTGRES is not set: tools/postgres.sh run tests/engines_agree.py")
        return 2
    passed = failed = 0
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="engines-agree-") as folder:
            try:
                rows = run_seed(options.tenantry, seed, options.commands, server,
                                pathlib.Path(folder))
                passed += 1
                print(f"seed {seed}: {options.commands} commands, {rows} rows, all digests equal, "
                      f"{time.monotonic() - begun:.0f} s", flush=True)
            except Failure as failure:
                failed += 1
                print(f"seed {seed}: FAILED: {failure}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
