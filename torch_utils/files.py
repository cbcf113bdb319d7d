"""Files that are whole or absent: temporary name in the same folder, fsync, rename, fsync of the folder."""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from styleT2I.errors import OutputError

_PREFIX = "tmp.styleT2I-file-"


@contextlib.contextmanager
def atomic_path(path: str | Path):
    """Yield a temporary path beside `path` to write to; on a clean exit it is synced and renamed over `path`.

    On any exception the temporary file is removed and `path` stays as it was. Raises OutputError (what, where, remedy)
    in place of the OSError of a full disk or an unwritable folder.
    """
    path = Path(path)
    temporary = temporary_path(path)
    try:
        yield temporary
        with open(temporary, "rb+") as f:
            os.fsync(f.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise _output_error(path, error) from error
        raise


def temporary_path(path: Path) -> Path:
    """A name beside `path` that no other process, on this or another machine, uses."""
    return path.with_name(f"{_PREFIX}{secrets.token_hex(6)}.{path.name}")


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed runs left in a folder; call it where no other run writes there."""
    for path in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def one_line_os_errors(path: str | Path) -> Iterator[None]:
    """Raise an OutputError (what, where, remedy) in place of the OSError of a full disk or an unwritable folder."""
    try:
        yield
    except OSError as error:
        raise _output_error(path, error) from error


def write_bytes_atomic(path: str | Path, data: bytes) -> None:
    """Write `data` (bytes) to `path`, whole or not at all; raises OutputError."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text_atomic(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all; raises OutputError."""
    write_bytes_atomic(path, text.encode("utf-8"))


def write_json_atomic(path: str | Path, value) -> None:
    """Write `value` to `path` as indented JSON, whole or not at all; raises OutputError."""
    write_text_atomic(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def save_safetensors_atomic(path: str | Path, tensors: dict) -> str:
    """Write a flat mapping of name -> tensor to `path` and return the SHA-256 of the file; raises OutputError.

    Tensors are detached, moved to the CPU and made contiguous; tied tensors are stored once for each name.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    plain = {}
    storages = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().to("cpu").contiguous()
        if tensor.untyped_storage().data_ptr() in storages:  # the format refuses tensors that share memory
            tensor = tensor.clone()
        storages.add(tensor.untyped_storage().data_ptr())
        plain[name] = tensor
    with atomic_path(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        try:
            save_file(plain, str(temporary))
            temporary.chmod(mode)  # safetensors makes its files private, so nobody could share a model
        except SafetensorError as error:  # its wrapped I/O errors carry no errno
            raise OSError(str(error)) from error
        digest = sha256_file(temporary)
    return digest


def sha256_file(path: str | Path) -> str:
    """Return the SHA-256 of the file's bytes as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_writable_dir(path: str | Path) -> Path:
    """Create the folder `path` where it is missing, prove that a file can be written there and return it as a Path.

    Raises OutputError, so that a command fails before its work and not after.
    """
    path = Path(path)
    with one_line_os_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as probe:  # without a name where the system can, so nothing is left
            probe.write(b"probe")
    return path


def _output_error(path, error):
    return OutputError(f"cannot write {path}: {error.strerror or error}; {remedy_of(error)}")


def remedy_of(error: OSError) -> str:
    """What helps where something could not be written: space where that lacks, otherwise another place."""
    lacks_space = error.errno in (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "free some space or choose another folder" if lacks_space else "choose another folder"


def _sync_folder(folder):
    if os.name == "nt":  # Windows cannot open a folder; its rename is already ordered
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
