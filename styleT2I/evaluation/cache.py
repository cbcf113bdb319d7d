"""Figures on disk, each under a key of what it follows from, so that a killed measurement goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import styleT2I
from styleT2I.torch_utils.files import check_writable_dir, sha256_file, write_json_atomic


class KeptFigures:
    """Figures by name and origin (all that they follow from, ready for JSON); OutputError for an unwritable folder.

    code: modules whose change may change a figure; a change in them, in `settings` or in an origin makes another key.
    """

    def __init__(self, folder: str | Path, code: Iterable[ModuleType], **settings):
        self.folder = check_writable_dir(folder)
        files = [sha256_file(module.__file__) for module in code]
        self._settings = {**settings, "version": styleT2I.__version__, "code": files}

    def read(self, name: str, origin: dict) -> dict | None:
        """The figures kept; None where there are none, or their file is damaged."""
        try:
            return json.loads(self._path(name, origin).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, name: str, origin: dict, figures: dict) -> None:
        """Keep figures."""
        write_json_atomic(self._path(name, origin), figures)

    def _path(self, name, origin):
        text = json.dumps({**self._settings, **origin}, sort_keys=True)
        return self.folder / f"{name}-{hashlib.sha256(text.encode('utf-8')).hexdigest()[:16]}.json"
