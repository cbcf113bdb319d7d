"""A file from the web to the disk: resumed, verified, and under its own name only when it is whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock
from tqdm import tqdm

from styleT2I.errors import CheckpointError, DownloadError, OutputError
from styleT2I.formats.check_file import check_file
from styleT2I.sources.web import Transient, open_url, printable, read_block
from styleT2I.torch_utils.files import atomic_path, check_writable_dir, sha256_file, write_json_atomic

DELAYS = (1.0, 2.0, 4.0, 8.0)  # seconds before each new attempt; one that brought bytes starts the row again
MAX_ATTEMPTS = 50
BLOCK = 1 << 20
SPARE = 64 << 20  # bytes to leave free on the disk
MAX_MESSAGE = 1 << 16  # bytes of a server's message in place of a file
_MESSAGE_KEYS = {"error", "errors", "message", "detail", "Message", "Code", "code", "status"}


@dataclass(frozen=True)
class Part:
    """What is known of the file that a `.part` is the beginning of; without a validator it cannot be resumed."""

    url: str  # its SHA-256: an address may hold a token
    validator: str | None  # a strong ETag, or Last-Modified
    total: int | None  # bytes


def download(url: str, path: str | Path, *, size: int | None = None, sha256: str | None = None) -> Path:
    """Fetch `url` to `path` unless it is there, and return `path`; a file there is compared with size and sha256 too.

    size in bytes and sha256 in hexadecimal digits are compared where they are known. What a broken attempt left beside
    `path` (.part) is resumed while the server has the same file. Processes that want one file wait for the first.
    Raises DownloadError, which ends with what to save where by hand, or OutputError.
    """
    path = Path(path)
    if not path.is_file():
        check_writable_dir(path.parent)
        with _locked(path):
            if not path.is_file():
                try:
                    _fetch(url, path, size, sha256)
                except DownloadError as error:
                    raise DownloadError(f"{url}: {error}; {by_hand(path)}") from error
                return path
    check_known(path, size, sha256)
    return path


def by_hand(path: Path) -> str:
    """The remedy of every failure."""
    return f"or get it elsewhere and save it as {path}"


def check_known(path: Path, size: int | None, sha256: str | None) -> None:
    """Raise DownloadError when the file is not the one whose size and SHA-256 are given; None is not compared."""
    actual = path.stat().st_size
    if size not in (None, actual):
        raise DownloadError(f"{path}: has {actual} bytes where {size} belong; delete it and run again")
    if sha256 is not None and (digest := sha256_file(path)) != sha256:
        raise DownloadError(f"{path}: its SHA-256 is {digest}, not {sha256}; delete it and run again")


def _fetch(url, path, size, sha256):
    part = path.with_name(f"{path.name}.part")
    best, failures = 0, 0
    for _ in range(MAX_ATTEMPTS):
        try:
            _attempt(url, part, size, sha256)
            break
        except Transient as error:
            reached = part.stat().st_size if part.exists() else 0
            failures = 1 if reached > best else failures + 1
            best = max(best, reached)
            reason = str(error)
            if failures > len(DELAYS):
                raise DownloadError(f"{reason}, in {failures} attempts one after the other") from error
            wait = DELAYS[failures - 1] if error.wait is None else error.wait
        warnings.warn(f"{path.name}: {reason}; another attempt in {wait:g} s", stacklevel=4)
        time.sleep(wait)
    else:
        raise DownloadError(f"{reason}, in {MAX_ATTEMPTS} attempts")
    with atomic_path(path) as temporary:
        os.replace(part, temporary)
    _note(part).unlink(missing_ok=True)


def _attempt(url, part, size, sha256):
    """One request: begin or resume, append to the part, verify it when it is whole."""
    known = _read_note(part, url)
    start = part.stat().st_size if known else 0
    headers = {"Range": f"bytes={start}-", "If-Range": known.validator} if start else {}
    with open_url(url, headers) as response:
        start, total = _place(response, known, start, part)
        if size is not None and total not in (None, size):
            raise DownloadError(f"the server offers {total} bytes where {size} belong, so it is another file")
        if start == 0 or start != total:
            _check_space(part, total, start)
            if start == 0:
                note = Part(_mark(url), _validator(response), total)
                write_json_atomic(_note(part), asdict(note))
            _receive(response, part, start, total, size)
    reached = part.stat().st_size if part.exists() else 0
    if total is not None and reached < total:
        raise Transient(f"the connection ended at {reached} of {total} bytes")
    _verify(part, size, sha256, is_resumed=start > 0)


def _place(response, known, start, part):
    """(first byte that comes, size of the whole file or None) of a response; what does not continue starts anew."""
    whole = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
    total = int(whole[2]) if whole and whole[2] != "*" else None
    if response.status == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    if response.status == 416 and start and total == start:
        return start, total  # the last attempt broke after the last byte
    is_same = _validator(response) in (None, known and known.validator) and total in (None, known and known.total)
    if response.status == 206 and start and whole and whole[1] == str(start) and is_same:
        return start, known.total if total is None else total
    _discard(part)
    if not start:
        raise DownloadError(f"the server answers a plain request with a part of the file (status {response.status})")
    raise Transient("the server goes on with something else")


def _receive(response, part, start, total, size):
    is_page = (response.headers.get_content_type() or "") in ("text/html", "application/xhtml+xml")
    if start == 0 and is_page:
        raise DownloadError("the server answers with a web page in place of the file; open the address in a browser")
    title = part.name.removesuffix(".part")
    bar = tqdm(total=total, initial=start, desc=title, unit="B", unit_scale=True, disable=None, leave=False)
    with _full_disk_in_words(part), bar, open(part, "ab" if start else "wb") as file:
        reached, most = start, total if size is None else size
        while block := read_block(response, BLOCK):
            reached += len(block)
            if most is not None and reached > most:
                break
            if most is None and shutil.disk_usage(part.parent).free < SPARE:
                raise OSError(errno.ENOSPC, f"{reached / 1e6:.0f} MB came, no end of it is known")
            file.write(block)
            bar.update(len(block))
    if most is not None and reached > most:
        _discard(part)
        raise DownloadError(f"the server sends more than the {most} bytes that belong, so it is another file")


def _verify(part, size, sha256, is_resumed):
    reached = part.stat().st_size
    cause = None
    if size not in (None, reached):
        cause = f"{reached} bytes came where {size} belong"
    elif sha256 is not None and (digest := sha256_file(part)) != sha256:
        cause = f"the SHA-256 of what came is {digest}, not {sha256}, so it was changed or damaged and is not kept"
    if cause is None:
        try:
            check_file(part)
            cause = _message_in(part)
        except CheckpointError as error:
            cause = str(error).removeprefix(f"{part}: ")
    if cause is None:
        return
    _discard(part)
    raise Transient(cause) if is_resumed else DownloadError(cause)


def _message_in(part):
    """What is wrong with a file that is a server's message in JSON, sent as if all were well; None for other files."""
    if part.stat().st_size > MAX_MESSAGE:
        return None
    try:
        value = json.loads(part.read_bytes())
    except (ValueError, RecursionError):
        return None
    is_manifest = part.name.endswith(".json.part") and isinstance(value, dict)
    if is_manifest and ("format_version" in value or not _MESSAGE_KEYS & value.keys()):
        return None
    return f"the server answers with a message in place of the file: {printable(json.dumps(value))}"


