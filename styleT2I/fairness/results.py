"""An audit's result as frozen dataclasses, to and from the JSON of audit.json: a field is a key, in the order on disk.
A field with the default None is left out of the JSON where it is None; one without a default is always there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from styleT2I.config import from_dict, to_dict
from styleT2I.errors import ConfigError, DataError
from styleT2I.fairness.interop.views import ResultViews
from styleT2I.fairness.labels.summary import LabelSummary
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.plan.thresholds import LimitKind
from styleT2I.statistics.joint_errors import JointErrors
from styleT2I.statistics.misclassification import Confusion

__all__ = [
    "AttributeResult", "AuditResult", "Calibration", "CellPlace", "CellResult", "ComparisonResult", "CorrectedBy",
    "CorrectedGap", "CorrectedRate", "Findings", "Interval", "ObstacleKind", "PairCounts", "PlanRecord", "Provenance",
    "SCHEMA_VERSION", "SettingSummary", "SubjectFacts", "Table", "ThresholdResult", "to_json",
]  # fmt: skip

SCHEMA_VERSION = 3  # of audit.json; 1 had pass and fail by the point estimate, 2 no labels

Interval: TypeAlias = tuple[float, float]  # low and high end
CorrectedBy: TypeAlias = Literal["calibration", "labels"]  # errors on other images, or people's labels of these
ObstacleKind: TypeAlias = Literal["floor", "blank", "copies", "undetermined", "judge", "uncorrected", "labels"]

# What results of earlier versions lack, as they meant it.
_ADDED_LATER: dict[str, Any] = {
    "settings_left_out": [],
    "calibration": None,
    "subject": {"kind": "stylet2i", "is_paired": True, "has_settings": True},
    "second_judge": None,
    "quality_data": "",
}


@dataclass(frozen=True)
class CellPlace:
    """A composition in a setting, by name."""

    setting: str
    cell: str  # the composition


@dataclass(frozen=True)
class AttributeResult:
    """One attribute that a sentence asks for, over the images of a cell."""

    asked: str  # the term of the wanted value: "she" for he = no
    right: float  # rate of images with the wanted value
    undetermined: int


@dataclass(frozen=True)
class CorrectedRate:
    """A success rate without the judge's errors."""

    success: float
    success_interval: Interval
    by: CorrectedBy | None = None  # None: a result of version 2, by a calibration


@dataclass(frozen=True)
class CorrectedGap:
    """A comparison without the judge's errors; fields as in `ComparisonResult`."""

    gap: float
    gap_interval: Interval
    success: tuple[float, float]
    ratio: float | None
    p: float  # by inverting the interval
    by: CorrectedBy | None = None  # as in `CorrectedRate`


@dataclass(frozen=True)
class CellResult:
    """Success of one composition in one setting: counts of images, rates from 0 to 1, intervals of 1 - alpha."""

    setting: str
    cell: str  # the composition
    num: int  # images
    successes: int
    undetermined: int
    success: float
    success_interval: Interval
    success_bounds: Interval  # all undetermined images failures, all of them successes
    attributes: dict[str, AttributeResult]
    drift: dict[str, float | None]  # rate of changed verdicts by attribute left open; None where none was determined
    corrected: CorrectedRate | None = None
    blank: int | None = None  # images of one colour; None for a result of an earlier version
    copies: int | None = None  # images that are byte for byte another one of the cell

    @property
    def shown(self) -> CorrectedRate:
        """The rate to show: corrected where it is."""
        return self.corrected or CorrectedRate(self.success, self.success_interval)

    @property
    def place(self) -> tuple[str, str]:
        """Setting and composition."""
        return self.setting, self.cell


@dataclass(frozen=True)
class PairCounts:
    """Pairs by which side succeeded; None throughout where the sides are not paired."""

    both: int | None
    only_first: int | None
    only_second: int | None
    neither: int | None


