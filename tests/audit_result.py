"""A small audit's result, counted by hand, and the cells it was made of, without a model."""

import json
from dataclasses import asdict, replace

import numpy as np
import torch

from styleT2I.attributes.compositions import read_composition
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict, to_dict
from styleT2I.fairness.analysis.assemble import analyse
from styleT2I.fairness.cells.cached import sealed
from styleT2I.fairness.plan import AuditPlan, plan_hash
from styleT2I.fairness.results import SCHEMA_VERSION, AuditResult, to_json
from styleT2I.statistics.misclassification import Confusion
from styleT2I.torch_utils.images import save_png

VOCABULARY = load_vocabulary("minifaces")
TILE = 16
ROWS = (("success", 3), ("failure", 2), ("unsure", 1))  # outcome and images of every sheet
BY_CELL = {"she+lipstick": "1" * 10, "he+lipstick": "11000000??", "he+beard": "11000000??"}
PLAN = {
    "name": "by hand",
    "num": 10,
    "compositions": list(BY_CELL),
    "comparisons": [
        {"name": "lipstick", "first": "she+lipstick", "second": "he+lipstick"},
        {"name": "same", "first": "he+beard", "second": "he+lipstick"},
    ],
    "thresholds": [{"comparison": "lipstick", "max_gap": 0.02}, {"comparison": "same", "max_gap": 0.2}],
    "max_undetermined": 0.5,
    "truncation": [0.7, 0.5],
    "adjustment": ["hold", "none"],
}


def audit_plan(**changes):
    return from_dict(AuditPlan, {**PLAN, **changes})


def audit_result(plan=None, is_calibrated=False):
    """The result of ten latents, every setting the same, as `audit run` would return it."""
    return AuditResult.from_json(audit_content(plan, is_calibrated))


def audit_content(plan=None, is_calibrated=False):
    """The same as the JSON that it is written to."""
    plan = replace(plan or audit_plan(), transports=is_calibrated)
    outcomes = {
        (setting.name, cell): {
            "success": letters,
            "attributes": dict.fromkeys(read_composition(cell, VOCABULARY), letters),
            "drift": {"hat": [1, 4], "old": [0, 0]},
        }
        for setting in plan.settings
        for cell, letters in BY_CELL.items()
    }
    confusions = {cell: Confusion(90, 10, 5, 95) for cell in BY_CELL} if is_calibrated else None
    calibration = confusions and {
        "judge_sha256": "c" * 64,
        "num": 100,
        "data": "drawings",
        "cells": {cell: asdict(counts) for cell, counts in confusions.items()},
        "joint": [],
    }
    return {
        **to_json(analyse(plan, VOCABULARY, outcomes, confusions)),
        "schema_version": SCHEMA_VERSION,
        "date": "2026-11-28T10:00:00Z",
        "environment": {"python": "3"},
        "declared": [
            {"utc": "2026-11-28T09:00:00Z", "sha256": plan_hash(plan), "is_before_images": True, "changes": []}
        ],
        "limits": ["Only what the judge perceives."],
        "plan": to_dict(plan),
        "plan_sha256": plan_hash(plan),
        "num_overridden": False,
        "calibration": calibration,
        **audit_origin(plan),
        "rerun": "python -m styleT2I.audit run plan.yaml --model toy --outdir audit",
    }


def audit_origin(plan):
    return {
        "model": {"name": "toy", "components": {"generator": "a" * 64, "judges.heldout": "c" * 64}},
        "subject": {"kind": "stylet2i", "is_paired": True, "has_settings": True},
        "judge": {**to_dict(plan)["judge"], "sha256": "c" * 64, "is_independent": True},
        "second_judge": None,
        "quality_data": "",
        "num": 10,
        "first_seed": plan.first_seed,
        "versions": {"styleT2I": "0.1", "torch": "2"},
    }


def write_cells(folder, plan=None, tile=TILE):
    """The cells of `audit_result`, each with a sheet of ROWS: the first tile of a row is red, green or blue."""
    plan = plan or audit_plan()
    (folder / "cells").mkdir(parents=True)
    for index, setting in enumerate(plan.settings):
        for name, attributes in plan.cells(VOCABULARY).items():
            path = folder / "cells" / f"{index}-{name}.json"
            rng = np.random.default_rng(index)
            pixels = rng.integers(0, 256, (len(ROWS) * tile, 3 * tile, 3)).astype(np.uint8)
            for row in range(len(ROWS)):
                pixels[row * tile : (row + 1) * tile, :tile] = 255 * np.eye(3)[row]
            save_png(path.with_suffix(".png"), torch.from_numpy(pixels).permute(2, 0, 1))
            rows = [{"outcome": outcome, "seeds": list(range(num))} for outcome, num in ROWS]
            origin = {"setting": asdict(setting), "attributes": attributes, **audit_origin(plan)}
            origin["sentence"] = plan.sentences_of(VOCABULARY)[name]
            cell = {"origin": origin, "outcomes": {}, "sheet": {"tile": tile, "rows": rows}}
            path.write_text(json.dumps(sealed(cell)), encoding="utf-8")
    return folder
