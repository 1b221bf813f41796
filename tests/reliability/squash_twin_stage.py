"""Squashes a store ten times while its history grows, and holds it against a twin that never is.

Each case has a history of its own: `generate` makes one up from the seed, or `--commands` names a
file of commands with ids and times. Both stores get it in eleven parts. After each of the first ten
one of them is squashed, each time in another way: everything, some scopes, up to some position,
time or age, into an archive elsewhere, with read models that are behind and hold it back or are
not waited for. Read models in SQLite and PostgreSQL follow both stores, sometimes only behind the
squash. Then it must be sound (`verify --full`), and at three of the places, of which one is the
end, whatever is asked of it is answered as by the twin (twins.py says how positions are compared):
logs with every filter, events, histories, rows now and then, exports, tables of all four read
models, byte for byte as the databases give them, and what rebuilds of them certify.

    squash_twin_stage.py --program … --clock … --seed 1 --count 1 --events 1000000
    squash_twin_stage.py --program … --clock … --seed 1 --count 1 --commands FILE
"""

import datetime
import hashlib
import os
import re
import sqlite3
import time

from cases import Stage, check, exit_with, never
from driver import APPLIED, NOT_FOUND, OK, PATIENCE_SECONDS, TABLES, Store
from history import generator
from postgres_server import ReadModel, Server, ask
from twins import At, AtSquash, Twins

EVENTS = 2000
EVENTS_A_TENANT = 100
PARTS = 11
PART_BYTES = 100_000  # As many commands as are in one part of the usual history, about.
BATCHES = (1, 8, 30)  # Of such parts: squashes cut no commit.
# A patience of so many seconds more for each event.
SECONDS_AN_EVENT = 0.002
SCOPES = ("auth", "core", "tenants")
WAYS = (
    "all",
    "all-elsewhere",
    "scope",
    "scopes",
    "scope-elsewhere",
    "position",
    "position-of-scope",
    "time",
    "age",
    "held",
)
# Read models are brought on behind such a squash only.
LATE = ("all-elsewhere", "position", "held")
ENGINES = ("sqlite", "postgres")
NEAR_BASES = (-1, 0, 1)
CAUSE = re.compile(rb'("causation_position":)(\d+)')


def moment(text):
    """Microseconds since 1970."""
    time_of = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    since = time_of - datetime.datetime(1970, 1, 1)
    return since // datetime.timedelta(microseconds=1)


class Digest:
    """A file that keeps nothing but the digest of what is written."""

    def __init__(self):
        self.hash = hashlib.sha256()

    def write(self, piece):
        self.hash.update(piece)


def sqlite_digests(path):
    """Of each table, as the database gives it."""
    digests = {}
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    for table in TABLES:
        digest = hashlib.sha256()
        for row in connection.execute(f"SELECT * FROM {table} ORDER BY id"):
            digest.update(repr(row).encode())
        digests[table] = digest.hexdigest()
    connection.close()
    return digests


def postgres_digests(model):
    digests = {}
    for table in TABLES:
        digest = Digest()
        with model.connection.cursor() as cursor:
            query = f"COPY (SELECT * FROM public.{table} ORDER BY id) TO STDOUT"
            cursor.copy_expert(query, digest)
        digests[table] = digest.hash.hexdigest()
    return digests


