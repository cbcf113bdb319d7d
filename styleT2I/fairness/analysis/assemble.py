"""From outcomes of cells to an audit's result: shares, paired gaps, tests, thresholds. No picture, no clock."""

from __future__ import annotations

from collections.abc import Mapping

from styleT2I.attributes.compositions import composition_name
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.fairness.analysis.comparisons import paired, unpaired
from styleT2I.fairness.analysis.outcomes import SUCCESS, UNSURE
from styleT2I.fairness.analysis.picture_quality import quality
from styleT2I.fairness.analysis.rarity import rarity
from styleT2I.fairness.analysis.sweeps import adjustment_effect, curves
from styleT2I.fairness.analysis.training_shares import training_shares
from styleT2I.fairness.analysis.unprompted import unprompted
from styleT2I.fairness.plan import AuditPlan
from styleT2I.statistics.hypothesis_tests import benjamini_hochberg, holm
from styleT2I.statistics.intervals import wilson_interval
from styleT2I.statistics.misclassification import (
    Confusion,
    corrected_gap,
    corrected_gap_of_samples,
    corrected_share_interval,
    gap_bounds,
    share_bounds,
)
from styleT2I.torch_utils.seeding import generator

__all__ = ["analyse"]


def analyse(
    plan: AuditPlan,
    vocabulary: Vocabulary,
    outcomes: Mapping[tuple[str, str], dict],
    confusions: Mapping[str, Confusion] | None = None,
) -> dict:
    """Everything that follows from the outcomes, (setting, composition) -> `outcomes.cell_outcomes`, ready for JSON.

    An undetermined picture is no success; the bounds say what it could be. Primary comparisons (Holm) are the declared
    ones in the primary setting. Exploratory ones (Benjamini-Hochberg) are the declared ones in the other settings,
    other pairs that differ in one attribute, and every composition under the primary method of adjustment and each
    swept one, and under each of these and none.
    confusions: of the judge in every composition; declared gaps then come corrected too, and thresholds hold for those.
    """
    settings, cells = [setting.name for setting in plan.settings], plan.cells(vocabulary)
    compared = [
        {"name": one.name, **_compare(outcomes, (settings[0], one.first), (settings[0], one.second))}
        for one in plan.comparisons
    ]
    for one in compared if confusions else ():
        one["corrected"] = _corrected(one, outcomes, confusions)
    _adjust(compared, holm, "p_holm", plan.alpha)
    exploratory = [_compare(outcomes, *sides) for sides in _exploratory(plan, cells)]
    _adjust(exploratory, benjamini_hochberg, "p_benjamini_hochberg", plan.alpha)
    thresholds = [_threshold(one, compared) for one in plan.thresholds]
    failed = [one["comparison"] for one in thresholds if not one["passes"]]
    terms = {
        cell: {name: composition_name({name: value}, vocabulary) for name, value in attributes.items()}
        for cell, attributes in cells.items()
    }
    places = [(name, cell) for name in settings for cell in cells]
    figures = {place: _cell(place, outcomes[place], terms[place[1]]) for place in places}
    for (_, name), figure in figures.items() if confusions else ():
        found = corrected_share_interval(
            figure["successes"], figure["num"], confusions[name], generator("audit", figure["setting"], name)
        )
        figure["corrected"] = {"success": found.value, "success_interval": list(found.interval)}
    result = {
        "verdict": ("failed" if failed else "passed") if thresholds else "no threshold declared",
        "failed": failed,
        "thresholds": thresholds,
        "summary": {name: _summary([figures[name, cell] for cell in cells]) for name in settings},
        "comparisons": compared,
        "exploratory": exploratory,
        "cells": [figures[name, cell] for name in settings for cell in cells],
    }
    return result | _further(plan, vocabulary, outcomes, [*compared, *exploratory])


def _further(plan, vocabulary, outcomes, compared):
    """What a plan may ask for beside its comparisons: tables with an explanation, those that there are."""
    cells, training = plan.cells(vocabulary), training_shares(plan, vocabulary)
    found = {
        "curves": curves(plan, outcomes, compared),
        "adjustment": adjustment_effect(plan, cells, outcomes, compared),
        "unprompted": unprompted(plan, vocabulary, outcomes, training),
        "rarity": rarity(plan, cells, outcomes, training),
        "quality": quality(plan, cells, outcomes),
    }
    return {key: value for key, value in found.items() if value is not None}


