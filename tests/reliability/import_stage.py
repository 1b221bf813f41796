"""Kills imports, and looks at what they leave.

The source is a SQLite file that a projection of a made-up history filled, without its mark. One
import comes to its end; others, into places of their own, are killed at any moment. What is there
then is the whole store, or none, or the empty one that was to be replaced: the same import again
says which, and makes the store unless it is there. The source stays as it is, byte for byte.
"""

import hashlib
import os
import random
import sqlite3
import time

from cases import Stage, check, exit_with, never
from driver import APPLIED, CONFLICT, OK, TABLES, UNAVAILABLE, USAGE, Store, kill_after

KILLS = 12
TENANTS = (1, 3, 12)


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class ImportStage(Stage):
    in_memory = True

    def run_case(self, seed, place):
        choice = random.Random(seed)
        url = self.make_source(place, choice.choice(TENANTS), seed)
        source = url.removeprefix("sqlite:")
        before = digest_of(source)
        whole = Store(self.program, os.path.join(place, "whole"))
        began = time.monotonic()
        whole.run("import", "--from", url).expect(OK)
        seconds = time.monotonic() - began
        rows = self.rows_of(whole)
        for number in range(KILLS):
            killed = Store(self.program, os.path.join(place, f"killed-{number}"))
            if choice.random() < 0.3:
                killed.run("init").expect(OK)
            self.kill_one(killed, url, choice.uniform(0, 1.1 * seconds))
            check(self.rows_of(killed) == rows, f"{killed.directory} holds other rows")
            killed.run("verify", "--full").expect(OK)
            killed.remove()
        check(digest_of(source) == before, "the source is not what it was")

    def make_source(self, place, tenants, seed):
        """The URL of a database that nothing of ours is known of."""
        path = os.path.join(place, "application.sqlite3")
        first = Store(self.program, os.path.join(place, "first"), "sqlite:" + path)
        first.run("init").expect(OK)
        made = first.run("generate", "--tenants", str(tenants), "--seed", str(seed % 1000))
        first.run("apply", "-q", "--historic", stdin=made.expect(OK).out).expect(*APPLIED)
        first.run("project", "-q").expect(OK)
        first.remove()
        connection = sqlite3.connect(path)
        connection.executescript("DROP TABLE tenantry_mark; PRAGMA journal_mode = DELETE")
        connection.close()
        return "sqlite:" + path

    def kill_one(self, store, url, seconds):
        """Kills an import, then brings the place to a whole store."""
        killed = kill_after(store.start("import", "--from", url), seconds)
        self.facts["killed" if killed else "ended before"] += 1
        again = store.run("import", "--from", url).expect(OK, CONFLICT, USAGE)
        if again.code == OK:
            self.facts["made"] += 1
        elif again.code == CONFLICT:
            again.expect_error(CONFLICT, "store_has_events")
            self.facts["in place"] += 1
        else:
            again.expect_error(USAGE, "store_not_empty")
            store.run("status").expect_error(UNAVAILABLE, "store_not_found")
            self.facts["half made"] += 1
            store.remove()
            store.run("import", "--from", url).expect(OK)

    @staticmethod
    def rows_of(store):
        return {table: store.run("rows", table, "--reveal").expect(OK).out for table in TABLES}

    def judge(self, facts, cases):
        return never(facts, ("killed", "made", "in place", "half made"))


if __name__ == "__main__":
    exit_with(ImportStage, __doc__)
