"""Files that torch.save wrote, and bare pickles, as trees of plain data: nothing in them is imported or called.

Containers: the zip archive (torch 1.6 and later, TorchScript included), the older stream of pickles, a pickle alone
(NVIDIA's networks) and, as the same kind of tree, safetensors files. `open_checkpoint` tells them apart by content.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from styleT2I.errors import CheckpointError, StyleT2IError, UnsafeFileError
from styleT2I.formats.component import check_file, read_safetensors
from styleT2I.formats.pickles.blobs import AGAIN, TRUST, open_blob
from styleT2I.formats.pickles.limits import LIMITS, Limits
from styleT2I.formats.pickles.machine import read_pickle
from styleT2I.formats.pickles.names import STORAGES, checkpoint_names
from styleT2I.formats.pickles.records import Name, Record
from styleT2I.formats.pickles.tensors import Storage, load_tensors
from styleT2I.formats.pickles.zip_archive import read_zip

ZIP, LEGACY, PICKLE, SAFETENSORS = "zip", "legacy", "pickle", "safetensors"
_MAGIC = 0x1950A86A20F9469CFC6C
_MAGIC_START = b"\x80\x02\x8a\x0a" + _MAGIC.to_bytes(10, "little")
_LEGACY_VERSION = 1001
_PICKLE_START = b"\x80"  # of every pickle of protocol 2 or later
_ONE_STORAGE = Limits(opcodes=1000, containers=100)


@dataclass(frozen=True)
class Content:
    """What a file holds: its container ("zip", "legacy", "pickle" or "safetensors") and the tree of its values.

    Tensors are TensorRefs, those of safetensors files torch tensors.
    """

    path: Path
    container: str
    tree: object
    is_torchscript: bool = False


def read_torch_file(path: str | Path):
    """Read all of a torch file as plain Python values and CPU tensors.

    A TorchScript module or an argparse.Namespace becomes a Record with its attributes as the dict `.state`
    (`state_dict_of` flattens the former). Raises CheckpointError, and UnsafeFileError where a file asks for code to
    be run; either is one line.
    """
    with open_checkpoint(path) as content:
        return load_tensors(content.tree)


@contextlib.contextmanager
def open_checkpoint(path: str | Path) -> Iterator[Content]:
    """Yield the Content of a file, whose tensors can be loaded (`load_tensors` of a part of the tree) until the end.

    Only the tensors that are loaded are read from the disk. Raises as `read_torch_file`.
    """
    check_file(Path(path))
    with open_blob(path) as blob:
        try:
            content = _content(blob)
        except StyleT2IError:
            raise
        except Exception as error:  # a damaged container can fail in any step
            raise CheckpointError(f"{path}: a damaged file of weights; {AGAIN}") from error
        try:
            yield content
        except CheckpointError as error:  # errors of tensors, which are read later, do not name the file
            if str(error).startswith(blob.where):
                raise
            raise type(error)(f"{blob.where}: {error}") from error


def state_dict_of(module: Record, prefix: str = "") -> dict:
    """The tensors of a TorchScript module by their dotted names, as torch's state_dict has them."""
    tensors = {}
    for name, value in module.state.items() if isinstance(module.state, dict) else ():
        if isinstance(value, Record):
            tensors.update(state_dict_of(value, f"{prefix}{name}."))
        elif hasattr(value, "dtype"):
            tensors[f"{prefix}{name}"] = value
    return tensors


def _content(blob):
    path, start = Path(blob.where), blob.read(0, min(blob.size, len(_MAGIC_START)))
    if start[8:9] == b"{":
        return Content(path, SAFETENSORS, read_safetensors(path))
    if start.startswith(b"PK\x03\x04"):
        return _read_archive(blob)
    if start == _MAGIC_START:
        return Content(path, LEGACY, _read_legacy(blob, _load_storage))
    try:
        value, end = read_pickle(blob, checkpoint_names(blob.size, blob.where, _load_storage))
    except UnsafeFileError:
        raise
    except CheckpointError as error:
        if start.startswith(_PICKLE_START):
            raise
        kind = "a text file" if _is_text(start) else "of an unknown kind"
        raise CheckpointError(f"{blob.where}: {kind}, not network weights that can be read here; {AGAIN}") from error
    _check_end(blob, end)
    return Content(path, PICKLE, value)


