"""Hostile lines, case by case, with what must become of each: the table of the stage `hostile`.

A line is refused with one code, or accepted because a rule takes it as it is or as something else.
What can be given as an option of `tenantry do` too has its options beside it: a value there is
text, so JSON's ways of writing are tried in lines only.
"""

import json
import uuid
from dataclasses import dataclass

INT4_MAX = 2**31 - 1
INT8_MAX = 2**63 - 1
KIB = 1 << 10
MARKER = "never-to-be-repeated"
ACCEPTED_ID = "5d0c6a3e-9a55-4c0f-8a4e-2f6a4c1f0001"
ACME_COMMAND_ID = "5d0c6a3e-9a55-4c0f-8a4e-2f6a4c1f0002"

# What the store of a case holds. All names in the rows below are made so that they would be taken.
PREPARED = [
    {"command": "register_user", "data": {"username": "ann", "email": "ann@acme.example"}},
    {
        "command": "create_tenant",
        "data": {"name": "Acme", "slug": "acme", "contact_email": "it@acme.example"},
        "id": ACME_COMMAND_ID,
        "reason": MARKER,
    },
    {
        "command": "create_tenant",
        "data": {"name": "Rival", "slug": "rival", "contact_email": "it@rival.example"},
    },
    {"command": "add_protein", "data": {"name": MARKER}, "id": ACCEPTED_ID, "actor": "user:1"},
]


@dataclass(frozen=True)
class Row:
    """One hostile line. `code` is None where it is accepted; `do` are options to the same end."""

    name: str
    line: bytes
    code: str | None
    do: tuple = ()
    entity: tuple = ()  # What an accepted one is answered to be: (key, value) pairs.

    @property
    def exit(self):
        """Of the program, after this line alone."""
        return exit_of(self.code)


INVALID_CODES = {
    "unknown_command",
    "unknown_field",
    "missing_field",
    "invalid_type",
    "too_long",
    "too_large",
    "invalid_text",
    "invalid_json",
}
CONFLICT_CODES = {"version_conflict", "id_reused", "id_taken"}
RULE_CODES = {
    "confirmation_mismatch",
    "domain_taken",
    "already_member",
    "email_mismatch",
    "forbidden",
    "invalid_color",
    "invalid_domain",
    "invalid_email",
    "invalid_merge",
    "invalid_password_hash",
    "invalid_period",
    "invalid_role",
    "invalid_slug",
    "invalid_theme",
    "invalid_token",
    "invalid_username",
    "invitation_already_accepted",
    "invitation_expired",
    "invitation_not_pending",
    "last_owner",
    "not_in_trial",
    "pending_invitation_exists",
    "protein_taken",
    "schema_name_taken",
    "schema_name_too_long",
    "slug_taken",
    "tenant_inactive",
    "token_taken",
    "username_taken",
}


def exit_of(code):
    """The exit code that belongs to the code of a refusal; None when there is no such code."""
    if code is None:
        return 0
    if code in INVALID_CODES:
        return 2
    if code in CONFLICT_CODES:
        return 4
    if code == "not_found":
        return 5
    return 3 if code in RULE_CODES else None


def encode(value):
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def line(kind, data, **more):
    return encode({"command": kind, "data": data, **more})


def protein(name, **more):
    return line("add_protein", {"name": name}, **more)


def protein_text(inside):
    """A line with bytes between the quotes of a name, as they are."""
    return b'{"command":"add_protein","data":{"name":"' + inside + b'"}}'


def tenant(**data):
    return line("create_tenant", {"name": "T", "slug": "t", "contact_email": "a@t.example", **data})


def tenant_json(settings):
    """A tenant whose settings are the given bytes."""
    whole = tenant(settings={"here": 1})
    return whole.replace(b'{"here": 1}', settings)


def user(**data):
    return line("register_user", {"username": "new", **data})


def do_tenant(*options):
    return (
        "create_tenant",
        "--name",
        "T",
        "--slug",
        "t",
        "--contact-email",
        "a@t.example",
        *options,
    )


# --- texts ----------------------------------------------------------------------------------------

BAD_UTF8 = {
    "a continuation byte alone": b"\x80",
    "a byte that UTF-8 never has": b"\xff",
    "an overlong slash": b"\xc0\xaf",
    "an overlong NUL": b"\xc0\x80",
    "an overlong euro sign": b"\xf0\x82\x82\xac",
    "CESU-8": b"\xed\xa0\x80\xed\xb0\x80",
    "a surrogate in three bytes": b"\xed\xa0\x80",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "cut short": b"\xe2\x82",
    "cut short by a letter": b"\xe2\x82a",
}


