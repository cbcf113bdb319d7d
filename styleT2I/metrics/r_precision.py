"""R-precision with R = 1: does an image find its own caption among mismatched ones (Xu et al. 2018, AttnGAN)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch

__all__ = ["draw_candidates", "r_precision", "rankable"]


def draw_candidates(
    meanings: Sequence[Hashable],
    num_candidates: int,
    generator: torch.Generator,
    also_true: torch.Tensor | None = None,
    rows: Sequence[int] | None = None,
) -> torch.Tensor:
    """For every caption, itself and mismatched ones that its image must tell it from, drawn without replacement.

    Row i depends on the generator and on the rows before it, so draw once and keep the table.

    Args:
        meanings: one hashable per caption, N in all; captions of equal meaning (the same text, or the same set of
            attributes in other words) are no mismatch for each other.
        num_candidates: captions per row, the own one included.
        generator: on the CPU.
        also_true: bool [N, N]: caption j holds for image i as well, although it means something else ("a man" of a man
            with a hat). Such captions are no mismatch either: with them even a perfect encoder could only guess.
        rows: the captions to draw for; all by default.

    Returns:
        Indices into the captions, int64 [N or len(rows), num_candidates]; column 0 is the caption itself.

    Raises:
        ValueError: a caption has too few mismatched ones.

    Example:
        >>> draw_candidates(["hat", "no hat", "hat"], 2, torch.Generator().manual_seed(0), rows=[0, 2]).tolist()
        [[0, 1], [2, 1]]
    """
    mismatches = _mismatches(meanings, also_true)
    table = []
    for index in range(len(mismatches)) if rows is None else rows:
        others = torch.nonzero(mismatches[index]).flatten()
        if len(others) < num_candidates - 1:
            raise ValueError(
                f"caption {index} has {len(others)} captions of another meaning, {num_candidates - 1} are needed"
            )
        chosen = others[torch.randperm(len(others), generator=generator)[: num_candidates - 1]]
        table.append(torch.cat([torch.tensor([index]), chosen]))
    return torch.stack(table)


def rankable(meanings: Sequence[Hashable], num_candidates: int, also_true: torch.Tensor | None = None) -> list[int]:
    """The captions that have num_candidates - 1 mismatched ones, so that `draw_candidates` takes them as `rows`.

    Args:
        meanings: as for `draw_candidates`.
        num_candidates: captions per row, the own one included.
        also_true: as for `draw_candidates`.

    Returns:
        Their indices, ascending.

    Example:
        >>> rankable(["hat", "hat", "beard"], 3)
        [2]
    """
    enough = _mismatches(meanings, also_true).sum(dim=1) >= num_candidates - 1
    return torch.nonzero(enough).flatten().tolist()


def _mismatches(meanings, also_true):
    """[N, N] bool: caption j is mismatched for image i."""
    ids = {meaning: index for index, meaning in enumerate(dict.fromkeys(meanings))}
    codes = torch.tensor([ids[meaning] for meaning in meanings])
    differs = codes[:, None] != codes[None]
    return differs if also_true is None else differs & ~also_true


def r_precision(image_features: torch.Tensor, text_features: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """Per image, 1 where its own caption scores highest among the candidates, 0 where another one does.

    Args:
        image_features: [N, D], any float dtype.
        text_features: [M, D] of all captions; compared with the images' by cosine.
        candidates: int64 [N, C] with the own caption in column 0, as `draw_candidates` returns it.

    Returns:
        float64 [N]; the mean is the R-precision. An own caption that shares the highest score with t others counts
        1 / (t + 1), what breaking ties at random would give; so an encoder that says the same of everything scores
        exactly 1 / C.

    Example:
        >>> image, text = torch.eye(2), torch.eye(2)
        >>> r_precision(image, text, torch.tensor([[0, 1], [1, 0]])).tolist()
        [1.0, 1.0]
        >>> r_precision(image, torch.ones(2, 2), torch.tensor([[0, 1], [1, 0]])).tolist()
        [0.5, 0.5]
    """
    image = torch.nn.functional.normalize(image_features.detach().to("cpu", torch.float64), dim=1)
    text = torch.nn.functional.normalize(text_features.detach().to("cpu", torch.float64), dim=1)
    # Rounded, because equal features must tie whatever order the sums were taken in.
    scores = torch.einsum("nd,ncd->nc", image, text[candidates]).mul(1e9).round()  # [N, C]
    own, others = scores[:, :1], scores[:, 1:]
    beaten = (others > own).any(dim=1)
    num_ties = (others == own).sum(dim=1)
    return torch.where(beaten, 0.0, 1.0 / (num_ties + 1).double())
