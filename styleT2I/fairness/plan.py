"""An audit's plan: what is compared and which gaps fail, declared before a picture is drawn, checked and hashed."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from styleT2I.attributes.compositions import composition_name, contradiction, differing, read_composition
from styleT2I.attributes.vocabulary import Vocabulary, load_vocabulary
from styleT2I.attributes.wording.sentences import sentence
from styleT2I.config import MAX_SEED, load_config, suggestion, to_dict
from styleT2I.errors import ConfigError, DataError
from styleT2I.fairness.judges.spec import JudgePlan, check_judge
from styleT2I.generation.adjustment_config import METHODS

__all__ = [
    "AS_DRAWN", "AuditPlan", "Comparison", "Grid", "JudgePlan", "Setting", "Threshold", "Unprompted", "load_plan",
    "plan_hash",
]  # fmt: skip

_MAX_CELLS = 10_000  # compositions in all settings


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
class Unprompted:
    """What a sentence leaves open, and how often it is perceived all the same."""

    prompt: str  # a composition, "lipstick"; it is drawn beside the declared ones
    attribute: str  # a term that it does not ask for, "he"
    training_share: float | None = (
        None  # of the training pictures that show the prompt, where training_data is not to say
    )


@dataclass(frozen=True)
class Setting:
    """How pictures are drawn; None throughout for what has no such settings."""

    truncation_psi: float | None
    method: str | None  # of adjustment
    strength: float | None  # of adjustment

    @property
    def name(self) -> str:
        if self.method is None:
            return "as drawn"
        return f"psi {self.truncation_psi:g}, {self.method}, strength {self.strength:g}"


AS_DRAWN = Setting(None, None, None)


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
    sentences: dict[str, str] = field(default_factory=dict)  # composition -> what is said in place of the usual words
    judge: JudgePlan = JudgePlan()
    second_judge: JudgePlan | None = None  # whose agreement with the first is measured
    unprompted: tuple[Unprompted, ...] = ()
    training_data: str = ""  # with labels, "minifaces:biased/train:20000": what the model was shown, to count
    training_shares: dict[str, float] = field(default_factory=dict)  # composition -> share of it, in place of a count
    quality_data: str = ""  # real pictures to compare the quality with, "minifaces:balanced/test:2000"
    alpha: float = 0.05  # chance of even one false finding among the comparisons
    truncation: tuple[float, ...] = (0.7,)
    adjustment: tuple[str, ...] = ("hold",)  # methods, "none" for Text-to-Direction alone
    strength: tuple[float, ...] = (1.0,)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The primary setting, then those that differ from it in one thing."""
        if not self.adjustment:
            return (AS_DRAWN,)
        primary = Setting(self.truncation[0], self.adjustment[0], self.strength[0])
        swept = [replace(primary, truncation_psi=psi) for psi in self.truncation[1:]]
        swept += [replace(primary, method=method) for method in self.adjustment[1:]]
        swept += [replace(primary, strength=strength) for strength in self.strength[1:]]
        return (primary, *swept)

    def without_settings(self) -> AuditPlan:
        """The plan of pictures that are drawn in one way only, elsewhere or by another system: AS_DRAWN."""
        return replace(self, truncation=(), adjustment=(), strength=())

    def sentences_of(self, vocabulary: Vocabulary) -> dict[str, str]:
        """What is said for every composition, by its canonical name."""
        return {
            name: self.sentences.get(name) or sentence(attributes, vocabulary)
            for name, attributes in self.drawn_cells(vocabulary).items()
        }

    def drawn_cells(self, vocabulary: Vocabulary) -> dict[str, dict[str, bool]]:
        """The compositions, then those prompts of the unprompted audit that are none of them."""
        prompts = [read_composition(one.prompt, vocabulary) for one in self.unprompted]
        return self.cells(vocabulary) | {composition_name(cell, vocabulary): cell for cell in prompts}

    def cells(self, vocabulary: Vocabulary) -> dict[str, dict[str, bool]]:
        """Attributes of every composition by its canonical name, explicit ones first; ConfigError as in checks."""
        explicit = [read_composition(text, vocabulary) for text in self.compositions]
        return {composition_name(cell, vocabulary): cell for cell in (*explicit, *self._grid_cells(vocabulary))}

    def _grid_cells(self, vocabulary):
        if self.grid is None:
            return []
        if not self.grid.axes or not all(self.grid.axes):
            raise ConfigError("the grid has an empty axis; give every axis at least one term")
        if (num := math.prod(len(axis) for axis in self.grid.axes)) > _MAX_CELLS:
            raise ConfigError(f"the grid has {num} compositions; an audit takes {_MAX_CELLS} at most, in all settings")
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
    except (ConfigError, DataError) as error:
        raise ConfigError(f"{path}: {error}") from error


def plan_hash(plan: AuditPlan) -> str:
    """SHA-256 of what the plan declares, whatever its layout in the file."""
    return hashlib.sha256(json.dumps(to_dict(plan), sort_keys=True).encode("utf-8")).hexdigest()


