"""What an audit knows beyond the judge's counts: its measured errors, and people's labels of the audit's own images.

Labels go before errors: they are of the model's own images, so they need not be carried over from others.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from styleT2I.attributes.compositions import read_composition
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.fairness.analysis.decisions.evidence import (
    ComparedSides,
    CountedSides,
    JudgeErrors,
    corrected_rate_of,
    corrected_sides_of,
    corrected_success_of,
    rate_of_letters,
)
from styleT2I.fairness.analysis.labelled import LabelledSides, Labels, labelled_rate, labelled_share
from styleT2I.fairness.analysis.outcomes import SUCCESS, letters_with
from styleT2I.fairness.plan import AuditPlan, Unprompted
from styleT2I.fairness.results import CellPlace, CorrectedBy, Table
from styleT2I.statistics.evidence import Evidence

__all__ = ["Corrections", "Share", "is_paired", "kind_of", "transported"]

Outcomes = Mapping[tuple[str, str], dict]  # (setting, composition) -> `outcomes.cell_outcomes`


class Share(NamedTuple):
    """What is known of the rate of an attribute that no word asks for.

    counted: as the judge perceives, an undetermined image being none. by: what corrects it; None: nothing. labelled:
    whether each labelled image has the attribute, a letter each. is_covered: False where the audit has a calibration
    that says nothing of the attribute together with the sentence.
    """

    evidence: Evidence
    counted: float
    by: CorrectedBy | None = None
    labelled: str = ""
    is_covered: bool = True


@dataclass(frozen=True)
class Corrections:
    """errors: of the judge, measured on other images; labels: of the audit's own images.

    sampled: the cells of which a random sample was labelled. An image of another cell may be
    the same as a labelled one, where an adjustment had nothing to do; those that are say nothing about the others.
    """

    errors: JudgeErrors | None = None
    labels: Labels | None = None
    sampled: Set[CellPlace] = field(default_factory=frozenset)

    def sides(
        self, outcomes: Outcomes, cells: Mapping[str, dict[str, bool]], first: CellPlace, second: CellPlace,
        name: str | None = None,
    ) -> ComparedSides:  # fmt: skip
        """Both sides of a comparison, by the best that is known of them. name: of a declared one."""
        found = outcomes[first.setting, first.cell], outcomes[second.setting, second.cell]
        wanted = cells[first.cell], cells[second.cell]
        in_pairs = is_paired(outcomes, first, second)
        if self.labels and first in self.sampled and second in self.sampled:
            labelled = LabelledSides(found, wanted, self.labels, in_pairs)
            if labelled.is_covered:
                return labelled
        if self.errors is None:
            return CountedSides(found[0]["success"], found[1]["success"], in_pairs)
        source = name or " / ".join((first.setting, first.cell, second.setting, second.cell))
        return corrected_sides_of(self.errors, (first.cell, second.cell), wanted, found, in_pairs, source)

    def rate(self, place: CellPlace, outcome: dict, wanted: Mapping[str, bool]) -> tuple[Evidence, CorrectedBy] | None:
        """The success rate of a cell and what corrects it; None where nothing does."""
        labelled = labelled_rate(outcome, wanted, self.labels) if self.labels and place in self.sampled else None
        if labelled is not None:
            return labelled, "labels"
        if self.errors is None:
            return None
        return corrected_success_of(self.errors, place.cell, wanted, outcome, place.setting), "calibration"

    def share(self, entry: Unprompted, setting: str, outcome: dict, vocabulary: Vocabulary) -> Share:
        """The rate of images that show what an entry of `unprompted` watches, by the best that is known of it.

        Args:
            entry: With its canonical names.
            setting: Name of the setting that the images were drawn in.
            outcome: Of the entry's sentence in this setting, as `outcomes.cell_outcomes` has it.
            vocabulary: That of the plan.
        """
        place, (name, value) = CellPlace(setting, entry.prompt), vocabulary.resolve(entry.attribute)
        letters = letters_with(outcome["seen"][name], value)
        counted = letters.count(SUCCESS) / len(letters)
        labelled = labelled_share(outcome, name, value, self.labels) if self.labels and place in self.sampled else None
        if labelled is not None:
            return Share(labelled[0], counted, "labels", labelled[1])
        if self.errors is not None:
            asked = {*read_composition(entry.prompt, vocabulary), name}
            source = f"unprompted {entry.attribute} {setting}"
            found = corrected_rate_of(self.errors, entry.prompt, asked, {name: value}, outcome, source)
            if found is not None:
                return Share(found, counted, "calibration")
        return Share(rate_of_letters(letters), counted, is_covered=self.errors is None)


def is_paired(outcomes: Outcomes, first: CellPlace, second: CellPlace) -> bool:
    """Whether the images of two cells are pairs."""
    return all(outcomes[place.setting, place.cell].get("is_paired", True) for place in (first, second))


def kind_of(sides: ComparedSides) -> CorrectedBy | None:
    """What corrects both sides; None where they are counted."""
    if isinstance(sides, CountedSides):
        return None
    return "labels" if isinstance(sides, LabelledSides) else "calibration"


def transported(plan: AuditPlan, vocabulary: Vocabulary, outcomes: Outcomes, errors: JudgeErrors) -> Table:
    """What the declared gaps would be if the judge erred on the model's images as on those that calibrated it.

    For a plan that does not declare that it does: no verdict rests on this.
    """
    known, cells, setting, rows = Corrections(errors), plan.cells(vocabulary), plan.settings[0].name, []
    for pair in plan.comparisons:
        contrast = known.sides(
            outcomes, cells, CellPlace(setting, pair.first), CellPlace(setting, pair.second), pair.name
        ).contrast()
        rows.append({"name": pair.name, "gap": contrast.value, "gap_interval": contrast.interval(1 - plan.alpha)})
    return Table(
        "What the gaps would be if the judge erred on the model's images as on the labelled ones. The plan does not "
        "declare that it does (transports), so nothing else on this page rests on it.",
        tuple(rows),
    )
