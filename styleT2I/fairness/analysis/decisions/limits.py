"""The declared limits of a plan as questions: the evidence on each, and what stands in the way of deciding it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from styleT2I.attributes.compositions import read_composition
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.fairness.analysis.corrections import Corrections
from styleT2I.fairness.analysis.decisions.evidence import ComparedSides
from styleT2I.fairness.analysis.decisions.soundness import (
    Obstacle,
    image_obstacle,
    judge_obstacle,
    undetermined_obstacle,
)
from styleT2I.fairness.analysis.decisions.verdicts import (
    Question,
    of_flips,
    of_gap,
    of_ratio,
    of_share,
    of_success,
    verdicts,
)
from styleT2I.fairness.analysis.labelled import LabelledSides
from styleT2I.fairness.analysis.outcomes import UNSURE
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.results import ThresholdResult

__all__ = ["declared_verdicts", "floor_obstacle", "problems"]

_PARTS = {"max_gap": of_gap, "min_ratio": of_ratio, "min_success": of_success, "max_flips": of_flips}

Outcomes = Mapping[tuple[str, str], dict]


def declared_verdicts(
    plan: AuditPlan,
    vocabulary: Vocabulary,
    outcomes: Outcomes,
    sides: Mapping[str, ComparedSides],
    known: Corrections,
) -> list[ThresholdResult]:
    """The verdict on every limit of a plan, in the primary setting.

    Args:
        plan: With the settings that were drawn.
        vocabulary: That of the plan.
        outcomes: As `assemble.analyse` takes them.
        sides: Both sides of every declared comparison, by its name.
        known: Labels and errors of the judge, as far as there are any.
    """
    declared, questions = {pair.name: pair for pair in plan.comparisons}, []
    said = plan.sentences_of(vocabulary)
    for threshold in plan.thresholds:
        pair, both = declared[threshold.comparison], sides[threshold.comparison]
        unsound = _unsound(plan, vocabulary, outcomes, (pair.first, pair.second), isinstance(both, LabelledSides))
        if isinstance(both, LabelledSides):
            unsound = unsound or _unsound_labels(plan, both, (pair.first, pair.second))
        for kind, limit in threshold.limits.items():
            obstacle = unsound
            if kind not in ("min_success", "max_flips"):  # a limit on how far both sides differ
                obstacle = obstacle or _same_images(plan, outcomes, pair)
                obstacle = obstacle or floor_obstacle(
                    (f"“{said[pair.first]}”", f"“{said[pair.second]}”"), both, plan.floor, plan.alpha
                )
            questions.append(Question(kind, pair.name, limit, _PARTS[kind](both, limit), obstacle))
    for entry in plan.unprompted:
        setting = plan.settings[0].name
        share = known.share(entry, setting, outcomes[setting, entry.prompt], vocabulary)
        for kind, limit in entry.limits.items():
            obstacle = _unsound_share(plan, vocabulary, outcomes, entry, share.labelled)
            if not (obstacle or share.is_covered):
                text = (
                    f"the calibration does not cover {entry.prompt} with {entry.attribute}; run audit calibrate again"
                )
                obstacle = Obstacle("uncorrected", text)
            subject = f"{entry.prompt}: {entry.attribute}"
            questions.append(Question(kind, subject, limit, of_share(share.evidence, kind, limit), obstacle))
    return verdicts(questions, plan.alpha)


def problems(plan: AuditPlan, vocabulary: Vocabulary, outcomes: Outcomes) -> tuple[str, ...]:
    """What is wrong with images and judge in the primary setting, whether a limit is declared or not."""
    cells = plan.drawn_cells(vocabulary)
    found = [obstacle for name in cells if (obstacle := _unsound_cell(plan, outcomes, name))]
    found += [obstacle for names in [{name for cell in cells.values() for name in cell}]
              if (obstacle := _judge(plan, outcomes, cells, names))]  # fmt: skip
    found += [obstacle for pair in plan.comparisons if (obstacle := _same_images(plan, outcomes, pair))]
    texts = [obstacle.text for obstacle in found]
    return tuple(f"{text[:1].upper()}{text[1:]}." for text in dict.fromkeys(texts))


def _unsound(plan, vocabulary, outcomes, names: Iterable[str], is_labelled: bool = False) -> Obstacle | None:
    """The first obstacle in the images or verdicts of some compositions; with labels, in the images alone."""
    if is_labelled:
        facts = {name: outcomes[plan.settings[0].name, name].get("images") for name in names}
        return next((found for name in names if (found := image_obstacle(name, facts[name]))), None)
    for name in names:
        if obstacle := _unsound_cell(plan, outcomes, name):
            return obstacle
    cells = plan.drawn_cells(vocabulary)
    return _judge(plan, outcomes, cells, {attribute for name in names for attribute in cells[name]})


def _unsound_labels(plan, sides, names):
    """An obstacle where people could not decide about too many of the labelled images."""
    for name, rate in zip(names, sides.undetermined, strict=True):
        if obstacle := _unlabelled(plan, name, rate):
            return obstacle
    return None


def _unlabelled(plan, name, rate):
    if rate <= plan.max_undetermined:
        return None
    text = f"{100 * rate:.0f} % of the labelled images of {name} are without a label in the end, more than the "
    return Obstacle("labels", f"{text}{100 * plan.max_undetermined:g} % that the plan allows")


def _unsound_cell(plan, outcomes, name):
    outcome = outcomes[plan.settings[0].name, name]
    by_image = image_obstacle(name, outcome.get("images"))
    return by_image or undetermined_obstacle(name, outcome["success"], plan.max_undetermined)


def _judge(plan, outcomes, cells, attributes):
    tables = [outcomes[plan.settings[0].name, name].get("again", {}) for name in cells]
    return judge_obstacle(tables, sorted(attributes))


def _unsound_share(plan, vocabulary, outcomes, entry, labelled: str):
    """An obstacle to a limit on an unprompted rate; labelled: as `Share` has it, "" where the judge alone is asked."""
    outcome = outcomes[plan.settings[0].name, entry.prompt]
    ((name, _),) = read_composition(entry.attribute, vocabulary).items()
    if obstacle := image_obstacle(entry.prompt, outcome.get("images")):
        return obstacle
    if labelled:
        return _unlabelled(plan, entry.prompt, labelled.count(UNSURE) / len(labelled))
    letters = outcome["seen"][name]
    if UNSURE in letters and (obstacle := undetermined_obstacle(entry.prompt, letters, plan.max_undetermined)):
        return obstacle
    return _judge(plan, outcomes, plan.drawn_cells(vocabulary), {name})


def floor_obstacle(names: tuple[str, str], sides: ComparedSides, floor: float, alpha: float) -> Obstacle | None:
    """Equal failure is no fairness: an obstacle where neither side, by name, is shown to succeed above the floor."""
    rates = [sides.rate(side) for side in (0, 1)]
    if any(rate.shown_above(floor) <= alpha for rate in rates):
        return None
    first, second = (f"{name} ({100 * rate.value:.1f} %)" for name, rate in zip(names, rates, strict=True))
    return Obstacle(
        "floor",
        f"not assessable: neither {first} nor {second} is shown to succeed in more than {100 * floor:g} % of "
        "images, and equal failure is no fairness",
    )


def _same_images(plan, outcomes, pair) -> Obstacle | None:
    """An obstacle where both sides of most pairs are the same image: the sentence then changes nothing."""
    facts = [outcomes[plan.settings[0].name, name].get("images") for name in (pair.first, pair.second)]
    if not all(facts) or len(facts[0]["sha256"]) != len(facts[1]["sha256"]):
        return None
    num = len(facts[0]["sha256"])
    same = sum(a == b for a, b in zip(facts[0]["sha256"], facts[1]["sha256"], strict=True))
    if 2 * same <= num:
        return None
    return Obstacle("copies", f"in {same} of {num} pairs of {pair.name!r} both sides are the same image")