def encodings():
    for name, bad in BAD_UTF8.items():
        do = ("add_protein", "--name", b"a" + bad)
        yield Row(f"UTF-8: {name}, in a text", protein_text(b"a" + bad), "invalid_text", do)
    bad = b"\xc0\x80"
    settings = b'{"' + bad + b'":1}'
    yield Row("UTF-8: in a JSON key", tenant_json(settings), "invalid_text", do_settings(settings))
    yield Row("UTF-8: in a JSON text", tenant_json(b'{"a":"\x80"}'), "invalid_text")
    yield Row("UTF-8: in the line's key", b'{"comm\xffand":1}', "invalid_text")
    yield Row("UTF-8: in the actor", protein("a", actor="@").replace(b"@", b"\xff"), "invalid_text")
    for name, escape in {
        "high alone": rb"\ud800",
        "low alone": rb"\udc00",
        "in the wrong order": rb"\udc00\ud800",
        "high before a letter": rb"\ud800a",
        "high before another high": rb"\ud800\ud800",
    }.items():
        yield Row(f"surrogate {name}, in a text", protein_text(escape), "invalid_text")
        settings = b'{"a":"%s"}' % escape
        do = do_settings(settings)
        yield Row(f"surrogate {name}, in JSON", tenant_json(settings), "invalid_json", do)
        settings = b'{"%s":1}' % escape
        do = do_settings(settings)
        yield Row(f"surrogate {name}, in a key", tenant_json(settings), "invalid_json", do)


def do_settings(settings):
    return do_tenant("--settings", settings)


def zeros():
    escaped = rb"a\u0000b"
    yield Row("NUL: raw, in a text", protein_text(b"a\0b"), "invalid_text")
    yield Row("NUL: raw, between values", protein("a") + b"\0", "invalid_text")
    yield Row("NUL: raw alone", b"\0", "invalid_text")
    yield Row("NUL: escaped, in a text", protein_text(escaped), "invalid_text")
    yield Row("NUL: escaped, first", protein_text(rb"\u0000"), "invalid_text")
    for key in ("actor", "channel", "reason", "correlation_id"):
        yield Row(f"NUL: escaped, in {key}", protein("a", **{key: "a\0"}), "invalid_text")
    for key in ("username", "email", "first_name", "password"):
        data = {"username": "new", key: "a\0b"}
        yield Row(f"NUL: escaped, in {key}", line("register_user", data), "invalid_text")
    for name, settings in {
        "a value": rb'{"a":"%s"}' % escaped,
        "a key": rb'{"%s":1}' % escaped,
        "a deep value": rb'{"a":[{"b":["%s"]}]}' % escaped,
        "a deep key": rb'{"a":[{"%s":1}]}' % escaped,
    }.items():
        row = f"NUL: escaped, in {name} of JSON"
        yield Row(row, tenant_json(settings), "invalid_json", do_settings(settings))
    key = protein("a").replace(b'"name"', rb'"\u0000"')
    yield Row("NUL: escaped, in a key of data", key, "unknown_field")
    key = protein("a", color=1).replace(b'"color"', rb'"act\u0000or"')
    yield Row("NUL: escaped, in a key of the line", key, "unknown_field")


def lengths():
    wide = "\U00020000"  # One character, four bytes, two code units.
    for kind, key, longest, extra in (
        ("add_protein", "name", 50, {}),
        ("register_user", "username", 150, {}),
        ("register_user", "first_name", 150, {"username": "new"}),
        ("register_user", "last_name", 150, {"username": "new"}),
        ("create_tenant", "name", 255, {"slug": "t", "contact_email": "a@t.example"}),
        ("create_tenant", "contact_phone", 20, TENANT),
        ("create_tenant", "logo", 100, TENANT),
        ("create_tenant", "schema_name", 63, TENANT),
    ):
        for name, text in (("letters", "x"), ("wide characters", wide), ("blanks", " ")):
            if key == "username" and text == " ":
                continue
            option = "--" + key.replace("_", "-")
            flat = [w for k, v in extra.items() for w in ("--" + k.replace("_", "-"), v)]
            at, over = text * longest, text * (longest + 1)
            do = (kind, *flat, option, over)
            title = f"length: {kind} {key}: "
            yield Row(
                f"{title}{longest + 1} {name}", line(kind, {**extra, key: over}), "too_long", do
            )
            yield Row(f"{title}{longest} {name}", line(kind, {**extra, key: at}), None)
    yield from line_lengths()


