"""Folders of results that appear finished or not at all, and never beside what another run left."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from styleT2I.torch_utils.files import check_writable_dir, one_line_os_errors, remove_leftovers
from styleT2I.torch_utils.folders.locking import locked_folder

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