@dataclass(frozen=True, kw_only=True)
class ComparisonResult:
    """Two cells side by side: success rates, their difference (gap) from -1 to 1, its interval and p-value.

    Counted, as the judge perceives; `corrected` has the same without the judge's errors, and then p-values are adjusted
    from that. Intervals have the confidence 1 - alpha.
    """

    name: str | None = None  # None for an exploratory comparison
    first: CellPlace
    second: CellPlace
    design: Literal["paired", "unpaired"]
    pairs: PairCounts
    success: tuple[float, float]  # of the first and of the second
    gap: float  # first less second
    gap_interval: Interval
    p: float
    gap_bounds: Interval
    ratio: float | None  # smaller rate over the larger; None where both are 0
    corrected: CorrectedGap | None = None
    p_holm: float | None = None  # of a primary comparison
    p_benjamini_hochberg: float | None = None  # of an exploratory one
    is_significant: bool

    @property
    def shown(self) -> CorrectedGap:
        """What to show: corrected where it is."""
        return self.corrected or CorrectedGap(self.gap, self.gap_interval, self.success, self.ratio, self.p)

    @property
    def p_adjusted(self) -> float:
        """The p-value adjusted for the number of comparisons, by Holm or Benjamini-Hochberg."""
        adjusted = self.p_benjamini_hochberg if self.p_holm is None else self.p_holm
        assert adjusted is not None
        return adjusted

    @property
    def places(self) -> tuple[str, str, str, str]:
        """Setting and composition of the first side, then of the second."""
        return self.first.setting, self.first.cell, self.second.setting, self.second.cell


@dataclass(frozen=True, kw_only=True)
class ThresholdResult:
    """The verdict on one declared limit."""

    kind: LimitKind
    subject: str  # a comparison, or "prompt: attribute" of an unprompted rate
    limit: float
    value: float | None  # gap, ratio or rate, corrected where the audit has a calibration; None: 0 / 0
    interval: Interval
    confidence: float  # of the interval: that of its step in Holm's procedure over all limits
    p_within: float  # of the equivalence test, adjusted by Holm over all limits
    p_exceeded: float  # of the complementary test, adjusted likewise
    verdict: Literal["within", "exceeded", "not decided"]
    obstacle: ObstacleKind | None = None
    reason: str | None = None  # the obstacle in a sentence
    tipping: float | None = None  # difference of the judge's errors between the sides that overturns it, from 0 to 1

    @property
    def name(self) -> str:
        """The subject, with the kind of limit unless it is a gap."""
        return self.subject if self.kind == "max_gap" else f"{self.subject} ({self.kind})"


@dataclass(frozen=True)
class SettingSummary:
    """The least and the most successful composition of a setting."""

    worst_cell: str
    worst: float
    worst_interval: Interval  # widened (Bonferroni), since the composition was chosen by its result
    best_cell: str
    best: float
    gap: float
    ratio: float | None
    undetermined: int


