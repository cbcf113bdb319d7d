"""Calibration of a judge: its errors in each composition, measured on labelled images."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

from styleT2I.attributes.compositions import contradiction
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.config import to_dict
from styleT2I.data.dataset import Dataset, open_dataset
from styleT2I.data.worlds import WORLDS, world_of
from styleT2I.errors import ConfigError, DataError
from styleT2I.fairness.judges.joint_tally import JointTally, joint_sets
from styleT2I.fairness.judges.judge import Judge, columns_of
from styleT2I.fairness.judges.spec import JudgePlan
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.results import Calibration
from styleT2I.statistics.joint_errors import JointErrors
from styleT2I.statistics.misclassification import Confusion

__all__ = ["calibrate", "check_same_judge", "read_calibration"]

_BATCH_SIZE = 64
_KINDS = {"true_positive": (1, 1), "false_negative": (1, 0), "false_positive": (0, 1), "true_negative": (0, 0)}


def calibrate(
    plan: AuditPlan, vocabulary: Vocabulary, judge: Judge, num: int, resolution: int | None, data: str | None = None
) -> dict:
    """Confusion matrices of a judge by composition, measured on labelled images.

    Args:
        plan: Its compositions are measured.
        vocabulary: That of the plan.
        judge: As `open_judge` gives it.
        num: Images at most that show a composition, and as many that lack exactly one of its attributes.
        resolution: Of the images, px; None: that of the data.
        data: A labelled data set as `data.dataset.open_dataset` takes it; None: images of the vocabulary's world
            that no network was trained on: drawn in equal parts, or of balanced/test where a world is rendered before.

    Returns:
        Ready for JSON. "cells": counts by composition; "attributes": the judge's errors about one attribute where the
        others of the composition hold, such as lipstick among men; "joint": counts over joint states of the attributes
        of every comparison and unprompted entry, as `statistics.joint_errors.JointErrors` takes them.

    Raises:
        ConfigError: No data is given for a vocabulary of no world, or the judge does not know an attribute.
        DataError: The data has no labels of an attribute, or no image of a composition, or is not rendered.

    >>> from styleT2I.attributes.vocabulary import load_vocabulary
    >>> from styleT2I.fairness.judges.judge import open_judge
    >>> plan, vocabulary = AuditPlan("hats", compositions=("he+hat",)), load_vocabulary("minifaces")
    >>> judge = open_judge(plan.judge, vocabulary)
    >>> counts = calibrate(plan, vocabulary, judge, num=10, resolution=64)["cells"]["he+hat"]
    >>> counts["true_positive"] + counts["false_negative"]
    10
    """
    cells = plan.cells(vocabulary)
    judge.check({name for cell in cells.values() for name in cell})
    tallies = {name: Tally(attributes, num) for name, attributes in cells.items()}
    joint = [JointTally(names, num) for names in joint_sets(plan, vocabulary)]
    world = _world(vocabulary) if data is None else None
    source = data or ""
    if world is not None:
        source = f"{world.name}, split test" if world.is_drawn else world.spec("balanced/test")
    if world is not None and world.is_drawn:
        for tally in tallies.values():
            _count_composition(tally, world, judge, resolution)
        for each in joint:
            for shown in each.states(vocabulary):
                _count_drawn(each, shown, each.room[shown], world, judge, resolution)
    else:
        every = [*tallies.values(), *joint]
        _count_data(every, vocabulary, judge, open_dataset(source, resolution, with_masks=False), source)
    for name, tally in tallies.items():
        _check_counted(name, tally, source)
    return {
        "judge": to_dict(plan.judge),
        "judge_sha256": judge.sha256,
        "data": source,
        "num": num,
        "cells": {name: _matrix(tally.cell) for name, tally in tallies.items()},
        "attributes": {
            name: {attribute: _matrix(counts) for attribute, counts in tally.attributes.items()}
            for name, tally in tallies.items()
        },
        "joint": [found for each in joint if (found := each.describe(vocabulary)) is not None],
    }


Counts = dict[tuple[bool, bool], int]  # (the image shows it, the judge says so) -> images


class Tally:
    """Verdicts of a judge on images with one composition, and on those that miss it by one attribute."""

    def __init__(self, attributes: Mapping[str, bool], num: int):
        self.wanted, self.room = dict(attributes), {True: num, False: num}
        self.cell: Counts = {}
        self.attributes: dict[str, Counts] = {name: {} for name in attributes}  # of each, where the others hold

    def add(self, holds: torch.Tensor, is_seen: torch.Tensor) -> None:
        """Count images. holds, is_seen: bool [N, K], whether each wanted attribute is there, and is judged to be."""
        misses = (~holds).sum(dim=1)
        for row in ((misses == 0) | (misses == 1)).nonzero().flatten().tolist():
            is_shown = bool(misses[row] == 0)
            if not self.room[is_shown]:
                continue
            self.room[is_shown] -= 1
            _count(self.cell, is_shown, bool(is_seen[row].all()))
            for column, name in enumerate(self.wanted):
                if is_shown or not holds[row, column]:
                    _count(self.attributes[name], is_shown, bool(is_seen[row, column]))

    @property
    def is_full(self) -> bool:
        """Whether enough images with and without the composition are counted."""
        return not any(self.room.values())


def read_calibration(path: str | Path, plan: AuditPlan, vocabulary: Vocabulary) -> Calibration:
    """The calibration in a file that `audit calibrate` wrote; a warning where the plan lets it correct nothing.

    Raises:
        DataError: It cannot be read, is of another judge than the plan's, or lacks a composition of the plan; one line.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        cells = {name: Confusion(**counts) for name, counts in content["cells"].items()}
        judge = {**to_dict(JudgePlan()), **content["judge"]}
        joint = tuple(JointErrors(tuple(one["attributes"]), one["counts"]) for one in content.get("joint", ()))
        calibration = Calibration(content["judge_sha256"], content.get("num"), content.get("data"), cells, joint)
    except OSError as error:
        raise DataError(f"{path}: cannot read the calibration: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a usable calibration: {error}") from error
    if judge != to_dict(plan.judge):
        raise DataError(f"{path}: was measured with another judge or margin than the plan's; run audit calibrate again")
    if missing := [name for name in plan.cells(vocabulary) if name not in cells]:
        raise DataError(f"{path}: does not cover {missing[0]!r}; run audit calibrate with this plan")
    if not plan.transports:
        warnings.warn(
            "the plan does not declare that the judge errs on the model's images as on those that calibrated it "
            "(transports: true), so nothing is corrected; the report shows what would be",
            stacklevel=3,
        )
    return calibration