def _exploratory(plan, cells):
    """Pairs of (setting, composition), in a fixed order."""
    primary, *others = plan.settings
    for setting in others:
        for one in plan.comparisons:
            yield (setting.name, one.first), (setting.name, one.second)
    declared = {frozenset((one.first, one.second)) for one in plan.comparisons}
    for first, second in _twins(cells):
        if frozenset((first, second)) not in declared:
            yield (primary.name, first), (primary.name, second)
    methods = [setting for setting in others if setting.method != primary.method]
    without = [setting for setting in methods if setting.method == "none"]
    for first, second in [*((primary, one) for one in methods), *((a, b) for a in methods for b in without if a != b)]:
        for cell in cells:
            yield (first.name, cell), (second.name, cell)


def _twins(cells):
    """Pairs of compositions of the same attributes that differ in one, in the order of the cells."""
    places = {frozenset(cell.items()): index for index, cell in enumerate(cells.values())}
    names = list(cells)
    for index, cell in enumerate(cells.values()):
        flipped = (frozenset({**cell, name: not value}.items()) for name, value in cell.items())
        for other in sorted(places.get(one, -1) for one in flipped):
            if other > index:
                yield names[index], names[other]


def _cell(key, found, terms):
    setting, cell = key
    success, num = found["success"], len(found["success"])
    num_right, num_unsure = success.count(SUCCESS), success.count(UNSURE)
    return {
        "setting": setting,
        "cell": cell,
        "num": num,
        "successes": num_right,
        "undetermined": num_unsure,
        "success": num_right / num,
        "success_interval": list(wilson_interval(num_right, num)),
        "success_bounds": list(share_bounds(num_right, num_unsure, num)),
        "attributes": {
            name: {
                "asked": terms[name],
                "right": letters.count(SUCCESS) / num,
                "undetermined": letters.count(UNSURE),
            }
            for name, letters in found["attributes"].items()
        },
        "drift": {name: changed / counted if counted else None for name, (changed, counted) in found["drift"].items()},
    }


def _compare(outcomes, first_key, second_key):
    found = [outcomes[key] for key in (first_key, second_key)]
    sides = [one["success"] for one in found]
    figures = (paired if all(one.get("is_paired", True) for one in found) else unpaired)(*sides)
    shares = figures["success"]
    bounds = [share_bounds(side.count(SUCCESS), side.count(UNSURE), len(side)) for side in sides]
    return {
        "first": dict(zip(("setting", "cell"), first_key, strict=True)),
        "second": dict(zip(("setting", "cell"), second_key, strict=True)),
        **figures,
        "gap_bounds": list(gap_bounds(*bounds)),
        "ratio": min(shares) / max(shares) if max(shares) else None,
    }


def _corrected(one, outcomes, confusions):
    judges = [confusions[one[side]["cell"]] for side in ("first", "second")]
    random = generator("audit", "corrected", one["name"])
    if one["design"] == "paired":
        found = corrected_gap(tuple(one["pairs"].values()), *judges, random)
    else:
        sides = [outcomes[one[side]["setting"], one[side]["cell"]]["success"] for side in ("first", "second")]
        found = corrected_gap_of_samples(*((side.count(SUCCESS), len(side)) for side in sides), *judges, random)
    return {"gap": found.value, "gap_interval": list(found.interval)}


def _adjust(comparisons, method, key, alpha):
    for one, p in zip(comparisons, method([one["p"] for one in comparisons]), strict=True):
        one[key], one["is_significant"] = p, p <= alpha


def _threshold(threshold, compared):
    """Whether a gap is within its threshold, and whether its interval says the same throughout."""
    found = next(one for one in compared if one["name"] == threshold.comparison)
    found = found.get("corrected", found)
    low, high = found["gap_interval"]
    passes = abs(found["gap"]) <= threshold.max_gap
    is_inside = -threshold.max_gap <= low and high <= threshold.max_gap
    is_outside = low > threshold.max_gap or high < -threshold.max_gap
    return {
        "comparison": threshold.comparison,
        "max_gap": threshold.max_gap,
        "gap": found["gap"],
        "gap_interval": found["gap_interval"],
        "passes": passes,
        "is_certain": is_inside if passes else is_outside,
    }


def _summary(cells):
    worst, best = (pick(cells, key=lambda cell: cell["success"]) for pick in (min, max))
    confidence = 1 - 0.05 / len(cells)  # Bonferroni: whichever of the compositions is the worst
    return {
        "worst_cell": worst["cell"],
        "worst": worst["success"],
        "worst_interval": list(wilson_interval(worst["successes"], worst["num"], confidence)),
        "best_cell": best["cell"],
        "best": best["success"],
        "gap": best["success"] - worst["success"],
        "ratio": worst["success"] / best["success"] if best["success"] else None,
        "undetermined": sum(cell["undetermined"] for cell in cells),
    }
