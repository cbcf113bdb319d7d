"""From outcomes to metrics with intervals, and margins over controls: what a system must score more than."""

from __future__ import annotations

import torch

from styleT2I.evaluation.suites.compositions.cells import Prompted
from styleT2I.evaluation.suites.systems.task import Outcomes
from styleT2I.metrics.frechet import frechet_distance
from styleT2I.statistics.intervals import (
    bootstrap_interval,
    bootstrap_spread,
    newcombe_paired_interval,
    wilson_interval,
)
from styleT2I.torch_utils.seeding import generator

RATES = {"success": "right", "each": "each", "r_precision": "found"}  # metric -> field of Scores


def metrics_of(outcomes: Outcomes, real: torch.Tensor, cells: list[Prompted]) -> dict:
    """Metrics of one system, ready for JSON; every one has its 95 % interval beside it as NAME_interval.

    "success": every requested attribute right (Wilson); "each": rate of the requested attributes; "r_precision"
    (bootstraps over images; None where too few captions can be ranked); "frechet": to the real images of the
    captions, features `real` [N, F]; "compositions": success on rare ones and their frequent twins, and the gap.
    """
    right = outcomes.own.right
    metrics = {"success": right.mean().item(), "success_interval": wilson_interval(int(right.sum()), len(right))}
    for name in ("each", "r_precision"):
        metrics |= _mean(name, getattr(outcomes.own, RATES[name]))
    metrics |= _distances({"frechet": (outcomes.features,)}, real)
    return {**metrics, "attributes": outcomes.attributes, "compositions": _compositions(outcomes.rights, cells)}


def over_shuffled(outcomes: Outcomes) -> dict:
    """Margins over the same images held against permuted captions, which a system blind to the text does not have.

    Each is {"control", "margin", "interval", "beats"}; no Frechet distance, which takes no notice of captions.
    """
    return {
        name: _margin(getattr(outcomes.own, field), getattr(outcomes.shuffled, field)) for name, field in RATES.items()
    }


def over_untrained(outcomes: Outcomes, twin: Outcomes, real: torch.Tensor) -> dict:
    """Margins, as above, over another system on the same captions and seeds; "frechet" counts what it is nearer."""
    margins = {name: _margin(getattr(outcomes.own, field), getattr(twin.own, field)) for name, field in RATES.items()}
    control = frechet_distance(twin.features, real)
    distances = _distances({"margin": (twin.features, outcomes.features)}, real)
    interval = distances["margin_interval"]
    frechet = {"control": control, "margin": distances["margin"], "interval": interval, "beats": interval[0] > 0}
    return {**margins, "frechet": frechet}


def paired_success(first: str, second: str) -> dict:
    """Success of one system less another's on the same captions, from their strings of "right", with its interval."""
    pairs = list(zip(first, second, strict=True))
    counts = [pairs.count(pair) for pair in (("1", "1"), ("1", "0"), ("0", "1"), ("0", "0"))]
    interval = newcombe_paired_interval(*counts)
    margin = (counts[1] - counts[2]) / len(pairs)
    return {
        "control": second.count("1") / len(second),
        "margin": margin,
        "interval": interval,
        "beats": interval[0] > 0,
    }


def _mean(name, values):
    if not len(values):
        return {name: None, f"{name}_interval": None}
    return {name: values.mean().item(), f"{name}_interval": bootstrap_interval(values, _draw(name))}


def _margin(own, control):
    """Mean of paired differences; Newcombe's interval for outcomes that are 0 or 1 on both sides, else a bootstrap."""
    if not len(own):
        return None
    if ((own == 0) | (own == 1)).all() and ((control == 0) | (control == 1)).all():
        return paired_success(*("".join(str(int(value)) for value in side.tolist()) for side in (own, control)))
    interval = bootstrap_interval(own - control, _draw("margin"))
    margin = (own - control).mean().item()
    return {"control": control.mean().item(), "margin": margin, "interval": interval, "beats": interval[0] > 0}


def _distances(named: dict[str, tuple], real):
    """Frechet distances to `real` by name: of one set, or of a pair the first's less the second's."""

    def distance(rows):
        values = []
        for features in named.values():
            distances = [frechet_distance(part[rows], real[rows]) for part in features]
            values.append(distances[0] - distances[1] if len(distances) == 2 else distances[0])
        return torch.tensor(values, dtype=torch.float64)

    every = torch.arange(len(real))
    values, spread = distance(every).tolist(), bootstrap_spread(distance, len(real), _draw("frechet")).tolist()
    metrics = {}
    for name, value, half in zip(named, values, spread, strict=True):
        metrics |= {name: value, f"{name}_interval": (value - half, value + half)}
    return metrics


def _compositions(rights, cells):
    kinds = {kind: [c for c, cell in enumerate(cells) if cell.kind == kind] for kind in ("rare", "frequent")}
    metrics = {}
    for kind, columns in kinds.items():
        own = rights[:, columns]
        worst = int(own.mean(dim=0).argmin())
        metrics[kind] = {
            "mean": own.mean().item(),
            "interval": bootstrap_interval(own, _draw("compositions")),
            "worst": own.mean(dim=0)[worst].item(),
            "worst_cell": cells[columns[worst]].name,
        }
    gap = rights[:, kinds["frequent"]] - rights[:, kinds["rare"]]
    each = dict(zip((cell.name for cell in cells), rights.mean(dim=0).tolist(), strict=True))
    return {**metrics, "gap": gap.mean().item(), "gap_interval": bootstrap_interval(gap, _draw("gap")), "cells": each}


def _draw(what):
    return generator("evaluate", "systems", what)
