"""From the outcomes of cells to an audit's findings: rates, gaps, tests, verdicts. No image, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from styleT2I.attributes.compositions import composition_name
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.fairness.analysis.comparisons import paired, unpaired
from styleT2I.fairness.analysis.corrections import Corrections, is_paired, kind_of
from styleT2I.fairness.analysis.decisions.evidence import JudgeErrors
from styleT2I.fairness.analysis.decisions.limits import declared_verdicts, problems
from styleT2I.fairness.analysis.image_quality import quality
from styleT2I.fairness.analysis.labelled import Labels
from styleT2I.fairness.analysis.outcomes import SUCCESS, UNSURE
from styleT2I.fairness.analysis.rarity import rarity
from styleT2I.fairness.analysis.sweeps import adjustment_effect, curves
from styleT2I.fairness.analysis.training_rates import training_rates
from styleT2I.fairness.analysis.unprompted import unprompted
from styleT2I.fairness.labels.sample import sampled_places
from styleT2I.fairness.plan import AuditPlan
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
)
from styleT2I.statistics.evidence import equality_p
from styleT2I.statistics.hypothesis_tests import benjamini_hochberg, holm
from styleT2I.statistics.intervals import wilson_interval
from styleT2I.statistics.joint_errors import JointErrors
from styleT2I.statistics.misclassification import Confusion, gap_bounds, rate_bounds

__all__ = ["analyse"]


Outcomes = Mapping[tuple[str, str], dict]  # (setting, composition) -> `outcomes.cell_outcomes`


def analyse(
    plan: AuditPlan,
    vocabulary: Vocabulary,
    outcomes: Outcomes,
    confusions: Mapping[str, Confusion] | None = None,
    joint: Sequence[JointErrors] = (),
    labels: Labels | None = None,
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
        confusions: Of the judge, by composition. Rates, gaps, p-values and verdicts are then corrected for its errors.
        joint: Its errors over joint states of attributes; they count where they cover both sides of a comparison.
        labels: People's, of some of the images. What they cover is estimated from them.
    """
    errors = JudgeErrors(confusions, joint) if confusions else None
    known = Corrections(errors, labels, frozenset(CellPlace(*place) for place in sampled_places(plan)))
    settings, cells = [setting.name for setting in plan.settings], plan.cells(vocabulary)
    sides = {
        pair.name: known.sides(outcomes, cells, *_places(settings[0], pair), pair.name) for pair in plan.comparisons
    }
    compared = [
        replace(_compare(outcomes, plan, *_places(settings[0], pair), sides[pair.name]), name=pair.name)
        for pair in plan.comparisons
    ]
    compared = [replace(each, p_holm=p, is_significant=p <= plan.alpha) for each, p in _adjusted(compared, holm)]
    further = [(one, other, known.sides(outcomes, cells, one, other)) for one, other in _exploratory(plan, cells)]
    exploratory = [
        replace(each, p_benjamini_hochberg=p, is_significant=p <= plan.alpha)
        for each, p in _adjusted([_compare(outcomes, plan, *each) for each in further], benjamini_hochberg)
    ]
    terms = {
        cell: {name: composition_name({name: value}, vocabulary) for name, value in attributes.items()}
        for cell, attributes in cells.items()
    }
    results = [
        _cell(CellPlace(setting, cell), outcomes[setting, cell], terms[cell], cells[cell], known, plan)
        for setting in settings
        for cell in cells
    ]
    thresholds = declared_verdicts(plan, vocabulary, outcomes, sides, known)
    exceeded, not_decided = (
        tuple(each.name for each in thresholds if each.verdict == verdict) for verdict in ("exceeded", "not decided")
    )
    verdict = "exceeded" if exceeded else "not decided" if not_decided else "within"
    return Findings(
        verdict=verdict if thresholds else "no threshold declared",
        exceeded=exceeded,
        not_decided=not_decided,
        thresholds=tuple(thresholds),
        problems=problems(plan, vocabulary, outcomes),
        summary={
            name: _summary([cell for cell in results if cell.setting == name], outcomes, cells, known, plan.alpha)
            for name in settings
        },
        comparisons=tuple(compared),
        exploratory=tuple(exploratory),
        cells=tuple(results),
        **_further(plan, vocabulary, outcomes, [*compared, *exploratory], results, known),
    )