@dataclass(frozen=True)
class Table:
    """A further table of the audit: what it shows, a row per case, and the compositions behind it where it has some."""

    explanation: str
    rows: tuple[dict[str, Any], ...]
    compositions: tuple[dict[str, Any], ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What follows from the outcomes of an audit's cells, before it is known where they come from."""

    verdict: str  # "within", "exceeded", "not decided" or "no threshold declared"
    exceeded: tuple[str, ...]  # names of limits
    not_decided: tuple[str, ...]
    thresholds: tuple[ThresholdResult, ...]
    problems: tuple[str, ...] = ()  # with images or the judge, a sentence each
    summary: dict[str, SettingSummary]  # by setting, the primary one first
    comparisons: tuple[ComparisonResult, ...]  # primary
    exploratory: tuple[ComparisonResult, ...]
    cells: tuple[CellResult, ...]
    curves: Table | None = None
    adjustment: Table | None = None
    unprompted: Table | None = None
    rarity: Table | None = None
    quality: Table | None = None
    transported: Table | None = None  # gaps by a calibration that the plan does not declare to transport
    edits: Table | None = None  # of a classifier audit: what the edits of each comparison did, as far as the judge sees


@dataclass(frozen=True)
class Calibration:
    """A judge's measured errors: images counted by truth and verdict, by composition."""

    judge_sha256: str | None
    num: int | None  # labelled images with each composition at most, and as many without
    data: str | None
    cells: dict[str, Confusion]
    joint: tuple[JointErrors, ...] = ()  # over joint states of the attributes of comparisons


@dataclass(frozen=True)
class PlanRecord:
    """When a plan was declared, and how it differs from the one that was declared before it in the same folder."""

    utc: str  # "2026-11-28T10:00:00Z"
    sha256: str
    is_before_images: bool  # no composition had been drawn then
    changes: tuple[str, ...] = ()  # "thresholds[0].max_gap: 0.05 -> 0.2"


@dataclass(frozen=True)
class SubjectFacts:
    """How the audited system was reached and what it can do, as `subjects.base.Subject` has it."""

    kind: str
    is_paired: bool = True
    has_settings: bool = True


@dataclass(frozen=True)
class Provenance:
    """What all cells of an audit share: the audited system, the judges, the seeds and the software."""

    subject: SubjectFacts
    model: dict[str, Any]  # "name", and under "components" a SHA-256 per part, None for one without a file
    judge: dict[str, Any]  # as `Judge.describe` has it
    second_judge: dict[str, Any] | None
    quality_data: str
    num: int  # images per composition
    first_seed: int
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class AuditResult(ResultViews, Findings):
    """The result of an audit: findings, limits, plan and provenance. `to_json` is the content of audit.json.

    extra: keys that this version does not know, such as those of a later one; the page shows them as tables.
    """

    agreement: dict[str, Any] | None = None  # of the two judges, as `analysis.agreement.agreement` has it
    labels: LabelSummary | None = None  # of the plan's sample; None where it asks for none
    limits: tuple[str, ...]
    plan: AuditPlan
    plan_sha256: str
    num_overridden: bool
    settings_left_out: tuple[str, ...]
    calibration: Calibration | None
    provenance: Provenance
    schema_version: int = SCHEMA_VERSION
    date: str | None = None  # UTC, of the result
    environment: dict[str, str] = field(default_factory=dict)  # where the result was made
    declared: tuple[PlanRecord, ...] = ()  # plans of the folder in the order of their declaration; the last counts
    rerun: str | None = None  # the command that makes the audit again
    extra: dict[str, Any] = field(default_factory=dict)
    # By (setting, composition), as `analysis.outcomes.cell_outcomes` has them; not in audit.json, but in the cells.
    outcomes: Mapping[tuple[str, str], Any] | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The result as plain dicts, lists and scalars, ready for JSON; `from_json` inverts it."""
        content = to_json(dataclasses.replace(self, outcomes=None))
        extra, provenance, rerun = content.pop("extra"), content.pop("provenance"), content.pop("rerun", None)
        return {**content, **provenance, **({} if rerun is None else {"rerun": rerun}), **extra}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> AuditResult:
        """The result that audit.json holds, of this version or an earlier one.

        Raises:
            DataError: A key is missing, or a value is not of its kind; the message names it.
        """
        if not isinstance(content, Mapping):
            raise DataError("not an audit, there is no result in it")
        content = {**_ADDED_LATER, **content}
        own = {entry.name: entry for entry in dataclasses.fields(cls)
               if entry.name not in ("provenance", "extra", "outcomes")}  # fmt: skip
        origin = {entry.name for entry in dataclasses.fields(Provenance)}
        wanted = origin | {name for name, entry in own.items() if entry.default is dataclasses.MISSING}
        if missing := sorted(wanted - content.keys()):
            raise DataError(f"not an audit, there is no {missing[0]} in it")
        values = {key: value for key, value in content.items() if key in own}
        values["extra"] = {key: value for key, value in content.items() if key not in own.keys() | origin}
        try:
            provenance = from_dict(Provenance, {key: content[key] for key in origin})
            return from_dict(cls, {**values, "provenance": provenance})
        except (ConfigError, ValueError) as error:  # the latter: counts that are no confusion matrix
            raise DataError(f"not an audit that can be read: {error}") from error

    @property
    def is_paired(self) -> bool:
        """Whether both sides of every comparison were drawn from the same seeds."""
        return self.provenance.subject.is_paired


def to_json(value: Any) -> Any:
    """A result, or a part of one, as plain dicts, lists and scalars."""
    if isinstance(value, AuditPlan):
        return to_dict(value)
    if dataclasses.is_dataclass(value):
        entries = ((entry, getattr(value, entry.name)) for entry in dataclasses.fields(value))
        return {entry.name: to_json(held) for entry, held in entries if held is not None or entry.default is not None}
    if isinstance(value, Mapping):
        return {key: to_json(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(entry) for entry in value]
    return value
