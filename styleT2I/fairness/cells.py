"""An audit's cells on disk: the cached outcomes of finished ones, the images of unfinished ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.fairness.judges.spec import described
from styleT2I.fairness.plan import AuditPlan
from styleT2I.torch_utils.images import load_image, save_png

__all__ = ["KeptCell", "UnfinishedCell", "kept_cells", "read_cell"]


class KeptCell(NamedTuple):
    """A finished cell on disk."""

    place: tuple[str, str]  # setting and composition
    path: Path
    origin: dict  # what all cells of an audit share
    content: dict


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


class UnfinishedCell:
    """A PNG a seed in a folder of its own, there until the cell is finished; with None nothing is kept."""

    def __init__(self, folder: Path | None):
        self.folder = folder

    def pictures(
        self, seeds: Sequence[int], draw: Callable[[Sequence[int]], Sequence[torch.Tensor]]
    ) -> list[torch.Tensor]:
        """Pictures uint8 [3, H, W] of seeds: those kept, and the others as draw(seeds) gives them, one by one."""
        if self.folder is None:
            return draw(seeds)
        self.folder.mkdir(exist_ok=True)
        return [self._picture(seed, draw) for seed in seeds]

    def finish(self) -> None:
        """Drop the pictures."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _picture(self, seed, draw):
        path = self.folder / f"{seed}.png"
        if path.is_file():
            return load_image(path)
        (picture,) = draw([seed])
        save_png(path, picture)
        return picture


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
