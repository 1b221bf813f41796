#!/usr/bin/env python3
"""Rules of style that a script can check, over every file of the project.

    tests/tidy_test.py               checks the project; one line per finding, exit 1 if any
    tests/tidy_test.py --self-test   shows that each rule fires on a bad snippet, not on a good one
    tests/tidy_test.py --list        the rules

A finding reads `file:line: rule: what to do`. Exceptions stand in the tables below, each with its
reason, and nowhere else.
"""

import fnmatch
import pathlib
import re
import subprocess
import sys

# --- what is allowed where ------------------------------------------------------------------------

LINE_LENGTH_MAX = 100
FILE_LINES_MAX = 800

# Folder -> folders whose headers it may include. Arrows run one way.
LAYERS = {
    "events": {"events"},
    "core": {"events", "core"},
    "projections": {"events", "core", "projections"},
    "tools": {"events", "core", "projections", "tools"},
    "tests": {"events", "core", "projections", "tools", "tests", "bench"},
    "bench": {"events", "core", "projections", "tools", "tests", "bench"},
}
PRODUCT_FOLDERS = ("events", "core", "projections", "tools")

# The adapter of the RocksDB library, and what tests it. No other file includes its headers.
ROCKSDB_FILES = (
    "core/rocks_*.cc",
    "core/rocks_*.h",
    "tests/core/*",
    "tests/sim/sim_rocksdb.*",
    "tests/support/*",
    "bench/*",
)

# Headers of one adapter, included by nothing but its .cc files and their tests: not public.
PRIVATE_HEADERS = (
    "core/rocks_*.h",
    "projections/postgres/drift.h",
    "projections/postgres/live_table.h",
    "projections/postgres/read_view.h",
    "projections/postgres/session.h",
)

# Foreign headers that a public header may include: the types that Cap'n Proto generates need the
# first two, and the third is the operating system's own vocabulary (pid_t).
PUBLIC_FOREIGN = ("capnp/*", "kj/*", "sys/types.h")

# Outside tools/: what runs before or after all handling of errors.
PRINT_FILES = {
    "core/error.cc",  # assertion_failed() has its last words on standard error.
}

# Roots of threads, and adapters that must hand a foreign library a status instead of an exception.
CATCH_ALL_FILES = set()

# Durable changes of files go through one place, which the fault tests can reach. The ack file is
# a case of its own: it writes one slot over another, in place, and syncs nothing but that.
FILE_OPS_FILES = ("core/file_ops.cc", "core/rocks_*.cc", "core/ack_file.cc")

SQL_HEADER = re.compile(r"^(pqxx/|libpq|postgresql/|sqlite3|SQLiteCpp/)")
ROCKSDB_HEADER = re.compile(r"^rocksdb/")
STANDARD_HEADER = re.compile(r"^[a-z_0-9]+$")

CXX = (".h", ".cc")
SIZED = (".h", ".cc", ".capnp", ".py", ".sh")
TEXT = SIZED + (".md", ".txt", ".cmake", ".json", ".sql", ".yml", ".yaml")

# --- a file, as the rules see it ------------------------------------------------------------------

TOKEN = re.compile(
    r"""//[^\n]* | /\*.*?\*/ |                     # comments
        R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)" |
        "(?:\\.|[^"\\\n])*" |
        (?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'""", re.DOTALL | re.VERBOSE)


def blank(match):
    """Keeps line numbers right; a string literal leaves its quotes behind."""
    text = match.group(0)
    empty = "" if text.startswith("/") else '""'
    return empty + "\n" * text.count("\n")


