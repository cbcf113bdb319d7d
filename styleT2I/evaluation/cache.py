"""Metrics on disk, each under a key of what it follows from, so that a killed measurement goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import styleT2I
from styleT2I.evaluation.observers import held_out_judge as held_out
from styleT2I.evaluation.observers import surroundings
from styleT2I.evaluation.suites.compositions import measure as composition_measure
from styleT2I.evaluation.suites.compositions.cells import Prompted
from styleT2I.generation import adjustment, directions, pipeline, synthesis
from styleT2I.generation import observers as generation_observers
from styleT2I.generation.arguments import AdjustmentConfig
from styleT2I.generation.model import Model
from styleT2I.torch_utils.files import check_writable_dir, sha256_file, write_json_atomic


class CachedValues:
    """Metrics by name and origin (all that they follow from, ready for JSON); OutputError for an unwritable folder.

    code: modules whose change may change a metric; a change in them, in `settings` or in an origin makes another key.
    """

    def __init__(self, folder: str | Path, code: Iterable[ModuleType], **settings):
        self.folder = check_writable_dir(folder)
        files = [sha256_file(module.__file__) for module in code]
        self._settings = {**settings, "version": styleT2I.__version__, "code": files}

    def read(self, name: str, origin: dict) -> dict | None:
        """The cached metrics; None where there are none, or their file is damaged."""
        try:
            return json.loads(self._path(name, origin).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, name: str, origin: dict, metrics: dict) -> None:
        """Cache metrics."""
        write_json_atomic(self._path(name, origin), metrics)

    def _path(self, name, origin):
        text = json.dumps({**self._settings, **origin}, sort_keys=True)
        return self.folder / f"{name}-{hashlib.sha256(text.encode('utf-8')).hexdigest()[:16]}.json"


_ALWAYS = ("generator", "t2d", "clip", "judges.heldout", "segmenter")
_ADJUSTING = ("a2d", "judges.guide")  # observe nothing where nothing is adjusted
_CODE = (
    adjustment,
    directions,
    generation_observers,
    pipeline,
    synthesis,
    composition_measure,
    held_out,
    surroundings,
)  # a change in these may change a value


class CachedCells:
    """Metrics of cells by what they follow from: components, settings, sentences, code; a change makes another key.

    Networks built in memory have no hash: nothing of them is cached. OutputError for an unwritable folder.
    """

    def __init__(self, folder: str | Path, model: Model, num: int, psi: float):
        self.values, self.model = CachedValues(folder, _CODE, num=num, psi=psi), model

    def read(self, cell: Prompted, config: AdjustmentConfig) -> dict | None:
        """The metrics of a cell; None where it was not measured, or its file is damaged."""
        origin = self._origin(cell, config)
        return self.values.read(_name(cell, config), origin) if origin else None

    def write(self, cell: Prompted, config: AdjustmentConfig, metrics: dict) -> None:
        """Cache the metrics of a cell."""
        origin = self._origin(cell, config)
        if origin:
            self.values.write(_name(cell, config), origin, metrics)

    def _origin(self, cell, config):
        roles = _ALWAYS if config.method == "none" else _ALWAYS + _ADJUSTING
        roles = [role for role in roles if self.model.has(role)]
        for role in roles:
            self.model.network(role)
        hashes = self.model.describe()["components"]
        hashes = {role: hashes[role] for role in roles}
        if None in hashes.values():
            return None
        settings = {"method": config.method} if config.method == "none" else asdict(config)  # which reads no other
        return {"components": hashes, "cell": asdict(cell), "adjustment": settings}


def _name(cell, config):
    return f"{cell.name.replace(' ', '-')}-{config.method}"
