"""Puts an older or a newer database in the place of a read model.

A case is one of these, by its seed:
- `stream-cut`, `replay-paused`: a standby that lags is promoted, and the primary is gone. The
  projector goes on from the standby's own checkpoint; one that follows does so by itself.
- `old-dump`: the database is restored from a dump that is older than its last projection. It goes
  on from there, or is rebuilt.
- `ahead`, `other-history`: the store is restored from an older copy, and maybe took other commands
  since. What the database shows never happened then: it is refused, and nothing is written, until
  it is rebuilt.
"""

import os
import signal

from cases import check, exit_with, never, wait_until
from commands import Commands, encode
from driver import (
    APPLIED,
    CONFLICT,
    INTERRUPTED,
    OK,
    TABLES,
    UNAVAILABLE,
    finish,
)
from postgres_server import ReadModel, Standby, ask, run_quietly
from read_model_case import ReadModelCase, ReadModelStage

KINDS = ("stream-cut", "replay-paused", "old-dump", "ahead", "other-history")
DIGEST = "SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) FROM {} r"


class Case(ReadModelCase):
    def run(self):
        kind = KINDS[self.seed % len(KINDS)]
        self.more = Commands(f"more {self.seed}")
        self.worker.reset(self.history, self.start)
        getattr(self, kind.replace("-", "_"))()
        self.count("kind." + kind)

    def apply_more(self, number):
        """Commands of nobody else, some of which are refused."""
        lines = [encode(self.more.line(), historic=False) for _ in range(number)]
        before = self.tail
        self.store.run("apply", "-q", stdin=b"".join(lines)).expect(*APPLIED)
        self.tail = self.store.tail()
        check(self.tail > before, "the log did not grow")

    def project(self, url):
        done = self.store.records("project", "-q", "--batch", "20", read_model=url)[0]
        check(done["checkpoint"] == self.tail, f"the projection ends at {done['checkpoint']}")

    # --- a standby is promoted --------------------------------------------------------------------

    def stream_cut(self):
        """The standby has not got the last of the primary's changes."""
        with self.worker.standby() as standby:
            self.project(self.model.url)
            self.wait_for_standby(standby)
            standby.ask("ALTER SYSTEM SET primary_conninfo = ''")
            standby.ask("SELECT pg_reload_conf()")
            wait_until(
                lambda: not standby.ask("SELECT 1 FROM pg_stat_wal_receiver"),
                "the end of the stream",
            )
            self.fail_over(standby, lags=True)

    def replay_paused(self):
        """The standby got the changes, some of them at least, and has not looked at them."""
        with self.worker.standby() as standby:
            self.project(self.model.url)
            self.wait_for_standby(standby)
            standby.ask("SELECT pg_wal_replay_pause()")
            wait_until(
                lambda: standby.ask("SELECT pg_get_wal_replay_pause_state()") == [("paused",)],
                "the pause",
            )
            self.fail_over(standby, lags=False)

    def wait_for_standby(self, standby):
        place = self.model.ask("SELECT pg_current_wal_insert_lsn()")[0][0]
        wait_until(
            lambda: standby.ask("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (place,))[0][0],
            "the standby to catch up",
        )

    def fail_over(self, standby, lags):
        """The primary goes further, then is gone, and the standby takes its place."""
        before = self.model.mark()
        follower = None
        urls = self.worker.url_of_both(standby)
        if self.random.random() < 0.5:
            follower = self.store.start(
                *("project", "--follow", "-q", "--batch", "10"),
                read_model=urls,
            )
            wait_until(lambda: follower.stdout.readline(), "the first record")
        self.apply_more(self.random.randint(20, 60))
        if follower:
            wait_until(lambda: self.model.mark()[0] == self.tail, "the follower")
        else:
            self.project(self.model.url)
        refused = self.store.run("project", "-q", read_model=standby.url)
        refused.expect_error(UNAVAILABLE, "unavailable")  # It is read only.
        self.worker.server.stop_immediately()
        standby.server.promote()
        self.model = standby
        mark = standby.mark()
        if lags:
            check(mark == before, f"the standby is at {mark}, and was cut off at {before}")
        self.count("lagging" if mark[0] < self.tail else "up_to_date")
        self.check_rows(mark)
        if follower:
            self.check_follower(follower, mark)
        else:
            self.check_goes_on(mark)

    def check_follower(self, follower, mark):
        """It finds the standby by itself, with its older checkpoint, and goes on from there."""
        self.apply_more(self.random.randint(5, 20))
        wait_until(
            lambda: follower.poll() is not None or self.model.mark()[0] == self.tail, "the follower"
        )
        if follower.poll() is not None:
            check(False, f"the follower ended: {follower.stderr.read().decode()}")
        self.check_rows(self.model.mark())
        follower.send_signal(signal.SIGINT)
        finish(follower).expect(INTERRUPTED)
        self.count("followed")
        check(mark[0] < self.tail, "there was nothing to follow")

    # --- an old dump ------------------------------------------------------------------------------

    def old_dump(self):
        mark = self.model.mark()
        dump = os.path.join(self.worker.place_of_worker, "dump")
        self.worker.dump(dump)
        self.project(self.model.url)
        check(self.model.mark() != mark, "the projection did nothing")
        self.worker.restore_dump(dump)
        self.model = self.worker.model
        check(self.model.mark() == mark, f"the dump brings back {self.model.mark()}, not {mark}")
        self.check_rows(mark)
        if self.random.random() < 0.5:
            self.check_goes_on(mark)
            self.count("resumed")
        else:
            self.rebuild()

    def rebuild(self, *options):
        arguments = ("rebuild", "-q", "--yes", *options)
        done = self.store.run(*arguments, read_model=self.model.url).expect(OK)
        record = done.records()[0]
        check(record["verdict"] == "equal" and record["position"] == self.tail, f"rebuilt: {done}")
        self.check_rows(self.model.mark())
        self.check_goes_on(self.model.mark())
        self.count("rebuilt")

    # --- an old store -----------------------------------------------------------------------------

    def ahead(self):
        self.refuse_older_store(others=False)

    def other_history(self):
        self.refuse_older_store(others=True)

    def refuse_older_store(self, others):
        """The read model shows what the store, as it was before, does not know."""
        self.project(self.model.url)
        reached = self.tail
        self.store = self.history.store(self.start, self.store.directory + "-restored")
        self.tail = self.store.tail()
        if others:
            self.apply_more_until(reached)
        before = self.contents()
        for arguments in (["project"], ["project", "--follow"], ["project", "--dry-run"]):
            refused = self.store.run(*arguments, "-q", read_model=self.model.url)
            refused.expect_error(CONFLICT, "read_model_diverged")
            check("tenantry rebuild" in refused.err, f"no way out is named: {refused}")
        check(self.contents() == before, "what was refused has written something")
        self.count("refused")
        # Rows of a history that the store has lost are unknown to it.
        self.rebuild("--delete-unknown")

    def apply_more_until(self, position):
        """Other commands than those that the read model shows, until the log is longer."""
        while self.tail <= position:
            self.apply_more(100)

    def contents(self):
        tables = [f"public.{table}" for table in TABLES] + ["tenantry.mark"]
        return [self.model.ask(DIGEST.format(table)) for table in tables]


class StandbyModel(ReadModel):
    """The read model on a standby, which is made, and is gone afterwards."""

    def __init__(self, server, database):
        super().__init__(server, database, make=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self.server.remove()


class FailoverStage(ReadModelStage):
    name = "failover"
    case_class = Case
    start_weights = (0, 40, 30, 20)  # There is a read model to begin with.

    def begin_worker(self, place):
        super().begin_worker(place)
        self.standbys = 0

    def standby(self):
        self.standbys += 1
        directory = os.path.join(self.place_of_worker, f"s{self.standbys}")
        return StandbyModel(Standby(directory, self.server), "shop")

    def url_of_both(self, standby):
        """Whichever of the two takes writes."""
        places = f"host={self.server.directory},{standby.server.directory}&port=5432,5432"
        return f"postgresql:///shop?{places}&user=postgres&target_session_attrs=read-write"

    def dump(self, path):
        tool = f"{self.server.programs}/pg_dump"
        run_quietly([tool, "-Fc", "-N", "saved*", "-f", path, "-d", self.model.url])

    def restore_dump(self, path):
        """A new database of that name, with what the dump holds."""
        self.model.close()
        connection = self.server.connect()
        ask(connection, "DROP DATABASE shop")
        connection.close()
        self.saved.clear()
        self.model = ReadModel(self.server, "shop")
        tool = f"{self.server.programs}/pg_restore"
        run_quietly([tool, "--exit-on-error", "-d", self.model.url, path])
        os.unlink(path)

    def judge(self, facts, cases):
        if cases < len(KINDS):
            return
        yield from never(facts, ["kind." + kind for kind in KINDS] + ["lagging"])


if __name__ == "__main__":
    exit_with(FailoverStage, __doc__)
