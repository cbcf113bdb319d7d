"""Effects of the settings on the same latents: gaps by setting, success with an adjustment and without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch

from styleT2I.fairness.analysis.outcomes import SUCCESS
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.results import ComparisonResult, Table
from styleT2I.statistics.intervals import bootstrap_interval
from styleT2I.torch_utils.seeding import generator

__all__ = ["adjustment_effect", "curves"]


def curves(
    plan: AuditPlan, outcomes: Mapping[tuple[str, str], dict], compared: Iterable[ComparisonResult]
) -> Table | None:
    """The counted gap of every primary comparison in every setting, and its change from the primary setting.

    Args:
        plan: The plan, with the settings that were drawn.
        outcomes: As `analyse` takes them.
        compared: Comparisons as `analyse` makes them, those in all settings among them.

    Returns:
        A row per comparison and setting; None without a sweep.
    """
    primary, *others = plan.settings
    if not (others and plan.comparisons):
        return None
    by_places = {each.places: each for each in compared}
    rows = []
    for declared in plan.comparisons:
        base = _differences(outcomes, primary.name, declared)
        for setting in plan.settings:
            measured = by_places[setting.name, declared.first, setting.name, declared.second]
            row = {
                "comparison": declared.name,
                "truncation_psi": setting.truncation_psi,
                "method": setting.method,
                "strength": setting.strength,
                "first_success": measured.success[0],
                "second_success": measured.success[1],
                "gap": measured.gap,
                "gap_interval": list(measured.gap_interval),
                "change": None,
                "change_interval": None,
            }
            if setting != primary:
                change = _differences(outcomes, setting.name, declared) - base
                source = generator("audit", "curves", declared.name, setting.name)
                row |= {"change": float(change.mean()), "change_interval": list(bootstrap_interval(change, source))}
            rows.append(row)
    return Table(
        "Gap of every primary comparison (first rate minus second) by setting, with Newcombe's interval. Change: this "
        "gap minus that of the primary setting, from the same seeds, with a bootstrap interval over seeds. All "
        "intervals are 95 %, not adjusted for their number. Gaps outside the primary setting are exploratory.",
        tuple(rows),
    )


def adjustment_effect(
    plan: AuditPlan,
    cells: Iterable[str],
    outcomes: Mapping[tuple[str, str], dict],
    compared: Iterable[ComparisonResult],
) -> Table | None:
    """Success with every method of adjustment less success with none, by composition and over all of them.

    Args:
        plan, outcomes, compared: As in `curves`.
        cells: Names of the compositions.

    Returns:
        A row per method and composition; None where the plan does not draw with a method and without.
    """
    primary = plan.settings[0]
    by_method = {setting.method: setting.name for setting in plan.settings
                 if setting == replace(primary, method=setting.method)}  # fmt: skip
    without = by_method.pop("none", None)
    if not (without and by_method):
        return None
    by_places, cells, rows = {each.places: each for each in compared}, list(cells), []
    for method, setting in by_method.items():
        rows.append(_mean_effect(outcomes, method, setting, without, cells))
        for cell in cells:
            places = setting, cell, without, cell
            is_swapped = places not in by_places
            measured = by_places[places[2:] + places[:2] if is_swapped else places]
            rows.append(_effect(method, cell, measured, is_swapped))
    return Table(
        "Success rate with the adjustment minus the rate without it (Text-to-Direction alone), from the same seeds: "
        "Newcombe's paired interval, exact McNemar test, p-values adjusted together with all exploratory comparisons. "
        "All: the mean over compositions, with a bootstrap interval over seeds.",
        tuple(rows),
    )


def _mean_effect(outcomes, method, setting, without, cells):
    """The row of all compositions together."""
    successes = [
        torch.stack([_successes(outcomes, name, cell) for cell in cells]) for name in (setting, without)
    ]  # [cells, N] each
    values = (successes[0] - successes[1]).T.contiguous()
    interval = bootstrap_interval(values, generator("audit", "adjustment", method))
    success_with, success_without = (float(each.mean()) for each in successes)
    return _row(method, "all", success_with, success_without, float(values.mean()), list(interval))


def _effect(method, cell, measured, is_swapped):
    """The row of one composition; is_swapped: the comparison is without the method less with it."""
    sign = -1 if is_swapped else 1
    only_with, only_without = (measured.pairs.only_first, measured.pairs.only_second)[::sign]
    ends = sorted(sign * end for end in measured.gap_interval)
    success_with, success_without = measured.success[::sign]
    return _row(method, cell, success_with, success_without, sign * measured.gap, ends) | {
        "only_with": only_with,
        "only_without": only_without,
        "p": measured.p,
        "p_benjamini_hochberg": measured.p_benjamini_hochberg,
    }


def _row(method, cell, success_with, success_without, effect, interval):
    return {
        "method": method,
        "cell": cell,
        "success_with": success_with,
        "success_without": success_without,
        "effect": effect,
        "effect_interval": interval,
    }


def _successes(outcomes, setting, cell):
    """1 for success, else 0, float64 [N]."""
    return torch.tensor([letter == SUCCESS for letter in outcomes[setting, cell]["success"]], dtype=torch.float64)


def _differences(outcomes, setting, declared):
    return _successes(outcomes, setting, declared.first) - _successes(outcomes, setting, declared.second)
