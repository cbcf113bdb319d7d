"""From the outcomes of cells to an audit's findings: rates, gaps, tests, thresholds. No image, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from styleT2I.attributes.compositions import composition_name
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.fairness.analysis.comparisons import paired, unpaired
from styleT2I.fairness.analysis.image_quality import quality
from styleT2I.fairness.analysis.outcomes import SUCCESS, UNSURE
from styleT2I.fairness.analysis.rarity import rarity
from styleT2I.fairness.analysis.sweeps import adjustment_effect, curves
from styleT2I.fairness.analysis.training_rates import training_rates
from styleT2I.fairness.analysis.unprompted import unprompted
from styleT2I.fairness.plan import AuditPlan, Threshold
from styleT2I.fairness.results import (
    AttributeResult,
    CellPlace,
    CellResult,
    ComparisonResult,
    CorrectedGap,
    CorrectedRate,
    Findings,
    SettingSummary,
    Table,
    ThresholdResult,
)
from styleT2I.statistics.hypothesis_tests import benjamini_hochberg, holm
from styleT2I.statistics.intervals import wilson_interval
from styleT2I.statistics.misclassification import (
    Confusion,
    corrected_gap,
    corrected_gap_of_samples,
    corrected_rate_interval,
    gap_bounds,
    rate_bounds,
)
from styleT2I.torch_utils.seeding import generator

__all__ = ["analyse"]


Outcomes = Mapping[tuple[str, str], dict]  # (setting, composition) -> `outcomes.cell_outcomes`


def analyse(
    plan: AuditPlan,
    vocabulary: Vocabulary,
    outcomes: Outcomes,
    confusions: Mapping[str, Confusion] | None = None,
) -> Findings:
    """Everything that follows from the outcomes of all cells of a plan.

    An undetermined image is not a success; the bounds say what it could be. Primary comparisons (Holm) are the declared
    ones in the primary setting. Exploratory ones (Benjamini-Hochberg) are the declared ones in the other settings,
    other pairs of compositions that differ in one attribute, and every composition under the primary method of
    adjustment and each swept one, and under each of these and none.

    Args:
        plan: The plan, with the settings that were drawn.
        vocabulary: That of the plan.
        outcomes: (setting, composition) -> `outcomes.cell_outcomes`, for every cell of the plan.
        confusions: Of the judge, by composition. Declared gaps are then given corrected too, and thresholds hold for
            the corrected gap.
    """
    settings, cells = [setting.name for setting in plan.settings], plan.cells(vocabulary)
    compared = [
        replace(
            _compare(outcomes, CellPlace(settings[0], pair.first), CellPlace(settings[0], pair.second)), name=pair.name
        )
        for pair in plan.comparisons
    ]
    if confusions:
        compared = [replace(each, corrected=_corrected(each, outcomes, confusions)) for each in compared]
    compared = [replace(each, p_holm=p, is_significant=p <= plan.alpha) for each, p in _adjusted(compared, holm)]
    exploratory = [
        replace(each, p_benjamini_hochberg=p, is_significant=p <= plan.alpha)
        for each, p in _adjusted(
            [_compare(outcomes, *places) for places in _exploratory(plan, cells)], benjamini_hochberg
        )
    ]
    thresholds = [_threshold(threshold, compared) for threshold in plan.thresholds]
    failed = tuple(threshold.comparison for threshold in thresholds if not threshold.passes)
    terms = {
        cell: {name: composition_name({name: value}, vocabulary) for name, value in attributes.items()}
        for cell, attributes in cells.items()
    }
    results = [
        _cell(CellPlace(setting, cell), outcomes[setting, cell], terms[cell]) for setting in settings for cell in cells
    ]
    if confusions:
        results = [replace(cell, corrected=_corrected_rate(cell, confusions[cell.cell])) for cell in results]
    return Findings(
        verdict=("failed" if failed else "passed") if thresholds else "no threshold declared",
        failed=failed,
        thresholds=tuple(thresholds),
        summary={name: _summary([cell for cell in results if cell.setting == name]) for name in settings},
        comparisons=tuple(compared),
        exploratory=tuple(exploratory),
        cells=tuple(results),
        **_further(plan, vocabulary, outcomes, [*compared, *exploratory]),
    )


def _further(plan, vocabulary, outcomes, compared) -> dict[str, Table | None]:
    """What a plan may ask for beside its comparisons; None for a table that it did not ask for."""
    cells, training = plan.cells(vocabulary), training_rates(plan, vocabulary)
    return {
        "curves": curves(plan, outcomes, compared),
        "adjustment": adjustment_effect(plan, cells, outcomes, compared),
        "unprompted": unprompted(plan, vocabulary, outcomes, training),
        "rarity": rarity(plan, cells, outcomes, training),
        "quality": quality(plan, cells, outcomes),
    }


def _exploratory(plan, cells) -> Iterator[tuple[CellPlace, CellPlace]]:
    """Both sides of every exploratory comparison, in a fixed order."""
    primary, *others = plan.settings
    for setting in others:
        for pair in plan.comparisons:
            yield CellPlace(setting.name, pair.first), CellPlace(setting.name, pair.second)
    declared = {frozenset((pair.first, pair.second)) for pair in plan.comparisons}
    for first, second in _twins(cells):
        if frozenset((first, second)) not in declared:
            yield CellPlace(primary.name, first), CellPlace(primary.name, second)
    methods = [setting for setting in others if setting.method != primary.method]
    without = [setting for setting in methods if setting.method == "none"]
    against = [(primary, setting) for setting in methods]
    against += [(setting, none) for setting in methods for none in without if setting != none]
    for first, second in against:
        for cell in cells:
            yield CellPlace(first.name, cell), CellPlace(second.name, cell)


def _twins(cells):
    """Pairs of compositions of the same attributes that differ in one, in the order of the cells."""
    places = {frozenset(cell.items()): index for index, cell in enumerate(cells.values())}
    names = list(cells)
    for index, cell in enumerate(cells.values()):
        flipped = (frozenset({**cell, name: not value}.items()) for name, value in cell.items())
        for other in sorted(places.get(twin, -1) for twin in flipped):
            if other > index:
                yield names[index], names[other]


def _cell(place, outcome, terms):
    success, num = outcome["success"], len(outcome["success"])
    num_right, num_unsure = success.count(SUCCESS), success.count(UNSURE)
    return CellResult(
        place.setting,
        place.cell,
        num=num,
        successes=num_right,
        undetermined=num_unsure,
        success=num_right / num,
        success_interval=wilson_interval(num_right, num),
        success_bounds=rate_bounds(num_right, num_unsure, num),
        attributes={
            name: AttributeResult(terms[name], letters.count(SUCCESS) / num, letters.count(UNSURE))
            for name, letters in outcome["attributes"].items()
        },
        drift={name: changed / counted if counted else None for name, (changed, counted) in outcome["drift"].items()},
    )


def _corrected_rate(cell, confusion):
    source = generator("audit", cell.setting, cell.cell)
    corrected = corrected_rate_interval(cell.successes, cell.num, confusion, source)
    return CorrectedRate(corrected.value, corrected.interval)


def _compare(outcomes, first, second):
    """A comparison before its p-value is adjusted."""
    sides = [outcomes[place.setting, place.cell] for place in (first, second)]
    texts = [side["success"] for side in sides]
    difference = (paired if all(side.get("is_paired", True) for side in sides) else unpaired)(*texts)
    rates = difference.success
    bounds = [rate_bounds(text.count(SUCCESS), text.count(UNSURE), len(text)) for text in texts]
    return ComparisonResult(
        first=first,
        second=second,
        **difference._asdict(),
        gap_bounds=gap_bounds(*bounds),
        ratio=min(rates) / max(rates) if max(rates) else None,
        is_significant=False,
    )


def _corrected(compared, outcomes, confusions):
    first, second = compared.first, compared.second
    judges, source = (confusions[first.cell], confusions[second.cell]), generator("audit", "corrected", compared.name)
    if compared.design == "paired":
        pairs = compared.pairs
        kinds = pairs.both, pairs.only_first, pairs.only_second, pairs.neither
        corrected = corrected_gap(kinds, *judges, source)
    else:
        texts = [outcomes[place.setting, place.cell]["success"] for place in (first, second)]
        first_counts, second_counts = ((text.count(SUCCESS), len(text)) for text in texts)
        corrected = corrected_gap_of_samples(first_counts, second_counts, *judges, source)
    return CorrectedGap(corrected.value, corrected.interval)


def _adjusted(compared: Sequence[ComparisonResult], method: Callable[[list[float]], list[float]]):
    """Every comparison with its p-value adjusted by the method."""
    return zip(compared, method([each.p for each in compared]), strict=True)


def _threshold(threshold: Threshold, compared):
    """Whether a gap is within its threshold, and whether its whole interval is on the same side."""
    measured = next(each for each in compared if each.name == threshold.comparison)
    measured = measured.corrected or measured
    low, high = measured.gap_interval
    passes = abs(measured.gap) <= threshold.max_gap
    is_inside = -threshold.max_gap <= low and high <= threshold.max_gap
    is_outside = low > threshold.max_gap or high < -threshold.max_gap
    return ThresholdResult(
        threshold.comparison,
        threshold.max_gap,
        gap=measured.gap,
        gap_interval=measured.gap_interval,
        passes=passes,
        is_certain=is_inside if passes else is_outside,
    )


def _summary(cells):
    worst, best = (pick(cells, key=lambda cell: cell.success) for pick in (min, max))
    confidence = 1 - 0.05 / len(cells)  # Bonferroni: whichever of the compositions is the worst
    return SettingSummary(
        worst_cell=worst.cell,
        worst=worst.success,
        worst_interval=wilson_interval(worst.successes, worst.num, confidence),
        best_cell=best.cell,
        best=best.success,
        gap=best.success - worst.success,
        ratio=worst.success / best.success if best.success else None,
        undetermined=sum(cell.undetermined for cell in cells),
    )
