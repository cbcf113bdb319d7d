"""Finished cells on disk, so that a killed measurement goes on where it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import styleT2I
from styleT2I import adjustment, margins, pipeline, step_search
from styleT2I.adjustment import AdjustmentConfig
from styleT2I.evaluation import composition_measure, held_out
from styleT2I.evaluation.composition_cells import Cell
from styleT2I.model import Model
from styleT2I.torch_utils.files import check_writable_dir, sha256_file, write_json_atomic

_ALWAYS = ("generator", "t2d", "clip", "judges.heldout")
_ADJUSTING = ("a2d", "judges.guide")  # look at nothing where nothing is adjusted
_CODE = (
    adjustment,
    margins,
    pipeline,
    step_search,
    composition_measure,
    held_out,
)  # a change in these may change a figure


class KeptCells:
    """Figures of cells by what they follow from: components, settings, sentences, code; a change makes another key.

    Networks built in memory have no hash to be known by: nothing of them is kept. OutputError for an unwritable folder.
    """

    def __init__(self, folder: str | Path, model: Model, num: int, psi: float):
        self.folder, self.model = check_writable_dir(folder), model
        code = [sha256_file(module.__file__) for module in _CODE]
        self._settings = {"num": num, "psi": psi, "version": styleT2I.__version__, "code": code}

    def read(self, cell: Cell, config: AdjustmentConfig) -> dict | None:
        """The figures of a cell; None where it was not measured, or its file is damaged."""
        path = self._path(cell, config)
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path else None
        except (OSError, ValueError):
            return None

    def write(self, cell: Cell, config: AdjustmentConfig, figures: dict) -> None:
        """Keep the figures of a cell."""
        path = self._path(cell, config)
        if path:
            write_json_atomic(path, figures)

    def _path(self, cell, config):
        roles = _ALWAYS if config.method == "none" else _ALWAYS + _ADJUSTING
        roles = [role for role in roles if self.model.has(role)]
        for role in roles:
            self.model.network(role)
        hashes = self.model.describe()["components"]
        hashes = {role: hashes[role] for role in roles}
        if None in hashes.values():
            return None
        origin = {**self._settings, "components": hashes, "cell": asdict(cell), "adjustment": asdict(config)}
        key = hashlib.sha256(json.dumps(origin, sort_keys=True).encode("utf-8")).hexdigest()[:16]
        return self.folder / f"{cell.name.replace(' ', '-')}-{config.method}-{key}.json"
