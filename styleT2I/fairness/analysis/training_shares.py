"""How often the training data shows what an audit asks for: counted from labels, or as the plan states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from styleT2I.attributes.compositions import composition_name, read_composition
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.data.dataset import open_dataset
from styleT2I.errors import DataError
from styleT2I.fairness.plan import AuditPlan

__all__ = ["Share", "TrainingShares", "training_shares"]

_ROWS_PER_BLOCK = 4096


@dataclass(frozen=True)
class Share:
    """A share of the training data: count of num pictures, or a number that the plan states, without a count."""

    value: float
    count: int | None = None
    num: int | None = None


@dataclass(frozen=True)
class TrainingShares:
    """Of all pictures those that show a composition, by its name; of a prompt's pictures those that show an attribute,
    by (prompt, attribute). What is not known is not in them."""

    source: str
    compositions: Mapping[str, Share] = field(default_factory=dict)
    attributes: Mapping[tuple[str, str], Share] = field(default_factory=dict)


def training_shares(plan: AuditPlan, vocabulary: Vocabulary) -> TrainingShares:
    """The shares that the plan's audit needs; a number in the plan comes before a count in its training_data.

    DataError where that data cannot be opened or does not label an attribute.
    """
    stated = {
        composition_name(read_composition(text, vocabulary), vocabulary): Share(value)
        for text, value in plan.training_shares.items()
    }
    given = {
        (one.prompt, one.attribute): Share(one.training_share)
        for one in plan.unprompted
        if one.training_share is not None
    }
    if not plan.training_data:
        return TrainingShares("as the plan states them", stated, given)
    data = open_dataset(plan.training_data, with_masks=False)
    labels = torch.cat(
        [
            data.labels_of(range(start, min(start + _ROWS_PER_BLOCK, len(data))))
            for start in range(0, len(data), _ROWS_PER_BLOCK)
        ]
    )  # [N, A]
    columns = {name: index for index, name in enumerate(data.attribute_names)}

    def holds(attributes):
        if missing := [name for name in attributes if name not in columns]:
            raise DataError(f"training_data {plan.training_data!r} does not label {missing[0]}; name other data")
        kept = [labels[:, columns[name]] == value for name, value in attributes.items()]
        return torch.stack(kept).all(dim=0)

    counted = {name: _share(holds(cell)) for name, cell in plan.cells(vocabulary).items()}
    for one in plan.unprompted:
        asked = holds(read_composition(one.prompt, vocabulary))
        if asked.any() and (one.prompt, one.attribute) not in given:
            given[one.prompt, one.attribute] = _share(holds(read_composition(one.attribute, vocabulary))[asked])
    return TrainingShares(plan.training_data, {**counted, **stated}, given)


def _share(mask):
    count, num = int(mask.sum()), len(mask)
    return Share(count / num, count, num)
