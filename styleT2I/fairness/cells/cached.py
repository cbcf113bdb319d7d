"""Cells of an audit on disk: cached outcomes of the finished ones, cached images of the unfinished ones."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import DataError
from styleT2I.fairness.judges.spec import described
from styleT2I.fairness.plan import AuditPlan
from styleT2I.torch_utils.images import load_image, save_png

__all__ = ["CachedCell", "UnfinishedCell", "cached_cells", "read_cell", "sealed"]


class CachedCell(NamedTuple):
    """A finished cell on disk."""

    place: tuple[str, str]  # setting and composition
    path: Path
    origin: dict  # what all cells of an audit share
    content: dict


def sealed(content: dict) -> dict:
    """The content of a cell with its digest, by which `read_cell` tells whether anybody changed it."""
    return {**content, "sha256": _digest(content)}


def read_cell(path: Path) -> dict | None:
    """The content of a cached cell; None where it is absent or damaged, or has no digest, as those of earlier versions.

    Raises:
        DataError: It is whole, and does not fit its digest: somebody changed it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not {"origin", "outcomes", "sha256"} <= content.keys():
            return None
    except (OSError, ValueError, AttributeError):
        return None
    sha256 = content.pop("sha256")
    if sha256 != _digest(content):
        raise DataError(f"{path}: was changed after the audit wrote it; delete it, and run the audit again")
    return content


def _digest(content):
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()


def cached_cells(plan: AuditPlan, vocabulary: Vocabulary, folders: Iterable[str | Path]) -> Iterator[CachedCell]:
    """Cells in the folders that the plan declares, in the order of their file names, of any subject and num."""
    sentences = plan.sentences_of(vocabulary)
    wanted = {
        json.dumps([asdict(setting), sentences[name], attributes], sort_keys=True): (setting.name, name)
        for variant in (plan, plan.without_settings())
        for setting in variant.settings
        for name, attributes in plan.drawn_cells(vocabulary).items()
    }
    for path in sorted(path for folder in folders for path in (Path(folder) / "cells").glob("*.json")):
        content = read_cell(path)
        if content is None:
            continue
        own = dict(content["origin"])
        place = wanted.get(json.dumps([own.pop(key, None) for key in ("setting", "sentence", "attributes")],
                                      sort_keys=True))  # fmt: skip
        if place and _is_declared(plan, own):
            yield CachedCell(place, path, own, content)


class UnfinishedCell:
    """Cache of the images of an unfinished cell, so that a killed audit of a slow generator need not redraw them.

    One PNG per seed, in a folder that is there until the cell is finished. With None nothing is cached.
    """

    def __init__(self, folder: Path | None):
        self.folder = folder

    def images(
        self, seeds: Sequence[int], draw: Callable[[Sequence[int]], Sequence[torch.Tensor]]
    ) -> Sequence[torch.Tensor]:
        """Images uint8 [3, H, W] of the seeds: cached ones, and the others as draw(seeds) gives them, one by one."""
        if self.folder is None:
            return draw(seeds)
        self.folder.mkdir(exist_ok=True)
        return [self._image(self.folder / f"{seed}.png", seed, draw) for seed in seeds]

    def finish(self) -> None:
        """Delete the cached images."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _image(self, path, seed, draw):
        if path.is_file():
            with contextlib.suppress(DataError):  # cut off: it is drawn again
                return load_image(path)
        (image,) = draw([seed])
        save_png(path, image)
        return image


def _is_declared(plan, own):
    """Whether a cell was drawn from the plan's seeds and judged by its judges."""
    return (
        own.get("first_seed") == plan.first_seed
        and "subject" in own
        and own.get("quality_data") == plan.quality_data
        and _is_judge(plan.judge, own.get("judge"))
        and _is_judge(plan.second_judge, own.get("second_judge"))
    )


def _is_judge(plan, facts):
    """Whether facts about a judge, as `Judge.describe` gives them, are of the judge that the plan declares."""
    if plan is None or facts is None:
        return plan is None and facts is None
    return all(facts.get(key) == value for key, value in described(plan).items())
