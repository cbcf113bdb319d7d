"""One place to ask for weights: a path, an address, hf://owner/name or a registry name becomes a file on this disk.

What fetches files is imported when there is something to fetch.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

from styleT2I.config import suggestion
from styleT2I.errors import CheckpointError, DownloadError
from styleT2I.formats.model_folder import MANIFEST, downloads_dir, find_model, read_model_folder

MODEL = "model"  # the kind of a whole model folder; the others are the roles of formats.model_folder


def resolve(source: str | Path, kind: str | None = None, *, offline: bool | None = None) -> Path:
    """The local path of a source, downloaded to the user's cache where it is not on this disk.

    source: a path; https://HOST/FILE[#sha256=HEX]; hf://owner/name[/file][@revision]; a registry name; for `kind`
    "model" also a model's name. For another kind (a role, say "generator") a model stands for its component of that
    role. offline: fetch nothing; None asks the environment (STYLET2I_OFFLINE, HF_HUB_OFFLINE).
    Raises CheckpointError, or DownloadError with what to put where by hand.
    """
    text = str(source)
    offline = is_offline() if offline is None else offline
    if text.startswith("hf://"):
        from styleT2I.sources import hub

        return hub.fetch(text, kind, offline)
    if "://" in text:
        return _fetch_address(text, kind, offline)
    path = Path(text).expanduser()
    try:
        is_path = path.exists()
    except OSError as error:  # no permission, a name too long
        raise CheckpointError(f"{text[:200]}: cannot be read: {error.strerror}; check the path") from error
    if is_path:
        return _part_of(path, kind)
    if kind != MODEL and (path.is_absolute() or text.startswith(".")):  # no name
        raise CheckpointError(f"{text[:300]}: cannot be read: {_why_missing(path)}; check the path")
    if kind == MODEL:
        return find_model(text)
    from styleT2I.sources.registry import registry

    if text in registry():
        return _fetch_entry(registry()[text], kind, offline)
    try:
        return _part_of(find_model(text), kind)
    except CheckpointError:
        names = [name for name, entry in registry().items() if kind in (None, entry.kind)]
        raise CheckpointError(
            f"{text[:300]}: no such file, and no checkpoint or model of that name"
            f"{suggestion(text[:80], names, lists_all=False)} (python -m styleT2I.convert --list names them)"
        ) from None


def _why_missing(path):
    try:
        path.stat()
    except (OSError, ValueError) as error:  # a NUL in the name
        return getattr(error, "strerror", None) or error
    return "No such file or directory"


def is_offline() -> bool:
    """Whether the environment forbids downloads."""
    values = (os.environ.get(name, "") for name in ("STYLET2I_OFFLINE", "HF_HUB_OFFLINE"))
    return any(value.upper() in ("1", "ON", "YES", "TRUE") for value in values)


def cached_path(url: str) -> Path:
    """Where the file of an address lies in the user's cache: downloads/HOST/ and the address's own path.

    No two addresses share a place: a part that is not its own plain name, a file without an extension and a folder with
    one begin with a hash of the address so far. A query becomes a folder, so that what belongs to a manifest lies
    beside it.
    """
    parts = urlsplit(url)
    *folders, file = parts.path.split("/")[1:] or [""]
    names, so_far = [_name_of(parts.netloc, parts.netloc, is_plain=True)], parts.netloc
    for folder in folders:
        so_far = f"{so_far}/{folder}"
        names.append(_name_of(folder, so_far, is_plain="." not in unquote(folder)))
    if parts.query:
        names.append(f"{_mark(f'{so_far}?{parts.query}')}-query")
    names.append(_name_of(file, f"{so_far}/{file}?{parts.query}", is_plain="." in unquote(file)))
    return downloads_dir().joinpath(*names)


def _fetch_address(text, kind, offline):
    from styleT2I.sources.manifest_files import gather
    from styleT2I.sources.web import check_url

    url, fragment = urldefrag(text)
    parts = urlsplit(url)
    if kind == MODEL and not parts.path.endswith(".json"):
        parts = parts._replace(path=f"{parts.path.rstrip('/')}/{MANIFEST}")
        url = parts.geturl()
    pinned = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    if fragment and not pinned:
        raise DownloadError(f"{text}: after # only sha256= and 64 hexadecimal digits may follow")
    try:
        check_url(url)
    except DownloadError as error:
        raise DownloadError(f"{text}: {error}") from error

    def get(name, sha256=None):
        address = urlsplit(urljoin(url, quote(name)))._replace(query=parts.query).geturl()
        return _fetch(address, cached_path(address), offline, sha256=sha256)

    first = unquote(parts.path.rpartition("/")[2])
    path = _fetch(url, cached_path(url), offline, sha256=pinned and pinned[1].lower())
    return gather(lambda name, sha256=None: path if name == first else get(name, sha256), first, kind)


def _fetch_entry(entry, kind, offline):
    if kind not in (None, entry.kind):
        raise CheckpointError(f"{entry.name}: is a checkpoint of a {entry.kind}, not of a {kind}")
    if entry.url is not None:
        return _fetch(entry.url, cached_path(entry.url), offline, size=entry.size, sha256=entry.sha256)
    path = downloads_dir() / entry.name / entry.file_name
    if not path.is_file():
        raise DownloadError(
            f"{entry.name}: has no address to fetch; get {entry.note} ({entry.page}), and save it as {path}"
        )
    return path


def _fetch(url, path, offline, *, size=None, sha256=None):
    from styleT2I.sources.download import by_hand, check_known, download

    if offline and not path.is_file():
        raise DownloadError(f"{url}: not in the cache, and --offline is set; leave it out, {by_hand(path)}")
    if offline:
        check_known(path, size, sha256)
        return path
    return download(url, path, size=size, sha256=sha256)


def _part_of(path, kind):
    """The path itself, or a model's component of the role that is asked for."""
    is_model = path.name == MANIFEST or (path / MANIFEST).is_file()
    return read_model_folder(path).file(kind) if is_model and kind not in (None, MODEL) else path


def _name_of(part, so_far, is_plain):
    """The name on the disk of a part of an address, which is as it was or has the mark of the address so far."""
    name = unquote(part)
    safe = re.sub(r"[^\w.+=@-]", "_", name, flags=re.ASCII)[:120]
    is_own = is_plain and safe == name and safe and not safe.startswith(".")
    return safe if is_own else f"{_mark(so_far)}-{safe}".rstrip("-")


def _mark(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
