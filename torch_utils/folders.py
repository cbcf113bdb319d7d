"""Folders of results: held by one run at a time, filled whole or not at all, one result and its record in each."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import filelock

from styleT2I.errors import OutputError
from styleT2I.torch_utils.files import check_writable_dir, one_line_os_errors, remove_leftovers, write_json_atomic
from styleT2I.torch_utils.launch import WHOLE, Place

LOCK = ".styleT2I.lock"  # the file's name in a folder that is in use; gone when it is not, but for a killed run's


@contextlib.contextmanager
def locked_folder(folder: str | Path, part: str = "", wait: float = 0) -> Iterator[Path]:
    """Hold an existing folder for this run and yield it as a Path; the next run can hold it once this one has ended.

    part: of the folder, where several runs may share it and only those of one part exclude each other. wait: seconds
    for another run to let go of it. Raises OutputError, one line, where another run (of this process or any other)
    holds it. On a file system without locks that is a warning, and nothing is excluded.
    """
    folder = Path(folder)
    path = folder / (LOCK if not part else f"{LOCK}-{part}")
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=wait)
    except filelock.Timeout as error:
        raise OutputError(
            f"{folder} is in use: another run is writing there; wait until it ends, or choose another folder"
        ) from error
    except (OSError, NotImplementedError) as error:
        warnings.warn(f"{folder} cannot be locked ({error}); let no other run write there", stacklevel=3)
        yield folder
        return
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # while it is held, so that nobody's lock is taken away
        lock.release()


def is_in_use(folder: str | Path) -> bool:
    """Whether a run holds the folder now, or may: a folder that cannot be locked is left alone."""
    lock = filelock.FileLock(Path(folder) / LOCK)
    try:
        lock.acquire(timeout=0)
    except (OSError, NotImplementedError):  # filelock.Timeout is an OSError
        return True
    lock.release()
    return False


_PREFIX = "tmp.styleT2I-result-"
_FINISHED = ".finished"  # marks a folder whose files are all there, and names the record


@contextlib.contextmanager
def staged_folder(
    outdir: str | Path, record: str = "", make_room: Callable[[Path], None] = lambda outdir: None
) -> Iterator[Path]:
    """Yield a new temporary folder inside `outdir`; on a clean exit its files are moved into `outdir`.

    make_room(outdir) is called first. JSON files are moved last and `record`, the one that describes the others, at the
    very end; older ones of the same names go before anything is moved. So a record never describes other files than
    those that lie beside it. What a killed run left is moved if it was finished, and removed if it was not. `outdir` is
    locked meanwhile.

    On any exception the files are removed, and `outdir` too where this call created it. Raises OutputError when
    `outdir` cannot be written or is in use.
    """
    outdir = Path(outdir)
    created = [folder for folder in (outdir, *outdir.parents) if not folder.exists()]
    try:
        check_writable_dir(outdir)
        with locked_folder(outdir):
            with one_line_os_errors(outdir):
                _finish_killed(outdir, make_room)
                staging = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=outdir))
            try:
                yield staging
                with one_line_os_errors(outdir):
                    (staging / _FINISHED).write_text(record, encoding="utf-8")
                    _publish(staging, outdir, make_room)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except BaseException:
        for folder in created:
            with contextlib.suppress(OSError):  # not empty: somebody else writes there too
                folder.rmdir()
        raise


def _publish(staging, outdir, make_room):
    make_room(outdir)
    record = (staging / _FINISHED).read_text(encoding="utf-8")
    paths = [path for path in staging.iterdir() if path.name != _FINISHED]
    paths.sort(key=lambda path: (path.suffix == ".json", path.name == record, path.name))
    for path in paths:
        if path.suffix == ".json":
            (outdir / path.name).unlink(missing_ok=True)
    for path in paths:
        os.replace(path, outdir / path.name)


def _finish_killed(outdir, make_room):
    """Move what a killed run had finished, remove what it had not; nobody else does, the folder is locked."""
    for staging in sorted(outdir.glob(f"{_PREFIX}*")):
        if (staging / _FINISHED).is_file():
            _publish(staging, outdir, make_room)
        shutil.rmtree(staging, ignore_errors=True)
    remove_leftovers(outdir)


SHARDS_WAIT = 60.0  # seconds that shards wait for each other to look at what was there before
INDEX = "prompts.json"  # of a folder of result folders: [{"folder": NAME, ...}]
RECORDS = (
    "generate.json",
    "edit.json",
    "transfer.json",
    "align.json",
    "video.json",
    "onnx.json",
    "web.json",
    "inversion.json",
)  # whose "files" are the images that belong to them


class ResultFolder:
    """Where a command puts its images, and the record once they are all there."""

    def __init__(self, staging: Path, record: str):
        self._staging, self._record = staging, record

    def __truediv__(self, name: str) -> Path:
        """The path to write an image to."""
        return self._staging / name

    def write_record(self, values: Mapping) -> None:
        """Write the record: values, and the names of the images beside it. Call it last."""
        files = sorted(path.name for path in self._staging.iterdir())
        write_json_atomic(self._staging / self._record, {**values, "files": files})


@contextlib.contextmanager
def result_folder(
    outdir: str | Path, record: str, request: Mapping, *, names: Iterable[str] = (), overwrite: bool = False
) -> Iterator[ResultFolder]:
    """Yield a ResultFolder; on a clean exit `outdir` holds its images and its record, and no older result's.

    request: entries of the record that say what was asked for. The same request again takes its result's place, also of
    more seeds; another result is left alone, and OutputError raised, unless overwrite, which removes exactly its own
    files. OutputError too where an image would take the place of a file that no result names; of images whose names
    are known beforehand before the first is drawn. As `staged_folder` otherwise.
    """
    with staged_folder(outdir, record, _remove_older) as staging:
        if not overwrite:
            _check_same(Path(outdir), record, request)
            _check_strangers(Path(outdir), names)
        yield ResultFolder(staging, record)
        if not overwrite:
            _check_strangers(Path(outdir), (path.name for path in staging.iterdir()))


@contextlib.contextmanager
def indexed_folders(
    outdir: str | Path,
    record: str,
    requests: Mapping[str, Mapping],
    *,
    overwrite: bool = False,
    shard: Place = WHOLE,
) -> Iterator[None]:
    """Hold `outdir` for result folders inside it, by the requests that they will answer, and write INDEX at the end.

    shard: which of several runs that share `outdir` this is; the one that finds all requests answered writes INDEX.
    Raises OutputError before anything is written where one of them, or INDEX, is of other requests and overwrite is
    not given; with it their results are removed.
    """
    index = [{"folder": name, "text": one["text"]} for name, one in requests.items()]
    outdir = check_writable_dir(outdir)
    if shard.count == 1:
        with locked_folder(outdir):
            _make_way(outdir, record, requests, index, overwrite)
            yield
            write_json_atomic(outdir / INDEX, index)
        return
    with locked_folder(outdir, f"{shard.index + 1}-of-{shard.count}"):
        with locked_folder(outdir, wait=SHARDS_WAIT):  # the first to come here makes way, before any of them writes
            _make_way(outdir, record, requests, index, overwrite)
        yield
        if all(_is_answered(outdir / name, record, request) for name, request in requests.items()):
            write_json_atomic(outdir / INDEX, index)


def _make_way(outdir, record, requests, index, overwrite):
    older = _read(outdir / INDEX)
    if older not in (None, index) and not overwrite:
        raise OutputError(f"{outdir / INDEX} is of other sentences; choose another folder, or add --overwrite")
    for name, request in requests.items() if not overwrite else ():
        _check_same(outdir / name, record, request)
    with one_line_os_errors(outdir):
        for name in _names(older, "folder") if older != index else ():
            _remove_older(outdir / name)
            with contextlib.suppress(OSError):  # not empty, or not there
                (outdir / name).rmdir()
        (outdir / INDEX).unlink(missing_ok=True)


def _is_answered(folder, record, request):
    """Whether a folder holds the result of exactly this request."""
    found = _older_records(folder).get(record, {})
    return all(found.get(key) == value for key, value in json.loads(json.dumps(request)).items())


def _check_same(outdir, record, request):
    request = json.loads(json.dumps(request))  # tuples are lists in a record
    for older, values in _older_records(outdir).items():
        other = [key for key, value in request.items() if not _covers(key, value, values.get(key))]
        if older != record or other:
            about = f": {values['text'][:60]!r}" if isinstance(values.get("text"), str) else ""
            about += f", other {', '.join(other)}" if older == record else ""
            raise OutputError(
                f"{outdir} holds another result ({older}{about}); choose another folder, or remove it with --overwrite"
            )


def _covers(key, value, older):
    """Whether an entry of a request asks for all that the older record's says."""
    if key == "seeds" and isinstance(value, list) and isinstance(older, list):
        return all(seed in value for seed in older)
    return value == older


