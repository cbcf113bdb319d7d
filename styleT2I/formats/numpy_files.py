"""Arrays from numpy's own files (.npy, .npz), read with care: sizes first, every byte of an archive verified.

Latents that a user keeps in a file are such an array, or the one tensor of a .safetensors.
"""

from __future__ import annotations

import io
import itertools
import math
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch

from styleT2I.errors import CheckpointError, UnsafeFileError, guarded
from styleT2I.formats.check_file import check_file
from styleT2I.formats.component import check_finite, read_safetensors
from styleT2I.formats.pickles.blobs import AGAIN, TRUST

MAX_UNPACKED = 20  # times the file's size that its arrays may take; text packs best
SLACK = 1 << 26  # bytes that are always allowed
MAX_HEADER = 10_000  # characters of an array's header
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_LOCAL = struct.Struct("<26x2H")  # of a zip entry's own header: the sizes of its name and of its extra field
_DESCRIPTOR, _ENCRYPTED = 0x8, 0x1
_DESCRIPTORS = (12, 16, 20, 24)  # bytes that may follow an entry which says so


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name, read-only: all of a .npz, the one of a .npy under "".

    Nothing pickled is read. Of a .npz every entry's checksum is compared; a .npy has none. Raises CheckpointError, one
    line, and UnsafeFileError for a file that unfolds into far more than it has bytes.
    """
    path = Path(path)
    check_file(path)
    with guarded(path, f"not an array of numbers, or damaged; {AGAIN}"):
        with open(path, "rb") as file:
            if file.read(4) == b"PK\x03\x04":
                return _unpacked(file, path)
            file.seek(0)
            return {"": _array(file.read(), path)}


def _unpacked(file, path):
    size = path.stat().st_size
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if len({entry.filename for entry in entries}) < len(entries):
            raise UnsafeFileError(f"{path}: the archive has two arrays of one name; {TRUST}")
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED * size + SLACK:
            raise UnsafeFileError(f"{path}: its arrays would take far more memory than the file has bytes; {TRUST}")
        _check_order(entries, file, archive.start_dir, path)
        return {entry.filename.removesuffix(".npy"): _array(_content(archive, entry, path), path) for entry in entries}


def _check_order(entries, file, end, path):
    """Raise CheckpointError unless the entries follow each other without a gap, where one would have been dropped."""
    entries = sorted(entries, key=lambda entry: entry.header_offset)
    places = [*(entry.header_offset for entry in entries), end]
    for entry, (start, following) in zip(entries, itertools.pairwise(places), strict=True):
        file.seek(start)
        own = 30 + sum(_LOCAL.unpack(file.read(30))) + entry.compress_size
        gaps = (0, *_DESCRIPTORS) if entry.flag_bits & _DESCRIPTOR else (0,)
        if following - start - own not in gaps:
            raise CheckpointError(f"{path}: damaged, the files in the archive do not follow each other; {AGAIN}")
    if not entries or places[0] != 0:
        raise CheckpointError(f"{path}: damaged, the archive does not begin with an array; {AGAIN}")


def _content(archive, entry, path):
    is_known = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if not is_known or entry.flag_bits & _ENCRYPTED:
        raise CheckpointError(f"{path}: an array is packed in a way that numpy does not use; {AGAIN}")
    with archive.open(entry) as stream:
        data = stream.read(entry.file_size)
        if len(data) != entry.file_size or stream.read(1):  # the latter compares the checksum as well
            raise CheckpointError(f"{path}: an array in it is cut off; {AGAIN}")
    return data


def _array(data, path):
    """The array in the bytes of a .npy file, which must be as many as its header says."""
    stream = io.BytesIO(data)
    shape, is_fortran, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream, max_header_size=MAX_HEADER)
    if dtype.hasobject:
        raise UnsafeFileError(f"{path}: an array in it holds objects, which only code can read; {TRUST}")
    if math.prod(shape) * dtype.itemsize != len(data) - stream.tell() or min(shape, default=0) < 0:
        raise CheckpointError(f"{path}: damaged, an array of shape {list(shape)} has other bytes; {AGAIN}")
    if math.prod(shape) == 0:
        return np.empty(shape, dtype)
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape, order="F" if is_fortran else "C")


def read_latents(path: str | Path) -> torch.Tensor:
    """The one array of a .npy or .safetensors file as float32: w [w_dim], ws [num_ws, w_dim] or [N, num_ws, w_dim].

    A pickled .npy is refused unread. Raises CheckpointError when the file is missing, damaged, holds NaN, or more than
    one array.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        tensors = read_safetensors(path)
        if len(tensors) != 1:
            raise CheckpointError(f"{path}: holds {len(tensors)} tensors ({', '.join(tensors)}); keep only the latents")
        (latents,) = tensors.values()
    else:
        arrays = read_arrays(path)
        if "" not in arrays:
            raise CheckpointError(f"{path}: not latents in a .npy or .safetensors file, but {len(arrays)} arrays")
        if arrays[""].dtype.kind != "f":
            raise CheckpointError(f"{path}: holds {arrays[''].dtype} numbers; latents are floating-point")
        latents = torch.from_numpy(arrays[""].astype(np.float32))
    if not latents.is_floating_point():
        raise CheckpointError(f"{path}: holds {latents.dtype} numbers; latents are floating-point")
    check_finite({"latents": latents}, path)
    return latents.float()