class File:
    """`lines` as written; `code` without comments and literals, for C++."""

    def __init__(self, path, text):
        self.path = path
        self.name = path.rsplit("/", 1)[-1]
        self.folder = path.split("/", 1)[0] if "/" in path else ""
        self.suffix = "." + self.name.rsplit(".", 1)[-1] if "." in self.name else ""
        self.lines = text.split("\n")
        if self.lines and self.lines[-1] == "":
            self.lines.pop()
        self.is_cxx = self.suffix in CXX
        self.code = TOKEN.sub(blank, text).split("\n") if self.is_cxx else []

    def matches(self, patterns):
        return any(fnmatch.fnmatchcase(self.path, pattern) for pattern in patterns)

    def includes(self):
        """(line number, bracket, name) of each #include."""
        for number, line in enumerate(self.lines, 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if found:
                yield number, found.group(1), found.group(2)


# --- the rules: each yields (line, what to do) ----------------------------------------------------

RULES = {}


def rule(function):
    RULES[function.__name__.replace("_", "-")] = function
    return function


def lines_matching(lines, pattern, advice):
    for number, line in enumerate(lines, 1):
        found = pattern.search(line)
        if found:
            yield number, advice.format(found.group(0).strip())


@rule
def line_length(file):
    if file.suffix in SIZED or file.name == "CMakeLists.txt":
        for number, line in enumerate(file.lines, 1):
            if len(line) > LINE_LENGTH_MAX:
                yield number, f"{len(line)} columns; break the line at {LINE_LENGTH_MAX}"


@rule
def tabs(file):
    if file.suffix in TEXT or file.name == "CMakeLists.txt":
        yield from lines_matching(file.lines, re.compile("\t"), "indent with blanks, not tabs")


@rule
def file_size(file):
    if file.suffix in SIZED and len(file.lines) > FILE_LINES_MAX:
        yield FILE_LINES_MAX + 1, (f"{len(file.lines)} lines; split the file by subject, "
                                   f"{FILE_LINES_MAX} is the end")


@rule
def file_name(file):
    found = re.search(r"(?:^|_)(utils?|commons?|helpers?|managers?)(?=_|\.|$)", file.name)
    if file.suffix in SIZED and found:
        yield 1, f"'{found.group(1)}' names no thing; name the file after what it holds"


@rule
def include_direction(file):
    allowed = LAYERS.get(file.folder) if file.is_cxx else None
    for number, _, name in file.includes() if allowed else ():
        folder = name.split("/", 1)[0]
        if folder in LAYERS and folder not in allowed:
            yield number, (f"{file.folder}/ must not include {folder}/ (events <- core <- "
                           "projections <- tools); move the code or declare an interface below")


@rule
def sql_header(file):
    if file.is_cxx and file.folder in ("events", "core"):
        for number, _, name in file.includes():
            if SQL_HEADER.search(name):
                yield number, f"{file.folder}/ knows no SQL; {name} belongs into projections/"


@rule
def rocksdb_header(file):
    if file.is_cxx and not file.matches(ROCKSDB_FILES):
        for number, _, name in file.includes():
            if ROCKSDB_HEADER.search(name):
                yield number, "RocksDB stays in core/rocks_*; read through Storage or EventSource"


def is_foreign(bracket, name):
    if bracket == '"':
        return "/" not in name or name.split("/", 1)[0] not in LAYERS
    return not STANDARD_HEADER.match(name)


@rule
def public_header(file):
    if file.suffix != ".h" or file.folder not in PRODUCT_FOLDERS or file.matches(PRIVATE_HEADERS):
        return
    for number, bracket, name in file.includes():
        allowed = any(fnmatch.fnmatchcase(name, pattern) for pattern in PUBLIC_FOREIGN)
        if is_foreign(bracket, name) and not allowed:
            yield number, f"foreign {name} in a public header; keep it in the .cc file or an Impl"


@rule
def project_include(file):
    """Own headers are named from the root, so that a reader finds them."""
    if file.is_cxx and file.folder in LAYERS:
        for number, bracket, name in file.includes():
            if bracket == '"' and is_foreign(bracket, name):
                yield number, f'write "folder/{name}" from the root, or <{name}> if it is foreign'
            if bracket == "<" and name.split("/", 1)[0] in LAYERS:
                yield number, f'a header of ours stands in quotes: "{name}"'


@rule
def pragma_once(file):
    if file.suffix == ".h" and file.folder in LAYERS:
        if not any(line.strip() == "#pragma once" for line in file.code):
            yield 1, "begin the header with #pragma once"


@rule
def stray_print(file):
    if file.folder in ("events", "core", "projections") and file.path not in PRINT_FILES:
        pattern = re.compile(r"\bstd::(cout|cerr|clog)\b|\bf?printf\s*\(|\bf?puts\s*\("
                             r"|\bfmt::print\s*\(")
        yield from lines_matching(file.code, pattern, "'{}': return or log it; only tools/ prints")


@rule
def todo_form(file):
    if file.suffix in SIZED + (".md", ".cmake") or file.name == "CMakeLists.txt":
        form = r"\((perf|cleanup|test|security)\): \S"
        pattern = re.compile(r"\b(TO" rf"DO(?!{form})|FIX" r"ME|XX" r"X)\b")
        yield from lines_matching(file.lines, pattern,
                                  "'{}': do it now or write TO" "DO(perf|cleanup|test|security): …")


@rule
def switched_off_test(file):
    if file.is_cxx:
        yield from lines_matching(file.lines, re.compile("DISABLED" "_"),
                                  "mend the test or delete it")
        yield from lines_matching(
            file.lines, re.compile(r"^\s*(//|/\*|\*).*\b(TYPED_)?TEST(_F|_P)?\s*\(\w"),
            "a commented-out test does not exist; delete it")
        yield from lines_matching(file.code, re.compile(r"^\s*#\s*if\s+0\b"),
                                  "delete what '{}' switches off; git remembers it")


@rule
def catch_all(file):
    if file.is_cxx and file.folder in ("events", "core", "projections", "bench"):
        if file.path not in CATCH_ALL_FILES:
            yield from lines_matching(
                file.code, re.compile(r"\bcatch\s*\(\s*\.\.\.\s*\)"),
                "name what is caught; only main and the root of a thread catch everything")


@rule
def file_ops(file):
    if file.is_cxx and file.folder == "core" and not file.matches(FILE_OPS_FILES):
        pattern = re.compile(r"\bstd::(basic_)?o?fstream\b|\bfopen\s*\(|(?<![.>\w])(?:std::)?"
                             r"(filesystem::)?(rename|fsync|fdatasync)\s*\(")
        yield from lines_matching(
            file.code, pattern,
            "'{}': write, sync and rename through core/file_ops.h, where faults are tested")


@rule
def stands_alone(file):
    machine = re.compile(r"(?<![\w.$}/~*-])/(home|root|work|farm|mnt|Users)/[\w.]"
                         r"|\.\./" "shared")
    yield from lines_matching(file.lines, machine,
                              "'{}' is a place outside the project; it must stand alone")


@rule
def tracker_number(file):
    if file.suffix in SIZED + (".md",):
        pattern = re.compile(r"\b([Ii]ssue|PR|pull request|[Ff]ix(es)?|[Cc]loses?)s? #\d+")
        yield from lines_matching(file.lines, pattern,
                                  "'{}': a number is no reason; write the reason")


# --- self-test: rule -> (path, text on which it fires once, text on which it does not) ------------

LONG = "// " + "x" * 98
CASES = [
    ("line-length", "core/a.cc", LONG + "\n", LONG[:100] + "\n"),
    ("line-length", "core/a.h", LONG + "\n", "// " + "ä" * 97 + "\n"),
    ("tabs", "core/a.cc", "\tint a;\n", "  int a;\n"),
    ("tabs", "README.md", "a\tb\n", "a b\n"),
    ("file-size", "events/a.capnp", "#\n" * 801, "#\n" * 800),
    ("file-size", "tools/a.sh", "#\n" * 801, "#\n" * 800),
    ("include-direction", "events/a.cc", '#include "core/b.h"\n', '#include "events/b.h"\n'),
    ("include-direction", "core/a.h", '#include "projections/b.h"\n', '#include "events/b.h"\n'),
    ("include-direction", "projections/s/a.cc", '#include "tools/b.h"\n', '#include "core/b.h"\n'),
    ("include-direction", "core/a.cc", '#include "tests/support/b.h"\n', '#include "core/b.h"\n'),
    ("sql-header", "core/a.cc", "#include <sqlite3.h>\n", "#include <vector>\n"),
    ("sql-header", "events/a.cc", "#include <pqxx/pqxx>\n", "#include <capnp/any.h>\n"),
    ("rocksdb-header", "projections/a.cc", "#include <rocksdb/db.h>\n", '#include "core/a.h"\n'),
    ("rocksdb-header", "core/log.cc", "#include <rocksdb/db.h>\n", "// <rocksdb/db.h>\n"),
    ("public-header", "core/a.h", "#include <fmt/format.h>\n", "#include <kj/array.h>\n"),
    ("public-header", "core/a.h", "#include <unistd.h>\n", '#include "events/rows.capnp.h"\n'),
    ("public-header", "events/a.h", "#include <openssl/evp.h>\n", "#include <string_view>\n"),
    ("project-include", "core/a.cc", '#include "a.h"\n', '#include "core/a.h"\n'),
    ("project-include", "core/a.cc", "#include <core/a.h>\n", "#include <capnp/any.h>\n"),
    ("pragma-once", "core/a.h", "// #pragma once\nint a;\n", "// Why.\n#pragma once\n"),
    ("stray-print", "core/a.cc", "std::cout << 1;\n", "// std::cout << 1;\n"),
    ("stray-print", "core/a.cc", 'printf("x");\n', 'std::snprintf(b, 3, "printf()");\n'),
    ("stray-print", "events/a.cc", 'std::fprintf(stderr, "");\n', "blueprint(1);\n"),
    ("stray-print", "projections/a.cc", 'fmt::print("x");\n', 'fmt::format("x");\n'),
    ("todo-form", "core/a.cc", "// TO" "DO: later\n", "// TO" "DO(perf): fewer copies\n"),
    ("todo-form", "tools/a.sh", "# TO" "DO(ann): later\n", "# TO" "DO(test): kill it\n"),
    ("todo-form", "core/a.cc", "// FIX" "ME\n", "// prefix messages\n"),
    ("switched-off-test", "tests/core/a.cc", "TEST(A, DISABLED" "_B) {}\n", "TEST(A, B) {}\n"),
    ("switched-off-test", "tests/core/a.cc", "// TEST(A, B) {}\n", "// The test (of A).\n"),
    ("switched-off-test", "tests/core/a.cc", "#if 0\n", "#if 1\n"),
    ("file-name", "core/string_utils.h", "#pragma once\n", None),
    ("file-name", "core/common.cc", "\n", None),
    ("file-name", "tools/test_helpers.sh", "\n", None),
    ("file-name", "core/snapshot_manager.h", "\n", None),
    ("file-name", "events/common_names.py", "\n", None),
    ("catch-all", "core/a.cc", "} catch (...) {\n", "} catch (const Fault&) {  // catch (...)\n"),
    ("file-ops", "core/a.cc", "std::ofstream out(path);\n", "std::ifstream in(path);\n"),
    ("file-ops", "core/a.cc", "::fsync(fd);\n", "sync_file(path);  // fsync(fd)\n"),
    ("file-ops", "core/a.cc", "std::filesystem::rename(a, b);\n", "ops.rename(a, b);\n"),
    ("stands-alone", "README.md", "see ../" "shared/x\n", "see ../core/x\n"),
    ("stands-alone", "tools/a.sh", "cd /ho" "me/ann/x\n", 'cd "$HOME/x"\n'),
    ("stands-alone", "core/a.cc", "// /wo" "rk/x\n", "// events/wo" "rk/x and ./wo" "rk/x\n"),
    ("tracker-number", "core/a.cc", "// Fixes #" "12.\n", "// Part #12 of the batch.\n"),
]

# Files in which a rule must keep quiet though the text would make it fire elsewhere.
EXEMPT = [
    ("rocksdb-header", "core/rocks_storage.cc", "#include <rocksdb/db.h>\n"),
    ("public-header", "core/rocks_status.h", "#include <rocksdb/status.h>\n"),
    ("public-header", "core/a.cc", "#include <fmt/format.h>\n"),
    ("stray-print", "tools/main.cc", "std::cout << 1;\n"),
    ("stray-print", "tests/core/a.cc", "std::cout << 1;\n"),
    ("stray-print", "core/error.cc", 'std::fprintf(stderr, "");\n'),
    ("catch-all", "tools/main.cc", "} catch (...) {\n"),
    ("file-ops", "core/file_ops.cc", "::fsync(fd);\n"),
    ("file-ops", "tests/core/a.cc", "std::ofstream out(path);\n"),
    ("file-name", "core/commands.h", "\n"),
    ("file-name", "core/communication.h", "\n"),
    ("line-length", "tests/data.json", LONG + "\n"),
]


def self_test():
    wrong = []
    for name, path, bad, good in CASES:
        if len(list(RULES[name](File(path, bad)))) != 1:
            wrong.append(f"{name}: does not fire once on {bad[:60]!r} in {path}")
        if good is not None and list(RULES[name](File(path, good))):
            wrong.append(f"{name}: fires on {good[:60]!r} in {path}")
    for name, path, text in EXEMPT:
        if list(RULES[name](File(path, text))):
            wrong.append(f"{name}: fires on {path}, where {text[:60]!r} is allowed")
    for name in sorted(set(RULES) - {case[0] for case in CASES}):
        wrong.append(f"{name}: has no case that shows it firing")
    spread = "/*\n*/ R\"x(\n)x\"; 1'0; printf(\"\");\n"
    found = list(RULES["stray-print"](File("core/a.cc", spread)))
    if [number for number, _ in found] != [3]:
        wrong.append(f"line numbers shift behind comments and raw strings: {found}")
    for line in wrong:
        print(line)
    print(f"{len(RULES)} rules, {len(CASES) + len(EXEMPT)} cases, {len(wrong)} wrong")
    return 1 if wrong else 0


# --- over the project -----------------------------------------------------------------------------


def project_files(root):
    """Committed or not, but never what .gitignore names; a copy without git is walked."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = {name for name in listed.stdout.split("\0") if name}
    else:
        names = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
        names = {name for name in names if not name.startswith(("build", ".git/", ".cache/"))}
    return sorted(name for name in names if (root / name).is_file())


def check_project(root):
    findings = 0
    names = project_files(root)
    for name in names:
        try:
            file = File(name, (root / name).read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue  # Golden bytes are no text.
        for label, function in RULES.items():
            for line, advice in function(file):
                print(f"{name}:{line}: {label}: {advice}")
                findings += 1
    print(f"{len(names)} files, {len(RULES)} rules, {findings} findings")
    if not names:
        print("no files found: is this the project's root?")
    return 1 if findings or not names else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if arguments == ["--list"]:
        print("\n".join(RULES))
        return 0
    if arguments:
        print(__doc__.strip())
        return 0 if arguments[0] in ("-h", "--help") else 2
    return check_project(pathlib.Path(__file__).resolve().parent.parent)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
