"""The reading commands that the damage stage runs, and what is made of their outcome."""

import json
import random
import re

from driver import CORRUPT, NOT_FOUND, OK, REJECTED, TABLES, USAGE, Failure

# All but what tells where the copy lies and how large its files are.
STATUS_FIELDS = (
    "store_id,incarnation,created_at,tail,last_recorded_at,log_digest,term,batches,scopes,rows,"
    "repairs"
)
# All but where the archive lies.
SQUASH_FIELDS = (
    "position,scope,through,events,archive_bytes,chain_hash,snapshot_digest,archive_digest"
)
# What of a message names a place.
PLACE = re.compile(
    r"\d{6}\.(sst|log)|\.tseg|MANIFEST|CURRENT|FORMAT|/ack\b|position \d+|batch \d+|the head"
    r"|state entr|index [A-Z] |kept answers|time mark|scope (system|auth|core|tenants)"
)
NO_TENANT = ("none", "none")
SAMPLE = 12  # Of each kind of name, so that what is wanted is known after a while.


class Catalogue:
    """Commands that read an undamaged store in many ways; made from what the store holds."""

    def __init__(self, made):
        pick = random.Random(made.tail)
        self._positions = [1, made.tail, *(pick.randint(1, made.tail) for _ in range(SAMPLE))]
        self._tail = made.tail
        self._squashed = bool(made.archive())
        status = made.store.records("status", "-o", "ndjson")[0]
        self._rows = {table: count for table, count in status["rows"].items() if count}
        self._events = {scope["scope"]: scope["events"] for scope in status["scopes"]}
        users = [row["username"] for row in rows(made, "auth_user")] or ["nobody"]
        tenants = [(row["slug"], row["id"]) for row in rows(made, "tenants_tenant")] or [NO_TENANT]
        hosts = [row["domain"] for row in rows(made, "tenants_tenantdomain")] or ["none.example"]
        self._users = pick.sample(users, min(SAMPLE, len(users)))
        self._tenants = pick.sample(tenants, min(SAMPLE, len(tenants)))
        self._hosts = pick.sample(hosts, min(SAMPLE, len(hosts)))

    def whole(self, draw):
        """One that reads a great deal."""
        return draw.choice(
            [
                ["log"],
                ["log", "--reverse"],
                ["log", "--scope", draw.choice(["auth", "core", "tenants"])],
                ["log", "--scope", draw.choice(["auth", "core", "tenants"]), "--reverse"],
                ["log", "-o", "csv"],
                ["export", "--reveal"],
                ["members"],
                ["rows", draw.choice(TABLES), "--names"],
                ["rows", draw.choice(TABLES), "--as-of", str(draw.choice(self._positions))],
            ]
        )

    def costly(self, draw):
        """One that folds what it reads."""
        one, other = sorted(draw.choices(self._positions, k=2))
        return draw.choice([["diff", str(one), str(other)], ["verify", "--full"]])

    def aimed(self, family, draw):
        """One that scans the family forward, so that it crosses from table file to table file;
        mostly where most of it is."""
        if family == "idx":
            return ["log", "--tenant", draw.choice(self._tenants)[0]]
        counts = self._rows if family == "state" else self._events
        name = draw.choices(list(counts), list(counts.values()))[0]
        return ["rows", name] if family == "state" else ["log", "--scope", name]

    def part(self, draw):
        """One that reads some of it, mostly by an index."""
        if self._squashed and draw.random() < 0.1:
            return ["squashes", "--fields", SQUASH_FIELDS]
        tenant, tenant_id = draw.choice(self._tenants)
        user, host = draw.choice(self._users), draw.choice(self._hosts)
        at = draw.choice(self._positions)
        return draw.choice(
            [
                ["log", "--tenant", tenant],
                ["log", "--user", user],
                ["log", "--tenant", tenant, "--reverse", "--limit", "20"],
                ["log", "--after", str(at), "--through", str(min(self._tail, at + 300))],
                ["log", "--after", str(at), "--limit", "50", "-p"],
                ["log", "--kind", draw.choice(["UserRegistered", "TenantCreated", "MemberAdded"])],
                ["log", "--channel", "api", "--limit", "200"],
                ["log", "--actor", draw.choice(["user:1", "system:nightly"])],
                ["log", "--stream", f"tenant/{tenant}"],
                ["log", "--grep", "retention", "--limit", "30"],
                ["show", str(at)],
                ["show", str(at), "--reveal"],
                ["history", f"user/{user}"],
                ["history", f"tenant/{tenant}"],
                ["blame", f"user/{user}"],
                ["blame", f"tenant/{tenant}"],
                ["rows", draw.choice(TABLES)],
                ["rows", "tenants_tenant_user", "--tenant", tenant, "--names"],
                ["rows", "auth_user", "--where", "is_active=false"],
                ["members", "--tenant", tenant],
                ["members", "--user", user],
                ["resolve", "--host", host],
                ["resolve", "--user", user],
                ["resolve", "--tenant-id", tenant_id, "--user", user],
                ["export", "--tenant", tenant],
                ["status", "--fields", STATUS_FIELDS],
                ["verify", "--quick"],
            ]
        )


def rows(made, table):
    return made.store.records("rows", table, "-o", "ndjson")


def plain(arguments, out):
    """The output without the figures that are sizes of files."""
    if arguments[0] not in ("status", "verify"):
        return out
    lines = [json.loads(line) for line in out.splitlines()]
    for line in lines:
        if line.get("check") == "file checksums":
            line.pop("examined", None)
        for scope in line.get("scopes", ()):
            scope.pop("live_bytes", None)
    return json.dumps(lines).encode()


def wanted(made, arguments):
    """(exit, output) on the undamaged store."""
    key = tuple(arguments)
    if key not in made.wanted:
        run = made.store.run(*arguments, "-q")
        if run.code not in (OK, USAGE, REJECTED, NOT_FOUND):
            raise Failure(f"undamaged {made.name}: {run}")
        made.wanted[key] = (run.code, plain(arguments, run.out))
    return made.wanted[key]


def judge(arguments, expected, run):
    """`same`, `detected`, or what is wrong."""
    if run.code == CORRUPT:
        if not PLACE.search(run.err + run.out.decode(errors="replace")):
            return f"names no place: {run}"
        if arguments[0] != "verify" and not expected[1].startswith(whole_lines(run.out)):
            return f"printed something else before it met the damage: {run}"
        return "detected"
    if run.code != expected[0]:
        return f"expected exit {expected[0]}: {run}"
    if plain(arguments, run.out) != expected[1]:
        return f"other output: {first_difference(expected[1], plain(arguments, run.out))}: {run}"
    return "same"


def whole_lines(out):
    return out[: out.rfind(b"\n") + 1]


def first_difference(expected, found):
    mine, theirs = expected.splitlines(), found.splitlines()
    for number, (want, have) in enumerate(zip(mine, theirs), 1):
        if want != have:
            return f"line {number} is {have[:200]!r}, not {want[:200]!r}"
    return f"{len(theirs)} lines, not {len(mine)}"