TENANT = {"name": "T", "slug": "t", "contact_email": "a@t.example"}


def line_lengths():
    for key, longest in (("actor", 200), ("reason", 500)):
        option = "--" + key
        do = ("add_protein", "--name", "a", option, "ä" * (longest + 1))
        over = protein("a", **{key: "ä" * (longest + 1)})
        yield Row(f"length: {key}: {longest + 1}", over, "too_long", do)
        yield Row(f"length: {key}: {longest}", protein("a", **{key: "ä" * longest}), None)
    slug = line("create_tenant", {**TENANT, "slug": "s" * 101})
    yield Row("length: a slug of 101", slug, "too_long")
    domain = ".".join(["a" * 62] * 4) + ".example"
    name = line("add_domain", {"tenant": "acme", "domain": domain})
    yield Row("length: a domain of 259", name, "too_long")
    address = "a@" + ".".join(["b" * 62] * 4) + ".example"
    email = line("register_user", {"username": "new", "email": address})
    yield Row(f"length: an e-mail of {len(address)}", email, "too_long")
    local = line("register_user", {"username": "new", "email": "a" * 65 + "@b.example"})
    yield Row("length: 65 before the @", local, "invalid_email")


LOOK_ALIKES = {
    "a bidi override": "a\u202eb",
    "a bidi isolate": "a\u2066b",
    "a bidi mark": "a\u200fb",
    "a zero-width space": "a\u200bb",
    "a byte order mark": "\ufeffab",
    "a control character": "a\x1bb",
    "a tab": "a\tb",
    "a line end": "a\nb",
    "DEL": "a\x7fb",
    "a C1 control": "a\x85b",
    "a blank before": " ab",
    "a blank behind": "ab ",
    "a no-break blank": "a\u00a0b",
    "an ideographic blank": "a\u3000b",
    "a letter and an accent apart": "cafe\u0301",
    "a line separator": "a\u2028b",
}


def do_slug(slug):
    return ("create_tenant", "--name", "T", "--slug", slug, "--contact-email", "a@t.example")


def look_alikes():
    for name, text in LOOK_ALIKES.items():
        do = ("register_user", "--username", text)
        yield Row(f"username: {name}", user(username=text), "invalid_username", do)
        yield Row(f"slug: {name}", tenant(slug=text), "invalid_slug", do_slug(text))
        data = {"tenant": "acme", "domain": text + ".example"}
        do = ("add_domain", "--tenant", "acme", "--domain", data["domain"])
        yield Row(f"domain: {name}", line("add_domain", data), "invalid_domain", do)
        email = text + "@acme.example"
        do = ("register_user", "--username", "new", "--email", email)
        yield Row(f"e-mail: {name}", user(email=email), "invalid_email", do)
    yield Row("username: letters of other scripts", user(username="Zoë.Ωμέγα.李"), None)
    yield Row("slug: capitals are lowered", tenant(slug="UPPER"), None, entity=(("key", "upper"),))
    yield Row("slug: another script", tenant(slug="аcme"), "invalid_slug")
    yield Row("slug: shaped like a UUID", tenant(slug=str(uuid.UUID(int=7))), "invalid_slug")
    yield Row("slug: taken in capitals", tenant(slug="ACME"), "slug_taken", do_slug("ACME"))
    data = {"tenant": "acme", "domain": "xn--.ä.example"}
    yield Row("domain: not ASCII", line("add_domain", data), "invalid_domain")
    yield Row("e-mail: not ASCII", user(email="ä@acme.example"), "invalid_email")


# --- JSON -----------------------------------------------------------------------------------------


def nested(depth):
    return b"[" * depth + b"]" * depth


