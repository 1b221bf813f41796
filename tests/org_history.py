#!/usr/bin/env python3
"""Replays the history of an organisation through Tenantry and compares what comes out.

    tests/org_history.py tests/history
    tests/org_history.py FOLDER --tenantry build/release/tools/tenantry --store /tmp/s --keep
    tests/org_history.py FOLDER --tenantry build/release/tools/tenantry --store x --keep
    tests/org_history.py FOLDER --postgres URL         into PostgreSQL as well
    tests/org_history.py FOLDER --commands-only        prints the commands as NDJSON

FOLDER holds one *.ndjson of operations and expected-final.json (tests/history/README.md has the
format). The operations become commands with their historic times; they are applied, projected into
SQLite and, with the URL of a server (or TENANTRY_TEST_POSTGRES), into a database made there for the
run; verified, rebuilt from nothing, and rebuilt in place. After each, tenants, users, members and
roles are compared with the expected state, both as `tenantry rows` prints them and as the database
holds them. Exit 0 if all is equal, 1 if not or if any command was refused, 2 on wrong use.
"""

import argparse
import datetime
import decimal
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid

SHOWN_MAX = 20  # Differences printed; the rest is counted.
# What a command id is made from, so that a second run of the same file changes nothing.
ID_SPACE = uuid.UUID("5c0f1a86-52a5-4d53-9c8d-3cf6c7c5a9d1")


class Failure(Exception):
    """The run cannot go on; the text says why."""


# --- input ----------------------------------------------------------------------------------------


def parse_json(text):
    return json.loads(text, parse_float=decimal.Decimal, parse_int=decimal.Decimal)


def load(folder):
    files = sorted(folder.glob("*.ndjson"))
    if len(files) != 1:
        raise Failure(f"{folder} holds {len(files)} *.ndjson files; one is needed")
    with files[0].open(encoding="utf-8") as lines:
        operations = [json.loads(line) for line in lines if line.strip()]
    expected = json.loads((folder / "expected-final.json").read_text(encoding="utf-8"))
    operations = [operation for operation in operations if operation["at"] <= expected["through"]]
    if not operations:
        raise Failure(f"{files[0]} holds no operation")
    return operations, expected


# --- translation: one operation, one or more commands ---------------------------------------------

ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = re.compile(rf"(?P<local>{ATOM}(?:\.{ATOM})*)@(?:{LABEL}(?:\.{LABEL})+|localhost)")


def address(slug, given):
    """The contact address a tenant gets: its own, or a stand-in where it has none that is valid."""
    found = EMAIL.fullmatch(given)
    if found and len(found.group("local")) <= 64 and len(given) <= 254:
        return given
    local = slug
    if len(local) > 64:  # No mailbox name is longer; the digest keeps two long slugs apart.
        local = f"{slug[:51]}-{hashlib.sha256(slug.encode()).hexdigest()[:12]}"
    return f"{local}@example.invalid"


def changes_of_tenant(data):
    slug, changes = data["slug"], data["changes"]
    unknown = set(changes) - {"name", "contact_email", "settings"}
    if unknown:
        raise Failure(f"update_tenant changes what nobody knows: {sorted(unknown)}")
    fields = {}
    if "name" in changes:
        fields["name"] = changes["name"]
    if "contact_email" in changes:
        fields["contact_email"] = address(slug, changes["contact_email"])
    if fields:
        yield "change_tenant", {"tenant": slug, **fields}
    if "settings" in changes:
        yield "change_tenant_settings", {"tenant": slug, "replace": changes["settings"]}


