"""Are the requested attributes there, and did the others stay: metrics of a judge's logits.

Verdicts are int8 [N, A]: YES, NO or UNDETERMINED (a logit inside the margin). Requests are built once by
`encode_requests`; success, single-attribute rates and drift all read the same three masks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch.nn import functional as F

__all__ = [
    "NO", "UNDETERMINED", "YES", "Requests", "attribute_rates", "balanced_accuracy", "drift_rates",
    "encode_requests", "judge_agreement", "prompt_features", "rare_pair_accuracy", "success", "verdicts",
    "zero_shot_margins",
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

    Args:
        requests: what each of N sentences asks for, by attribute name.
        attribute_names: the A attributes, in the order of the columns.
        exclusive_groups: names of which exactly one holds (hair colours): asking for gray hair makes the loss of black
            hair no drift.

    Returns:
        The masks, each bool [N, A].

    Raises:
        KeyError: a name that is not in attribute_names.

    Example:
        >>> requests = encode_requests([{"gray_hair": True}], ("he", "gray_hair", "black_hair"),
        ...                            [("gray_hair", "black_hair")])
        >>> requests.asked.tolist(), requests.free.tolist()
        ([[False, True, False]], [[True, False, False]])
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
    """Verdicts of logits: YES above the margin, NO below its negative, else UNDETERMINED.

    Args:
        logits: [N, A].
        margin: 0 or more, in logits; without one a logit of exactly 0 is NO.

    Returns:
        int8 [N, A].

    Example:
        >>> verdicts(torch.tensor([[2.0, -2.0, 0.5]]), margin=1.0).tolist()
        [[1, 0, -1]]
    """
    result = torch.full_like(logits, UNDETERMINED, dtype=torch.int8)
    result[logits < -margin] = NO
    result[logits > margin] = YES
    if margin == 0:
        result[logits == 0] = NO
    return result


def success(verdict: torch.Tensor, requests: Requests) -> torch.Tensor:
    """Whether every asked attribute has its wanted value.

    Args:
        verdict: int8 [N, A].
        requests: of the same N sentences; UNDETERMINED is not right.

    Returns:
        bool [N].

    Example:
        >>> requests = encode_requests([{"he": True}, {"he": True, "hat": False}], ("he", "hat"))
        >>> success(torch.tensor([[1, 0], [1, 1]], dtype=torch.int8), requests).tolist()
        [True, False]
    """
    right = verdict == requests.values.to(verdict.dtype)
    return (right | ~requests.asked).all(dim=1)


def attribute_rates(verdict: torch.Tensor, requests: Requests) -> torch.Tensor:
    """Rate of images that have the wanted value of each attribute, among those that asked for it.

    Args:
        verdict: int8 [N, A].
        requests: of the same N sentences.

    Returns:
        float64 [A], from 0 to 1; NaN for an attribute that no sentence asked for.

    Example:
        >>> requests = encode_requests([{"he": True}, {"he": True}], ("he", "hat"))
        >>> attribute_rates(torch.tensor([[1, 0], [0, 1]], dtype=torch.int8), requests).tolist()
        [0.5, nan]
    """
    right = verdict == requests.values.to(verdict.dtype)
    return (right & requests.asked).sum(dim=0).double() / requests.asked.sum(dim=0).double()


def drift_rates(before: torch.Tensor, after: torch.Tensor, requests: Requests) -> torch.Tensor:
    """Rate of images whose verdict on each attribute changed although its sentence left the attribute open.

    Args:
        before: int8 [N, A] without the edit.
        after: int8 [N, A] of the same latents with the edit.
        requests: of the same N sentences.

    Returns:
        float64 [A], from 0 to 1; NaN for an attribute that every sentence decided. Images undetermined on either side
        are left out of that attribute's rate: a verdict that was never given cannot change.

    Example:
        >>> requests = encode_requests([{"he": True}, {"he": True}], ("he", "hat"))
        >>> before, after = torch.tensor([[[1, 0], [0, 0]], [[1, 0], [1, 1]]], dtype=torch.int8)
        >>> drift_rates(before, after, requests).tolist()
        [nan, 0.5]
    """
    counted = requests.free & (before != UNDETERMINED) & (after != UNDETERMINED)
    return ((before != after) & counted).sum(dim=0).double() / counted.sum(dim=0).double()


def balanced_accuracy(verdict: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean of the accuracy on positives and the accuracy on negatives.

    Args:
        verdict: int8 [N, A].
        truth: bool [N, A].

    Returns:
        float64 [A], from 0 to 1; NaN for an attribute that lacks positives or negatives.

    Example:
        >>> verdict = torch.tensor([[1], [0], [0], [0]], dtype=torch.int8)
        >>> balanced_accuracy(verdict, torch.tensor([[True], [True], [False], [False]])).tolist()
        [0.75]
    """
    positive = ((verdict == YES) & truth).sum(dim=0).double() / truth.sum(dim=0).double()
    negative = ((verdict == NO) & ~truth).sum(dim=0).double() / (~truth).sum(dim=0).double()
    return (positive + negative) / 2