def documents():
    for name, settings, code in (
        ("a key twice", b'{"a":1,"a":2}', "invalid_json"),
        ("a key twice, once escaped", rb'{"a":1,"\u0061":2}', "invalid_json"),
        ("a key twice, deep", b'{"x":[{"a":1,"a":1}]}', "invalid_json"),
        ("32 deep", b'{"a":' + nested(31) + b"}", None),
        ("33 deep", b'{"a":' + nested(32) + b"}", "invalid_json"),
        ("100,000 deep", b'{"a":' + nested(100_000) + b"}", "invalid_json"),
        ("100,000 deep and never closed", b'{"a":' + b"[" * 100_000, "invalid_json"),
        ("256 KiB", encode({"a": "x" * (256 * KIB - 9)}), None),
        ("a byte more", encode({"a": "x" * (256 * KIB - 8)}), "too_large"),
        ("1e131072", b'{"n":1e131072}', "invalid_json"),
        ("-1e131072", b'{"n":-1e131072}', "invalid_json"),
        ("1e-131072", b'{"n":1e-131072}', "invalid_json"),
        ("1e999999999999999999999", b'{"n":1e999999999999999999999}', "invalid_json"),
        ("400 digits", b'{"n":' + b"7" * 400 + b"}", None),
        ("401 digits", b'{"n":' + b"7" * 401 + b"}", "invalid_json"),
        ("401 zeros of an exponent", b'{"n":1e400}', "invalid_json"),
        ("-0", b'{"n":-0}', None),
        ("NaN", b'{"n":NaN}', "invalid_json"),
        ("Infinity", b'{"n":Infinity}', "invalid_json"),
        ("-Infinity", b'{"n":-Infinity}', "invalid_json"),
        ("a leading zero", b'{"n":01}', "invalid_json"),
        ("a leading plus", b'{"n":+1}', "invalid_json"),
        ("a point first", b'{"n":.5}', "invalid_json"),
        ("a point last", b'{"n":1.}', "invalid_json"),
        ("hexadecimal", b'{"n":0x10}', "invalid_json"),
        ("an empty exponent", b'{"n":1e}', "invalid_json"),
        ("a comma last", b'{"n":1,}', "invalid_json"),
        ("single quotes", b"{'n':1}", "invalid_json"),
        ("a comment", b'{"n":1/**/}', "invalid_json"),
        ("a bare key", b"{n:1}", "invalid_json"),
        ("a raw tab in a text", b'{"n":"a\tb"}', "invalid_json"),
        ("an unknown escape", rb'{"n":"\x41"}', "invalid_json"),
        ("a short escape", rb'{"n":"\u12"}', "invalid_json"),
        ("a number instead", b"7", "invalid_type"),
        ("a list instead", b"[]", "invalid_type"),
        ("null instead", b"null", "invalid_type"),
        ("a text instead", b'"{}"', "invalid_type"),
    ):
        do = do_settings(settings) if len(settings) < 100 * KIB else ()
        yield Row(f"JSON: {name}", tenant_json(settings), code, do)
    twice = b'{"command":"add_protein","command":"add_protein","data":{"name":"a"}}'
    yield Row("JSON: a key of the line twice", twice, "invalid_json")
    twice = b'{"command":"add_protein","data":{"name":"a","name":"b"}}'
    yield Row("JSON: a key of data twice", twice, "invalid_json")
    message = line("invite", {"tenant": "acme", "email": "x@y.example", "message": "m" * 262_145})
    yield Row("JSON: a text of 256 KiB and a byte", message, "too_large")


# --- numbers, ids, times --------------------------------------------------------------------------


def integers():
    for name, number, code in (
        ("2^31 - 1", str(INT4_MAX), None),
        ("2^31", str(INT4_MAX + 1), "invalid_type"),
        ("2^63", str(INT8_MAX + 1), "invalid_type"),
        ("2^64 + 1", str(2**64 + 1), "invalid_type"),
        ("0", "0", "invalid_type"),
        ("-1", "-1", "invalid_type"),
        ("-2^63 - 1", str(-(2**63) - 1), "invalid_type"),
        ("1.0", "1.0", "invalid_type"),
        ("1e3", "1e3", "invalid_type"),
        ("a hundred digits", "9" * 100, "invalid_type"),
        ("a text of digits", '"17"', "invalid_type"),
        ("true", "true", "invalid_type"),
        ("null", "null", "invalid_type"),
    ):
        raw = user(id=0).replace(b'"id": 0', b'"id": ' + number.encode())
        do = ("register_user", "--username", "new", "--id", number) if '"' not in number else ()
        yield Row(f"int4 id: {name}", raw, code, do)
    for name, number, code in (
        ("2^63 - 1", INT8_MAX, None),
        ("2^63", INT8_MAX + 1, "invalid_type"),
        ("-1", -1, "invalid_type"),
    ):
        do = ("add_protein", "--name", "a", "--id", str(number))
        yield Row(f"int8 id: {name}", line("add_protein", {"name": "a", "id": number}), code, do)
    for name, version, code in (
        ("0", 0, "invalid_type"),
        ("-1", -1, "invalid_type"),
        ("2^64", 2**64, "invalid_type"),
        ("a text of a digit", "1", "invalid_type"),
        ("None", "None", "invalid_type"),
        ("one that it never had", 77, "version_conflict"),
    ):
        data = {"tenant": "acme", "name": "B"}
        whole = line("change_tenant", data, expected_version=version)
        yield Row(f"expected_version: {name}", whole, code)
    for name, position in (("2^64", 2**64), ("-1", -1), ("a text", "1")):
        whole = protein("a", causation_position=position)
        yield Row(f"causation_position: {name}", whole, "invalid_type")


