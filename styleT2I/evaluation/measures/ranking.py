"""R-precision as trainings and suites set it up: which captions can be ranked, and against which others."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch

from styleT2I.metrics.attributes import Requests
from styleT2I.metrics.r_precision import draw_candidates, r_precision, rankable

__all__ = ["NUM_CANDIDATES", "Ranking", "agreeing_captions"]

NUM_CANDIDATES = 100  # captions that an image chooses from


class Ranking:
    """Captions that have enough mismatches, and for each of them those that its image chooses from, drawn once.

    meanings: one hashable per caption. also_true [N, N] bool: caption j holds for image i as well. num_images: only the
    first so many captions have an image; the others are wrong answers alone. `rows` are the captions that are ranked.
    """

    def __init__(
        self,
        meanings: Sequence[Hashable],
        generator: torch.Generator,
        also_true: torch.Tensor | None = None,
        *,
        num_images: int | None = None,
        num_candidates: int = NUM_CANDIDATES,
    ):
        num_images = len(meanings) if num_images is None else num_images
        rows = [row for row in rankable(meanings, num_candidates, also_true) if row < num_images]
        self.rows = torch.tensor(rows, dtype=torch.int64)
        self.candidates = torch.empty(0, num_candidates, dtype=torch.int64)
        if rows:
            self.candidates = draw_candidates(meanings, num_candidates, generator, also_true, rows)

    def __len__(self) -> int:
        return len(self.rows)

    def found(self, image: torch.Tensor, text: torch.Tensor, order: torch.Tensor | None = None) -> torch.Tensor:
        """Per ranked image, 1 where it finds its own caption, as `metrics.r_precision.r_precision`: float64 [K].

        image: features [N or more, D] by caption; text: features [M, D] of all captions. order [K]: ranked image k is
        held against the candidates of ranked caption order[k].
        """
        if not len(self):
            return torch.zeros(0, dtype=torch.float64)
        return r_precision(image[self.rows], text, self.candidates if order is None else self.candidates[order])


def agreeing_captions(requests: Requests) -> torch.Tensor:
    """Which captions contradict each other nowhere, so that one image may be true of both: bool [N, N]."""
    settled = (~requests.free).float()  # asked, or decided by an asked one of the same group
    values = settled * (2 * requests.values.float() - 1)  # [N, A] in {-1, 0, 1}
    return values @ values.t() >= settled @ settled.t()
