"""Are the requested attributes there, and did the others stay: figures from a judge's logits.

Verdicts are int8 [N, A]: YES, NO or UNDETERMINED (a logit inside the margin). Requests are built once by
`encode_requests`; success, single-attribute rates and drift all read the same three masks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch

__all__ = [
    "NO", "UNDETERMINED", "YES", "Requests", "attribute_rates", "balanced_accuracy", "cohen_kappa", "drift_rates",
    "encode_requests", "judge_agreement", "rare_pair_accuracy", "success", "verdicts",
]  # fmt: skip

YES, NO, UNDETERMINED = 1, 0, -1


class Requests(NamedTuple):
    """What N sentences ask for, over A attributes."""

    values: torch.Tensor  # bool [N, A]: the wanted value, where asked
    asked: torch.Tensor  # bool [N, A]: the sentence names the attribute (asserts or denies it)
    free: torch.Tensor  # bool [N, A]: neither asked nor decided by an asked one of the same exclusive group


def encode_requests(
    requests: Sequence[Mapping[str, bool]],
    attribute_names: Sequence[str],
    exclusive_groups: Iterable[Sequence[str]] = (),
) -> Requests:
    """Requests such as {"he": True, "gray_hair": True} as masks.

    exclusive_groups lists names of which exactly one holds (hair colours): asking for gray hair makes the loss of
    black hair no drift. Raises KeyError for a name that is not in attribute_names.
    """
    column = {name: index for index, name in enumerate(attribute_names)}
    values = torch.zeros(len(requests), len(column), dtype=torch.bool)
    asked, decided = torch.zeros_like(values), torch.zeros_like(values)
    groups = [frozenset(group) for group in exclusive_groups]
    for row, request in enumerate(requests):
        for name, value in request.items():
            values[row, column[name]] = value
            asked[row, column[name]] = True
            for group in groups:
                if name in group:
                    decided[row, [column[other] for other in group]] = True
    return Requests(values, asked, ~(asked | decided))


def verdicts(logits: torch.Tensor, margin: float = 0.0) -> torch.Tensor:
    """YES above the margin, NO below its negative, else UNDETERMINED; a logit of exactly 0 is NO without a margin.

    logits [N, A], margin >= 0 in logits -> int8 [N, A].
    """
    result = torch.full_like(logits, UNDETERMINED, dtype=torch.int8)
    result[logits < -margin] = NO
    result[logits > margin] = YES
    if margin == 0:
        result[logits == 0] = NO
    return result


def success(verdict: torch.Tensor, requests: Requests) -> torch.Tensor:
    """Whether every asked attribute has its wanted value, bool [N]; undetermined is not right."""
    right = verdict == requests.values.to(verdict.dtype)
    return (right | ~requests.asked).all(dim=1)


def attribute_rates(verdict: torch.Tensor, requests: Requests) -> torch.Tensor:
    """Share of images that have the wanted value of each attribute, among those that asked for it; NaN where none did.

    verdict int8 [N, A] -> float64 [A].
    """
    right = verdict == requests.values.to(verdict.dtype)
    return (right & requests.asked).sum(dim=0).double() / requests.asked.sum(dim=0).double()


def drift_rates(before: torch.Tensor, after: torch.Tensor, requests: Requests) -> torch.Tensor:
    """Share of images whose verdict on each attribute changed although nobody asked; NaN where it was always asked.

    before, after int8 [N, A] (the same latents without and with the edit) -> float64 [A]. Images undetermined on
    either side are left out of that attribute's share: a verdict that was never given cannot change.
    """
    counted = requests.free & (before != UNDETERMINED) & (after != UNDETERMINED)
    return ((before != after) & counted).sum(dim=0).double() / counted.sum(dim=0).double()


def balanced_accuracy(verdict: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean of the accuracy on positives and the accuracy on negatives; NaN for an attribute that lacks either.

    verdict int8 [N, A], truth bool [N, A] -> float64 [A].
    """
    positive = ((verdict == YES) & truth).sum(dim=0).double() / truth.sum(dim=0).double()
    negative = ((verdict == NO) & ~truth).sum(dim=0).double() / (~truth).sum(dim=0).double()
    return (positive + negative) / 2


def rare_pair_accuracy(
    verdict: torch.Tensor, truth: torch.Tensor, pair: Sequence[tuple[int, bool]]
) -> dict[str, float]:
    """A judge inside one combination, say he and lipstick: that is where a shortcut through the other shows.

    verdict int8 [N, A], truth bool [N, A], pair: (column, value) of each attribute of the combination. Returns
    "balanced": the worst over its attributes of the balanced accuracy among images where the others of the
    combination hold (lipstick on men; he among those with lipstick); "all_right": the share of the combination's
    images on which every one of its attributes is right; "num": how many images that is.
    """
    columns = [column for column, _ in pair]
    holds = truth[:, columns] == torch.tensor([value for _, value in pair])  # [N, len(pair)]
    scores = []
    for position, column in enumerate(columns):
        others = holds[:, [other for other in range(len(columns)) if other != position]].all(dim=1)
        scores.append(balanced_accuracy(verdict[others][:, [column]], truth[others][:, [column]])[0])
    inside = holds.all(dim=1)
    right = (verdict[inside][:, columns] == truth[inside][:, columns].to(verdict.dtype)).all(dim=1)
    return {
        "balanced": float(torch.stack(scores).min()),
        "all_right": float(right.double().mean()),
        "num": int(inside.sum()),
    }


def judge_agreement(verdict_a: torch.Tensor, verdict_b: torch.Tensor) -> torch.Tensor:
    """Share of images on which two judges give the same verdict, int8 [N, A] twice -> float64 [A]."""
    return (verdict_a == verdict_b).double().mean(dim=0)


def cohen_kappa(verdict_a: torch.Tensor, verdict_b: torch.Tensor) -> torch.Tensor:
    """Agreement of two judges beyond chance (Cohen 1960), int8 [N, A] twice -> float64 [A].

    Plain agreement flatters rare attributes (two judges that never see earrings agree); kappa is 0 at chance, 1 at
    full agreement, NaN where both judges give one and the same verdict throughout.
    """
    observed = judge_agreement(verdict_a, verdict_b)
    expected = sum(
        (verdict_a == value).double().mean(dim=0) * (verdict_b == value).double().mean(dim=0)
        for value in (YES, NO, UNDETERMINED)
    )
    return (observed - expected) / (1 - expected)
