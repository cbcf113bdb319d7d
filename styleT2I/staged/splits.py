"""Which splits of a download a recipe trains on, watches and measures: the paper's where their tables are there."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Splits", "splits_of"]


class Splits(NamedTuple):
    """Specifications of data sets, one for each use."""

    train: str
    val: str  # watched during trainings
    test: str  # real images that generated ones are compared with, and labelled ones that judges are measured on
    unseen: str  # captions that are drawn and ranked
    everything: str  # what a CLIP that only scores may be tuned on (the released `--train_split all`)
    note: str  # which splits these are, in words


_ROLES = {  # kind -> the choices of (train, val, test, unseen), best first, with what is said of them
    "celebahq": (
        (("filtered-train", "filtered-val", "filtered-test", "unseen-test"), "the authors' filter and unseen split"),
        (("train", "val", "test", "test"), "CelebA's own partition, as the authors' tables are not there"),
    ),
    "cub": (
        (("seen", "unseen", "unseen", "unseen"), "classes that training leaves out, by testclasses.txt"),
        (("train", "test", "test", "test"), "the release's own split, as testclasses.txt is not there"),
    ),
    "ffhq": ((("train", "val", "val", "val"), "the first 60,000 and the others"),),
    "nabirds": ((("train", "test", "test", "test"), "the release's own split"),),
}


def splits_of(kind: str, folder: str, num: int | None = None) -> Splits:
    """The splits of a download in a folder.

    num: at most so many images of each, to try the way. Raises DataError where the download is not there, or tells no
    split at all.
    """
    from styleT2I.data.releases.opening import release_of
    from styleT2I.errors import DataError

    release, _ = release_of(f"{kind}:{folder}")
    problem = None
    for names, note in _ROLES[kind]:
        try:
            for name in dict.fromkeys(names):
                release.records(name)
        except DataError as error:
            problem = problem or error
            continue
        ends = [f":{name}{f':{num}' if num else ''}" for name in names]
        return Splits(*(f"{kind}:{folder}{end}" for end in ends), f"{kind}:{folder}{f':{num}' if num else ''}", note)
    raise DataError(f"{kind}:{folder}: no split can be told: {problem}") from problem
