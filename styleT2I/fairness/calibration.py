"""How often the judge errs in each composition, measured on labelled pictures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from styleT2I.attributes.compositions import composition_name, contradiction
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.data.dataset import open_dataset
from styleT2I.errors import ConfigError, DataError
from styleT2I.evaluation.samples import picture_features
from styleT2I.fairness.judge_error import Confusion
from styleT2I.fairness.plan import AuditPlan
from styleT2I.metrics.attributes import encode_requests, success, verdicts
from styleT2I.model import Model

__all__ = ["calibrate", "read_calibration"]


def calibrate(plan: AuditPlan, vocabulary: Vocabulary, model: Model, num: int) -> dict:
    """Confusion of the plan's judge in every composition, ready for JSON, over unseen MiniFaces pictures.

    num pictures show the composition; as many, in equal parts, lack one of its attributes each, the near misses.
    ConfigError for another vocabulary, of which there are no labelled pictures to draw.
    """
    if vocabulary.name != "minifaces":
        raise ConfigError(f"labelled pictures can be drawn for minifaces only, not for {vocabulary.name!r}")
    judge, resolution = model.network(plan.judge.role), model.network("generator").resolution
    cells = {}
    for name, attributes in plan.cells(vocabulary).items():
        misses = [{**attributes, missed: not attributes[missed]} for missed in attributes]
        misses = [miss for miss in misses if not contradiction(miss, vocabulary)]
        parts = [(attributes, num), *((miss, -(-num // len(misses))) for miss in misses)]
        right, says_yes = [], []
        for shown, count in parts:
            text = composition_name(shown, vocabulary).replace(" ", "_")
            pictures = open_dataset(f"minifaces:composition={text}/test:{count}", resolution, with_masks=False)
            features, labels = picture_features(judge, pictures, range(count))
            requests = encode_requests([attributes] * count, judge.attribute_names)
            verdict = verdicts(judge.logits_of(features), plan.judge.margin).cpu()
            columns = [pictures.attribute_names.index(one) for one in judge.attribute_names]
            right.append(success(labels[:, columns].to(torch.int8), requests))
            says_yes.append(success(verdict, requests))
        cells[name] = _confusion(torch.cat(right), torch.cat(says_yes))
    return {
        "judge": asdict(plan.judge),
        "judge_sha256": model.describe()["components"][plan.judge.role],
        "data": "minifaces, split test",
        "num": num,
        "cells": cells,
    }


def read_calibration(path: str | Path, plan: AuditPlan, vocabulary: Vocabulary) -> dict:
    """What `calibrate` wrote, with a `Confusion` for every composition of the plan, or DataError in one line."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        cells = {name: Confusion(**counts) for name, counts in found["cells"].items()}
        judge, sha256 = found["judge"], found["judge_sha256"]
    except OSError as error:
        raise DataError(f"{path}: cannot read the calibration: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a calibration that can be used: {error}") from error
    if judge != asdict(plan.judge):
        raise DataError(f"{path}: was measured with another judge or margin than the plan's; calibrate again")
    if missing := [name for name in plan.cells(vocabulary) if name not in cells]:
        raise DataError(f"{path}: has nothing about {missing[0]!r}; calibrate this plan")
    return {"judge_sha256": sha256, "num": found.get("num"), "data": found.get("data"), "cells": cells}


def _confusion(right, says_yes):
    kinds = {"true_positive": (1, 1), "false_negative": (1, 0), "false_positive": (0, 1), "true_negative": (0, 0)}
    return {name: int(((right == a) & (says_yes == b)).sum()) for name, (a, b) in kinds.items()}
