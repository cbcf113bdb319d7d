"""Counts of a judge's verdicts over joint states of several attributes, for `statistics.joint_errors`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch

from styleT2I.attributes.compositions import contradiction, read_composition
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.fairness.plan import AuditPlan
from styleT2I.metrics.attributes import NO, YES
from styleT2I.statistics.joint_errors import JointErrors

__all__ = ["JointTally", "joint_sets"]

MAX_ATTRIBUTES = 3  # of a set: 8 joint states, each of which needs labelled images
_LETTERS = {YES: "1", NO: "0"}

State = tuple[tuple[str, bool], ...]  # attributes and their values


def joint_sets(plan: AuditPlan, vocabulary: Vocabulary) -> list[tuple[str, ...]]:
    """Sets of attributes whose joint states matter to a plan, in the order of the vocabulary, each once.

    Those of both sides of every comparison, of every composition, and of every unprompted entry with its sentence.
    """
    cells = plan.drawn_cells(vocabulary)
    asked = [{*cells[pair.first], *cells[pair.second]} for pair in plan.comparisons]
    asked += [set(cell) for cell in plan.cells(vocabulary).values()]
    asked += [{*read_composition(entry.prompt, vocabulary), *read_composition(entry.attribute, vocabulary)}
              for entry in plan.unprompted]  # fmt: skip
    sets = [tuple(name for name in vocabulary.names if name in names) for names in asked]
    sets = [names for names in dict.fromkeys(sets) if len(names) <= MAX_ATTRIBUTES]
    return [names for names in sets if not any(set(names) < set(other) for other in sets)]


class JointTally:
    """Verdicts of a judge on labelled images by the joint state of some attributes.

    Args:
        attributes: Their names.
        num: Labelled images per composition; twice as many are counted here, in equal parts over the states.
    """

    def __init__(self, attributes: Sequence[str], num: int):
        self.attributes = tuple(attributes)
        self.wanted = dict.fromkeys(self.attributes, True)
        self._all = [tuple(zip(self.attributes, values, strict=True))
                     for values in itertools.product((False, True), repeat=len(self.attributes))]  # fmt: skip
        self.room: dict[State, int] = dict.fromkeys(self._all, max(1, -(-2 * num // len(self._all))))
        self.counts: dict[str, dict[str, int]] = {}

    def states(self, vocabulary: Vocabulary) -> list[State]:
        """The joint states that an image can have."""
        return [state for state in self._all if not contradiction(dict(state), vocabulary)]

    def add(self, holds: torch.Tensor, seen: torch.Tensor) -> None:
        """Count images. holds: bool [N, K], the labels; seen: int8 [N, K], verdicts."""
        for truth, verdict in zip(holds.tolist(), seen.tolist(), strict=True):
            state = tuple(zip(self.attributes, truth, strict=True))
            if self.room[state] > 0:
                self.room[state] -= 1
                row = self.counts.setdefault("".join("01"[value] for value in truth), {})
                letters = "".join(_LETTERS.get(value, "?") for value in verdict)
                row[letters] = row.get(letters, 0) + 1

    @property
    def is_full(self) -> bool:
        """Whether enough images of every state are counted."""
        return not any(self.room.values())

    def describe(self, vocabulary: Vocabulary) -> Mapping | None:
        """Ready for JSON; None where a possible state was never labelled, or the judge is no better than chance."""
        needed = {"".join("01"[value] for _, value in state) for state in self.states(vocabulary)}
        if needed - self.counts.keys():
            return None
        try:
            JointErrors(self.attributes, self.counts)
        except ValueError:
            return None
        return {"attributes": list(self.attributes), "counts": dict(sorted(self.counts.items()))}
