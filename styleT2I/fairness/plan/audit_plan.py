"""The plan of an audit: what is compared and which gaps fail, declared before an image is drawn, checked, hashed."""

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
from styleT2I.fairness.classifier.spec import ClassifierPlan, check_classifier, check_pairs
from styleT2I.fairness.judges.spec import JudgePlan, check_judge
from styleT2I.fairness.plan.cover import Cover, check_cover
from styleT2I.fairness.plan.thresholds import Threshold, Unprompted, check_shares, check_thresholds
from styleT2I.generation.arguments import METHODS

__all__ = [
    "AS_DRAWN", "AuditPlan", "Comparison", "Grid", "JudgePlan", "Setting", "Threshold", "Unprompted", "checked_plan",
    "declarations", "load_plan", "plan_hash",
]  # fmt: skip

_MAX_CELLS = 10_000  # compositions in all settings
_ADDED_LATER = ("labels", "transports", "classifier")


@dataclass(frozen=True)
class Grid:
    """Every combination of one term per axis, except those that have all terms of an exclusion."""

    axes: tuple[tuple[str, ...], ...]  # (("he", "she"), ("lipstick", "beard"))
    exclude: tuple[str, ...] = ()  # compositions, "she+beard"


@dataclass(frozen=True)
class Comparison:
    """Two compositions whose success rates are compared, drawn from the same seeds."""

    name: str
    first: str
    second: str


@dataclass(frozen=True)
class Setting:
    """How images are drawn; None throughout for systems that have no such settings."""

    truncation_psi: float | None
    method: str | None  # of adjustment
    strength: float | None  # of adjustment

    @property
    def name(self) -> str:
        """As results and reports call it: "psi 0.7, hold, strength 1"."""
        if self.method is None:
            return "as drawn"
        return f"psi {self.truncation_psi:g}, {self.method}, strength {self.strength:g}"


AS_DRAWN = Setting(None, None, None)


