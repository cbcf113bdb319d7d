"""Do two judges see the same: shares of agreement and Cohen's kappa with intervals, from 3 x 3 tables of verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

import torch

from styleT2I.fairness.analysis.outcomes import FAILURE, SUCCESS, UNSURE, success_letters
from styleT2I.metrics.attributes import NO, UNDETERMINED, YES
from styleT2I.statistics.intervals import wilson_interval

__all__ = ["agreement", "agreement_tables", "kappa_interval"]

_VERDICTS, _LETTERS = (YES, NO, UNDETERMINED), (SUCCESS, FAILURE, UNSURE)


def agreement_tables(first, second, names_first, names_second, attributes: Mapping[str, bool]) -> dict:
    """How often one judge said this and the other that, of one composition's pictures.

    first, second: verdicts int8 [N, A] of attributes names_first and names_second. "success": counts [3][3] of yes, no
    and undetermined, a row a verdict of the first; "attributes": the same of each that both know.
    """
    letters = [success_letters(*one) for one in ((first, attributes, names_first), (second, attributes, names_second))]
    pairs = list(zip(*letters, strict=True))
    shared = [name for name in names_first if name in names_second]
    return {
        "success": [[pairs.count((a, b)) for b in _LETTERS] for a in _LETTERS],
        "attributes": {
            name: _table(first[:, names_first.index(name)], second[:, names_second.index(name)]) for name in shared
        },
    }


def agreement(tables: Mapping[tuple[str, str], dict]) -> dict:
    """Agreement in every cell, (setting, composition) -> `agreement_tables`, and over all cells of each setting."""
    settings = dict.fromkeys(setting for setting, _ in tables)
    return {
        "settings": {
            name: _figures(_sum(one for (setting, _), one in tables.items() if setting == name)) for name in settings
        },
        "cells": [{"setting": setting, "cell": cell, **_figures(one)} for (setting, cell), one in tables.items()],
    }


def kappa_interval(table: list[list[int]], confidence: float = 0.95) -> tuple[float, tuple[float, float]] | None:
    """Cohen's kappa of counts [K][K] and its interval; None where a judge says one and the same throughout.

    Kappa is then 0 or undefined, however often they agree.
    The variance is that of Fleiss, Cohen and Everitt (1969, Psychological Bulletin 72, 323). It is 0 where the judges
    never differ, which few pictures do not prove: there the interval is Wilson's of the share of agreement, brought to
    kappa by the agreement that chance would give.
    """
    counts = torch.tensor(table, dtype=torch.float64)
    num = float(counts.sum())
    if not num:
        return None
    shares = counts / num
    rows, columns = shares.sum(dim=1), shares.sum(dim=0)
    if min((counts.sum(dim=dim) > 0).sum() for dim in (0, 1)) < 2:
        return None
    observed, expected = float(shares.trace()), float(rows @ columns)
    kappa = (observed - expected) / (1 - expected)
    if observed == 1:
        low, _ = wilson_interval(int(num), int(num), confidence)
        return 1.0, ((low - expected) / (1 - expected), 1.0)
    right = float((shares.diagonal() * (1 - (rows + columns) * (1 - kappa)) ** 2).sum())
    crossed = (columns[:, None] + rows[None, :]) ** 2  # [i, j]: who says i second, who says j first
    wrong = (1 - kappa) ** 2 * float((shares * crossed).sum() - (shares.diagonal() * crossed.diagonal()).sum())
    variance = (right + wrong - (kappa - expected * (1 - kappa)) ** 2) / ((1 - expected) ** 2 * num)
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(max(variance, 0.0))
    return kappa, (max(kappa - half, -1.0), min(kappa + half, 1.0))


def _table(first, second):
    return [[int(((first == a) & (second == b)).sum()) for b in _VERDICTS] for a in _VERDICTS]


def _sum(tables):
    tables = list(tables)
    names = tables[0]["attributes"]
    return {
        "success": _added([one["success"] for one in tables]),
        "attributes": {name: _added([one["attributes"][name] for one in tables]) for name in names},
    }


def _added(tables):
    return torch.tensor(tables).sum(dim=0).tolist()


def _figures(tables):
    return {
        "success": _one(tables["success"]),
        "attributes": {name: _one(table) for name, table in tables["attributes"].items()},
    }


def _one(table):
    num, num_agreed = sum(map(sum, table)), sum(table[k][k] for k in range(len(table)))
    kappa = kappa_interval(table)
    return {
        "num": num,
        "agreement": num_agreed / num,
        "agreement_interval": list(wilson_interval(num_agreed, num)),
        "kappa": kappa and kappa[0],
        "kappa_interval": kappa and list(kappa[1]),
    }
