"""What a stage must know of a database's files: where the records of its logs end, which table
files and logs are in use and where each lies in the tree. Only undamaged bytes are read; checksums
are left to the program under test."""

import os
from dataclasses import dataclass, field

# A log (write-ahead or manifest) is a row of blocks; no fragment of a record crosses a block's end.
BLOCK = 32768
HEADER = 7
LENGTH_AT = 4
TYPE_AT = 6
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4

# The parts of an edit of the manifest that matter here; each begins with its number.
LOG_NUMBER, DELETED_FILE, NEW_FILE = 2, 6, 103
NUMBERS = (LOG_NUMBER, 3, 4, 9, 10, 203)  # One varint follows.
TEXTS = (1,)  # A length and as many bytes follow.
COLUMN_FAMILY, COLUMN_FAMILY_ADD, COLUMN_FAMILY_DROP = 200, 201, 202
IN_ATOMIC_GROUP = 300
SKIPPABLE = 1 << 13  # Parts with this bit bring their length.
END_OF_NEW_FILE = 1
SEQUENCE_BYTES = 8  # Behind each key in a table file.


@dataclass(frozen=True)
class LogRecord:
    """One record of a log: its bytes in the file, and what it says."""

    begin: int
    end: int
    payload: bytes


def log_records(data):
    """The whole records from the start of the file; stops where none follows."""
    at, begin, parts = 0, None, []
    while True:
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
        if at + HEADER > len(data):
            return
        length = int.from_bytes(data[at + LENGTH_AT : at + TYPE_AT], "little")
        kind = data[at + TYPE_AT]
        end = at + HEADER + length
        if kind not in (FULL, FIRST, MIDDLE, LAST) or end > len(data):
            return
        if kind in (FULL, FIRST):
            begin, parts = at, []
        if begin is None:
            return
        parts.append(data[at + HEADER : end])
        at = end
        if kind in (FULL, LAST):
            yield LogRecord(begin, end, b"".join(parts))
            begin = None


@dataclass(frozen=True)
class TableFile:
    """One table file as the manifest describes it; families are numbered as they were made."""

    number: int
    family: int
    level: int
    smallest: bytes

    @property
    def name(self):
        return f"{self.number:06}.sst"


@dataclass
class Version:
    """What a manifest's edits add up to."""

    tables: dict = field(default_factory=dict)  # By number.
    log_numbers: dict = field(default_factory=dict)  # By family: older logs hold nothing of it.

    def oldest_log(self):
        return min(self.log_numbers.values(), default=0)

    def behind_first_of_level(self):
        """The table files of sorted levels that are not the first of theirs."""
        by_place = {}
        for table in self.tables.values():
            if table.level > 0:
                by_place.setdefault((table.family, table.level), []).append(table)
        later = []
        for tables in by_place.values():
            later += sorted(tables, key=lambda table: table.smallest)[1:]
        return sorted(later, key=lambda table: table.number)


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def more(self):
        return self.at < len(self.data)

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def text(self):
        length = self.varint()
        self.at += length
        return self.data[self.at - length : self.at]


def _read_new_file(reader, family, version):
    level, number = reader.varint(), reader.varint()
    reader.varint()  # Its size.
    smallest = reader.text()[:-SEQUENCE_BYTES]
    reader.text()
    reader.varint()
    reader.varint()
    while reader.varint() != END_OF_NEW_FILE:
        reader.text()
    version.tables[number] = TableFile(number, family, level, smallest)


def _read_edit(payload, version):
    """What an edit changes may stand before the family that it is about."""
    reader = _Reader(payload)
    family, log_number, changes = 0, None, []
    while reader.more():
        tag = reader.varint()
        if tag == NEW_FILE:
            added = Version()
            _read_new_file(reader, 0, added)
            changes.append((NEW_FILE, *added.tables.values()))
        elif tag == DELETED_FILE:
            reader.varint()
            changes.append((DELETED_FILE, reader.varint()))
        elif tag == LOG_NUMBER:
            log_number = reader.varint()
        elif tag == COLUMN_FAMILY:
            family = reader.varint()
        elif tag in NUMBERS or tag == IN_ATOMIC_GROUP:
            reader.varint()
        elif tag in TEXTS or tag == COLUMN_FAMILY_ADD or tag & SKIPPABLE:
            reader.text()
        else:
            raise ValueError(f"an edit of the manifest has the part {tag}")
    for kind, what in changes:
        if kind == DELETED_FILE:
            version.tables.pop(what, None)
        else:
            version.tables[what.number] = TableFile(what.number, family, what.level, what.smallest)
    if log_number is not None:
        version.log_numbers[family] = max(log_number, version.log_numbers.get(family, 0))


def read_manifest(data):
    version = Version()
    for record in log_records(data):
        _read_edit(record.payload, version)
    return version


def read_version(database):
    """What the manifest that CURRENT names says."""
    with open(os.path.join(database, "CURRENT"), "rb") as file:
        name = file.read().decode().strip()
    with open(os.path.join(database, name), "rb") as file:
        return read_manifest(file.read())