@dataclass(frozen=True)
class AuditPlan:
    """What an audit draws, compares and accepts. Of each list of settings the first value is the primary one.

    A plan made here is checked by `checked_plan` only, as `load_plan` does with one from a file.

    >>> plan = AuditPlan("lipstick", compositions=("she+lipstick", "he+lipstick"), adjustment=("hold", "none"))
    >>> plan.sentences_of(load_vocabulary(plan.vocabulary))["he+lipstick"]
    'a man who wears lipstick'
    >>> [setting.name for setting in plan.settings]
    ['psi 0.7, hold, strength 1', 'psi 0.7, none, strength 1']
    """

    name: str
    vocabulary: str = "minifaces"  # name of an embedded one, or a file
    num: int = 200  # images per composition, one per seed
    first_seed: int = 0  # seeds are first_seed ... first_seed + num - 1
    compositions: tuple[str, ...] = ()
    grid: Grid | None = None
    comparisons: tuple[Comparison, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    sentences: dict[str, str] = field(default_factory=dict)  # composition -> sentence, in place of the usual one
    judge: JudgePlan = JudgePlan()
    second_judge: JudgePlan | None = None  # its agreement with the first is measured
    unprompted: tuple[Unprompted, ...] = ()
    training_data: str = ""  # labelled, "minifaces:biased/train:20000": counted for the training rates
    training_shares: dict[str, float] = field(
        default_factory=dict
    )  # composition -> its rate in the training data, from 0 to 1
    quality_data: str = ""  # real images, the reference of quality: "minifaces:balanced/test:2000"
    alpha: float = 0.05  # probability of even one false "within", and of even one false "exceeded", among all limits
    floor: float = 0.1  # where neither side is shown to succeed more often, their gap and ratio are not assessable
    max_undetermined: float = 0.2  # rate of undetermined images beyond which nothing is decided about a composition
    labels: int = 0  # pairs of every comparison, and images of every unprompted sentence, that people label
    transports: bool = False  # declared: the judge errs on the model's images as on those that calibrated it
    truncation: tuple[float, ...] = (0.7,)  # psi, each from 0 to 2
    adjustment: tuple[str, ...] = ("hold",)  # methods; "none": Text-to-Direction alone
    strength: tuple[float, ...] = (1.0,)  # of the adjustment, each from 0 to 100
    classifier: ClassifierPlan | None = None  # audit it, on edited faces of a model, in place of a text-to-image system
    cover: Cover | None = None  # texts for the page's cover; no part of the plan's hash

    @property
    def limits(self) -> tuple[tuple[str, str, float], ...]:
        """Kind, subject and value of every declared limit; the subject is a comparison, or "prompt: attribute"."""
        declared = [(kind, each.comparison, value) for each in self.thresholds for kind, value in each.limits.items()]
        declared += [(kind, f"{each.prompt}: {each.attribute}", value)
                     for each in self.unprompted for kind, value in each.limits.items()]  # fmt: skip
        return tuple(declared)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The primary setting, then those that differ from it in one value."""
        if not self.adjustment:
            return (AS_DRAWN,)
        primary = Setting(self.truncation[0], self.adjustment[0], self.strength[0])
        swept = [replace(primary, truncation_psi=psi) for psi in self.truncation[1:]]
        swept += [replace(primary, method=method) for method in self.adjustment[1:]]
        swept += [replace(primary, strength=strength) for strength in self.strength[1:]]
        return (primary, *swept)

    def without_settings(self) -> AuditPlan:
        """The plan for images that can be drawn in one way only: its one setting is AS_DRAWN."""
        return replace(self, truncation=(), adjustment=(), strength=())

    def sentences_of(self, vocabulary: Vocabulary) -> dict[str, str]:
        """The sentence of every composition, by its canonical name."""
        return {
            name: self.sentences.get(name) or sentence(attributes, vocabulary)
            for name, attributes in self.drawn_cells(vocabulary).items()
        }

    def drawn_cells(self, vocabulary: Vocabulary) -> dict[str, dict[str, bool]]:
        """The compositions, then the prompts of the unprompted audit that are not among them."""
        prompts = [read_composition(entry.prompt, vocabulary) for entry in self.unprompted]
        return self.cells(vocabulary) | {composition_name(cell, vocabulary): cell for cell in prompts}

    def cells(self, vocabulary: Vocabulary) -> dict[str, dict[str, bool]]:
        """Attributes of every composition by its canonical name, explicit ones first.

        Raises:
            ConfigError: A term is unknown, a composition contradicts itself, or the grid is empty or too large.
        """
        explicit = [read_composition(text, vocabulary) for text in self.compositions]
        return {composition_name(cell, vocabulary): cell for cell in (*explicit, *self._grid_cells(vocabulary))}

    def _grid_cells(self, vocabulary: Vocabulary) -> list[dict[str, bool]]:
        if self.grid is None:
            return []
        if not self.grid.axes or not all(self.grid.axes):
            raise ConfigError("the grid has an empty axis; give every axis at least one term")
        if (num := math.prod(len(axis) for axis in self.grid.axes)) > _MAX_CELLS:
            raise ConfigError(f"the grid has {num} compositions; an audit takes {_MAX_CELLS} at most, in all settings")
        excluded = [read_composition(text, vocabulary).items() for text in self.grid.exclude]
        cells = [read_composition("+".join(terms), vocabulary) for terms in itertools.product(*self.grid.axes)]
        allowed = [cell for cell in cells if not any(pairs <= cell.items() for pairs in excluded)]
        if not allowed:
            raise ConfigError("the grid excludes every composition; drop an exclusion")
        return allowed


def load_plan(path: str | Path) -> tuple[AuditPlan, Vocabulary]:
    """Read and check a plan.

    Args:
        path: A .yaml or .json file.

    Returns:
        The plan with its compositions under their canonical names, and its vocabulary.

    Raises:
        ConfigError: The file cannot be read or the plan cannot be run; the message is one line and names the file.

    >>> _ = Path("plan.yaml").write_text("{name: lipstick, compositions: [lipstick+she, lipstick+he], num: 50}")
    >>> plan, vocabulary = load_plan("plan.yaml")
    >>> plan.num, list(plan.cells(vocabulary))
    (50, ['she+lipstick', 'he+lipstick'])
    """
    plan = load_config(AuditPlan, path)
    try:
        vocabulary = load_vocabulary(plan.vocabulary)
        return checked_plan(plan, vocabulary), vocabulary
    except (ConfigError, DataError) as error:
        raise ConfigError(f"{path}: {error}") from error


def plan_hash(plan: AuditPlan) -> str:
    """SHA-256 of the declarations of a plan, independent of their layout in the file."""
    return hashlib.sha256(json.dumps(declarations(plan), sort_keys=True).encode("utf-8")).hexdigest()


def declarations(plan: AuditPlan) -> dict:
    """What a plan declares, ready for JSON: all of it but the texts of the cover.

    What earlier versions did not know is left out where a plan does not use it, so that the plan keeps its hash.
    """
    default = AuditPlan("")
    content = {key: value for key, value in to_dict(plan).items()
               if key != "cover" and (key not in _ADDED_LATER or value != getattr(default, key))}  # fmt: skip
    content["thresholds"] = [
        {key: value for key, value in threshold.items() if key != "max_flips" or value is not None}
        for threshold in content["thresholds"]
    ]
    return content


def checked_plan(plan: AuditPlan, vocabulary: Vocabulary) -> AuditPlan:
    """The plan with its compositions under their canonical names; ConfigError, one line, where it cannot be run."""
    _check_numbers(plan)
    if plan.cover is not None:
        check_cover(plan.cover)
    cells = plan.cells(vocabulary)
    if not cells:
        raise ConfigError("the plan has no composition; list some under compositions, or give a grid")
    plan = replace(plan, unprompted=tuple(_checked_unprompted(entry, vocabulary) for entry in plan.unprompted))
    _check_size(plan, vocabulary)
    comparisons = tuple(_checked_comparison(declared, cells, vocabulary) for declared in plan.comparisons)
    names = [declared.name for declared in comparisons]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two comparisons have the name {name!r}; give each its own name")
    check_thresholds(plan.thresholds, names)
    _check_classifier(plan, comparisons, cells)
    _check_data(plan, cells, vocabulary)
    sentences = _checked_sentences(plan, plan.drawn_cells(vocabulary), vocabulary)
    return replace(plan, comparisons=comparisons, sentences=sentences)


def _check_classifier(plan, comparisons, cells):
    if plan.classifier is None:
        if any(threshold.max_flips is not None for threshold in plan.thresholds):
            raise ConfigError("max_flips limits how often a classifier's answer flips; the plan has no classifier")
        return
    check_classifier(plan.classifier)
    for key in ("unprompted", "sentences", "training_data", "training_shares", "quality_data"):
        if getattr(plan, key):
            raise ConfigError(f"{key} does not apply to a classifier, which is shown edited faces; leave it out")
    check_pairs([(pair.name, pair.first, pair.second) for pair in comparisons], cells)


def _check_numbers(plan):
    if plan.num < 1:
        raise ConfigError(f"num is {plan.num}; every composition needs at least one image")
    if not 0 <= plan.first_seed <= MAX_SEED - plan.num:
        raise ConfigError(f"first_seed is {plan.first_seed}; seeds are integers from 0 to {MAX_SEED}")
    if not 0 < plan.alpha < 1:
        raise ConfigError(f"alpha is {plan.alpha}; choose a number between 0 and 1")
    if not 0 <= plan.labels <= plan.num:
        raise ConfigError(f"labels is {plan.labels}; write a number of pairs from 0 to num, which is {plan.num}")
    if plan.labels and not (plan.comparisons or plan.unprompted):
        raise ConfigError("the plan declares nothing to label, no comparison and no unprompted entry; add comparisons")
    for name in ("floor", "max_undetermined"):
        if not 0 <= getattr(plan, name) <= 1:
            raise ConfigError(f"{name} is {getattr(plan, name)}; write a number from 0 to 1")
    check_judge(plan.judge, "judge")
    if plan.second_judge is not None:
        check_judge(plan.second_judge, "second_judge")
        if plan.second_judge == plan.judge:
            raise ConfigError("second_judge is the same as judge; name another one, or leave it out")
    for name, largest in (("truncation", 2), ("strength", 100)):
        if not getattr(plan, name) or not all(0 <= value <= largest for value in getattr(plan, name)):
            raise ConfigError(f"{name} needs one or more values from 0 to {largest}")
    if not plan.adjustment or not set(plan.adjustment) <= set(METHODS):
        raise ConfigError(f"adjustment needs one or more of {', '.join(METHODS)}, got {', '.join(plan.adjustment)}")
    if len(set(plan.settings)) < len(plan.settings):
        raise ConfigError("truncation, adjustment or strength names a value twice; drop one of them")


def _checked_comparison(declared, cells, vocabulary):
    sides = [read_composition(text, vocabulary) for text in (declared.first, declared.second)]
    names = [composition_name(side, vocabulary) for side in sides]
    for name in names:
        if name not in cells:
            hint = suggestion(name, cells)
            raise ConfigError(f"comparison {declared.name!r} names the undeclared composition {name!r}{hint}")
    if not differing(*sides):
        raise ConfigError(f"comparison {declared.name!r} compares {names[0]!r} with itself")
    return Comparison(declared.name, *names)


def _checked_sentences(plan, cells, vocabulary):
    """Sentences by canonical name; ConfigError for one of no composition, an empty one, or one used for two."""
    named = {}
    for text, wanted in plan.sentences.items():
        name = composition_name(read_composition(text, vocabulary), vocabulary)
        if name not in cells:
            raise ConfigError(f"sentences names the undeclared composition {name!r}{suggestion(name, cells)}")
        named[name] = " ".join(wanted.split())
        if not named[name]:
            raise ConfigError(f"the sentence of {name!r} is empty; write one, or leave it out")
    every = replace(plan, sentences=named).sentences_of(vocabulary)
    for name, text in every.items():
        other = next(other for other, words in every.items() if words.lower() == text.lower())
        if other != name:
            raise ConfigError(f"{other!r} and {name!r} have the same sentence; write different ones")
    return named


def _checked_unprompted(entry, vocabulary):
    """The entry under canonical names; ConfigError where its sentence decides the attribute."""
    asked, watched = read_composition(entry.prompt, vocabulary), read_composition(entry.attribute, vocabulary)
    if len(watched) > 1:
        raise ConfigError(f"unprompted attribute {entry.attribute!r} is more than one; give each its own entry")
    ((name, value),) = watched.items()
    if name in asked or any(contradiction({**asked, name: held}, vocabulary) for held in (True, False)):
        raise ConfigError(
            f"unprompted attribute {entry.attribute!r} is decided by its prompt {entry.prompt!r}; name an open one"
        )
    check_shares(entry)
    names = composition_name(asked, vocabulary), composition_name(watched, vocabulary)
    return replace(entry, prompt=names[0], attribute=names[1])


def _check_size(plan, vocabulary):
    num_cells, num_settings = len(plan.drawn_cells(vocabulary)), len(plan.settings)
    if num_cells * num_settings > _MAX_CELLS:
        raise ConfigError(
            f"{num_cells} compositions in {num_settings} settings are more than {_MAX_CELLS}; drop some of either"
        )
    entries = [(entry.prompt, entry.attribute) for entry in plan.unprompted]
    if twice := [entry for entry in entries if entries.count(entry) > 1]:
        raise ConfigError("unprompted names {!r} for {!r} twice; drop one of them".format(*reversed(twice[0])))


def _check_data(plan, cells, vocabulary):
    for text, rate in plan.training_shares.items():
        name = composition_name(read_composition(text, vocabulary), vocabulary)
        if name not in cells:
            raise ConfigError(f"training_shares names the undeclared composition {name!r}{suggestion(name, cells)}")
        if not 0 <= rate <= 1:
            raise ConfigError(f"training_shares of {name!r} is {rate}; write a number from 0 to 1")
    if plan.quality_data or plan.training_data:
        from styleT2I.data.dataset import open_dataset  # with torch, which a plan without data does not need
    if plan.quality_data:
        open_dataset(plan.quality_data, with_masks=False)
    if plan.training_data:
        known = open_dataset(plan.training_data, with_masks=False).attribute_names
        asked = {name for cell in plan.drawn_cells(vocabulary).values() for name in cell}
        asked |= {vocabulary.resolve(entry.attribute)[0] for entry in plan.unprompted}
        if missing := sorted(asked - set(known)):
            raise ConfigError(f"training_data {plan.training_data!r} does not label {missing[0]!r}; name other data")
