"""What the way of drawing changes, on the same latents: gaps by setting, and success with an adjustment and without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch

from styleT2I.fairness.analysis.outcomes import SUCCESS
from styleT2I.fairness.plan import AuditPlan
from styleT2I.statistics.intervals import bootstrap_interval
from styleT2I.torch_utils.seeding import generator

__all__ = ["adjustment_effect", "curves"]


def curves(plan: AuditPlan, outcomes: Mapping[tuple[str, str], dict], compared: Iterable[Mapping]) -> dict | None:
    """The gap of every primary comparison in every setting, and its change from the primary one; None without a sweep.

    compared: comparisons as `analyse` makes them, those in all settings among them.
    """
    primary, *others = plan.settings
    if not (others and plan.comparisons):
        return None
    found = {_place(one): one for one in compared}
    rows = []
    for one in plan.comparisons:
        base = _differences(outcomes, primary.name, one)
        for setting in plan.settings:
            figures = found[setting.name, one.first, setting.name, one.second]
            row = {
                "comparison": one.name,
                "truncation_psi": setting.truncation_psi,
                "method": setting.method,
                "strength": setting.strength,
                "first_success": figures["success"][0],
                "second_success": figures["success"][1],
                "gap": figures["gap"],
                "gap_interval": figures["gap_interval"],
                "change": None,
                "change_interval": None,
            }
            if setting != primary:
                change = _differences(outcomes, setting.name, one) - base
                source = generator("audit", "curves", one.name, setting.name)
                row |= {"change": float(change.mean()), "change_interval": list(bootstrap_interval(change, source))}
            rows.append(row)
    return {
        "explanation": "Gap of every primary comparison (first less second) by setting, with Newcombe's interval. "
        "Change: this gap less that of the primary setting, on the same latents, with a bootstrap interval over them. "
        "The intervals are 95 % each, not adjusted for their number; gaps outside the primary setting are exploratory.",
        "rows": rows,
    }


def adjustment_effect(
    plan: AuditPlan,
    cells: Iterable[str],
    outcomes: Mapping[tuple[str, str], dict],
    compared: Iterable[Mapping],
) -> dict | None:
    """Success with every method of adjustment less success with none, by composition and over all of them.

    compared: as in `curves`. None where the plan does not draw with a method and without.
    """
    primary = plan.settings[0]
    by_method = {one.method: one.name for one in plan.settings if one == replace(primary, method=one.method)}
    without = by_method.pop("none", None)
    if not (without and by_method):
        return None
    found, cells, rows = {_place(one): one for one in compared}, list(cells), []
    for method, setting in by_method.items():
        values = torch.stack([_successes(outcomes, setting, cell) - _successes(outcomes, without, cell)
                              for cell in cells], dim=1)  # fmt: skip
        interval = bootstrap_interval(values, generator("audit", "adjustment", method))
        shares = [
            float(torch.stack([_successes(outcomes, name, cell) for cell in cells]).mean())
            for name in (setting, without)
        ]
        rows.append(_row(method, "all", *shares, float(values.mean()), list(interval)))
        for cell in cells:
            place = setting, cell, without, cell
            one, sign = (found[place], 1) if place in found else (found[place[2:] + place[:2]], -1)
            shares, ends = one["success"][::sign], sorted(sign * end for end in one["gap_interval"])
            only = [one["pairs"][key] for key in ("only_first", "only_second")][::sign]
            row = _row(method, cell, *shares, sign * one["gap"], ends)
            rows.append(row | {"only_with": only[0], "only_without": only[1], "p": one["p"],
                               "p_benjamini_hochberg": one["p_benjamini_hochberg"]})  # fmt: skip
    return {
        "explanation": "Success with the adjustment less success without it (Text-to-Direction alone), on the same "
        "latents: Newcombe's paired interval, exact McNemar test, p-values adjusted with all exploratory comparisons. "
        "All: the mean over compositions, with a bootstrap interval over latents.",
        "rows": rows,
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


def _place(one):
    return tuple(one[side][key] for side in ("first", "second") for key in ("setting", "cell"))


def _successes(outcomes, setting, cell):
    """1 for success, else 0, float64 [N]."""
    return torch.tensor([letter == SUCCESS for letter in outcomes[setting, cell]["success"]], dtype=torch.float64)


def _differences(outcomes, setting, one):
    return _successes(outcomes, setting, one.first) - _successes(outcomes, setting, one.second)