def _validator(response):
    """What tells whether the file is the same later: a strong ETag, else the time of its last change."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _note(part):
    return part.with_name(f"{part.name}.json")


def _read_note(part, url):
    """The Part of a begun file that can be resumed, else None."""
    try:
        note = Part(**json.loads(_note(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    is_usable = note.url == _mark(url) and note.validator and part.is_file()
    return note if is_usable and (note.total is None or part.stat().st_size <= note.total) else None


def _mark(url):
    return hashlib.sha256(url.encode("utf-8")).hexdigest()


def _discard(part):
    for path in (part, _note(part)):
        path.unlink(missing_ok=True)


def _check_space(part, total, start):
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - start + SPARE > free:
        raise OutputError(
            f"cannot write {part.parent}: {(total - start) / 1e6:.0f} MB to come and {free / 1e6:.0f} MB free; "
            "free some space, or name a folder on another disk in STYLET2I_CACHE"
        )


@contextlib.contextmanager
def _full_disk_in_words(part):
    try:
        yield
    except OSError as error:  # what goes wrong on the network is a Transient by here
        _discard(part)  # a full disk is full for everybody
        reason = error.strerror or error
        raise OutputError(
            f"cannot write {part}: {reason}; free some space, or name a folder on another disk in STYLET2I_CACHE"
        ) from error


@contextlib.contextmanager
def _locked(path):
    """Hold the file's lock, which dies with its process; a wait for another process is said once."""
    lock = filelock.FileLock(path.with_name(f"{path.name}.lock"))
    try:
        try:
            lock.acquire(timeout=1)
        except filelock.Timeout:
            warnings.warn(f"another process is downloading {path.name}; waiting for it", stacklevel=4)
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"cannot lock {path}: {reason}; name a folder on a local disk in STYLET2I_CACHE") from error
    try:
        yield
    finally:
        lock.release()