def _further(plan, vocabulary, outcomes, compared, results, known) -> dict[str, Table | None]:
    """What a plan may ask for beside its comparisons; None for a table that it did not ask for."""
    cells, training = plan.cells(vocabulary), training_rates(plan, vocabulary)
    tables = {
        "curves": curves(plan, outcomes, compared),
        "adjustment": adjustment_effect(plan, cells, outcomes, compared),
    }
    if known.errors:
        said = " Counted as the judge perceives, not corrected for its errors."
        tables = {
            name: table and replace(table, explanation=table.explanation + said) for name, table in tables.items()
        }
    success = {cell.place: cell.shown.success for cell in results}
    return {
        **tables,
        "unprompted": unprompted(plan, vocabulary, outcomes, training, known),
        "rarity": rarity(plan, cells, success, training),
        "quality": quality(plan, cells, outcomes),
    }


def _places(setting, pair) -> tuple[CellPlace, CellPlace]:
    return CellPlace(setting, pair.first), CellPlace(setting, pair.second)


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


def _cell(place, outcome, terms, wanted, known, plan):
    success, num = outcome["success"], len(outcome["success"])
    num_right, num_unsure, confidence = success.count(SUCCESS), success.count(UNSURE), 1 - plan.alpha
    facts, corrected = outcome.get("images"), None
    if found := known.rate(place, outcome, wanted):
        rate, by = found
        corrected = CorrectedRate(rate.value, rate.interval(confidence), by)
    return CellResult(
        place.setting,
        place.cell,
        num=num,
        successes=num_right,
        undetermined=num_unsure,
        success=num_right / num,
        success_interval=wilson_interval(num_right, num, confidence),
        success_bounds=rate_bounds(num_right, num_unsure, num),
        attributes={
            name: AttributeResult(terms[name], letters.count(SUCCESS) / num, letters.count(UNSURE))
            for name, letters in outcome["attributes"].items()
        },
        drift={name: changed / counted if counted else None for name, (changed, counted) in outcome["drift"].items()},
        corrected=corrected,
        blank=facts["blank"].count("1") if facts else None,
        copies=num - len(set(facts["sha256"])) if facts else None,
    )


def _compare(outcomes, plan, first, second, sides):
    """A comparison before its p-value is adjusted."""
    texts = [outcomes[place.setting, place.cell]["success"] for place in (first, second)]
    difference = (paired if is_paired(outcomes, first, second) else unpaired)(*texts, 1 - plan.alpha)
    bounds = [rate_bounds(text.count(SUCCESS), text.count(UNSURE), len(text)) for text in texts]
    return ComparisonResult(
        first=first,
        second=second,
        **difference._asdict(),
        gap_bounds=gap_bounds(*bounds),
        ratio=_ratio(difference.success),
        corrected=_corrected(sides, plan.alpha) if kind_of(sides) else None,
        is_significant=False,
    )


def _corrected(sides, alpha):
    contrast, rates = sides.contrast(), (sides.rate(0).value, sides.rate(1).value)
    return CorrectedGap(
        contrast.value, contrast.interval(1 - alpha), success=rates, ratio=_ratio(rates), p=equality_p(contrast),
        by=kind_of(sides),
    )  # fmt: skip


def _ratio(rates):
    return min(rates) / max(rates) if max(rates) else None


def _adjusted(compared: Sequence[ComparisonResult], method: Callable[[list[float]], list[float]]):
    """Every comparison with its p-value adjusted by the method."""
    return zip(compared, method([each.shown.p for each in compared]), strict=True)


def _summary(results, outcomes, cells, known, alpha):
    worst, best = (pick(results, key=lambda cell: cell.shown.success) for pick in (min, max))
    confidence = 1 - alpha / len(results)  # Bonferroni: whichever of the compositions is the worst
    interval = wilson_interval(worst.successes, worst.num, confidence)
    if found := known.rate(CellPlace(worst.setting, worst.cell), outcomes[worst.place], cells[worst.cell]):
        interval = found[0].interval(confidence)
    least, most = worst.shown.success, best.shown.success
    return SettingSummary(
        worst_cell=worst.cell,
        worst=least,
        worst_interval=interval,
        best_cell=best.cell,
        best=most,
        gap=most - least,
        ratio=least / most if most else None,
        undetermined=sum(cell.undetermined for cell in results),
    )