def commands_of(op, data):
    """(command, data) of one operation. Owners come and go freely in a history, hence `force`."""
    if op == "create_user":
        yield "register_user", {"username": data["username"]}
    elif op == "create_tenant":
        yield "create_tenant", {"name": data["name"], "slug": data["slug"], "schema_name": None,
                                "contact_email": address(data["slug"], data["contact_email"])}
    elif op == "update_tenant":
        yield from changes_of_tenant(data)
    elif op == "deactivate_tenant":
        yield "deactivate_tenant", {"tenant": data["slug"]}
    elif op == "reactivate_tenant":
        yield "activate_tenant", {"tenant": data["slug"]}
    elif op == "add_member":
        yield op, {"tenant": data["tenant"], "user": data["username"], "role": data["role"]}
    elif op == "change_member_role":
        yield op, {"tenant": data["tenant"], "user": data["username"], "role": data["role"],
                   "force": True}
    elif op == "remove_member":
        yield op, {"tenant": data["tenant"], "user": data["username"], "force": True}
    else:
        raise Failure(f"unknown operation '{op}'")


def translate(operations):
    for operation in operations:
        commands = commands_of(operation["op"], operation["data"])
        for part, (command, data) in enumerate(commands):
            name = f"{operation['at']} {operation['seq']} {part}"
            line = {"command": command, "data": data, "id": str(uuid.uuid5(ID_SPACE, name)),
                    "actor": operation["actor"], "channel": "import", "at": operation["at"]}
            if operation.get("commit"):
                line["reason"] = f"commit {operation['commit']}"
            yield line


# --- the expected state, in the form in which states are compared ---------------------------------


class State:
    """What a source says: `users`, `tenants` and `members` are dictionaries by human keys."""

    def __init__(self):
        self.users = {}    # username -> its columns
        self.tenants = {}  # slug -> its columns
        self.members = {}  # (slug, username) -> its columns


