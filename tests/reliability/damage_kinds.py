"""What can be damaged in a store, and how: one file, one way, chosen by a seed."""

import os
from dataclasses import dataclass

from rocks_files import log_records, read_manifest

FAMILIES = ("default", "log", "idx", "state", "idem")
FIRST_BLOCK_BYTES = 1024  # All in the first block of a table file of usual size.
SECTOR = 512
PAGE = 4096
GARBAGE_BYTES_MAX = 9000

# How many of a hundred cases damage a file of the kind.
KINDS = {
    "table, first block behind the first file of a level": 16,
    "table": 28,
    "newest log": 16,
    "older log": 15,
    "MANIFEST": 12,
    "CURRENT": 4,
    "OPTIONS": 2,
    "IDENTITY": 2,
    "FORMAT": 3,
    "ack": 7,
    "ballast": 1,
    "LOCK": 1,
    "OWNER.lock": 2,
}
ARCHIVE = "archive"
ARCHIVE_SHARE = 0.6  # Of the cases with a store that has one.
SINGLE = {
    "CURRENT": "db/CURRENT",
    "IDENTITY": "db/IDENTITY",
    "LOCK": "db/LOCK",
    "FORMAT": "FORMAT",
    "ack": "ack",
    "ballast": "ballast",
    "OWNER.lock": "OWNER.lock",
}
IN_FIRST_BLOCK = ("flip a bit", "zero a sector")
WAYS = (
    "flip a bit",
    "flip a bit",
    "zero a sector",
    "zero a page",
    "truncate",
    "truncate at a boundary",
    "delete",
    "swap",
    "stale copy",
    "garbage behind it",
)


@dataclass
class Damage:
    """One file of a copy, damaged in one way."""

    kind: str
    way: str
    name: str  # Path in the store.
    detail: str
    other: str = ""  # The file that it was swapped with.

    def __str__(self):
        return f"{self.way}: {self.name} ({self.kind}; {self.detail})"


def named(made, test):
    return sorted(name for name in os.listdir(made.database) if test(name))


def names_of(made, kind, draw):
    """The files of the kind; of table files, those of one family, so that each gets its share."""
    if kind in SINGLE:
        return [SINGLE[kind]]
    if kind == ARCHIVE:
        return ["archive/" + name for name in made.archive()]
    if kind.startswith("table, first"):
        return ["db/" + table.name for table in made.version.behind_first_of_level()]
    if kind == "table":
        family = draw.randrange(len(FAMILIES))
        tables = made.version.tables.values()
        return sorted("db/" + table.name for table in tables if table.family == family)
    if kind in ("newest log", "older log"):
        logs = ["db/" + name for name in made.logs()]
        return logs[-1:] if kind == "newest log" else logs[:-1]
    return ["db/" + name for name in named(made, lambda name: name.startswith(kind + "-"))]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def replace(path, data):
    """Under a new name first: the old bytes may be those of other copies too."""
    aside = path + ".damaged"
    with open(aside, "wb") as file:
        file.write(data)
    os.replace(aside, path)


def flipped(data, at, bit):
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def zeroed(data, at, size):
    end = min(len(data), at + size)
    return data[:at] + bytes(end - at) + data[end:]


def boundaries(kind, data):
    """Where a cut leaves whole records, or whole sectors."""
    if kind.endswith("log") or kind == "MANIFEST":
        return [record.begin for record in log_records(data)]
    return list(range(0, len(data), SECTOR))


def garbage(draw, data):
    """Random bytes, zeros, or what the file begins with once more."""
    size = draw.randrange(1, GARBAGE_BYTES_MAX)
    return draw.choice([draw.randbytes(size), bytes(size), data[:size] or b"\0"])


