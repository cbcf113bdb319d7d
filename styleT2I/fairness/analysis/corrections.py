"""What an audit knows beyond the judge's counts: its measured errors, and people's labels of the audit's own images.

Labels go before errors: they are of the model's own images, so they need not be carried over from others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.fairness.analysis.decisions.evidence import (
    ComparedSides,
    CountedSides,
    JudgeErrors,
    corrected_sides_of,
    corrected_success_of,
)
from styleT2I.fairness.analysis.labelled import LabelledSides, Labels, labelled_rate
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.results import CellPlace, CorrectedBy, Table
from styleT2I.statistics.evidence import Evidence

__all__ = ["Corrections", "is_paired", "kind_of", "transported"]

Outcomes = Mapping[tuple[str, str], dict]  # (setting, composition) -> `outcomes.cell_outcomes`


@dataclass(frozen=True)
class Corrections:
    """errors: of the judge, measured on other images; labels: of the audit's own images."""

    errors: JudgeErrors | None = None
    labels: Labels | None = None

    def sides(
        self, outcomes: Outcomes, cells: Mapping[str, dict[str, bool]], first: CellPlace, second: CellPlace,
        name: str | None = None,
    ) -> ComparedSides:  # fmt: skip
        """Both sides of a comparison, by the best that is known of them. name: of a declared one."""
        found = outcomes[first.setting, first.cell], outcomes[second.setting, second.cell]
        wanted = cells[first.cell], cells[second.cell]
        in_pairs = is_paired(outcomes, first, second)
        if self.labels:
            labelled = LabelledSides(found, wanted, self.labels, in_pairs)
            if labelled.is_covered:
                return labelled
        if self.errors is None:
            return CountedSides(found[0]["success"], found[1]["success"], in_pairs)
        source = name or " / ".join((first.setting, first.cell, second.setting, second.cell))
        return corrected_sides_of(self.errors, (first.cell, second.cell), wanted, found, in_pairs, source)

    def rate(self, place: CellPlace, outcome: dict, wanted: Mapping[str, bool]) -> tuple[Evidence, CorrectedBy] | None:
        """The success rate of a cell and what corrects it; None where nothing does."""
        labelled = labelled_rate(outcome, wanted, self.labels) if self.labels else None
        if labelled is not None:
            return labelled, "labels"
        if self.errors is None:
            return None
        return corrected_success_of(self.errors, place.cell, wanted, outcome, place.setting), "calibration"


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