def comparable(value):
    """JSON whose parts compare as JSON does: numbers by value, and true is not 1."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float, decimal.Decimal)):
        written = f"{decimal.Decimal(str(value)):f}"
        return ("number", written.rstrip("0").rstrip(".") if "." in written else written)
    if isinstance(value, dict):
        return {key: comparable(member) for key, member in value.items()}
    return [comparable(member) for member in value]


def first_times(operations):
    """When each user, tenant and present membership began, by the operations alone."""
    users, tenants, members = {}, {}, {}
    for operation in operations:
        op, data, at = operation["op"], operation["data"], operation["at"]
        if op == "create_user":
            users[data["username"]] = at
        elif op == "create_tenant":
            tenants[data["slug"]] = at
        elif op == "add_member":
            members[data["tenant"], data["username"]] = at
    return users, tenants, members


def expected_state(operations, expected):
    joined, created, since = first_times(operations)
    state = State()
    for username in expected["users"]:
        state.users[username] = {"email": "", "is_active": True,
                                 "date_joined": joined[username]}
    for tenant in expected["tenants"]:
        slug = tenant["slug"]
        state.tenants[slug] = {
            "name": tenant["name"], "contact_email": address(slug, tenant["contact_email"]),
            "settings": comparable(tenant["settings"]), "is_active": tenant["active"],
            "schema_name": None, "created_at": created[slug]}
        for username, role in tenant["members"].items():
            state.members[slug, username] = {"role": role, "is_active": True,
                                             "created_at": since[slug, username]}
    return state


# --- states read from a fold of the commands, from `tenantry rows`, and from SQLite ---------------


def fold(commands):
    """What the commands must lead to: the rules of Tenantry that a history can run into."""
    state = State()
    for line in commands:
        command, data, at = line["command"], line["data"], line["at"]
        if command == "register_user":
            refuse(line, data["username"] in state.users, "username_taken")
            state.users[data["username"]] = {"email": "", "is_active": True, "date_joined": at}
        elif command == "create_tenant":
            refuse(line, data["slug"] in state.tenants, "slug_taken")
            refuse(line, not re.fullmatch(r"[-a-z0-9_]{1,100}", data["slug"]), "invalid_slug")
            state.tenants[data["slug"]] = {
                "name": data["name"], "contact_email": data["contact_email"], "settings": {},
                "is_active": True, "schema_name": data["schema_name"], "created_at": at}
        elif "user" in data:
            fold_membership(state, line)
        else:
            fold_tenant(state, line)
    return state


def fold_tenant(state, line):
    command, data = line["command"], dict(line["data"])
    slug = data.pop("tenant")
    refuse(line, slug not in state.tenants, "not_found")
    tenant = state.tenants[slug]
    if command == "change_tenant":
        tenant.update(data)
    elif command == "change_tenant_settings":
        tenant["settings"] = comparable(data["replace"])
    else:
        tenant["is_active"] = command == "activate_tenant"
    refuse(line, not EMAIL.fullmatch(tenant["contact_email"]), "invalid_email")


def fold_membership(state, line):
    command, data = line["command"], line["data"]
    key = data["tenant"], data["user"]
    refuse(line, data["tenant"] not in state.tenants or data["user"] not in state.users,
           "not_found")
    if command == "add_member":
        refuse(line, key in state.members, "already_member")
        state.members[key] = {"role": data["role"], "is_active": True, "created_at": line["at"]}
        return
    refuse(line, key not in state.members, "not_found")
    if command == "remove_member":
        del state.members[key]
    else:
        state.members[key]["role"] = data["role"]


def refuse(line, condition, code):
    if condition:
        raise Failure(f"the translation breaks a rule: {code} on {json.dumps(line)}")


def join_rows(users, tenants, members):
    """Tables to a state; ids give way to usernames and slugs."""
    state = State()
    username_by_id = {row["id"]: row["username"] for row in users}
    slug_by_id = {row["id"]: row["slug"] for row in tenants}
    for row in users:
        state.users[row["username"]] = {
            name: row[name] for name in ("email", "is_active", "date_joined")}
    for row in tenants:
        columns = ("name", "contact_email", "settings", "is_active", "schema_name", "created_at")
        state.tenants[row["slug"]] = {name: row[name] for name in columns}
    for row in members:
        key = slug_by_id[row["tenant_id"]], username_by_id[row["user_id"]]
        state.members[key] = {name: row[name] for name in ("role", "is_active", "created_at")}
    if (len(state.users), len(state.tenants), len(state.members)) != (
            len(users), len(tenants), len(members)):
        raise Failure("two rows share a username, a slug, or a tenant and user")
    return state


def state_of_rows(tenantry):
    tables = []
    for table in ("auth_user", "tenants_tenant", "tenants_tenant_user"):
        output = tenantry.run("rows", table, "-o", "ndjson")
        tables.append([parse_json(line) for line in output.splitlines()])
    for row in tables[1]:
        row["settings"] = comparable(row["settings"])
    return join_rows(*tables)


def iso_time(text):
    """A database's form of a time in the form of the operations."""
    # A fraction of PostgreSQL's has no more digits than it needs; Python 3.9 wants three or six.
    text = re.sub(r"\.(\d+)", lambda found: "." + found.group(1).ljust(6, "0"), text)
    moment = datetime.datetime.fromisoformat(text)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


TABLES = ("auth_user", "tenants_tenant", "tenants_tenant_user")


class SqliteModel:
    """The read model beside the store's files."""

    name = "SQLite"

    def __init__(self, store):
        self.path = store / "read_model.sqlite3"
        self.url = f"sqlite:{self.path}"

    def drop(self):
        for suffix in ("", "-wal", "-shm", "-journal"):
            pathlib.Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def state(self):
        database = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        database.row_factory = sqlite3.Row
        tables = []
        for table in TABLES:
            rows = [dict(row) for row in database.execute(f"SELECT * FROM {table}")]
            for row in rows:
                row["is_active"] = {0: False, 1: True}.get(row["is_active"], row["is_active"])
                for name in ("date_joined", "created_at"):
                    if name in row:
                        row[name] = iso_time(row[name])
            tables.append(rows)
        database.close()
        for row in tables[1]:
            row["settings"] = comparable(parse_json(row["settings"]))
        return join_rows(*tables)