def rare_pair_accuracy(
    verdict: torch.Tensor, truth: torch.Tensor, pair: Sequence[tuple[int, bool]]
) -> dict[str, float]:
    """A judge's accuracy inside one combination, say he and lipstick: that is where a shortcut through the other shows.

    Args:
        verdict: int8 [N, A].
        truth: bool [N, A].
        pair: (column, value) of each attribute of the combination.

    Returns:
        "balanced": the worst over its attributes of the balanced accuracy among images where the others of the
        combination hold (lipstick on men; he among those with lipstick); "all_right": rate of the combination's images
        on which every one of its attributes is right; "num": how many images that is.

    Example:
        >>> truth = torch.tensor([[True, True], [True, False], [False, True], [False, False]])
        >>> rare_pair_accuracy(truth.to(torch.int8), truth, [(0, True), (1, True)])
        {'balanced': 1.0, 'all_right': 1.0, 'num': 1}
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
    """Rate of images on which two judges give the same verdict.

    Args:
        verdict_a: int8 [N, A].
        verdict_b: int8 [N, A].

    Returns:
        float64 [A], from 0 to 1.

    Example:
        >>> first, second = torch.tensor([[[1], [0]], [[1], [1]]], dtype=torch.int8)
        >>> judge_agreement(first, second).tolist()
        [0.5]
    """
    return (verdict_a == verdict_b).double().mean(dim=0)


def prompt_features(text_features: torch.Tensor) -> torch.Tensor:
    """One prompt out of several wordings of it: the mean of their unit vectors, of unit length again.

    CLIP (Radford et al. 2021), section 3.1.4, ensembling in embedding space.

    Args:
        text_features: [..., P wordings, D].

    Returns:
        [..., D].

    Example:
        >>> prompt_features(torch.tensor([[2.0, 0.0], [0.0, 3.0]])).round(decimals=4).tolist()
        [0.707099974155426, 0.707099974155426]
    """
    return F.normalize(F.normalize(text_features, dim=-1).mean(dim=-2), dim=-1)


def zero_shot_margins(
    image_features: torch.Tensor,
    true_features: torch.Tensor,
    false_features: torch.Tensor,
    exclusive_groups: Iterable[Sequence[int]] = (),
) -> torch.Tensor:
    """By how much the prompt that asserts an attribute beats its rival, in cosine; above 0 means yes.

    The rival is the prompt that denies the attribute; within an exclusive group it is the best asserting prompt of the
    group's other columns, so that exactly one of them is yes.

    Args:
        image_features: [N, D].
        true_features: [A, D] of the prompts that assert ("wearing a hat").
        false_features: [A, D] of the prompts that deny ("without a hat").
        exclusive_groups: columns of which exactly one holds, as hair colours.

    Returns:
        [N, A], from -2 to 2, read like a judge's logits by `metrics.attributes.verdicts`.

    Example:
        >>> image = torch.tensor([[1.0, 0.0]])
        >>> zero_shot_margins(image, torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])).tolist()
        [[1.0]]
    """
    image = F.normalize(image_features, dim=-1)
    asserted = image @ F.normalize(true_features, dim=-1).t()  # [N, A]
    margins = asserted - image @ F.normalize(false_features, dim=-1).t()
    for group in exclusive_groups:
        for column in group:
            others = torch.stack([asserted[:, other] for other in group if other != column])
            margins[:, column] = asserted[:, column] - others.amax(dim=0)
    return margins
