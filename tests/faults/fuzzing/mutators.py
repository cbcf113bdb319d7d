"""Ways to damage a file's bytes: each takes (data, rng, others) and returns other bytes, the same for the same rng.

`others` are the bytes of other sample files, for splices.
"""

from __future__ import annotations

import copy
import json
import random
import re
import struct

NUMBERS = (b"0", b"-1", b"1e400", b"NaN", b"-Infinity", b"true", b"1000000000000", b"2.5", b"9" * 5000, b"0x10", b"1_0")
LENGTHS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
WORDS = (
    b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", "\u202e".encode(), "\u200b".encode(), b"\r", b"\n\n", b'"',
    b"'", b",", b"{", b"[", b"}", b"]", b"&a [*a]", b"*a", b"!!python/object/apply:os.system [id]", b"<<: ", b"- ",
    b"../../", b"/dev/zero", b"/etc/passwd", b"=cmd|' /C calc'!A0", b"[" * 3000, b"x" * 5000, b"%s", b"\\", b"#",
)  # fmt: skip
VALUES = (
    None, True, 0, -1, 10**12, 2.5, float("nan"), float("inf"), "", "x", "../x", "/dev/zero", "\ud800", "a\0b",
    "x" * 5000, [], [1], {}, {"file": "../x"}, [[]], "minifaces",
)  # fmt: skip
OPCODES = (
    b"cos\nsystem\n(S'touch CANARY'\ntR", b"cbuiltins\neval\n(S'1'\ntR", b"c__builtin__\nset\n(]tR", b"\x82\x01",
    b"Pid\n", b"(S'touch CANARY'\nios\nsystem\n", b"\x8c\x02os\x8c\x06system\x93", b"0", b"2", b"}", b"]", b")",
    b"(", b"u", b"e", b"t", b"b", b"R", b"\x81", b"Q", b"s", b"a", b"N", b"\x88", b"p4294967296\n",
    b"\x8a\x10" + b"\xff" * 16, b"\x94", b".",
)  # fmt: skip


def flip_bit(data, rng, others):
    place = rng.randrange(8 * len(data))
    return _put(data, place // 8, bytes([data[place // 8] ^ 1 << place % 8]))


def set_byte(data, rng, others):
    return _put(data, rng.randrange(len(data)), bytes([rng.choice((0, 0xFF, 0x20, 0x7F, rng.randrange(256)))]))


def cut_end(data, rng, others):
    return data[: rng.randrange(len(data))]


def cut_start(data, rng, others):
    return data[rng.randrange(1, len(data) + 1) :]


def cut_out(data, rng, others):
    start, end = _range(data, rng)
    return data[:start] + data[end:]


def repeat(data, rng, others):
    start, end = _range(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 2, 50)) + data[end:]


def swap(data, rng, others):
    """Two neighbouring runs of bytes change places."""
    start, end = _range(data, rng)
    middle = rng.randrange(start, end)
    return data[:start] + data[middle:end] + data[start:middle] + data[end:]


def fill(data, rng, others):
    start, end = _range(data, rng)
    return data[:start] + bytes([rng.choice((0, 0xFF))]) * (end - start) + data[end:]


def insert(data, rng, others):
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.choice((1, 2, 8, 100))) + data[place:]


def append(data, rng, others):
    return data + rng.choice((b"\0", b"\n", data[:100], rng.randbytes(50)))


def length_field(data, rng, others):
    """A number in binary of 1 to 8 bytes becomes one of those at which programs go wrong."""
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice(LENGTHS) & (1 << 8 * size) - 1
    place = rng.choice((rng.randrange(len(data)), rng.randrange(min(len(data), 64))))
    return _put(data, place, value.to_bytes(size, rng.choice(("little", "big"))))


def splice(data, rng, others):
    """The start of the file and the end of another, or a run of bytes out of another."""
    other = rng.choice(others)
    if rng.random() < 0.5:
        return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]
    start, end = _range(other, rng)
    return _put(data, rng.randrange(len(data)), other[start:end])


