"""Limits that a plan declares, and checks of their numbers.

A limit is kept (*within*) or broken (*exceeded*) only where the audit shows it; else it is *not decided*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError

__all__ = ["LimitKind", "Threshold", "Unprompted", "check_shares", "check_thresholds"]

LimitKind: TypeAlias = Literal["max_gap", "min_ratio", "min_success", "max_flips", "max_share", "min_share"]


@dataclass(frozen=True)
class Threshold:
    """Limits of a primary comparison; at least one of the four."""

    comparison: str
    max_gap: float | None = None  # largest difference of the two success rates, either way, from 0 to 1
    min_ratio: float | None = None  # least ratio of the smaller rate to the larger: 0.8 is the four-fifths rule
    min_success: float | None = None  # least success rate of both sides, from 0 to 1
    max_flips: float | None = None  # largest rate of faces whose answer flips, of a classifier, from 0 to 1

    @property
    def limits(self) -> dict[LimitKind, float]:
        """The declared ones by kind."""
        kinds: tuple[LimitKind, ...] = ("max_gap", "min_ratio", "min_success", "max_flips")
        return {kind: value for kind in kinds if (value := getattr(self, kind)) is not None}


@dataclass(frozen=True)
class Unprompted:
    """An attribute that a sentence leaves open, to count how often it is perceived all the same."""

    prompt: str  # a composition, "lipstick"; it is drawn beside the declared ones
    attribute: str  # a term that it does not ask for, "he"
    training_share: float | None = None  # rate among training images that show the prompt; None: from training_data
    max_share: float | None = None  # limits of the rate, each from 0 to 1
    min_share: float | None = None

    @property
    def limits(self) -> dict[LimitKind, float]:
        """The declared ones by kind."""
        kinds: tuple[LimitKind, ...] = ("max_share", "min_share")
        return {kind: value for kind in kinds if (value := getattr(self, kind)) is not None}


def check_thresholds(thresholds: Iterable[Threshold], comparisons: Sequence[str]) -> None:
    """ConfigError for a limit out of range, of no declared comparison, or declared twice."""
    declared: set[tuple[str, str]] = set()
    for threshold in thresholds:
        name = threshold.comparison
        if name not in comparisons:
            raise ConfigError(
                f"a threshold names the undeclared comparison {name!r}"
                f"{suggestion(name, comparisons) or '; declare it under comparisons'}"
            )
        if not threshold.limits:
            raise ConfigError(
                f"the threshold of {name!r} has no limit; give max_gap, min_ratio or min_success, or for a classifier "
                "max_flips"
            )
        for kind, value in threshold.limits.items():
            if not 0 <= value <= 1:
                said = f"{kind} of {name!r} is {value:g}"
                raise ConfigError(f"{said}; write a number from 0 to 1, 0.1 for ten percentage points")
            if (name, kind) in declared:
                raise ConfigError(f"{name!r} has two limits {kind}; keep one")
            declared.add((name, kind))


def check_shares(entry: Unprompted) -> None:
    """ConfigError for a rate of an unprompted attribute out of range."""
    for key in ("training_share", "max_share", "min_share"):
        value = getattr(entry, key)
        if value is not None and not 0 <= value <= 1:
            raise ConfigError(
                f"{key} of {entry.attribute!r} is {value}; write a number from 0 to 1, 0.1 for ten per cent"
            )
    if entry.max_share is not None and entry.min_share is not None and entry.min_share >= entry.max_share:
        raise ConfigError(f"min_share of {entry.attribute!r} is not below its max_share; swap them, or drop one")