def uuids():
    plain = "3f2b8c1e-7a4d-4e7f-9c55-0a1b2c3d4e5f"
    for name, text, code in (
        ("as it should be", plain, None),
        ("in capitals", plain.upper(), None),
        ("in braces", "{" + plain + "}", "invalid_type"),
        ("as a URN", "urn:uuid:" + plain, "invalid_type"),
        ("without hyphens", plain.replace("-", ""), "invalid_type"),
        ("with hyphens elsewhere", "3f2b-8c1e7a4d-4e7f9c55-0a1b2c3d4e5f0", "invalid_type"),
        ("a digit short", plain[:-1], "invalid_type"),
        ("a digit more", plain + "0", "invalid_type"),
        ("no digit", plain[:-1] + "g", "invalid_type"),
        ("a blank before", " " + plain, "invalid_type"),
        ("a blank behind", plain + " ", "invalid_type"),
        ("a line end behind", plain + "\n", "invalid_type"),
        ("wide digits", plain.replace("3", "３"), "invalid_type"),
        ("all zero", str(uuid.UUID(int=0)), "invalid_type"),
        ("nothing", "", "invalid_type"),
    ):
        do = do_tenant("--id", text)
        entity = () if code else (("id", plain),)
        yield Row(f"UUID of a tenant: {name}", tenant(id=text), code, do, entity)
        do = ("add_protein", "--name", "a", "--command-id", text) if text else ()
        yield Row(f"UUID of a command: {name}", protein("a", id=text), code, do)


def times():
    for name, text, code in (
        ("as it should be", "2099-01-31T10:20:30.123456Z", None),
        ("with a zone of hours", "2099-01-31T10:20:30+02:00", None),
        ("infinity", "infinity", "invalid_type"),
        ("-infinity", "-infinity", "invalid_type"),
        ("before Christ", "2099-01-31 BC", "invalid_type"),
        ("a negative year", "-0044-03-15T00:00:00Z", "invalid_type"),
        ("the year 0", "0000-01-01T00:00:00Z", "invalid_type"),
        ("the year 10000", "10000-01-01T00:00:00Z", "invalid_type"),
        ("the year +10000", "+10000-01-01T00:00:00Z", "invalid_type"),
        ("seven digits", "2099-01-31T10:20:30.1234567Z", "invalid_type"),
        ("second 60", "2099-12-31T23:59:60Z", "invalid_type"),
        ("minute 60", "2099-12-31T23:60:00Z", "invalid_type"),
        ("hour 24", "2099-12-31T24:00:00Z", "invalid_type"),
        ("30 February", "2099-02-30T00:00:00Z", "invalid_type"),
        ("29 February of no leap year", "2099-02-29T00:00:00Z", "invalid_type"),
        ("month 13", "2099-13-01T00:00:00Z", "invalid_type"),
        ("day 0", "2099-01-00T00:00:00Z", "invalid_type"),
        ("no zone", "2099-01-31T10:20:30", "invalid_type"),
        ("a zone of 25 hours", "2099-01-31T10:20:30+25:00", "invalid_type"),
        ("a zone's name", "2099-01-31T10:20:30 Europe/Rome", "invalid_type"),
        ("a blank before", " 2099-01-31T10:20:30Z", "invalid_type"),
        ("something behind", "2099-01-31T10:20:30Zx", "invalid_type"),
        ("now", "now", "invalid_type"),
        ("nothing", "", "invalid_type"),
        ("wide digits", "２099-01-31T10:20:30Z", "invalid_type"),
        ("beyond year 9999 by its zone", "9999-12-31T23:59:59-12:00", "invalid_type"),
    ):
        do = do_tenant("--trial-ends-at", text)
        yield Row(f"time: {name}", tenant(trial_ends_at=text), code, do)
    yield Row("time: a number", tenant(trial_ends_at=4_000_000_000), "invalid_type")
    late = protein("a", at="2020-01-01T00:00:00Z")
    do = ("add_protein", "--name", "a", "--at", "2020-01-01T00:00:00Z")
    yield Row("time: `at` where no history is recorded", late, "unknown_field", do)


