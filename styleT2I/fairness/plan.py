"""An audit's plan: what is compared and which gaps fail, declared before a picture is drawn, checked and hashed."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from styleT2I.adjustment import METHODS
from styleT2I.attributes.compositions import composition_name, differing, read_composition
from styleT2I.attributes.vocabulary import Vocabulary, load_vocabulary
from styleT2I.config import load_config, suggestion, to_dict
from styleT2I.errors import ConfigError

__all__ = ["AuditPlan", "Comparison", "Grid", "JudgePlan", "Setting", "Threshold", "load_plan", "plan_hash"]

_MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Grid:
    """Every composition of one term of each axis, but for those that have all terms of an exclusion."""

    axes: tuple[tuple[str, ...], ...]  # (("he", "she"), ("lipstick", "beard"))
    exclude: tuple[str, ...] = ()  # compositions, "she+beard"


@dataclass(frozen=True)
class Comparison:
    """Two compositions that are drawn from the same latents."""

    name: str
    first: str
    second: str


@dataclass(frozen=True)
class Threshold:
    """What a primary comparison has to keep, or the audit fails."""

    comparison: str
    max_gap: float  # largest difference of the two shares of success, either way


@dataclass(frozen=True)
class JudgePlan:
    """Who looks, and how sure it must be."""

    role: Literal["judges.heldout", "judges.guide"] = "judges.heldout"
    margin: float = 0.0  # a logit nearer to 0 than this is undetermined


@dataclass(frozen=True)
class Setting:
    """How pictures are drawn."""

    truncation_psi: float
    method: str  # of adjustment
    strength: float  # of adjustment

    @property
    def name(self) -> str:
        return f"psi {self.truncation_psi:g}, {self.method}, strength {self.strength:g}"


@dataclass(frozen=True)
class AuditPlan:
    """Compositions, comparisons and thresholds; of each list of settings the first is the primary one."""

    name: str
    vocabulary: str = "minifaces"  # an embedded one's name or a file
    num: int = 200  # pictures of a composition, one a latent
    first_seed: int = 0  # latents are those of seeds first_seed ... first_seed + num - 1
    compositions: tuple[str, ...] = ()
    grid: Grid | None = None
    comparisons: tuple[Comparison, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    judge: JudgePlan = JudgePlan()
    alpha: float = 0.05  # chance of even one false finding among the comparisons
    truncation: tuple[float, ...] = (0.7,)
    adjustment: tuple[str, ...] = ("hold",)  # methods, "none" for Text-to-Direction alone
    strength: tuple[float, ...] = (1.0,)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The primary setting, then those that differ from it in one thing."""
        primary = Setting(self.truncation[0], self.adjustment[0], self.strength[0])
        swept = [replace(primary, truncation_psi=psi) for psi in self.truncation[1:]]
        swept += [replace(primary, method=method) for method in self.adjustment[1:]]
        swept += [replace(primary, strength=strength) for strength in self.strength[1:]]
        return (primary, *swept)

    def cells(self, vocabulary: Vocabulary) -> dict[str, dict[str, bool]]:
        """Attributes of every composition by its canonical name, explicit ones first; ConfigError as in checks."""
        explicit = [read_composition(text, vocabulary) for text in self.compositions]
        return {composition_name(cell, vocabulary): cell for cell in (*explicit, *self._grid_cells(vocabulary))}

    def _grid_cells(self, vocabulary):
        if self.grid is None:
            return []
        if not self.grid.axes or not all(self.grid.axes):
            raise ConfigError("the grid has an empty axis; give every axis at least one term")
        excluded = [read_composition(text, vocabulary).items() for text in self.grid.exclude]
        cells = [read_composition("+".join(terms), vocabulary) for terms in itertools.product(*self.grid.axes)]
        kept = [cell for cell in cells if not any(pairs <= cell.items() for pairs in excluded)]
        if not kept:
            raise ConfigError("the grid excludes every composition; drop an exclusion")
        return kept


def load_plan(path: str | Path) -> tuple[AuditPlan, Vocabulary]:
    """Read and check a plan, its compositions under their canonical names; ConfigError in one line naming the file."""
    plan = load_config(AuditPlan, path)
    try:
        vocabulary = load_vocabulary(plan.vocabulary)
        return _checked(plan, vocabulary), vocabulary
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def plan_hash(plan: AuditPlan) -> str:
    """SHA-256 of what the plan declares, whatever its layout in the file."""
    return hashlib.sha256(json.dumps(to_dict(plan), sort_keys=True).encode("utf-8")).hexdigest()


def _checked(plan: AuditPlan, vocabulary: Vocabulary) -> AuditPlan:
    _check_numbers(plan)
    cells = plan.cells(vocabulary)
    if not cells:
        raise ConfigError("the plan has no composition; list some under compositions, or give a grid")
    comparisons = tuple(_checked_comparison(one, cells, vocabulary) for one in plan.comparisons)
    names = [one.name for one in comparisons]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two comparisons are called {name!r}; give each a name of its own")
    for threshold in plan.thresholds:
        if threshold.comparison not in names:
            raise ConfigError(
                f"a threshold names the undeclared comparison {threshold.comparison!r}"
                f"{suggestion(threshold.comparison, names) or '; declare it under comparisons'}"
            )
        if not 0 <= threshold.max_gap <= 1:
            raise ConfigError(f"max_gap of {threshold.comparison!r} is {threshold.max_gap}; a gap lies within 0 and 1")
    return replace(plan, comparisons=comparisons)


def _check_numbers(plan):
    if plan.num < 1:
        raise ConfigError(f"num is {plan.num}; every composition needs at least one picture")
    if not 0 <= plan.first_seed <= _MAX_SEED - plan.num:
        raise ConfigError(f"first_seed is {plan.first_seed}; seeds are integers from 0 to {_MAX_SEED}")
    if not 0 < plan.alpha < 1:
        raise ConfigError(f"alpha is {plan.alpha}; it lies between 0 and 1")
    if not 0 <= plan.judge.margin < float("inf"):
        raise ConfigError(f"judge.margin is {plan.judge.margin}; it is 0 or more")
    for name, largest in (("truncation", 2), ("strength", 100)):
        if not getattr(plan, name) or not all(0 <= value <= largest for value in getattr(plan, name)):
            raise ConfigError(f"{name} needs one or more values from 0 to {largest}")
    if not plan.adjustment or not set(plan.adjustment) <= set(METHODS):
        raise ConfigError(f"adjustment needs one or more of {', '.join(METHODS)}, got {', '.join(plan.adjustment)}")
    if len(set(plan.settings)) < len(plan.settings):
        raise ConfigError("truncation, adjustment or strength names a value twice; drop one of them")


def _checked_comparison(one, cells, vocabulary):
    sides = [read_composition(text, vocabulary) for text in (one.first, one.second)]
    names = [composition_name(side, vocabulary) for side in sides]
    for name in names:
        if name not in cells:
            hint = suggestion(name, cells)
            raise ConfigError(f"comparison {one.name!r} names the undeclared composition {name!r}{hint}")
    if not differing(*sides):
        raise ConfigError(f"comparison {one.name!r} compares {names[0]!r} with itself")
    return Comparison(one.name, *names)