class Damager:
    """Damages one file of `copy`, a copy of the store `made`."""

    def __init__(self, made, copy, draw):
        self.made = made
        self.copy = copy
        self.draw = draw

    def damage(self):
        """Draws until something differs: not each way does something to each file."""
        while True:
            kind = self.draw.choices(list(KINDS), list(KINDS.values()))[0]
            if self.made.archive() and self.draw.random() < ARCHIVE_SHARE:
                kind = ARCHIVE
            names = names_of(self.made, kind, self.draw)
            if not names:
                continue
            ways = IN_FIRST_BLOCK if kind.startswith("table, first") else WAYS
            done = self._try(kind, self.draw.choice(names), self.draw.choice(ways))
            if done:
                return done

    def _path(self, name):
        return os.path.join(self.copy, name)

    def _try(self, kind, name, way):
        if not os.path.exists(self._path(name)):
            return None
        if way == "delete":
            os.remove(self._path(name))
            return Damage(kind, way, name, f"{os.path.getsize(self._source(name))} bytes")
        if way == "swap":
            return self._swap(kind, name)
        data = read(self._path(name))
        changed, detail = self._changed(kind, name, way, data)
        if changed is None or changed == data:
            return None
        replace(self._path(name), changed)
        return Damage(kind, way, name, detail)

    def _source(self, name):
        return os.path.join(self.made.path, name)

    def _changed(self, kind, name, way, data):
        if way == "stale copy":
            return self._stale(name, data)
        if way == "garbage behind it":
            more = garbage(self.draw, data)
            return data + more, f"{len(more)} bytes behind {len(data)}"
        if not data:
            return None, ""
        first = kind.startswith("table, first")
        at = self.draw.randrange(min(len(data), FIRST_BLOCK_BYTES) if first else len(data))
        if way == "flip a bit":
            return flipped(data, at, self.draw.randrange(8)), f"byte {at} of {len(data)}"
        if way == "truncate":
            return data[:at], f"at {at} of {len(data)}"
        if way == "truncate at a boundary":
            places = boundaries(kind, data)
            at = self.draw.choice(places) if places else 0
            return data[:at], f"at {at} of {len(data)}"
        size = PAGE if way == "zero a page" else SECTOR
        at -= at % size
        return zeroed(data, at, size), f"{size} bytes at {at} of {len(data)}"

    def _stale(self, name, data):
        """From an earlier moment: itself, else the file that then was what it is now."""
        found = []
        for stage in self.made.stages:
            path = os.path.join(stage, name)
            if os.path.exists(path):
                found.append(path)
            else:
                folder, kind = os.path.dirname(path), os.path.basename(name)
                if not os.path.exists(folder):
                    continue
                stem, end = kind.split("-")[0], os.path.splitext(kind)[1]
                like = [n for n in os.listdir(folder) if (n.endswith(end) if end else False)]
                like += [n for n in os.listdir(folder) if "-" in kind and n.startswith(stem + "-")]
                found += [os.path.join(folder, n) for n in sorted(like)]
        found = [path for path in found if read(path) != data]
        if not found:
            return None, ""
        path = self.draw.choice(found)
        return read(path), "as " + os.path.relpath(path, os.path.dirname(self.made.path))

    def _swap(self, kind, name):
        end = os.path.splitext(name)[1]
        if kind == ARCHIVE:
            like = [other for other in names_of(self.made, kind, self.draw) if other != name]
        elif end in (".sst", ".log"):
            like = ["db/" + n for n in named(self.made, lambda n: n.endswith(end))]
            like = [other for other in like if other != name]
        else:
            return None
        if not like:
            return None
        other = self.draw.choice(like)
        mine, theirs = read(self._path(name)), read(self._path(other))
        if mine == theirs:
            return None
        replace(self._path(name), theirs)
        replace(self._path(other), mine)
        return Damage(kind, "swap", name, f"with {other}", other)


# --- why damage may do no harm --------------------------------------------------------------------

NO_DATA = {
    "OPTIONS": "never read back",
    "IDENTITY": "the id stands in the manifest",
    "LOCK": "the lock counts, not what the file holds",
    "OWNER.lock": "the lock counts, not what the file holds",
    "ballast": "room only",
    "ack": "what is left of it still holds",
    "FORMAT": "fields that nothing rests on, or bytes behind them",
}


def harmless_because(damage, made, copy):
    """The proof that the damage cannot change what is read, or None. Who served identical output
    and has no proof is a failure: the next reader might be served something else."""
    if damage.kind in NO_DATA:
        return NO_DATA[damage.kind]
    if damage.kind == "MANIFEST":
        return _same_version(damage, made, copy)
    if damage.kind.endswith("log"):
        return _same_records(damage, made, copy)
    return None


def _same_version(damage, made, copy):
    path = os.path.join(copy, damage.name)
    if f"db/{read(os.path.join(made.database, 'CURRENT')).decode().strip()}" != damage.name:
        return "an older one, which nothing names"
    if not os.path.exists(path):
        return None
    try:
        version = read_manifest(read(path))
    except (ValueError, IndexError):
        return None
    same_tables = version.tables == made.version.tables
    if same_tables and live_logs(made, version) == live_logs(made, made.version):
        return "the same table files, the same logs with anything in them"
    return None


def log_number(name):
    return int(os.path.basename(name).split(".")[0])


def live_logs(made, version):
    """For each family, the logs that it takes records from."""
    filled = [n for n in made.logs() if os.path.getsize(os.path.join(made.database, n)) > 0]
    return {
        family: [name for name in filled if log_number(name) >= oldest]
        for family, oldest in version.log_numbers.items()
    }


def live_records(made, path, name):
    """The records of a write-ahead log that no table file holds."""
    if log_number(name) < made.version.oldest_log() or not os.path.exists(path):
        return []
    return [record.payload for record in log_records(read(path))]


def _same_records(damage, made, copy):
    for name in filter(None, (damage.name, damage.other)):
        before = live_records(made, os.path.join(made.path, name), name)
        if before != live_records(made, os.path.join(copy, name), name):
            return None
    return "no record of it changed"


def family_of(damage, made):
    """The family of a damaged table file, or None."""
    for table in made.version.tables.values():
        if damage.name == "db/" + table.name:
            return FAMILIES[table.family]
    return None