def _read_archive(blob):
    entries = read_zip(blob)
    roots = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(roots) != 1:
        raise CheckpointError(f"{blob.where}: a zip archive, but not torch's (no data.pkl in it); unpack it first")
    root = roots[0]
    for entry in entries.values():  # a storage's when it is read; packed source text never is
        if not (entry.is_packed or entry.name.startswith(f"{root}data/")):
            entry.check()
    order = entries.get(f"{root}byteorder")
    is_swapped = order is not None and order.blob.read(0, min(order.blob.size, 8)) == b"big"
    storages = {}

    def load_storage(dtype, key, numel):
        if key not in storages:
            entry = entries.get(f"{root}data/{key}")
            if entry is None:
                raise CheckpointError(f"{blob.where}: damaged, the archive lacks {f'data/{key[:40]}'!r}; {AGAIN}")
            storages[key] = Storage(dtype, numel, entry.blob, is_swapped=is_swapped, crc=entry.crc)
        return storages[key]

    tree, _ = read_pickle(
        entries[f"{root}data.pkl"].blob,
        checkpoint_names(blob.size, blob.where),
        persistent_load=lambda value: load_storage(*_storage_id(value)),
    )
    return Content(Path(blob.where), ZIP, tree, f"{root}constants.pkl" in entries)


def _read_legacy(blob, load_storage=None, limits=LIMITS):
    """The value of the older container: pickles of a magic number, a version, facts, the value, the storages' keys."""
    names, position, parts, storages = checkpoint_names(blob.size, blob.where, load_storage), 0, [], {}

    def load(value):
        dtype, key, numel = _storage_id(value)
        return storages.setdefault(key, Storage(dtype, numel))

    for _ in range(5):
        part, position = read_pickle(blob, names, start=position, persistent_load=load, limits=limits)
        parts.append(part)
    magic, version, facts, tree, keys = parts
    if magic != _MAGIC or version != _LEGACY_VERSION or not isinstance(facts, dict) or not isinstance(keys, list):
        raise CheckpointError(f"{blob.where}: a torch file of an unknown version; save it again with a newer torch")
    is_swapped = facts.get("little_endian") is False
    for key in keys:
        if key not in storages or storages[key].blob is not None:
            raise CheckpointError(f"{blob.where}: damaged, it stores numbers that nothing uses; {AGAIN}")
        storage = storages[key]
        (numel,) = struct.unpack(">q" if is_swapped else "<q", blob.read(position, 8))
        if numel != storage.numel:
            raise CheckpointError(f"{blob.where}: damaged, {numel} numbers where {storage.numel} belong; {AGAIN}")
        storage.is_swapped = is_swapped
        storage.place(blob.part(position + 8, numel * storage.dtype.itemsize))
        position += 8 + storage.blob.size
    _check_end(blob, position)
    return tree


def _check_end(blob, end):
    if end != blob.size:
        raise CheckpointError(f"{blob.where}: damaged, {blob.size - end} bytes follow its end; {AGAIN}")


def _load_storage(blob):
    """The Storage in a torch file that a tensor's bytes are (how torch pickles a tensor by itself)."""
    storage = _read_legacy(blob, limits=_ONE_STORAGE)
    if not isinstance(storage, Storage):
        raise UnsafeFileError(f"a tensor in it holds something else than numbers; {TRUST}")
    return storage


def _storage_id(value):
    """(type, key, number of numbers) of a persistent id: ("storage", type, key, device, number[, no view])."""
    is_known = isinstance(value, tuple) and len(value) in (5, 6) and value[0] == "storage"
    if not is_known or not isinstance(value[1], Name) or value[1].text not in STORAGES:
        raise UnsafeFileError(f"a tensor in it holds something else than numbers; {TRUST}")
    _, kind, key, _device, numel, *view = value
    if not isinstance(key, str) or not isinstance(numel, int) or numel < 0 or any(part is not None for part in view):
        raise CheckpointError(f"damaged: numbers without a name or length; {AGAIN}")
    return STORAGES[kind.text], key, numel


def _is_text(start):
    return start.isascii() and "".join(start.decode().split()).isprintable()
