"""Lines of commands, mutated: what a fault of a sender or of the way from it makes of them."""

import re

TOKENS = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"-",
    b"1e999",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\r",
    b"9" * 30,
    b'"x":',
    b"{}",
    b"\xe2\x80\xae",
]
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
NUMBER = re.compile(rb"(?<=[:,\[])-?\d+")
VALUES = [
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b"0",
    b"-1",
    b"1.5",
    b"9223372036854775808",
    b'"\\u0000"',
]


def span(draw, line):
    begin = draw.randrange(len(line) + 1)
    return begin, min(len(line), begin + draw.randrange(1, 40))


def flip(draw, line):
    at = draw.randrange(len(line))
    return line[:at] + bytes([line[at] ^ (1 << draw.randrange(8))]) + line[at + 1 :]


def cut_out(draw, line):
    begin, end = span(draw, line)
    return line[:begin] + line[end:]


def cut_off(draw, line):
    return line[: draw.randrange(len(line))]


def double(draw, line):
    begin, end = span(draw, line)
    return line[:end] + line[begin:end] + line[end:]


def insert(draw, line):
    at = draw.randrange(len(line) + 1)
    return line[:at] + draw.choice(TOKENS) + line[at:]


def insert_bytes(draw, line):
    at = draw.randrange(len(line) + 1)
    return line[:at] + draw.randbytes(draw.randrange(1, 9)) + line[at:]


def swap(draw, line):
    first, second = sorted((draw.randrange(len(line) + 1), draw.randrange(len(line) + 1)))
    return line[second:] + line[first:second] + line[:first]


def replace_value(draw, line):
    """Another value where a text or a number stood; a key may be hit as well."""
    found = list(STRING.finditer(line)) + list(NUMBER.finditer(line))
    if not found:
        return insert(draw, line)
    hit = draw.choice(found)
    return line[: hit.start()] + draw.choice(VALUES) + line[hit.end() :]


def nest(draw, line):
    depth = draw.choice([1, 2, 40, 3000])
    found = list(STRING.finditer(line))
    if not found:
        return b"[" * depth + line + b"]" * depth
    hit = draw.choice(found)
    return line[: hit.start()] + b"[" * depth + hit.group() + b"]" * depth + line[hit.end() :]


def lengthen(draw, line):
    found = list(STRING.finditer(line))
    if not found:
        return line
    hit = draw.choice(found)
    more = draw.choice(["x", "ä", "\U00020000", " "]).encode() * draw.choice([60, 300, 2000])
    return line[: hit.end() - 1] + more + line[hit.end() - 1 :]


WAYS = (
    flip,
    cut_out,
    cut_off,
    double,
    insert,
    insert_bytes,
    swap,
    replace_value,
    replace_value,
    replace_value,
    nest,
    lengthen,
)


def mutated(draw, lines, count):
    """So many neighbouring lines of a history; most of them changed, once or more."""
    begin = draw.randrange(max(1, len(lines) - count))
    found = []
    for line in lines[begin : begin + count]:
        for _ in range(draw.choice([0, 1, 1, 1, 2, 4])):
            if line:
                line = draw.choice(WAYS)(draw, line)
        if line and draw.random() < 0.05:  # The head of one, the rest of another.
            other = draw.choice(lines)
            line = line[: draw.randrange(len(line))] + other[draw.randrange(len(other)) :]
        found.append(line)
    return found
