"""The sample of an audit's images that people label: which pairs, where the images are kept, what is asked of each.

The sample follows from the plan and is drawn before any image. It grows with the number of pairs without losing any,
and has the same seeds in every composition and every sentence of `unprompted`. Images are kept under the hash of their
pixels, which tells nobody the sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import DataError
from styleT2I.fairness.plan import AuditPlan
from styleT2I.torch_utils.files import check_writable_dir, write_bytes_atomic
from styleT2I.torch_utils.images import save_png
from styleT2I.torch_utils.seeding import generator

__all__ = ["KeptImages", "SampledImage", "keep_images", "sampled_images", "sampled_pairs", "sampled_places"]

IMAGES = "label-images"  # in an audit's folder

Outcomes = Mapping[tuple[str, str], dict]  # (setting, composition) -> `outcomes.cell_outcomes`


@dataclass(frozen=True)
class SampledImage:
    """An image to label. sha256: of its pixels; attributes: those that are asked, in the order of the vocabulary."""

    sha256: str
    path: Path
    attributes: tuple[str, ...]


def sampled_pairs(plan: AuditPlan, num: int) -> list[int]:
    """Places of the sampled pairs among the `num` of every composition, in ascending order.

    >>> plan = AuditPlan("hats", labels=3)
    >>> few, more = sampled_pairs(plan, 100), sampled_pairs(AuditPlan("hats", labels=5), 100)
    >>> len(few), set(few) < set(more)
    (3, True)
    """
    order = torch.randperm(num, generator=generator("audit", "labels", plan.first_seed, num))
    return sorted(order[: plan.labels].tolist())


def sampled_places(plan: AuditPlan) -> list[tuple[str, str]]:
    """(setting, composition) of the cells whose images are labelled, in the primary setting.

    They are both sides of every declared comparison, and the sentences of the unprompted entries.
    """
    if not plan.labels:
        return []
    names = dict.fromkeys(name for pair in plan.comparisons for name in (pair.first, pair.second))
    names |= dict.fromkeys(entry.prompt for entry in plan.unprompted)
    return [(plan.settings[0].name, name) for name in names]


def sampled_images(
    plan: AuditPlan, vocabulary: Vocabulary, outcomes: Outcomes, num: int, folders: Iterable[str | Path]
) -> list[SampledImage]:
    """The images of the sample, each once, in an order that follows from their hashes.

    Every image is asked about all attributes of the comparisons that it is in, so the questions do not tell its side;
    one of an unprompted sentence about what the sentence leaves open.

    Args:
        plan: Of the audit, with the settings that were drawn.
        vocabulary: That of the plan.
        outcomes: Of the audit's cells.
        num: Images per composition.
        folders: Of the audit and its shards; an image is in one of them.

    Raises:
        DataError: The plan asks for no labels, or an image is gone.
    """
    if not plan.labels:
        raise DataError("the plan asks for no labels; add labels: 100 (pairs) to it, and run the audit again")
    folders, cells, indices = list(folders), plan.cells(vocabulary), sampled_pairs(plan, num)
    questions = [
        (name, {*cells[pair.first], *cells[pair.second]})
        for pair in plan.comparisons
        for name in (pair.first, pair.second)
    ]
    questions += [(entry.prompt, {vocabulary.resolve(entry.attribute)[0]}) for entry in plan.unprompted]
    asked: dict[str, set[str]] = {}
    for name, attributes in questions:
        for sha256 in _sampled(outcomes[plan.settings[0].name, name]["images"]["sha256"], indices):
            asked.setdefault(sha256, set()).update(attributes)
    images = []
    for sha256, attributes in sorted(asked.items()):
        paths = [Path(folder) / IMAGES / f"{sha256}.png" for folder in folders]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise DataError(f"{paths[0]}: an image to label is missing; run the audit again, same plan and folder")
        images.append(SampledImage(sha256, path, tuple(name for name in vocabulary.names if name in attributes)))
    return images


class KeptImages:
    """Keeps the images of the sample while an audit draws.

    Args:
        outdir: The audit's folder.
        plan: With the settings that are drawn.
        num: Images per composition.
    """

    def __init__(self, outdir: str | Path, plan: AuditPlan, num: int):
        self._places, self._indices = set(sampled_places(plan)), set(sampled_pairs(plan, num))
        self._folder = Path(outdir) / IMAGES
        if self._places:
            check_writable_dir(self._folder)

    def add(self, place: tuple[str, str], start: int, images_u8: Sequence[torch.Tensor], hashes: Sequence[str]) -> None:
        """Keep what belongs to the sample of images uint8 [3, H, W]; start: place of the first one in its cell."""
        if place not in self._places:
            return
        for index, (image, sha256) in enumerate(zip(images_u8, hashes, strict=True), start):
            path = self._folder / f"{sha256}.png"
            if index in self._indices and not path.exists():
                save_png(path, image)

    def has(self, place: tuple[str, str], content: Mapping) -> bool:
        """Whether all sampled images of a finished cell are there; True of a cell that none is taken from."""
        if place not in self._places:
            return True
        hashes = _sampled(content["outcomes"]["images"]["sha256"], self._indices)
        return all((self._folder / f"{sha256}.png").is_file() for sha256 in hashes)


def keep_images(folders: Iterable[str | Path], outdir: str | Path) -> None:
    """Copy the images to label of an audit's shards to outdir where they are not there yet."""
    for path in sorted(path for folder in folders for path in (Path(folder) / IMAGES).glob("*.png")):
        target = check_writable_dir(Path(outdir) / IMAGES) / path.name
        if not target.exists():
            write_bytes_atomic(target, path.read_bytes())


def _sampled(hashes: Sequence[str], indices: Iterable[int]) -> list[str]:
    """The sampled images of a cell; existing images may be fewer than the plan's number."""
    return [hashes[index] for index in indices if index < len(hashes)]
