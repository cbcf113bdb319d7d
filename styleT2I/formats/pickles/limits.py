"""Limits of what a file may unfold to, and the check of a tree against them, without recursion."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.errors import CheckpointError, UnsafeFileError
from styleT2I.formats.pickles.blobs import AGAIN, TRUST
from styleT2I.formats.pickles.records import Record


@dataclass(frozen=True)
class Limits:
    """Limits beyond which a stream is refused; a real checkpoint needs a hundredth of it."""

    opcodes: int = 3_000_000
    containers: int = 500_000
    depth: int = 200  # of nested containers
    nodes: int = 3_000_000  # of the tree that the result is when shared parts are counted at each of their places


LIMITS = Limits()
_KEY_TYPES = (str, int, float, bytes, type(None))
_KEY_LIMIT = 1 << 64


def check_key(value):
    """`value` if it may be a key: text and small numbers cannot be made to collide, and hash without recursion."""
    if not isinstance(value, _KEY_TYPES) or (isinstance(value, int) and abs(value) >= _KEY_LIMIT):
        what = "number too large" if isinstance(value, int) else type(value).__name__
        raise CheckpointError(f"a damaged pickle: a {what} as a key; {AGAIN}")
    return value


def check_tree(root, limits: Limits) -> None:
    """Raise UnsafeFileError for cycles, deep nesting and trees that are small in memory but endless to walk."""
    sizes = {}  # id -> (depth, nodes) of what has been walked; None while its children are
    walks = [(root, iter(_children(root)))]
    sizes[id(root)] = None
    while walks:
        value, children = walks[-1]
        child = next((c for c in children if _needs_walk(c, sizes)), None)
        if child is not None:
            sizes[id(child)] = None
            walks.append((child, iter(_children(child))))
            if len(walks) > limits.depth:
                raise UnsafeFileError(f"the pickle in it nests over {limits.depth} deep; {TRUST}")
            continue
        walks.pop()
        depth = nodes = 0
        for child in _children(value):
            child_depth, child_nodes = sizes.get(id(child), (0, 1))
            depth, nodes = max(depth, child_depth), nodes + child_nodes
        sizes[id(value)] = (depth + 1, nodes + 1)
        if depth >= limits.depth or nodes >= limits.nodes:
            raise UnsafeFileError(f"the pickle in it unfolds into far more than it holds; {TRUST}")


def _children(value):
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, (list, tuple)):
        return value
    return (value.state,) if isinstance(value, Record) else ()


def _needs_walk(value, sizes):
    if not isinstance(value, (dict, list, tuple, Record)):
        return False
    if id(value) not in sizes:
        return True
    if sizes[id(value)] is None:
        raise UnsafeFileError(f"the pickle in it contains itself; {TRUST}")
    return False
