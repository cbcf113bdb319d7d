"""Pickle streams read as data: an interpreter of the opcodes that imports nothing and calls only our own functions.

A pickle is a program for a small stack machine. Python's own machine may import any module and call anything in it;
this one knows a closed list of names (`Names`), each standing for a function of ours or for an inert record. Any other
name, and every opcode that exists only to build arbitrary objects, ends the reading with UnsafeFileError.
"""

from __future__ import annotations

import codecs
import pickle
import struct

from styleT2I.errors import CheckpointError, StyleT2IError, UnsafeFileError
from styleT2I.formats.pickles.blobs import AGAIN, TRUST, Blob
from styleT2I.formats.pickles.byte_stream import ByteStream
from styleT2I.formats.pickles.limits import LIMITS, check_key, check_tree
from styleT2I.formats.pickles.records import Inert, Name, Names

HIGHEST_PROTOCOL = 5
MIN_BLOB = 1024  # longer byte strings stay in the file until they are used
MAX_INT_BYTES = 16
MAX_MEMO = 1 << 32  # as many places as an index of four bytes names
MAX_COPIES = 2  # of the file's bytes, by functions that return text or bytes
_ALIASES = {"__builtin__": "builtins", "copy_reg": "copyreg", "numpy._core": "numpy.core"}


def read_pickle(blob: Blob, names: Names, *, start=0, persistent_load=None, limits=LIMITS) -> tuple[object, int]:
    """Interpret the pickle at `start` of `blob`: (value, offset of the byte after it).

    The value consists of None, bool, int, float, str, bytes, Blob (a byte string left in the file), list, tuple, dict,
    set, Name, and what the functions of `names` and `persistent_load` (called with a persistent id) returned. It has
    no cycles. Raises UnsafeFileError for anything that is not data, CheckpointError for damage or excess.
    """
    machine = _Machine(blob, names, start, persistent_load, limits)
    try:
        value = machine.run()
        check_tree(value, limits)
    except StyleT2IError as error:
        if str(error).startswith(blob.where):
            raise
        raise type(error)(f"{blob.where}: {error}") from error
    except RecursionError as error:
        raise CheckpointError(f"{blob.where}: a damaged pickle, nested too deep; {AGAIN}") from error
    except Exception as error:  # a damaged stream can fail in any step above
        raise CheckpointError(f"{blob.where}: cut off or damaged, not a readable pickle; {AGAIN}") from error
    return value, machine.position


