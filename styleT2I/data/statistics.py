"""What a data set holds in numbers: captions, rates of attributes, and the pairs of them that are rarest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from styleT2I.data.dataset import Dataset
from styleT2I.torch_utils.words import plain_words

__all__ = ["Pair", "Statistics", "rarest_pairs", "statistics_of"]

_MIN_RATE = 0.02  # of an attribute whose pairs are of interest
_CHUNK = 4096


@dataclass(frozen=True)
class Pair:
    """Two attributes together, each present or absent."""

    first: str
    first_value: bool
    second: str
    second_value: bool
    found: int  # images that show both
    expected: float  # so many would, were the two independent

    @property
    def name(self) -> str:
        """ "Male + Wearing_Lipstick", or "not Male + ..."."""
        parts = ((self.first, self.first_value), (self.second, self.second_value))
        return " + ".join(name if value else f"not {name}" for name, value in parts)


@dataclass(frozen=True)
class Statistics:
    """Numbers about a data set of `num` images."""

    num: int
    num_captioned: int  # images with a caption
    num_captions: int
    mean_words: float  # of a caption
    num_words: int  # different ones
    rates: dict[str, float]  # of every attribute
    rarest: tuple[Pair, ...]


def statistics_of(data: Dataset, num_pairs: int = 20) -> Statistics:
    """Count a data set's captions and labels; no image is read.

    >>> from styleT2I.data.dataset import open_dataset
    >>> found = statistics_of(open_dataset("minifaces:biased/train:200", with_masks=False))
    >>> found.num, found.num_captioned, round(found.rates["hat"], 2) < 0.5
    (200, 200, True)
    """
    texts = [data.captions_of(i) for i in range(len(data))]
    words = [plain_words(text) for each in texts for text in each]
    names = tuple(data.attribute_names)
    rates, rarest = {}, ()
    if names:
        rows = range(len(data))
        labels = torch.cat([data.labels_of(rows[i : i + _CHUNK]) for i in range(0, len(rows), _CHUNK)])
        rates = dict(zip(names, labels.double().mean(dim=0).tolist(), strict=True))
        rarest = tuple(rarest_pairs(labels, names, num_pairs))
    return Statistics(
        num=len(data),
        num_captioned=sum(map(bool, texts)),
        num_captions=len(words),
        mean_words=sum(map(len, words)) / max(len(words), 1),
        num_words=len({word for each in words for word in each}),
        rates=rates,
        rarest=rarest,
    )


def rarest_pairs(labels: torch.Tensor, names: Sequence[str], num: int) -> list[Pair]:
    """The pairs that fall shortest of what independent attributes would give, the shortest first.

    Args:
        labels: bool [N, A].
        names: of the A attributes; those that fewer than 2 % of the images show are passed over.
        num: of pairs, at most.

    Returns:
        Pairs of one attribute that is there with another that is there or not; of equal ratio the more expected first.

    >>> labels = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1]]).bool()
    >>> [(pair.name, pair.found, pair.expected) for pair in rarest_pairs(labels, ["beard", "lipstick"], 1)]
    [('beard + lipstick', 0, 1.0)]
    """
    total = len(labels)
    there = labels.double()
    counts = there.sum(dim=0)
    both = there.t() @ there  # [A, A]
    common = [i for i in range(len(names)) if counts[i] >= _MIN_RATE * total]
    pairs = []
    for i in common:
        for j in common:
            if i == j:
                continue
            if i < j:
                pairs.append(_pair(names, i, j, True, both[i, j], counts[i] * counts[j] / total))
            absent = total - counts[i]
            if absent >= _MIN_RATE * total:
                pairs.append(_pair(names, i, j, False, counts[j] - both[i, j], absent * counts[j] / total))
    pairs = [pair for pair in pairs if pair.expected >= 1]
    return sorted(pairs, key=lambda pair: (pair.found / pair.expected, -pair.expected, pair.name))[:num]


def _pair(names, i, j, first_value, found, expected):
    return Pair(names[i], first_value, names[j], True, round(float(found)), float(expected))