def edit_number(data, rng, others):
    """A number in text becomes another kind of number."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", data[: 1 << 16]))
    if not found:
        return set_byte(data, rng, others)
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(NUMBERS) + data[match.end() :]


def edit_text(data, rng, others):
    """A word or mark that text formats trip over, somewhere or in place of a word."""
    found = list(re.finditer(rb"[A-Za-z_]+", data[: 1 << 16]))
    if found and rng.random() < 0.5:
        match = rng.choice(found)
        return data[: match.start()] + rng.choice(WORDS) + data[match.end() :]
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(WORDS) + data[place:]


def edit_lines(data, rng, others):
    """A line is dropped, doubled, emptied, indented or moved."""
    lines = data.split(b"\n")
    row = rng.randrange(len(lines))
    change = rng.choice(("drop", "double", "empty", "indent", "move", "glue"))
    if change == "drop":
        del lines[row]
    elif change == "double":
        lines.insert(row, lines[row])
    elif change == "empty":
        lines[row] = b""
    elif change == "indent":
        lines[row] = b"  " + lines[row]
    elif change == "move":
        lines.insert(rng.randrange(len(lines)), lines.pop(row))
    elif row + 1 < len(lines):
        lines[row : row + 2] = [lines[row] + b"," + lines[row + 1]]
    return b"\n".join(lines)


def edit_json(data, rng, others):
    """A value of a JSON text is replaced, dropped, doubled, renamed, wrapped or exchanged with another one."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return edit_text(data, rng, others)
    places = list(_places(tree))
    if not places:
        return edit_number(data, rng, others)
    holder, key = rng.choice(places)
    change = rng.choice(("replace", "replace", "drop", "double", "rename", "wrap", "exchange", "deepen"))
    if change == "replace":
        holder[key] = rng.choice(VALUES)
    elif change == "drop":
        del holder[key]
    elif change == "wrap":
        holder[key] = rng.choice(([holder[key]], {"x": holder[key]}))
    elif change == "exchange":
        other, its = rng.choice(places)
        holder[key], other[its] = copy.deepcopy(other[its]), copy.deepcopy(holder[key])
    elif change == "deepen":
        return json.dumps(tree).encode().replace(json.dumps(holder[key]).encode(), b"[" * 5000 + b"]" * 5000, 1)
    elif isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    else:
        name = f"{key}x" if change == "double" else rng.choice(("x", "", str(key).upper(), str(key)[:-1]))
        holder[name] = copy.deepcopy(holder[key]) if change == "double" else holder.pop(key)
    return json.dumps(tree).encode()


def edit_zip(data, rng, others):
    """A field of an archive's directory or of a file's own header, or a whole entry of the directory."""
    starts = [match.start() for match in re.finditer(b"PK\x01\x02", data)]
    end = data.rfind(b"PK\x05\x06")
    if not starts or end < 0:
        return length_field(data, rng, others)
    entry = rng.choice(starts)
    change = rng.choice(("entry", "entry", "header", "end", "drop", "double", "exchange", "point"))
    if change == "entry":
        place, size = rng.choice(((6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (42, 4)))
        return _put(data, entry + place, rng.choice(LENGTHS).to_bytes(8, "little")[:size])
    if change == "header":
        (offset,) = struct.unpack_from("<L", data, entry + 42)
        place, size = rng.choice(((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)))
        return _put(data, min(offset + place, len(data) - 1), rng.choice(LENGTHS).to_bytes(8, "little")[:size])
    if change == "end":
        place, size = rng.choice(((4, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)))
        return _put(data, end + place, rng.choice(LENGTHS).to_bytes(8, "little")[:size])
    if change == "point":  # one file's entry to where another one lies
        other = rng.choice(starts)
        return _put(data, entry + 42, data[other + 42 : other + 46])
    following = min([start for start in [*starts, end] if start > entry])
    if change == "drop":
        kept = data[:entry] + data[following:]
        return _with_directory(kept, end - (following - entry), len(starts) - 1, following - entry)
    if change == "double":
        made = data[:following] + data[entry:following] + data[following:]
        return _with_directory(made, end + following - entry, len(starts) + 1, entry - following)
    return data[: starts[0]] + data[entry:following] + data[starts[0] : entry] + data[following:]


def edit_pickle(data, rng, others):
    """Opcodes put in somewhere, or in place of one."""
    place = rng.randrange(2, max(3, min(len(data), 1 << 14)))
    return data[:place] + rng.choice(OPCODES) + data[place + rng.choice((0, 0, 1)) :]


ANY = (
    flip_bit,
    flip_bit,
    set_byte,
    cut_end,
    cut_start,
    cut_out,
    repeat,
    swap,
    fill,
    insert,
    append,
    length_field,
    splice,
)
BINARY = ANY
ZIP = (*ANY, edit_zip, edit_zip, edit_zip, edit_pickle)
PICKLE = (*ANY, edit_pickle, edit_pickle, edit_pickle, edit_pickle)
TEXT = (flip_bit, set_byte, cut_end, cut_out, repeat, swap, insert, splice, *(edit_number, edit_text, edit_lines) * 3)
JSON = (*TEXT, *(edit_json,) * 8)


def mutate(data: bytes, kinds, seed: str, others) -> bytes:
    """`data` with one mutation of `kinds`, in a third of the cases two or three, all of which follow from the seed."""
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        data = rng.choice(kinds)(data, rng, others) if data else b"\0"
    return data


def _put(data, place, new):
    return data[:place] + new + data[place + len(new) :]


def _range(data, rng):
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, 64, 1000, 1 << 16)))


def _places(tree, depth=0):
    """Every (container, key) of a JSON value."""
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        if depth < 30:
            yield from _places(tree[key], depth + 1)


def _with_directory(data, end, count, shrunk):
    """`data` whose directory's end says how many entries and bytes it has now."""
    (size,) = struct.unpack_from("<L", data, end + 12)
    return _put(data, end + 8, struct.pack("<2HL", count & 0xFFFF, count & 0xFFFF, max(size - shrunk, 0) & 0xFFFFFFFF))