def check_same_judge(calibration: Calibration, sha256: str | None) -> None:
    """DataError where a calibration is of another judge than the one with this hash."""
    if calibration.judge_sha256 != sha256:
        raise DataError(
            "the calibration is of another judge than the audit's; run audit calibrate with this plan and model"
        )


def _world(vocabulary):
    world = world_of(vocabulary)
    if world is None:
        raise ConfigError(
            f"labelled images are known for {' and '.join(WORLDS)} only, not for {vocabulary.name!r}; "
            "give some with --data"
        )
    return world


def _count_composition(tally, world, judge, resolution):
    vocabulary = world.vocabulary
    misses = [{**tally.wanted, missed: not tally.wanted[missed]} for missed in tally.wanted]
    misses = [miss for miss in misses if not contradiction(miss, vocabulary)]
    num = tally.room[True]
    for shown, count in [(tally.wanted, num), *((miss, -(-num // len(misses))) for miss in misses)]:
        _count_drawn(tally, shown, count, world, judge, resolution)


def _count_drawn(tally, shown, count, world, judge, resolution):
    """Count `count` drawings that show the attributes."""
    spec = world.composition_spec(dict(shown), count)
    _count_data([tally], world.vocabulary, judge, open_dataset(spec, resolution, with_masks=False), spec, count)


def _count_data(tallies, vocabulary, judge, data: Dataset, spec, num=None):
    """Count the images of a data set, or the first num, in each of the tallies; DataError without labels."""
    labelled = columns_of(data.attribute_names or (), vocabulary)
    asked = {name for tally in tallies for name in tally.wanted}
    if missing := sorted(asked - labelled.keys()):
        raise DataError(
            f"{spec}: has no labels of {', '.join(missing)}; add them to its attributes.csv, or name other data"
        )
    num = len(data) if num is None else num
    for start in range(0, num, _BATCH_SIZE):
        batch = data.batch(range(start, min(start + _BATCH_SIZE, num)))
        labels, verdict = batch.attributes, judge.verdicts(batch.images_u8)
        assert labels is not None  # checked above by name
        for tally in tallies:
            holds = torch.stack([(labels[:, labelled[name][0]] == labelled[name][1]) == value
                                 for name, value in tally.wanted.items()], dim=1)  # fmt: skip
            seen = verdict[:, [judge.attribute_names.index(name) for name in tally.wanted]]
            if isinstance(tally, JointTally):
                tally.add(holds, seen)
                continue
            tally.add(holds, seen == torch.tensor([int(value) for value in tally.wanted.values()]))
        if all(tally.is_full for tally in tallies):
            break


def _check_counted(name, tally, spec):
    for is_shown, what in ((True, "shows"), (False, "misses by one attribute")):
        if not any(shown is is_shown for shown, _ in tally.cell):
            raise DataError(f"{spec}: no image {what} {name!r}; add some")


def _count(counts, *kind):
    counts[kind] = counts.get(kind, 0) + 1


def _matrix(counts):
    return {name: counts.get((bool(a), bool(b)), 0) for name, (a, b) in _KINDS.items()}
