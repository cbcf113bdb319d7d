"""One result of an audit's finished cells, in however many folders they lie."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.config import to_dict
from styleT2I.errors import DataError
from styleT2I.fairness.analysis.agreement import agreement
from styleT2I.fairness.analysis.assemble import analyse
from styleT2I.fairness.judges.calibration import check_same_judge
from styleT2I.fairness.judges.spec import described
from styleT2I.fairness.plan import AuditPlan, plan_hash

__all__ = ["KeptCell", "kept_cells", "merge_cells", "read_cell"]

LIMITS = (
    "Attributes are those that the judge perceives in drawn faces; no one's identity is inferred.",
    "The judge errs, and may err more in one group than in another; only gaps called corrected allow for that, by its "
    "errors on labelled drawings, which need not be those on the model's pictures.",
    "A share counts an undetermined picture as no success; the bounds take all of them either way.",
    "Figures hold for this model, these sentences and these settings.",
)
_STEERED = "A judge trained or steered what it judges here, which flatters it: do not rely on it alone."
_UNPAIRED = (
    "Pictures are not paired by seed: gaps have Newcombe's two-sample interval and Fisher's exact test, which need "
    "more pictures than pairs do to show the same gap."
)
_AS_DRAWN = (
    "Pictures are as they were drawn: there is no truncation or adjustment to vary, and no face without the sentence, "
    "by which drift would be measured."
)


class KeptCell(NamedTuple):
    """A finished cell on disk."""

    place: tuple[str, str]  # setting and composition
    path: Path
    origin: dict  # what all cells of an audit share
    content: dict


def merge_cells(
    plan: AuditPlan,
    vocabulary: Vocabulary,
    folders: Iterable[str | Path],
    origin: dict | None = None,
    calibration: dict | None = None,
) -> dict:
    """One result, ready for JSON, of the cells in several folders that `Audit.run` wrote to.

    origin: that of the cells to take, where it is known; calibration: as `read_calibration` has it. DataError for
    cells that are missing or come from more than one subject, num or judge, and for another judge's calibration.
    """
    outcomes, origins = _collected(plan, vocabulary, folders, origin)
    if len(origins) > 1:
        raise DataError("the folders hold cells of different models, versions or numbers; give each audit its folder")
    effective = plan if not origins or origins[0]["subject"]["has_settings"] else plan.without_settings()
    places = [(setting.name, name) for setting in effective.settings for name in plan.drawn_cells(vocabulary)]
    if missing := [place for place in places if place not in outcomes]:
        raise DataError(
            f"{len(missing)} of {len(places)} cells are missing, the first is {missing[0][1]!r} ({missing[0][0]}); "
            "run every shard, and name every folder"
        )
    (origin,) = origins
    if calibration:
        check_same_judge(calibration, origin["judge"]["sha256"])
    confusions = calibration and calibration["cells"]
    tables = {place: outcomes[place]["agreement"] for place in places} if plan.second_judge else None
    return {
        **analyse(effective, vocabulary, outcomes, confusions),
        **({"agreement": agreement(tables)} if tables else {}),
        "limits": _limits(origin, {len(outcomes[place]["success"]) for place in places}),
        "plan": to_dict(plan),
        "plan_sha256": plan_hash(plan),
        "num_overridden": origin["num"] != plan.num,
        "settings_left_out": [setting.name for setting in plan.settings if setting not in effective.settings],
        "calibration": calibration and {**calibration, "cells": {k: asdict(v) for k, v in confusions.items()}},
        **origin,
    }


def read_cell(path: Path) -> dict | None:
    """A kept cell; None where it is absent or damaged."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return kept if {"origin", "outcomes"} <= kept.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def kept_cells(plan: AuditPlan, vocabulary: Vocabulary, folders: Iterable[str | Path]) -> Iterator[KeptCell]:
    """Every cell in the folders that the plan declares, in the order of their names, from whatever subject or num."""
    sentences = plan.sentences_of(vocabulary)
    wanted = {
        json.dumps([asdict(setting), sentences[name], attributes], sort_keys=True): (setting.name, name)
        for one in (plan, plan.without_settings())
        for setting in one.settings
        for name, attributes in plan.drawn_cells(vocabulary).items()
    }
    for path in sorted(path for folder in folders for path in (Path(folder) / "cells").glob("*.json")):
        kept = read_cell(path)
        if kept is None:
            continue
        own = dict(kept["origin"])
        place = wanted.get(json.dumps([own.pop(key, None) for key in ("setting", "sentence", "attributes")],
                                      sort_keys=True))  # fmt: skip
        if place and _is_declared(plan, own):
            yield KeptCell(place, path, own, kept)


def _collected(plan, vocabulary, folders, origin):
    """Outcomes by (setting, composition), and the different origins they have."""
    outcomes, origins = {}, []
    for cell in kept_cells(plan, vocabulary, folders):
        if origin in (None, cell.origin):
            outcomes[cell.place] = cell.content["outcomes"]
            if cell.origin not in origins:
                origins.append(cell.origin)
    return outcomes, origins


def _is_declared(plan, own):
    """Whether a cell was drawn from the plan's seeds and judged by its judges."""
    return (
        own.get("first_seed") == plan.first_seed
        and "subject" in own
        and own.get("quality_data") == plan.quality_data
        and _is_judge(plan.judge, own.get("judge"))
        and _is_judge(plan.second_judge, own.get("second_judge"))
    )


def _is_judge(plan, said):
    if plan is None or said is None:
        return plan is None and said is None
    return all(said.get(key) == value for key, value in described(plan).items())


def _limits(origin, nums):
    judges = [one for one in (origin["judge"], origin["second_judge"]) if one]
    further = (
        (_STEERED, not all(one["is_independent"] for one in judges)),
        (_UNPAIRED, not origin["subject"]["is_paired"]),
        (_AS_DRAWN, not origin["subject"]["has_settings"]),
        (f"Compositions have from {min(nums)} to {max(nums)} pictures.", len(nums) > 1),
    )
    return [*LIMITS, *(text for text, is_so in further if is_so)]
