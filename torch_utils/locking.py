"""Folders that one run at a time writes to: a lock that dies with its process, however that ends."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import filelock

from styleT2I.errors import OutputError

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
