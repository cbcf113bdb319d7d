"""Folders that hold one result each: the record that describes it, its pictures, and nothing of an older one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from styleT2I.errors import OutputError
from styleT2I.torch_utils.files import check_writable_dir, one_line_os_errors, write_json_atomic
from styleT2I.torch_utils.launch import WHOLE, Place
from styleT2I.torch_utils.locking import locked_folder
from styleT2I.torch_utils.staging import staged_folder

SHARDS_WAIT = 60.0  # seconds that shards wait for each other to look at what was there before
INDEX = "prompts.json"  # of a folder of result folders: [{"folder": NAME, ...}]
RECORDS = ("generate.json", "edit.json", "transfer.json")  # whose "files" are the pictures that belong to them


class ResultFolder:
    """Where a command puts its pictures, and the record once they are all there."""

    def __init__(self, staging: Path, record: str):
        self._staging, self._record = staging, record

    def __truediv__(self, name: str) -> Path:
        """The path to write a picture to."""
        return self._staging / name

    def write_record(self, values: Mapping) -> None:
        """Write the record: values, and the names of the pictures beside it. Call it last."""
        files = sorted(path.name for path in self._staging.iterdir())
        write_json_atomic(self._staging / self._record, {**values, "files": files})


@contextlib.contextmanager
def result_folder(
    outdir: str | Path, record: str, request: Mapping, *, names: Iterable[str] = (), overwrite: bool = False
) -> Iterator[ResultFolder]:
    """Yield a ResultFolder; on a clean exit `outdir` holds its pictures and its record, and no older result's.

    request: entries of the record that say what was asked for. The same request again takes its result's place, also of
    more seeds; another result is left alone, and OutputError raised, unless overwrite, which removes exactly its own
    files. OutputError too where a picture would take the place of a file that no result names; of pictures whose names
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
    """What entries name under a key; a name that leaves the folder is nobody's."""
    entries = entries if isinstance(entries, list) else []
    names = [one[key] for one in entries if isinstance(one, dict) and isinstance(one.get(key), str)]
    return [name for name in names if name not in ("", ".", "..") and "/" not in name and "\\" not in name]


def _remove_older(outdir):
    """Records last: as long as one stands it names what is still to be removed, should we be killed."""
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