class PostgresModel:
    """A database of its own on the server that `url` leads to."""

    name = "PostgreSQL"

    def __init__(self, url):
        self.server = url
        self.database = f"org_history_{uuid.uuid4().hex[:12]}"
        self.url = re.sub(r"^(postgres(?:ql)?://[^/]*/)[^?]*", rf"\g<1>{self.database}", url)
        self.query(f"CREATE DATABASE {self.database}", self.server)

    def query(self, sql, url=None):
        done = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url or self.url],
            input=f"SET TimeZone = 'UTC';\n{sql};\n", capture_output=True, text=True,
            encoding="utf-8", check=False)
        if done.returncode != 0:
            raise Failure(f"psql: {done.stderr.strip()}")
        return done.stdout

    def drop(self):
        self.close()
        self.query(f"CREATE DATABASE {self.database}", self.server)

    def close(self):
        self.query(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)", self.server)

    def state(self):
        tables = []
        for table in TABLES:
            rows = parse_json(self.query(
                f"SELECT coalesce(json_agg(to_json(t)), '[]') FROM public.{table} t"))
            for row in rows:
                for name in ("date_joined", "created_at"):
                    if name in row:
                        row[name] = iso_time(row[name])
                if "settings" in row:
                    row["settings"] = comparable(row["settings"])
            tables.append(rows)
        return join_rows(*tables)


# --- comparison -----------------------------------------------------------------------------------


def differences(expected, actual):
    for kind in ("users", "tenants", "members"):
        wanted, found = getattr(expected, kind), getattr(actual, kind)
        for key in sorted(set(wanted) | set(found)):
            name = f"{kind[:-1]} {' in '.join(reversed(key)) if kind == 'members' else key}"
            if key not in found:
                yield f"{name}: missing"
            elif key not in wanted:
                yield f"{name}: should not be there"
            else:
                for column, value in wanted[key].items():
                    if found[key][column] != value:
                        yield f"{name}: {column} is {found[key][column]!r}, expected {value!r}"


def compare(label, expected, actual):
    found = list(differences(expected, actual))
    for line in found[:SHOWN_MAX]:
        print(f"DIFFERENT {label}: {line}")
    if len(found) > SHOWN_MAX:
        print(f"DIFFERENT {label}: and {len(found) - SHOWN_MAX} more")
    if not found:
        print(f"{label}: {len(actual.users)} users, {len(actual.tenants)} tenants, "
              f"{len(actual.members)} members, all as expected")
    return len(found)


# --- the program under test -----------------------------------------------------------------------


class Tenantry:
    """Runs the command on one store."""

    def __init__(self, binary, store):
        self.binary = binary
        self.environment = {**os.environ, "TENANTRY_STORE": str(store), "NO_COLOR": "1"}
        self.environment.pop("DATABASE_URL", None)
        self.environment.pop("TENANTRY_READ_MODEL", None)

    def use(self, read_model):
        self.environment["TENANTRY_READ_MODEL"] = read_model.url

    def start(self, *arguments):
        begun = time.monotonic()
        done = subprocess.run([self.binary, *arguments], env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              encoding="utf-8", check=False)
        return done, time.monotonic() - begun

    def run(self, *arguments):
        """Standard output; anything but exit 0 ends the run."""
        done, seconds = self.start(*arguments)
        if done.returncode != 0:
            raise Failure(f"`tenantry {' '.join(arguments)}` ended with {done.returncode}\n"
                          f"{done.stdout[-4000:]}{done.stderr[-4000:]}".rstrip())
        if arguments[0] != "rows" and "-q" not in arguments:
            print(f"tenantry {arguments[0]}: {seconds:.2f} s")
        return done.stdout


