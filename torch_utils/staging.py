"""Folders of results that appear finished or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from styleT2I.torch_utils.files import check_writable_dir


@contextlib.contextmanager
def staged_folder(outdir: str | Path) -> Iterator[Path]:
    """Yield a temporary folder inside `outdir`; on a clean exit its files are moved into `outdir`, in sorted order.

    On any exception they are removed, and `outdir` too where this call created it. Raises OutputError when `outdir`
    cannot be written.
    """
    outdir = Path(outdir)
    created = [folder for folder in (outdir, *outdir.parents) if not folder.exists()]
    staging = outdir / f"tmp.{os.getpid()}"
    try:
        check_writable_dir(outdir)
        staging.mkdir(exist_ok=True)
        yield staging
        for path in sorted(staging.iterdir()):
            os.replace(path, outdir / path.name)
        staging.rmdir()
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in created:
            with contextlib.suppress(OSError):  # not empty: somebody else writes there too
                folder.rmdir()
        raise
