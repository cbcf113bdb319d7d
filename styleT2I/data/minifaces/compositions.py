"""The rare pairs and the held-out compositions of MiniFaces, read from compositions.json."""

from __future__ import annotations

from pathlib import Path

from styleT2I.data.compositions import Composition, read_compositions

__all__ = ["Composition", "held_out_compositions", "rare_pairs"]
_PATH = Path(__file__).with_name("compositions.json")


def rare_pairs() -> tuple[Composition, ...]:
    """Pairs that the biased distribution draws in 2-4 % of its images."""
    return read_compositions(_PATH)["rare_pairs"]


def held_out_compositions() -> tuple[Composition, ...]:
    """Compositions of three attributes that no image or caption of the biased distribution contains."""
    return read_compositions(_PATH)["held_out"]
