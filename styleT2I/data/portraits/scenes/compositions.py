"""The rare pairs and the held-out compositions of Portraits, read from compositions.json."""

from __future__ import annotations

from pathlib import Path

from styleT2I.data.compositions import Composition, read_compositions

_PATH = Path(__file__).with_name("compositions.json")


def rare_pairs() -> tuple[Composition, ...]:
    """Pairs that the biased distribution declares in 0.5 to 2 % of its images."""
    return read_compositions(_PATH)["rare_pairs"]


def held_out_compositions() -> tuple[Composition, ...]:
    """Compositions of three attributes that no image or caption of the biased distribution contains."""
    return read_compositions(_PATH)["held_out"]