# --- lines and commands ---------------------------------------------------------------------------


def framing():
    good = protein("a")
    yield Row("line: a byte order mark first", b"\xef\xbb\xbf" + good, "invalid_json")
    yield Row("line: ends with CR LF", good + b"\r", None)
    yield Row("line: CR inside a text", protein_text(b"a\rb"), "invalid_json")
    yield Row("line: garbage behind the object", good + b" x", "invalid_json")
    yield Row("line: two objects", good + b" " + good, "invalid_json")
    yield Row("line: a comma behind", good + b",", "invalid_json")
    yield Row("line: half an object", good[: len(good) // 2], "invalid_json")
    yield Row("line: a form feed", b"\f" + good, "invalid_json")
    yield Row("line: UTF-16", good.decode().encode("utf-16"), "invalid_text")
    yield Row("line: UTF-16, big-endian", good.decode().encode("utf-16-be"), "invalid_text")
    yield Row(
        "line: gzip", b"\x1f\x8b\x08\x00\x12\x34\x56\x78\x02\xff" + b"\xcb\x48", "invalid_text"
    )
    yield Row("line: every byte", bytes(set(range(256)) - {10}), "invalid_text")
    yield Row("line: nothing but {}", b"{}", "missing_field")
    yield Row("line: a list", b"[" + good + b"]", "invalid_type")
    yield Row("line: a text", b'"add_protein"', "invalid_type")
    yield Row("line: null", b"null", "invalid_type")
    yield Row("line: 1 MiB and a byte", protein("a", reason="x").ljust((1 << 20) + 1), "too_large")
    yield Row("line: 1 MiB with blanks", good.ljust(1 << 20), None)
    yield Row("line: data is null", b'{"command":"add_protein","data":null}', "invalid_type")
    yield Row("line: data is a text", b'{"command":"add_protein","data":"{}"}', "invalid_type")
    yield Row(
        "line: an unknown command", line("drop_table", {}), "unknown_command", ("drop_table",)
    )
    yield Row("line: a command in capitals", line("ADD_PROTEIN", {"name": "a"}), "unknown_command")
    yield Row(
        "line: a command with a blank", line("add_protein ", {"name": "a"}), "unknown_command"
    )
    yield Row("line: a command of 100 KiB", line("a" * 100 * KIB, {}), "unknown_command")
    yield Row("line: an unknown key", protein("a", color=1), "unknown_field")
    key = line("add_protein", {"name": "a", "x" * 10_000: 1})
    yield Row("line: an unknown key of 10 kB", key, "unknown_field")
    many = line("add_protein", {"name": "a", **{f"k{n}": n for n in range(20_000)}})
    yield Row("line: 20,000 unknown keys", many, "unknown_field")


def identities():
    other = line("add_protein", {"name": "other"}, id=ACCEPTED_ID)
    do = ("add_protein", "--name", "other", "--command-id", ACCEPTED_ID)
    yield Row("id: other content", other, "id_reused", do)
    other = line("add_protein", {"name": MARKER}, id=ACCEPTED_ID, expected_version="none")
    yield Row("id: another expected_version", other, "id_reused")
    other = line("deactivate_tenant", {"tenant": "rival"}, id=ACME_COMMAND_ID)
    do = ("deactivate_tenant", "--tenant", "rival", "--command-id", ACME_COMMAND_ID)
    yield Row("id: of another tenant's command", other, "id_reused", do)
    again = line("add_protein", {"name": MARKER}, id=ACCEPTED_ID.upper(), actor="user:2")
    yield Row("id: the same content, in capitals, by somebody else", again, None)


SECTIONS = (
    encodings,
    zeros,
    lengths,
    look_alikes,
    documents,
    integers,
    uuids,
    times,
    framing,
    identities,
)


def all_rows():
    rows = [row for section in SECTIONS for row in section()]
    names = [row.name for row in rows]
    if len(set(names)) != len(names):
        raise ValueError("two rows have one name")
    return rows