class Models:
    """The read models of both stores; in pairs, the twin's first."""

    def __init__(self, twins, place, databases):
        self.twins = twins
        self.databases = databases
        self.paths = [os.path.join(place, f"{name}.sqlite3") for name in ("twin", "squashed")]
        self.urls = {
            "sqlite": [f"sqlite:{path}" for path in self.paths],
            "postgres": [model.url for model in databases],
        }

    def project(self):
        for engine in ENGINES:
            self.twins.both("project", "--name", engine, models=self.urls[engine])

    def compare_tables(self, when):
        found = {
            "sqlite": [sqlite_digests(path) for path in self.paths],
            "postgres": [postgres_digests(model) for model in self.databases],
        }
        for engine, (twin, squashed) in found.items():
            for table in TABLES:
                check(twin[table] == squashed[table], f"{when}: {table} differs in {engine}")

    def certify(self, *options, changed):
        """All four rebuilds tell of the same rows; gives their digests."""
        told = [self.rebuild(engine, options, changed) for engine in ENGINES]
        check(told[0] == told[1], f"rebuild {options}: SQLite {told[0]}, PostgreSQL {told[1]}")
        return told[0]

    def rebuild(self, engine, options, changed):
        both = self.twins.both("rebuild", "--yes", *options, models=self.urls[engine])
        digests = []
        for store, (certificate,) in zip(("twin", "squashed"), both):
            which = f"{engine}, {store}: rebuild {' '.join(options)}"
            check(certificate["verdict"] == "equal", f"{which}: {certificate['verdict']}")
            digests.append({})
            for of_table in certificate["tables"]:
                touched = sum(of_table[how] for how in ("inserted", "updated", "deleted"))
                check(changed or touched == 0, f"{which}: {touched} rows of {of_table['table']}")
                digests[-1][of_table["table"]] = (of_table["found_rows"], of_table["found_digest"])
        check(digests[0] == digests[1], f"{engine}: rebuild {options} gives other digests")
        return digests[0]

    def drop(self):
        for path in self.paths:
            for suffix in ("", "-wal", "-shm"):
                if os.path.exists(path + suffix):
                    os.unlink(path + suffix)
        for model in self.databases:
            model.clear()