def _older_records(outdir):
    """What records say that lie in a folder, by their names; {} of one that is not readable."""
    found = {name: _read(outdir / name) for name in RECORDS}
    return {name: value if isinstance(value, dict) else {} for name, value in found.items() if value is not None}


def _read(path):
    """The JSON in a file; None where there is no file, {} where it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}


def _files_of(values):
    """The names of a record's own files."""
    files = values.get("files")
    return _names([{"file": name} for name in files], "file") if isinstance(files, list) else []


def _names(entries, key):
    """What entries name under a key; names that lead out of the folder are ignored."""
    entries = entries if isinstance(entries, list) else []
    names = [one[key] for one in entries if isinstance(one, dict) and isinstance(one.get(key), str)]
    return [name for name in names if name not in ("", ".", "..") and "/" not in name and "\\" not in name]


def _remove_older(outdir):
    """Records last: while one exists it names what is still to be removed, should the process be killed."""
    for record, values in _older_records(outdir).items():
        for name in _files_of(values):
            if (outdir / name).is_file():
                (outdir / name).unlink()
        (outdir / record).unlink()


def _check_strangers(outdir, names):
    ours = {name for values in _older_records(outdir).values() for name in _files_of(values)} | set(RECORDS)
    for name in sorted(set(names) - ours):
        if (outdir / name).exists():
            raise OutputError(
                f"{outdir / name} exists and belongs to no result; choose another folder, or add --overwrite"
            )


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"]+")


def recorded_command(module: str) -> str:
    """The running command's line, `python -m styleT2I.MODULE ...`, with its addresses `without_secrets`.

    Without --shard, whose parts together are what it then makes again.
    """
    words = re.sub(r"\0--shard(=|\0)[^\0]*", "", "\0".join(["", *sys.argv[1:]])).split("\0")[1:]
    return shlex.join(["python", "-m", f"styleT2I.{module}", *map(without_secrets, words)])


def without_secrets(value):
    """value with what may be a secret taken out of every address in its strings, through dicts, lists and tuples.

    User name and password, query string and any fragment but #sha256=HEX go: tokens of private servers and signed
    addresses stand there.
    """
    if isinstance(value, str):
        return _ADDRESS.sub(lambda found: _public_part(found[0]), value)
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(without_secrets(item) for item in value)
    return value


def _public_part(address):
    try:
        parts = urlsplit(address)
    except ValueError:  # of a kind that no library takes apart, so what is secret in it is not known
        return f"{address.partition('://')[0]}://..."
    fragment = parts.fragment if re.fullmatch(r"sha256=[0-9A-Fa-f]{64}", parts.fragment) else ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=fragment).geturl()