class _Machine(ByteStream):
    """The stack machine; `_OPCODES` at the end of the file says which method carries out which opcode."""

    def __init__(self, blob, names, start, persistent_load, limits):
        super().__init__(blob, start)
        self.names, self.persistent_load, self.limits = names, persistent_load, limits
        self.stack, self.marks, self.memo = [], [], {}
        self.num_containers = self.num_copied = 0

    def run(self):
        for _ in range(self.limits.opcodes):
            code = self.take(1)[0]
            if code == pickle.STOP[0]:
                return self.pop()
            operation = _OPCODES.get(code)
            if operation is None:
                raise CheckpointError(f"not a pickle, or a damaged one: no opcode is {code:#x}; {AGAIN}")
            operation(self)
        raise UnsafeFileError(f"the pickle in it has over {self.limits.opcodes} steps; {TRUST}")

    # Stack.

    def push(self, value) -> None:
        self.stack.append(value)

    def push_container(self, value) -> None:
        self.num_containers += 1
        if self.num_containers > self.limits.containers:
            raise UnsafeFileError(f"the pickle in it makes over {self.limits.containers} objects; {TRUST}")
        self.stack.append(value)

    def pop(self):
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise CheckpointError(f"a damaged pickle: it takes a value that is not there; {AGAIN}")
        return self.stack.pop()

    def peek(self, kind):
        """The value on top, which must be of type `kind`."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0) or not isinstance(self.stack[-1], kind):
            raise CheckpointError(f"a damaged pickle: it fills something that is not a container; {AGAIN}")
        return self.stack[-1]

    def pop_to_mark(self) -> list:
        if not self.marks:
            raise CheckpointError(f"a damaged pickle: it closes what it never opened; {AGAIN}")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    # Opcodes.

    def protocol(self):
        if self.take(1)[0] > HIGHEST_PROTOCOL:
            raise CheckpointError(f"not a pickle, or one of a protocol above {HIGHEST_PROTOCOL}; {AGAIN}")

    def pop_one(self):
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()  # as CPython has it: a mark on top is popped like a value
        else:
            self.pop()

    def integer_line(self):
        text = self.line().removesuffix(b"L")
        if len(text) > 2.5 * MAX_INT_BYTES:
            raise CheckpointError(f"a damaged pickle: an integer of {len(text)} digits; {AGAIN}")
        self.push({b"00": False, b"01": True}.get(text) if text in (b"00", b"01") else int(text))

    def long(self, size):
        if not 0 <= size <= MAX_INT_BYTES:
            raise CheckpointError(f"a damaged pickle: an integer of {size} bytes; {AGAIN}")
        self.push(int.from_bytes(self.take(size), "little", signed=True))

    def quoted_line(self):
        text = self.line(None).strip()
        if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in b"'\"":
            raise CheckpointError(f"a damaged pickle: a string without quotes; {AGAIN}")
        self.push(codecs.escape_decode(text[1:-1])[0].decode("latin1"))

    def bytes(self, size):
        if size < MIN_BLOB:
            self.push(self.take(size))
        else:
            self.push(self.blob.part(self.position, size))
            self.position += size

    def append(self):
        value = self.pop()
        self.peek(list).append(value)

    def append_many(self):
        values = self.pop_to_mark()
        self.peek(list).extend(values)

    def set_item(self):
        value, key = self.pop(), self.pop()
        self.peek(dict)[check_key(key)] = value

    def set_items(self):
        values = self.pop_to_mark()
        self.peek(dict).update(_pairs(values))

    def add_items(self):
        values = self.pop_to_mark()
        self.peek(set).update(map(check_key, values))

    def tuple_of(self, num):
        values = [self.pop() for _ in range(num)]
        self.push_container(tuple(reversed(values)))

    def memoize(self, index=None):
        if index is not None and not 0 <= index < MAX_MEMO:
            raise CheckpointError(f"a damaged pickle: it stores a value at an index that is not allowed; {AGAIN}")
        self.memo[len(self.memo) if index is None else index] = self.peek(object)

    def recall(self, index):
        if index not in self.memo:
            raise CheckpointError(f"a damaged pickle: it reads a value that it never stored; {AGAIN}")
        self.push(self.memo[index])

    def name(self, module, attribute):
        if not (isinstance(module, str) and isinstance(attribute, str)):
            raise CheckpointError(f"a damaged pickle: a name that is not a text; {AGAIN}")
        for old, new in _ALIASES.items():
            if module == old or module.startswith(old + "."):
                module = new + module[len(old) :]
        text = f"{module}.{attribute}"
        if text not in self.names:
            raise UnsafeFileError(f"the pickle in it asks for {text[:80]!r}, which is no part of a checkpoint; {TRUST}")
        self.push(Name(text))

    def stack_name(self):
        attribute, module = self.pop(), self.pop()
        self.name(module, attribute)

    def call(self):
        arguments, function = self.pop(), self.pop()
        is_known = isinstance(function, Name) and function.text in self.names.calls
        if not is_known or not isinstance(arguments, tuple):
            raise _unsafe("call", function)
        value = self.names.calls[function.text](*arguments)
        if isinstance(value, (str, bytes)):
            self.num_copied += len(value)
        elif isinstance(value, (dict, list, set, tuple)):
            self.num_containers += len(value) // 2
        if self.num_copied > MAX_COPIES * self.blob.size:
            raise UnsafeFileError(f"the pickle in it copies far more than it holds; {TRUST}")
        self.push_container(value)

    def new_object(self):
        arguments, cls = self.pop(), self.pop()
        maker = self.names.maker(cls.text) if isinstance(cls, Name) else None
        if maker is None or arguments != ():
            raise _unsafe("make an object of", cls)
        self.push_container(maker())

    def build(self):
        state = self.pop()
        target = self.peek(object)
        if isinstance(target, Inert):
            target.build(state)
        elif not isinstance(target, dict):  # a dict's attributes, such as a state dict's _metadata, are passed over
            raise _unsafe("set the state of", target)

    def persistent(self, value):
        if self.persistent_load is None:
            raise UnsafeFileError(f"the pickle in it refers to objects outside itself; {TRUST}")
        self.push_container(self.persistent_load(value))

    def refuse(self):
        raise UnsafeFileError(f"the pickle in it makes an object in a way that only code needs; {TRUST}")


def _unsafe(verb, target):
    text = repr(target.text[:80]) if isinstance(target, Name) else f"a value of type {type(target).__name__}"
    return UnsafeFileError(f"the pickle in it wants to {verb} {text}; {TRUST}")


def _pairs(values):
    if len(values) % 2:
        raise CheckpointError(f"a damaged pickle: a key without a value; {AGAIN}")
    return {check_key(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


_OPCODES = {
    getattr(pickle, opcode)[0]: operation
    for opcode, operation in {
        "PROTO": _Machine.protocol,
        "FRAME": lambda m: m.take(8),
        "MARK": lambda m: m.marks.append(len(m.stack)),
        "POP": _Machine.pop_one,
        "POP_MARK": _Machine.pop_to_mark,
        "DUP": lambda m: m.push(m.peek(object)),
        "NONE": lambda m: m.push(None),
        "NEWTRUE": lambda m: m.push(True),
        "NEWFALSE": lambda m: m.push(False),
        "INT": _Machine.integer_line,
        "LONG": _Machine.integer_line,
        "BININT": lambda m: m.push(m.number("i")),
        "BININT1": lambda m: m.push(m.number("B")),
        "BININT2": lambda m: m.push(m.number("H")),
        "LONG1": lambda m: m.long(m.number("B")),
        "LONG4": lambda m: m.long(m.number("i")),
        "FLOAT": lambda m: m.push(float(m.line())),
        "BINFLOAT": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
        "STRING": _Machine.quoted_line,
        "BINSTRING": lambda m: m.push(m.take(m.number("I")).decode("latin1")),
        "SHORT_BINSTRING": lambda m: m.push(m.take(m.number("B")).decode("latin1")),
        "UNICODE": lambda m: m.push(m.line(None).decode("raw-unicode-escape")),
        "BINUNICODE": lambda m: m.push(_text(m.take(m.number("I")))),
        "SHORT_BINUNICODE": lambda m: m.push(_text(m.take(m.number("B")))),
        "BINUNICODE8": lambda m: m.push(_text(m.take(m.number("Q")))),
        "BINBYTES": lambda m: m.bytes(m.number("I")),
        "SHORT_BINBYTES": lambda m: m.bytes(m.number("B")),
        "BINBYTES8": lambda m: m.bytes(m.number("Q")),
        "BYTEARRAY8": lambda m: m.bytes(m.number("Q")),
        "EMPTY_LIST": lambda m: m.push_container([]),
        "EMPTY_TUPLE": lambda m: m.push(()),
        "EMPTY_DICT": lambda m: m.push_container({}),
        "EMPTY_SET": lambda m: m.push_container(set()),
        "LIST": lambda m: m.push_container(m.pop_to_mark()),
        "TUPLE": lambda m: m.push_container(tuple(m.pop_to_mark())),
        "TUPLE1": lambda m: m.tuple_of(1),
        "TUPLE2": lambda m: m.tuple_of(2),
        "TUPLE3": lambda m: m.tuple_of(3),
        "DICT": lambda m: m.push_container(_pairs(m.pop_to_mark())),
        "FROZENSET": lambda m: m.push_container({check_key(value) for value in m.pop_to_mark()}),
        "APPEND": _Machine.append,
        "APPENDS": _Machine.append_many,
        "SETITEM": _Machine.set_item,
        "SETITEMS": _Machine.set_items,
        "ADDITEMS": _Machine.add_items,
        "PUT": lambda m: m.memoize(int(m.line())),
        "BINPUT": lambda m: m.memoize(m.number("B")),
        "LONG_BINPUT": lambda m: m.memoize(m.number("I")),
        "MEMOIZE": _Machine.memoize,
        "GET": lambda m: m.recall(int(m.line())),
        "BINGET": lambda m: m.recall(m.number("B")),
        "LONG_BINGET": lambda m: m.recall(m.number("I")),
        "GLOBAL": lambda m: m.name(_text(m.line()), _text(m.line())),
        "STACK_GLOBAL": _Machine.stack_name,
        "REDUCE": _Machine.call,
        "NEWOBJ": _Machine.new_object,
        "BUILD": _Machine.build,
        "BINPERSID": lambda m: m.persistent(m.pop()),
        **dict.fromkeys(
            ("INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER", "READONLY_BUFFER"),
            _Machine.refuse,
        ),
    }.items()
}
