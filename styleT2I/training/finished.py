"""Whether a training's folder has all that it was to make, so that the same command has nothing left to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from styleT2I.torch_utils.files import write_json_atomic

OPTIONS = "options.json"


def export_and_note(export: Callable[[], None], outdir: Path, options: dict) -> None:
    """Call export, which writes into `outdir`, and note in options.json which files it wrote."""
    before = _times(outdir)
    export()
    files = sorted(name for name, time in _times(outdir).items() if before.get(name) != time)
    write_json_atomic(outdir / OPTIONS, {**options, "exported": {"step": options["run"]["steps"], "files": files}})


def is_exported(outdir: Path, step: int) -> bool:
    """Whether what `export_and_note` noted after `step` steps is still there."""
    try:
        noted = json.loads((outdir / OPTIONS).read_text(encoding="utf-8"))["exported"]
        return noted["step"] == step and all((outdir / name).is_file() for name in noted["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
