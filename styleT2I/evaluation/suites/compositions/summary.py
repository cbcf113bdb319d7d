"""From cells to the metrics that a method of adjustment is judged by; all comparisons are on the same latents."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from styleT2I.statistics.intervals import bootstrap_interval, newcombe_paired_interval
from styleT2I.torch_utils.seeding import generator

BASELINE = "none"  # Text-to-Direction alone: what a gain is a gain over


def add_comparisons(cells: list[dict]) -> None:
    """Give every rare cell its gap to the frequent twin, and every cell its gain over the baseline, with intervals."""
    by_key = {(cell["method"], cell["cell"]): cell for cell in cells}
    twins = {(cell["method"], cell["composition"]): cell for cell in cells if cell["kind"] == "frequent"}
    for cell in cells:
        if cell["kind"] == "rare":
            cell["gap"], cell["gap_interval"] = _paired(twins[cell["method"], cell["composition"]], cell)
        plain = by_key.get((BASELINE, cell["cell"]))
        if plain and plain is not cell:
            cell["gain"], cell["gain_interval"] = _paired(cell, plain)


def summarise(cells: list[dict], method: str, nuisance_groups: Mapping[str, tuple[str, ...]]) -> dict:
    """Metrics of one method over its cells, those of `add_comparisons`, and its gain over the baseline if measured.

    "rare", "frequent": success, mean (95 % interval by a bootstrap over latents) and worst cell; "gap": frequent less
    rare on the same latents; "gain": success less the baseline's; "drift": rate of images in which an attribute
    changed that nobody asked for; "nuisances": change in units of their spread, also by group (`World`'s; a nuisance
    of no group is of the face); "kept": what `CellMeasure` says of the person, pose, background and clothes: mean, and
    "difference" from the baseline on the same latents; "success_real" (of the world's own images, by the same judge)
    and "frechet": mean over cells, None where one of them has none;
    "by_count": success by number of attributes in the sentence.
    """
    own = [cell for cell in cells if cell["method"] == method]
    plain = [cell for cell in cells if cell["method"] == BASELINE]
    rare, frequent, counts = (_of_kind(own, kind) for kind in ("rare", "frequent", "count"))
    gaps = _rights(frequent) - _rights(rare)
    worst = max(rare, key=lambda cell: cell["gap"])
    summary = {
        "rare": _success(rare),
        "frequent": _success(frequent),
        "gap": gaps.mean().item(),
        "gap_interval": _interval(gaps),
        "gap_worst": worst["gap"],
        "gap_worst_interval": worst["gap_interval"],
        "gap_worst_cell": worst["cell"],
        "drift": _drift(rare + frequent),
        "nuisances": _nuisances(rare + frequent, nuisance_groups),
        "kept": _kept(rare + frequent, []),
        **{
            key: {kind: _mean_known(group, key) for kind, group in _pair(rare, frequent)}
            for key in ("success_real", "frechet")
        },
        "by_count": {cell["cell"].split()[0]: _count(cell) for cell in counts},
    }
    if plain and method != BASELINE:
        others = _of_kind(plain, "rare"), _of_kind(plain, "frequent")
        summary["kept"] = _kept(rare + frequent, others[0] + others[1])
        summary["gain"] = {
            kind: _gain(group, other) for (kind, group), other in zip(_pair(rare, frequent), others, strict=True)
        }
        summary["frechet_ratio"] = {
            kind: _ratio(summary["frechet"][kind], _mean_known(other, "frechet")) for kind, other in _pair(*others)
        }
    return summary


def _paired(first, second):
    """Difference of two cells' success on the same latents, and Newcombe's interval of it."""
    a, b = (torch.tensor([int(digit) for digit in cell["right"]]) for cell in (first, second))
    counts = [int(((a == x) & (b == y)).sum()) for x, y in ((1, 1), (1, 0), (0, 1), (0, 0))]
    return (counts[1] - counts[2]) / len(a), newcombe_paired_interval(*counts)


def _of_kind(cells, kind):
    return [cell for cell in cells if cell["kind"] == kind]


def _pair(rare, frequent):
    return (("rare", rare), ("frequent", frequent))


def _rights(cells) -> torch.Tensor:
    """[N latents, C cells] of zeros and ones."""
    return torch.tensor([[int(digit) for digit in cell["right"]] for cell in cells], dtype=torch.float64).t()


def _interval(values):
    return bootstrap_interval(values, generator("evaluate", "compositions"))


def _mean(values):
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def _mean_known(cells, key):
    values = [cell[key] for cell in cells]
    return None if None in values else _mean(values)


def _ratio(distance, other):
    return None if distance is None or other is None else distance / max(other, 1e-9)


def _success(cells):
    rights, worst = _rights(cells), min(cells, key=lambda cell: cell["success"])
    return {
        "mean": rights.mean().item(),
        "interval": _interval(rights),
        "worst": worst["success"],
        "worst_interval": worst["success_interval"],
        "worst_cell": worst["cell"],
        "unedited": _mean(cell["unedited"] for cell in cells),
        "num_cells": len(cells),
    }


def _gain(cells, plain):
    gains = _rights(cells) - _rights(plain)
    worst = min(cells, key=lambda cell: cell["gain"])
    return {
        "mean": gains.mean().item(),
        "interval": _interval(gains),
        "worst": worst["gain"],
        "worst_interval": worst["gain_interval"],
        "worst_cell": worst["cell"],
    }


def _drift(cells):
    """By attribute over the cells that leave it open: mean and worst cell; then over attributes."""
    by_attribute = {}
    for name in dict.fromkeys(name for cell in cells for name in cell["drift"]):
        open_cells = [cell for cell in cells if name in cell["drift"]]
        worst = max(open_cells, key=lambda cell: cell["drift"][name])
        mean = _mean(cell["drift"][name] for cell in open_cells)
        by_attribute[name] = {"mean": mean, "worst": worst["drift"][name], "worst_cell": worst["cell"]}
    worst = max(by_attribute, key=lambda name: by_attribute[name]["mean"])
    return {
        "mean": _mean(metrics["mean"] for metrics in by_attribute.values()),
        "worst": by_attribute[worst]["mean"],
        "worst_attribute": worst,
        "attributes": by_attribute,
    }


def _nuisances(cells, nuisance_groups):
    """Mean change of every readable nuisance, and of the groups that users know; {} where the judge reads none."""
    each = {name: _mean(cell["nuisances"][name] for cell in cells) for name in cells[0]["nuisances"]}
    if not each:
        return {}
    grouped = {name: group for group, members in nuisance_groups.items() for name in members}
    groups = {}
    for name, value in each.items():
        whole = name.partition("[")[0].partition("=")[0]  # of one entry of a colour, or of one of several kinds
        groups.setdefault(grouped.get(whole, "face"), []).append(value)
    return {"mean": _mean(each.values()), **{group: _mean(found) for group, found in groups.items()}, "each": each}


def _kept(cells, plain):
    """Means over cells and latents, and differences from the same cells of the baseline, with intervals over latents.

    A latent whose image has no pixel to compare in one of them is left out of that cell; a name without any, of all.
    """
    found = {}
    for name in cells[0]["kept"]:
        own = _kept_values(cells, name)
        if own.isnan().all():
            continue
        found[name] = {"mean": own.nanmean().item()}
        difference = (own - _kept_values(plain, name)).nanmean(dim=1) if plain else own[:0, 0]  # [N latents]
        difference = difference[~difference.isnan()]
        if len(difference):
            found[name] |= {"difference": difference.mean().item(), "difference_interval": _interval(difference)}
    return found


def _kept_values(cells, name) -> torch.Tensor:
    """[N latents, C cells], NaN where nothing could be compared."""
    rows = [[math.nan if value is None else value for value in cell["kept"][name]] for cell in cells]
    return torch.tensor(rows, dtype=torch.float64).t()


def _count(cell):
    keys = ("success", "success_interval", "unedited", "frechet")
    drift = _mean(cell["drift"].values())
    gain = {key: cell[key] for key in ("gain", "gain_interval") if key in cell}
    return {**{key: cell[key] for key in keys}, "drift": drift, **gain}
