"""Compositions of a world of faces: which are rare, which never occur, and the frequent twins to compare them with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Composition:
    """Attributes asked for together, their frequent twin, and the attribute that gives way where they are held out."""

    name: str
    attributes: Mapping[str, bool]
    twin: Mapping[str, bool]
    yields: str = ""


@lru_cache(maxsize=8)
def read_compositions(path: Path) -> dict[str, tuple[Composition, ...]]:
    """Read a world's compositions.json: {"rare_pairs": [...], "held_out": [...]}."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return {kind: tuple(Composition(**row) for row in rows) for kind, rows in data.items()}
