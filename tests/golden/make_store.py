"""Makes a golden store: make_store.py PROGRAM NAME [--squash] [--redact] [--discard]

PROGRAM is the `tenantry` whose format is to be kept, NAME what the store is called
(`2.2-redacted`). Writes stores/NAME.tar.xz and stores/NAME.json, and nothing if either is there.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile

PLACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stores")
KNOWN = {
    "id": "0192d3a4-0000-7000-8000-000000000001",
    "command": "register_user",
    "actor": "system:golden",
    "data": {"username": "golden", "email": "golden@example.com"},
}
LOG_FIELDS = ("store_id", "incarnation", "position", "log_digest")
REJECTED = 3  # Some made-up commands do not fit any more, all of them being of today.
# Room on the disk and notes to operators are no part of what a store holds.
LEFT_OUT = ("ballast", "LOG", "read_model.sqlite3", "OWNER.sock")


class Store:
    def __init__(self, program, directory):
        self.program = os.path.abspath(program)
        self.directory = directory
        self.environment = {
            k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "TENANTRY_READ_MODEL")
        }
        self.environment["TENANTRY_STORE"] = directory

    def run(self, *arguments, stdin=b""):
        done = subprocess.run(
            [self.program, *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            check=False,
            env=self.environment,
        )
        if done.returncode not in (0, REJECTED):
            sys.exit(f"{arguments}: exit {done.returncode}\n{done.stdout.decode()}")
        return done.stdout

    def records(self, *arguments, stdin=b""):
        return [json.loads(line) for line in self.run(*arguments, stdin=stdin).splitlines()]

    def apply(self, lines):
        # Few at once: what was written together leaves the log together.
        self.run("apply", "-q", "--batch", "8", stdin=b"".join(lines))

    def apply_and_die(self, lines):
        """What is durable then is in the write-ahead log alone."""
        with subprocess.Popen(
            [self.program, "apply", "-q"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.environment,
        ) as writer:
            writer.stdin.write(b"".join(lines))
            writer.stdin.flush()
            for _ in lines:
                writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)


def without_time(command):
    """For the first squash is of today, and what comes after it no older."""
    del command["at"]
    command["data"].pop("expires_at", None)
    if "ends_at" in command["data"]:
        command["data"]["ends_at"] = "2100-01-01T00:00:00Z"
    return json.dumps(command).encode() + b"\n"


def fill(store, options):
    """Gives what was answered to the command that is asked for again one day."""
    store.run("init")
    lines = [
        without_time(command)
        for command in store.records("generate", "-q", *"--tenants 4 --seed 1 --events 300".split())
    ]
    part = len(lines) // 4
    store.apply(lines[:part])
    (answer,) = store.records("apply", "-q", stdin=json.dumps(KNOWN).encode())
    store.apply(lines[part : 2 * part])
    if options.squash:
        store.run("squash", "--through", "60", "--yes")
    store.apply(lines[2 * part : 3 * part])
    if options.squash:
        store.run("squash", "--scope", "tenants", "--yes")
    if options.redact:
        tenants = [event["tenant_id"] for event in store.records("log", "--scope", "tenants")]
        most = max(sorted(set(tenants)), key=tenants.count)
        store.run("squash", "--tenant", most, "--redact", "--yes", "--reason", "golden")
    if options.discard:
        store.run("squash", "--discard-history", "--through", "60", "--yes")
    store.apply_and_die(lines[3 * part :])
    return answer


def describe(store, answer, directory):
    read_model = "sqlite:" + os.path.join(directory, "read_model.sqlite3")
    (certificate,) = store.records("rebuild", "-q", "--read-model", read_model)
    return {
        "command": KNOWN,
        "answer": answer,
        "log": {field: certificate[field] for field in LOG_FIELDS},
        "kinds": [event["kind"] for event in store.records("log")],
        "tables": {table["table"]: table["expected_digest"] for table in certificate["tables"]},
    }


def keep(store, name):
    def without_what_is_left_out(member):
        return None if os.path.basename(member.name) in LEFT_OUT else member

    path = os.path.join(PLACE, name + ".tar.xz")
    with tarfile.open(path, "x:xz", preset=9) as archive:
        archive.add(store.directory, "store", filter=without_what_is_left_out)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("name")
    for option in ("squash", "redact", "discard"):
        parser.add_argument("--" + option, action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tenantry-golden-") as directory:
        store = Store(options.program, os.path.join(directory, "store"))
        answer = fill(store, options)
        path = keep(store, options.name)  # As the killed writer left it.
        with open(os.path.join(PLACE, options.name + ".json"), "x", encoding="utf-8") as file:
            json.dump(describe(store, answer, directory), file, indent=1)
            file.write("\n")
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
