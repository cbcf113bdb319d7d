"""Agreement of two judges: rates and Cohen's kappa with intervals, from 3 x 3 tables of verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from styleT2I.fairness.analysis.outcomes import FAILURE, SUCCESS, UNSURE, success_letters
from styleT2I.metrics.attributes import NO, UNDETERMINED, YES
from styleT2I.statistics.agreement import kappa_interval
from styleT2I.statistics.intervals import wilson_interval

__all__ = ["agreement", "agreement_tables"]

_VERDICTS, _LETTERS = (YES, NO, UNDETERMINED), (SUCCESS, FAILURE, UNSURE)


def agreement_tables(
    first: torch.Tensor,
    second: torch.Tensor,
    names_first: Sequence[str],
    names_second: Sequence[str],
    attributes: Mapping[str, bool],
) -> dict:
    """Verdicts of two judges on the images of one composition, cross-tabulated.

    Args:
        first, second: Verdicts int8 [N, A] and [N, B] on the same images.
        names_first, names_second: Attributes of the columns.
        attributes: What the composition asks for.

    Returns:
        "success": counts [3, 3] of yes, no and undetermined, one row per verdict of the first judge; "attributes": the
        same for each attribute that both know.
    """
    letters_first = success_letters(first, attributes, names_first)
    letters_second = success_letters(second, attributes, names_second)
    pairs = list(zip(letters_first, letters_second, strict=True))
    shared = [name for name in names_first if name in names_second]
    return {
        "success": [[pairs.count((a, b)) for b in _LETTERS] for a in _LETTERS],
        "attributes": {
            name: _table(first[:, names_first.index(name)], second[:, names_second.index(name)]) for name in shared
        },
    }


def agreement(tables: Mapping[tuple[str, str], dict]) -> dict:
    """Agreement of two judges in every cell, and over all cells of each setting.

    Args:
        tables: (setting, composition) -> `agreement_tables`.

    Returns:
        "settings": by setting, "cells": one entry per cell. Each has "success" and "attributes" with the number of
        images, the rate of agreement and kappa, with 95 % intervals.
    """
    settings = dict.fromkeys(setting for setting, _ in tables)
    return {
        "settings": {
            name: _rates(_sum([table for (setting, _), table in tables.items() if setting == name]))
            for name in settings
        },
        "cells": [{"setting": setting, "cell": cell, **_rates(table)} for (setting, cell), table in tables.items()],
    }


def _table(first: torch.Tensor, second: torch.Tensor) -> list[list[int]]:
    return [[int(((first == a) & (second == b)).sum()) for b in _VERDICTS] for a in _VERDICTS]


def _sum(tables: Sequence[dict]) -> dict:
    names = tables[0]["attributes"]
    return {
        "success": _added([table["success"] for table in tables]),
        "attributes": {name: _added([table["attributes"][name] for table in tables]) for name in names},
    }


def _added(tables: Sequence[list[list[int]]]) -> list[list[int]]:
    return torch.tensor(tables).sum(dim=0).tolist()


def _rates(tables: dict) -> dict:
    return {
        "success": _rates_of_table(tables["success"]),
        "attributes": {name: _rates_of_table(table) for name, table in tables["attributes"].items()},
    }


def _rates_of_table(table: list[list[int]]) -> dict:
    num, num_agreed = sum(map(sum, table)), sum(table[k][k] for k in range(len(table)))
    kappa = kappa_interval(table)
    return {
        "num": num,
        "agreement": num_agreed / num,
        "agreement_interval": list(wilson_interval(num_agreed, num)),
        "kappa": kappa and kappa[0],
        "kappa_interval": kappa and list(kappa[1]),
    }