class Case:
    def __init__(self, stage, seed, place):
        self.stage = stage
        self.facts = stage.facts
        self.random = generator("squash-twin", seed)
        self.seed = seed
        self.place = place
        self.twins = Twins(stage.program, place, stage.patience_seconds)
        self.models = Models(self.twins, place, stage.databases)
        self.bases = []  # Positions that something was squashed up to, as the twin counts.
        self.end = 0  # The twin's.

    def run(self):
        parts = self.write_parts()
        looks = {*self.random.sample(range(PARTS - 1), self.stage.looks - 1), PARTS - 1}
        ways = self.random.sample(WAYS, len(WAYS))
        for number, part in enumerate(parts):
            self.apply(part)
            late = number < len(ways) and ways[number] in LATE
            if not late or number == 0:
                self.models.project()
            if number < len(ways):
                self.squash(ways[number], late)
            if late and number > 0:
                self.models.project()
            if number in looks:
                self.look(f"after part {number + 1}")
            os.unlink(part)
            os.unlink(part + "-shifted")
        self.look_at_the_whole()
        bytes_of = [store.records("status")[0]["bytes"] for store in self.twins.stores]
        self.tell(f"{self.end} events; in the end {bytes_of[1]} bytes, the twin {bytes_of[0]}")
        self.facts["events"] += self.end

    def tell(self, text):
        if self.stage.is_large:
            print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    # --- history ----------------------------------------------------------------------------------

    def write_parts(self):
        """The files of the parts."""
        whole = os.path.join(self.place, "commands")
        with open(whole, "wb") as file:
            (self.export if self.stage.commands else self.generate)(file)
        with open(whole, "rb") as file:
            number = sum(1 for _ in file)
        check(number >= PARTS, f"{number} commands are too few")
        cuts = [number * part // PARTS for part in range(PARTS + 1)]
        with open(whole, "rb") as file:
            return [self.write_part(file, n, cuts[n + 1] - cuts[n]) for n in range(PARTS)]

    def generate(self, file):
        events = self.stage.events
        options = ("--tenants", str(max(3, events // EVENTS_A_TENANT)), "--rejections", "3")
        number = ("--seed", str(self.seed % 1000), "--events", str(events))
        self.write(file, self.twins.twin, "generate", "-q", *options, *number)

    def export(self, file):
        """The given commands, with all ids and tokens that a store draws for them."""
        store = Store(self.stage.program, os.path.join(self.place, "first"))
        store.run("init").expect(OK)
        with open(self.stage.commands, "rb") as commands:
            self.twins.run(store, "apply", "--historic", "-q", stdin=commands.fileno())
        self.write(file, store, "export", "-q", "--reveal")
        store.remove()

    def write(self, file, store, *arguments):
        made = store.start(*arguments, stdout=file)
        check(made.wait(self.stage.patience_seconds) == OK, f"{arguments}: {made.returncode}")

    def write_part(self, lines, number, length):
        path = os.path.join(self.place, f"part-{number}")
        with open(path, "wb") as part:
            part.writelines(line for _, line in zip(range(length), lines))
        return path

    def apply(self, part):
        began = time.monotonic()
        batch = self.random.choice(BATCHES) * max(1, os.path.getsize(part) // PART_BYTES)
        shifted = self.write_shifted(part)
        with open(part, "rb") as twin, open(shifted, "rb") as squashed:
            options = ("--historic", "--batch", str(batch))
            self.twins.ask("apply", *options, stdins=(twin, squashed), codes=APPLIED)
        (status,) = self.twins.twin.records("status")
        check(status["tail"] > self.end, f"{part} made no events")
        self.tell(f"applied up to {status['tail']}, {time.monotonic() - began:.1f} s")
        self.end = status["tail"]
        self.now = status["last_recorded_at"]
        if not self.twins.squashes:
            (other,) = self.twins.squashed.records("status")
            check(other["log_digest"] == status["log_digest"], "the stores differ from the start")

    def write_shifted(self, part):
        """The same commands; those that name their cause name the same event."""
        path = part + "-shifted"
        with open(part, "rb") as lines, open(path, "wb") as shifted:
            for line in lines:
                shifted.write(CAUSE.sub(self.shift_cause, line))
        return path

    def shift_cause(self, found):
        return found.group(1) + b"%d" % self.twins.shifted(int(found.group(2)))

    def event(self, position):
        (event,) = self.twins.twin.records("show", str(position))
        return event

    def some_position(self):
        """Anywhere, or where a scope of the squashed store begins."""
        near = [base + step for base in self.bases for step in NEAR_BASES]
        near = [position for position in near if 1 <= position <= self.end]
        if near and self.random.random() < 0.5:
            return self.random.choice(near)
        return self.random.randint(1, self.end)

    # --- squashes ---------------------------------------------------------------------------------

    def squash(self, way, late):
        options = ["--archive", os.path.join(self.place, "elsewhere")] if "elsewhere" in way else []
        if way.startswith("scope") or way == "position-of-scope":
            live = [told["scope"] for told in self.status()["scopes"] if told["live"] > 0]
            live = [scope for scope in SCOPES if scope in live]
            scopes = self.random.sample(live, min(len(live), 2 if way == "scopes" else 1))
            options += [word for scope in scopes for word in ("--scope", scope)]
        if way.startswith("position"):
            options += ["--through", str(self.twins.shifted(self.later_position()))]
        elif way == "time":
            options += ["--through", self.event(self.later_position())["recorded_at"]]
        elif way == "age":
            span = moment(self.now) - moment(self.event(self.later_position())["recorded_at"])
            options += ["--keep", f"{span // 1_000_000}s"]
        if late and way != "held":
            noted = {told["consumer"] for told in self.status()["consumers"]}
            options += [word for name in sorted(noted) for word in ("--rebase", name)]
        self.run_squash(way, options)

    def later_position(self):
        """One that a squash may well go up to."""
        begin = max([1, *self.bases])
        return self.random.randint((begin + self.end) // 2, self.end)

    def status(self):
        (status,) = self.twins.squashed.records("status")
        return status

    def run_squash(self, way, options):
        before = self.status()
        began = time.monotonic()
        told = self.twins.run(
            self.twins.squashed,
            "squash",
            "-o",
            "ndjson",
            *options,
            more={
                "LD_PRELOAD": self.stage.clock,
                "TENANTRY_GIVEN_TIME": str(moment(before["last_recorded_at"])),
            },
        ).records()
        seconds = time.monotonic() - began
        self.twins.read_squashes()
        after = self.status()
        done = [scope for scope in told if scope["events"] > 0]
        check(after["tail"] - before["tail"] == len(done), f"squash {way} added other events")
        check(after["last_recorded_at"] == before["last_recorded_at"], "the clock was not given")
        self.bases += [self.twins.plain(scope["through"]) for scope in done]
        if way == "held":
            self.check_held(before, told)
        self.facts["way." + way] += bool(done)
        self.facts["squashes"] += 1
        self.facts["scopes"] += len(done)
        began = time.monotonic()
        self.twins.run(self.twins.squashed, "verify", "--full", "-q")
        events = sum(scope["events"] for scope in done)
        self.tell(
            f"squashed {way} {options}: {events} events in {seconds:.1f} s, bytes {before['bytes']}"
            f" → {after['bytes']}; verify --full {time.monotonic() - began:.1f} s"
        )

    @staticmethod
    def check_held(status, told):
        held = min(consumer["checkpoint"] for consumer in status["consumers"])
        for scope in told:
            reached = max(scope["after"], held)
            check(scope["through"] <= reached, f"{scope['scope']} went past a reader at {held}")

    # --- comparisons ------------------------------------------------------------------------------

    def look(self, when):
        began = time.monotonic()
        asked = self.facts["questions"]
        for question in self.questions():
            self.ask(*question)
        (twin,), (squashed,) = self.twins.both("status")
        self.compare_status(twin, squashed)
        self.models.compare_tables(when)
        self.models.certify("--in-place", changed=False)
        self.models.certify("--in-place", "--from-events", changed=False)
        self.models.compare_tables(when + ", rebuilt")
        for engine in ENGINES:
            for store, url in zip(self.twins.stores, self.models.urls[engine]):
                self.twins.run(store, "verify", "--quick", "-q", read_model=url)
        self.look_back()
        asked = self.facts["questions"] - asked
        self.tell(f"{when}: {asked} answers are equal, {time.monotonic() - began:.1f} s")

    def ask(self, *question):
        lines = self.twins.ask(*question, codes=(OK, NOT_FOUND))
        self.facts["questions"] += 1
        self.facts["lines"] += lines
        self.facts["answered." + question[0]] += lines > 0

    def compare_status(self, twin, squashed):
        check(twin["rows"] == squashed["rows"], f"rows: {squashed['rows']}, not {twin['rows']}")
        of_squashed = {of_scope["scope"]: of_scope for of_scope in squashed["scopes"]}
        for ours in twin["scopes"]:
            theirs = of_squashed[ours["scope"]]
            check(theirs["events"] == ours["events"], f"scope {ours['scope']} has other events")
            check(theirs["archived"] + theirs["live"] == ours["live"], "events are lost")
            last = self.twins.plain(theirs["last_position"])
            check(last == ours["last_position"], f"scope {ours['scope']} ends elsewhere")

    def look_back(self):
        """Tables as they were, rebuilt into a file."""
        point = At(self.some_position())
        places = [os.path.join(self.place, f"then-{n}.sqlite3") for n in range(2)]
        both = self.twins.both(
            "rebuild", "--as-of", point, models=[f"sqlite:{path}" for path in places]
        )
        tables = [certificate["tables"] for (certificate,) in both]
        check(tables[0] == tables[1], f"rebuild --as-of {point}: other tables")
        check(sqlite_digests(places[0]) == sqlite_digests(places[1]), f"other rows at {point}")
        for path in places:
            os.unlink(path)

    def questions(self):
        for table in TABLES:
            yield "rows", table, "--reveal"
        yield from self.questions_of_then()
        for _ in range(self.stage.looks):
            yield from self.questions_about(self.event(self.some_position()))
        yield from self.questions_of_the_log()
        for _ in range(4):
            yield "show", At(self.some_position())
        hosts = self.twins.twin.records("rows", "tenants_tenantdomain", "--where", "is_active=true")
        for host in self.random.sample(hosts, min(3, len(hosts))):
            yield "resolve", "--host", host["domain"]

    def questions_of_then(self):
        """At positions, at those of squashes, and at times."""
        points = [At(self.some_position()) for _ in range(2)]
        points.append(self.event(self.some_position())["recorded_at"])
        if self.twins.squashes:
            points.append(AtSquash(self.random.choice(self.twins.squashes)))
        for point in points:
            for table in self.random.sample(TABLES, 2):
                yield "rows", table, "--as-of", point, "--reveal"
        if not self.stage.is_large:  # It reads the history of each membership.
            yield "members", "--as-of", points[0]

    def questions_about(self, event):
        """One that was drawn, and what it is about."""
        kind, _, name = event["stream"].partition("/")
        reference = f"user/id:{name}" if kind == "user" else event["stream"]
        yield "history", reference, "--reveal"
        yield "blame", reference
        yield "log", "--stream", reference, "--reverse", "-p"
        if event["tenant_id"]:
            yield "members", "--tenant", event["tenant_id"]
            yield "log", "--tenant", event["tenant_id"], "-p", "--reveal"
            yield "log", "--tenant", event["tenant_id"], "--reverse", "--limit", "3"
        if kind == "user":
            yield "log", "--user", f"id:{name}", "--through", event["recorded_at"]
        if event["actor"]:
            yield "log", "--actor", event["actor"], "--after", event["recorded_at"]
        if event["correlation_id"]:
            yield "log", "--correlation", event["correlation_id"]

    def questions_of_the_log(self):
        first, last = sorted(self.some_position() for _ in range(2))
        event = self.event(first)
        yield "log", "--after", At(first), "--through", At(last), "--reveal"
        yield "log", "--after", At(first), "--through", At(last), "--reverse"
        yield "log", "--kind", event["kind"], "--through", At(last)
        yield "log", "--kind", event["kind"], "--after", At(first), "-p", "--limit", "500"
        yield "log", "--kind", event["kind"], "--reverse", "--limit", "5"
        yield "log", "--after", event["recorded_at"], "--through", self.event(last)["recorded_at"]
        yield "log", "--scope", self.random.choice(SCOPES), "--channel", event["channel"]
        yield "log", "--grep", f'"stream":"{event["stream"]}"', "--through", At(last)
        yield "export", "--after", At(first), "--through", At(last)
        if event["tenant_id"]:
            yield "export", "--tenant", event["tenant_id"], "--through", At(last)

    def look_at_the_whole(self):
        """The log, the export, answers that are known already, and read models made anew."""
        began = time.monotonic()
        self.ask("log", "--reveal")
        check(self.twins.left_out == self.twins.squashes, "the log has other squashes")
        self.ask("export", "--reveal")
        self.ask_again()
        for options in ((), ("--from-events",)):
            self.models.drop()
            self.models.certify(*options, changed=True)
            self.models.compare_tables(f"made anew {' '.join(options)}")
        for store in self.twins.stores:
            self.twins.run(store, "verify", "--full", "-q")
        self.tell(f"the whole is equal, {time.monotonic() - began:.1f} s")

    def ask_again(self):
        """Commands that were answered before the first squash are answered the same."""
        whole = os.path.join(self.place, "commands")
        known = os.path.join(self.place, "known")
        with open(whole, "rb") as lines, open(known, "wb") as again:
            again.writelines(line for _, line in zip(range(self.end // 20), lines))
        with open(known, "rb") as twin, open(known, "rb") as squashed:
            self.twins.ask("apply", "--historic", stdins=(twin, squashed), codes=APPLIED)
        for store in self.twins.stores:
            tail = store.tail()
            added = len(self.twins.squashes) if store is self.twins.squashed else 0
            check(tail == self.end + added, f"known commands were applied again: {tail}")


class SquashTwinStage(Stage):
    @staticmethod
    def add_options(parser):
        parser.add_argument("--clock", required=True, help="the library made of given_clock.cc")
        parser.add_argument("--events", type=int, help=f"of a made-up history ({EVENTS})")
        parser.add_argument("--commands", metavar="FILE", help="a history, for apply --historic")

    def __init__(self, options):
        super().__init__(options)
        self.clock = os.path.abspath(options.clock)
        self.commands = options.commands and os.path.abspath(options.commands)
        self.events = options.events or EVENTS
        self.is_large = bool(options.events or options.commands)
        self.looks = 3 if self.is_large else 2  # How often all is compared.
        lines = os.path.getsize(self.commands) // 100 if self.commands else self.events
        self.patience_seconds = PATIENCE_SECONDS + lines * SECONDS_AN_EVENT
        self.server = None

    def begin_worker(self, place):
        self.server = Server(os.path.join(place, "pg"))

    def end_worker(self):
        if self.server:
            self.server.remove()

    def run_case(self, seed, place):
        self.databases = [ReadModel(self.server, f"{name}_{seed}") for name in ("twin", "squashed")]
        try:
            Case(self, seed, place).run()
        finally:
            for model in self.databases:
                model.close()
                administrator = self.server.connect()
                ask(administrator, f"DROP DATABASE {model.database} WITH (FORCE)")
                administrator.close()

    def judge(self, facts, cases):
        verbs = ("log", "export", "history", "blame", "show", "rows", "members")
        yield from never(facts, [f"answered.{verb}" for verb in verbs])
        if cases >= len(WAYS):
            yield from never(facts, ["way." + way for way in WAYS])


if __name__ == "__main__":
    exit_with(SquashTwinStage, __doc__)