def _checked(plan: AuditPlan, vocabulary: Vocabulary) -> AuditPlan:
    _check_numbers(plan)
    cells = plan.cells(vocabulary)
    if not cells:
        raise ConfigError("the plan has no composition; list some under compositions, or give a grid")
    plan = replace(plan, unprompted=tuple(_checked_unprompted(one, vocabulary) for one in plan.unprompted))
    _check_size(plan, vocabulary)
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
            limit = f"max_gap of {threshold.comparison!r} is {threshold.max_gap:g}"
            raise ConfigError(f"{limit}; write a number from 0 to 1, 0.1 for ten points")
    _check_data(plan, cells, vocabulary)
    sentences = _checked_sentences(plan, plan.drawn_cells(vocabulary), vocabulary)
    return replace(plan, comparisons=comparisons, sentences=sentences)


def _check_numbers(plan):
    if plan.num < 1:
        raise ConfigError(f"num is {plan.num}; every composition needs at least one picture")
    if not 0 <= plan.first_seed <= MAX_SEED - plan.num:
        raise ConfigError(f"first_seed is {plan.first_seed}; seeds are integers from 0 to {MAX_SEED}")
    if not 0 < plan.alpha < 1:
        raise ConfigError(f"alpha is {plan.alpha}; it lies between 0 and 1")
    check_judge(plan.judge, "judge")
    if plan.second_judge is not None:
        check_judge(plan.second_judge, "second_judge")
        if plan.second_judge == plan.judge:
            raise ConfigError("second_judge is the judge itself; name another one, or leave it out")
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


def _checked_sentences(plan, cells, vocabulary):
    """Sentences by canonical name; ConfigError for one of no composition, an empty one, or one said of two."""
    named = {}
    for text, said in plan.sentences.items():
        name = composition_name(read_composition(text, vocabulary), vocabulary)
        if name not in cells:
            raise ConfigError(f"sentences names the undeclared composition {name!r}{suggestion(name, cells)}")
        named[name] = " ".join(said.split())
        if not named[name]:
            raise ConfigError(f"the sentence of {name!r} is empty; write one, or leave it out")
    every = replace(plan, sentences=named).sentences_of(vocabulary)
    for name, said in every.items():
        other = next(other for other, words in every.items() if words.lower() == said.lower())
        if other != name:
            raise ConfigError(f"{other!r} and {name!r} are said in the same sentence; tell them apart")
    return named


def _checked_unprompted(one, vocabulary):
    """The entry under canonical names; ConfigError where its sentence decides the attribute."""
    asked, watched = read_composition(one.prompt, vocabulary), read_composition(one.attribute, vocabulary)
    if len(watched) > 1:
        raise ConfigError(f"unprompted attribute {one.attribute!r} is more than one; give each an entry of its own")
    ((name, value),) = watched.items()
    if name in asked or any(contradiction({**asked, name: held}, vocabulary) for held in (True, False)):
        raise ConfigError(f"unprompted attribute {one.attribute!r} is decided by the prompt {one.prompt!r} itself")
    if one.training_share is not None and not 0 <= one.training_share <= 1:
        share = f"training_share of {one.attribute!r} is {one.training_share}"
        raise ConfigError(f"{share}; write a number from 0 to 1, 0.1 for ten per cent")
    names = composition_name(asked, vocabulary), composition_name(watched, vocabulary)
    return replace(one, prompt=names[0], attribute=names[1])


def _check_size(plan, vocabulary):
    num_cells, num_settings = len(plan.drawn_cells(vocabulary)), len(plan.settings)
    if num_cells * num_settings > _MAX_CELLS:
        raise ConfigError(
            f"{num_cells} compositions in {num_settings} settings are more than {_MAX_CELLS}; drop some of either"
        )
    entries = [(one.prompt, one.attribute) for one in plan.unprompted]
    if twice := [entry for entry in entries if entries.count(entry) > 1]:
        raise ConfigError("unprompted names {!r} for {!r} twice; drop one of them".format(*reversed(twice[0])))


def _check_data(plan, cells, vocabulary):
    for text, share in plan.training_shares.items():
        name = composition_name(read_composition(text, vocabulary), vocabulary)
        if name not in cells:
            raise ConfigError(f"training_shares names the undeclared composition {name!r}{suggestion(name, cells)}")
        if not 0 <= share <= 1:
            raise ConfigError(f"training_shares of {name!r} is {share}; write a number from 0 to 1")
    if plan.quality_data or plan.training_data:
        from styleT2I.data.dataset import open_dataset  # with torch, which a plan without data does not need
    if plan.quality_data:
        open_dataset(plan.quality_data, with_masks=False)
    if plan.training_data:
        known = open_dataset(plan.training_data, with_masks=False).attribute_names
        asked = {name for cell in plan.drawn_cells(vocabulary).values() for name in cell}
        asked |= {vocabulary.resolve(one.attribute)[0] for one in plan.unprompted}
        if missing := sorted(asked - set(known)):
            raise ConfigError(f"training_data {plan.training_data!r} does not label {missing[0]!r}; name other data")
