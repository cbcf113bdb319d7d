"""Reasons for which nothing is decided about a composition: images that are no faces, a judge that does not judge.

A limit on a gap is kept by two grey squares too, and by a judge that tosses a coin. Such audits are recognised by their
images and verdicts alone, and each says why in a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from styleT2I.fairness.analysis.agreement import agreement_tables
from styleT2I.fairness.analysis.outcomes import UNSURE
from styleT2I.fairness.results import ObstacleKind
from styleT2I.statistics.agreement import kappa_interval

__all__ = [
    "Obstacle", "facts_of_images", "image_obstacle", "judge_obstacle", "judged_again", "undetermined_obstacle",
]  # fmt: skip

MOST_BLANK = 0.05  # rate of images of one colour beyond which nothing is decided about a composition
MOST_COPIES = 0.05  # the same of images that are copies of another image of their composition
LEAST_AGREEMENT = 0.95  # of a judge with itself; below it, kappa must be clearly above chance:
LEAST_KAPPA = 0.2  # the low end of its 95 % interval
NUM_JUDGED_AGAIN = 32  # images per composition
_FLAT = 2  # largest difference of two pixels, of 255, in an image of one colour


class Obstacle(NamedTuple):
    """Why nothing is decided: its kind, as results call it, and a sentence."""

    kind: ObstacleKind
    text: str


def facts_of_images(images_u8: Sequence[torch.Tensor], hashes: Sequence[str]) -> dict:
    """What is kept of the images of a cell: their hashes, and which are of one colour (a letter per image: 1 or 0)."""
    flat = [int(image.flatten(1).amax(dim=1).sub(image.flatten(1).amin(dim=1)).max()) <= _FLAT for image in images_u8]
    return {"sha256": list(hashes), "blank": "".join("1" if each else "0" for each in flat)}


def image_obstacle(cell: str, facts: Mapping | None) -> Obstacle | None:
    """An obstacle in the images of a composition; facts: as `facts_of_images` has them, None where none were kept.

    >>> image_obstacle("she+hat", {"sha256": ["a", "a", "a", "b"], "blank": "0000"}).text
    '2 of 4 images of she+hat are copies of another one, so there are fewer images than it seems'
    """
    if not facts:
        return None
    num, blank = len(facts["blank"]), facts["blank"].count("1")
    if blank > MOST_BLANK * num:
        return Obstacle("blank", f"{blank} of {num} images of {cell} are of one colour and show no face")
    copies = num - len(set(facts["sha256"]))
    if copies > MOST_COPIES * num:
        return Obstacle(
            "copies",
            f"{copies} of {num} images of {cell} are copies of another one, so there are fewer images than it seems",
        )
    return None


def undetermined_obstacle(cell: str, letters: str, most: float) -> Obstacle | None:
    """An obstacle where the judge leaves more than the rate `most` of a composition's images undetermined.

    >>> undetermined_obstacle("she+hat", "11??", 0.2).text
    'the judge left 2 of 4 images of she+hat undetermined, more than the 20 % that the plan allows'
    """
    unsure, num = letters.count(UNSURE), len(letters)
    if unsure <= most * num:
        return None
    return Obstacle(
        "undetermined",
        f"the judge left {unsure} of {num} images of {cell} undetermined, more than the {100 * most:g} % that the plan "
        "allows",
    )


def judge_obstacle(tables: Sequence[Mapping[str, list[list[int]]]], attributes: Sequence[str]) -> Obstacle | None:
    """An obstacle where a judge does not repeat its verdicts on images that were made one grey level brighter.

    Args:
        tables: By cell, verdicts on an image against those on the brighter one: counts [3, 3] by attribute.
        attributes: Those that a comparison is about.

    >>> coin = [{"hat": [[25, 25, 0], [25, 25, 0], [0, 0, 0]]}]
    >>> judge_obstacle(coin, ["hat"]).kind
    'judge'
    """
    for name in attributes:
        counted = [torch.tensor(table[name]) for table in tables if name in table]
        if not counted:
            continue
        table = torch.stack(counted).sum(dim=0)
        agreed, num = int(table.diagonal().sum()), int(table.sum())
        kappa = kappa_interval(table.tolist())
        if num and agreed < LEAST_AGREEMENT * num and (kappa is None or kappa[1][0] <= LEAST_KAPPA):
            return Obstacle(
                "judge",
                f"the judge's verdict on {name} changed in {num - agreed} of {num} images that were made one grey "
                "level brighter, as if by chance: it does not see what it judges",
            )
    return None


def judged_again(judge, images_u8: Sequence[torch.Tensor], verdicts: torch.Tensor, asked: Mapping[str, bool]) -> dict:
    """Verdicts on the first images against those on the same images one grey level brighter: counts [3, 3]."""
    first = images_u8[:NUM_JUDGED_AGAIN]
    again = judge.verdicts([_brighter(image) for image in first])
    names = judge.attribute_names
    tables = agreement_tables(verdicts[: len(first)], again, names, names, asked)["attributes"]
    return {name: tables[name] for name in asked}


def _brighter(image_u8):
    """Every pixel one level up, but for those that are white already."""
    return torch.where(image_u8 < 255, image_u8 + 1, image_u8)
