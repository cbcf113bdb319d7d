"""A metric value with its provenance (network, data, preprocessing), so that only comparable values are compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from styleT2I.config import to_dict
from styleT2I.generation.model import Model
from styleT2I.generation.results import versions

__all__ = ["JUDGE_RESIZE", "RESIZE", "Basis", "Measurement", "judge_basis"]

RESIZE = "central square, Pillow bicubic (antialiased) in float, rounded to 8 bits; none where the size is right"
JUDGE_RESIZE = "bilinear, antialiased, by the network itself; none where the size is right"


@dataclass(frozen=True)
class Basis:
    """The provenance of a metric value."""

    network: str | None  # the observer, in words
    network_sha256: str | None  # of its weights; None for one built in memory
    resize: str  # how images were brought to the network's size
    fake: str  # what was measured: a folder, a data set's split, or a model with what it drew
    num_fake: int
    seeds: str | None = None  # of the latents, "0-999"
    real: str | None = None  # what it was compared with: a folder or a data set's split
    num_real: int | None = None
    versions: Mapping[str, str] = field(default_factory=versions)


@dataclass(frozen=True)
class Measurement:
    """One metric value."""

    value: float
    basis: Basis
    standard_error: float | None = None  # None where none is known
    interval: tuple[float, float] | None = None  # 95 %, of a rate, whose standard error would be 0 at 0 and 1
    settings: Mapping[str, object] = field(default_factory=dict)  # of the metric: neighbours, subsets ...

    def to_dict(self) -> dict:
        """Ready for JSON, the basis flat beside the value."""
        error = self.standard_error
        metrics = {"value": self.value, "standard_error": None if error is None or math.isnan(error) else error}
        if self.interval is not None:
            metrics["interval"] = list(self.interval)
        return {**metrics, "settings": dict(self.settings), **to_dict(self.basis)}


def judge_basis(model: Model, **what) -> dict:
    """The Basis of metrics in the held-out judge's features, ready for JSON; what: its fields about images."""
    model.network("judges.heldout")
    sha256 = model.describe()["components"]["judges.heldout"]
    return to_dict(Basis(judge_name(model), sha256, JUDGE_RESIZE, **what))


def judge_name(model: Model) -> str:
    """The name of the held-out judge where its features replace Inception's."""
    return f"held-out judge of {model.name}, not Inception: compare with metrics of the same judge only"
