"""Judge verdicts of one composition as one character per seed, so that compositions can be compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.metrics.attributes import NO, UNDETERMINED, YES, encode_requests

__all__ = ["FAILURE", "SUCCESS", "UNSURE", "cell_outcomes", "letters_with", "success_letters"]

SUCCESS, FAILURE, UNSURE = "1", "0", "?"
_TURNED = str.maketrans({SUCCESS: FAILURE, FAILURE: SUCCESS})


def cell_outcomes(
    before: torch.Tensor | None,
    after: torch.Tensor,
    attributes: Mapping[str, bool],
    attribute_names: Sequence[str],
    vocabulary: Vocabulary,
) -> dict:
    """Outcomes of the N images of a cell.

    Args:
        before: Verdicts int8 [N, A] on the faces without the sentence; None where there are none.
        after: Verdicts int8 [N, A] on the images.
        attributes: What the sentence asks for.
        attribute_names: Of the columns.
        vocabulary: That of the audit.

    Returns:
        Ready for JSON. "success": SUCCESS where all requested attributes are perceived, FAILURE where one is perceived
        not to be, else UNSURE; "attributes": the same for each requested attribute; "drift": by attribute that the
        sentence leaves open, how many verdicts changed and of how many (those undetermined on either side are not
        counted), {} without before; "seen": the verdicts themselves, SUCCESS where an attribute is perceived.
    """
    groups = [group.attributes for group in vocabulary.exclusive if group.exactly_one]
    requests = encode_requests([attributes] * len(after), attribute_names, groups)
    asked = [column for column, is_asked in enumerate(requests.asked[0].tolist()) if is_asked]
    right = _right(after, requests)
    return {
        "success": success_letters(after, attributes, attribute_names),
        "attributes": {attribute_names[column]: _letters(right[:, column]) for column in asked},
        "drift": {} if before is None else _drift(before, after, requests, attribute_names),
        "seen": {name: _letters(after[:, column]) for column, name in enumerate(attribute_names)},
    }


def _drift(before, after, requests, attribute_names):
    is_counted = requests.free & (before != UNDETERMINED) & (after != UNDETERMINED)
    changed, counted = ((before != after) & is_counted).sum(dim=0).tolist(), is_counted.sum(dim=0).tolist()
    return {
        name: [changed[column], counted[column]]
        for column, name in enumerate(attribute_names)
        if requests.free[0, column]
    }


def success_letters(verdict: torch.Tensor, attributes: Mapping[str, bool], attribute_names: Sequence[str]) -> str:
    """Success of every image, one character per row of verdicts int8 [N, A], as in `cell_outcomes`."""
    requests = encode_requests([attributes] * len(verdict), attribute_names)
    right = _right(verdict, requests)[:, requests.asked[0]]
    return _letters(torch.where((right == NO).any(dim=1), NO, right.min(dim=1).values))


def letters_with(seen: str, value: bool) -> str:
    """Whether images have a value of an attribute, by the verdicts on it.

    >>> letters_with("10?", False)
    '01?'
    """
    return seen if value else seen.translate(_TURNED)


def _right(verdict, requests):
    """YES where a verdict is the wanted value, NO where it is the other, int8 [N, A]."""
    is_wanted = (verdict == requests.values.to(verdict.dtype)).to(verdict.dtype)
    return torch.where(verdict == UNDETERMINED, UNDETERMINED, is_wanted)


def _letters(values):
    return "".join({YES: SUCCESS, NO: FAILURE, UNDETERMINED: UNSURE}[value] for value in values.tolist())