def apply(tenantry, commands, file):
    """Applies all commands; a single refusal is a failure."""
    with file.open("w", encoding="utf-8") as output:
        for command in commands:
            output.write(json.dumps(command, ensure_ascii=False) + "\n")
    done, seconds = tenantry.start("apply", "--historic", str(file))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    refused = [answer for answer in answers if answer.get("status") != "accepted"]
    for answer in refused[:SHOWN_MAX]:
        print(f"REFUSED {json.dumps(answer)}\n  on {json.dumps(commands[answer['line'] - 1])}")
    if refused or done.returncode != 0 or len(answers) != len(commands):
        raise Failure(f"apply: {len(answers)} answers to {len(commands)} commands, {len(refused)} "
                      f"refused, exit {done.returncode}\n{done.stderr[-4000:]}".rstrip())
    events = sum(len(answer["positions"]) for answer in answers)
    print(f"tenantry apply: {len(commands)} commands, {events} events in {seconds:.2f} s, "
          f"{len(commands) / seconds:.0f} commands/s")


def compare_both(label, tenantry, read_model, expected):
    return (compare(f"rows after {label}", expected, state_of_rows(tenantry))
            + compare(f"{read_model.name} after {label}", expected, read_model.state()))


def replay_into(tenantry, read_model, expected):
    tenantry.use(read_model)
    different = 0
    for label, drop_before in (("project", False), ("rebuild", True), ("rebuild", False)):
        if drop_before:
            read_model.drop()
        tenantry.run(label)
        tenantry.run("verify")
        different += compare_both(label, tenantry, read_model, expected)
    return different


def replay(binary, store, commands, expected, scratch, server):
    tenantry = Tenantry(binary, store)
    tenantry.run("init")
    apply(tenantry, commands, scratch / "commands.ndjson")
    different = replay_into(tenantry, SqliteModel(store), expected)
    if server:
        read_model = PostgresModel(server)
        try:
            different += replay_into(tenantry, read_model, expected)
        finally:
            read_model.close()
    return different


# --- command line ---------------------------------------------------------------------------------


def parse_arguments(arguments):
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, add_help=True,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tenantry", default=str(root / "build/release/tools/tenantry"),
                        metavar="BIN", help="the program (default: %(default)s)")
    parser.add_argument("--store", type=pathlib.Path, metavar="DIR",
                        help="a new or empty directory (default: a temporary one)")
    parser.add_argument("--keep", action="store_true", help="leave the store there afterwards")
    parser.add_argument("--postgres", metavar="URL",
                        default=os.environ.get("TENANTRY_TEST_POSTGRES"),
                        help="a server where databases can be made (default: none)")
    parser.add_argument("--commands-only", action="store_true")
    parser.add_argument("--check-translation", action="store_true")
    return parser.parse_args(arguments)


def run_in_store(options, commands, expected):
    if not shutil.which(options.tenantry):
        raise Failure(f"there is no program {options.tenantry}; tools/build.sh makes it")
    if options.store and options.store.exists() and any(options.store.iterdir()):
        raise Failure(f"{options.store} is not empty")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="org-history-"))
    store = (options.store or scratch / "store").resolve()
    try:
        return replay(str(shutil.which(options.tenantry)), store, commands, expected, scratch,
                      options.postgres)
    finally:
        if options.keep:
            print(f"kept: {store}, {scratch / 'commands.ndjson'}")
        else:
            shutil.rmtree(scratch)
            shutil.rmtree(store, ignore_errors=True)


def main(arguments):
    options = parse_arguments(arguments)
    try:
        operations, expected = load(options.folder)
        commands = list(translate(operations))
        if options.commands_only:
            for command in commands:
                print(json.dumps(command, ensure_ascii=False))
            return 0
        print(f"{options.folder}: {len(operations)} operations, {len(commands)} commands")
        wanted = expected_state(operations, expected)
        different = compare("fold of the commands", wanted, fold(commands))
        if not options.check_translation and different == 0:
            different = run_in_store(options, commands, wanted)
        return 1 if different else 0
    except (Failure, OSError, ValueError, KeyError, sqlite3.Error) as failure:
        print(f"FAILED: {type(failure).__name__ + ': ' if not isinstance(failure, Failure) else ''}"
              f"{failure}")
        return 1


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `--commands-only | head` ends quietly.
    sys.exit(main(sys.argv[1:]))
