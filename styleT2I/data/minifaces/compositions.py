"""The rare pairs and the held-out compositions of MiniFaces, read from compositions.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Composition:
    """Attributes asked for together, their frequent twin to compare with, and what yields where they are held out."""

    name: str
    attributes: Mapping[str, bool]
    twin: Mapping[str, bool]
    yields: str = ""


@lru_cache(maxsize=1)
def _read() -> dict[str, tuple[Composition, ...]]:
    data = json.loads(Path(__file__).with_name("compositions.json").read_text(encoding="utf-8"))
    return {kind: tuple(Composition(**row) for row in rows) for kind, rows in data.items()}


def rare_pairs() -> tuple[Composition, ...]:
    """Pairs that the biased distribution draws in 2-4 % of its images."""
    return _read()["rare_pairs"]


def held_out_compositions() -> tuple[Composition, ...]:
    """Compositions of three attributes that no image or caption of the biased distribution contains."""
    return _read()["held_out"]
