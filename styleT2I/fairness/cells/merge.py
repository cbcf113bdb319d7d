"""One result of an audit's finished cells, in however many folders they lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.config import from_dict
from styleT2I.errors import DataError
from styleT2I.fairness.analysis.agreement import agreement
from styleT2I.fairness.analysis.assemble import analyse
from styleT2I.fairness.analysis.corrections import transported
from styleT2I.fairness.analysis.decisions.evidence import JudgeErrors
from styleT2I.fairness.cells.cached import cached_cells
from styleT2I.fairness.classifier.pairs import counted_pairs
from styleT2I.fairness.judges.calibration import check_same_judge
from styleT2I.fairness.labels.answers import read_raters
from styleT2I.fairness.labels.sample import sampled_images
from styleT2I.fairness.labels.summary import used_labels
from styleT2I.fairness.plan import AuditPlan, plan_hash
from styleT2I.fairness.plan.lock import declared_in, environment, utc_now
from styleT2I.fairness.results import AuditResult, Calibration, Provenance

__all__ = ["merge_cells"]

LIMITS = (
    "The attributes are those that the judge perceives in drawn faces. Nobody's identity is inferred.",
    "The judge makes errors, possibly more in one group than in another. Only values called corrected allow for them.",
    "A rate counts an undetermined image as a failure. Bounds count all of them as failures, then all as successes.",
    "The results hold for this model, these sentences and these settings.",
)
_OF_CLASSIFIER = (
    "The attributes are those that a judge perceives in drawn faces. Nobody's identity is inferred.",
    "The faces are drawn and edited by a model. A classifier may behave differently on photos.",
    "An edit may change more than it should. What the judge sees of that is counted in “Edits of the faces”, and "
    "counts against a decision; what it does not see, nothing here bounds. It learned from the model's renderer.",
    "The results hold for this classifier, these faces and these edits.",
)
_STEERED = "A judge trained or steered the system that it judges, and favours it for that: do not rely on it alone."
_TRANSPORTED = (
    "Corrected values rest on the judge's errors on other images than the model's. The plan declares that they are the "
    "same on these; nothing here shows it."
)
_LABELLED = (
    "Corrected values rest on people's labels of a random sample of the audited images. People perceive; they may err, "
    "and differ."
)
_UNPAIRED = (
    "Images are not paired by seed. Gaps have Newcombe's two-sample interval and Fisher's exact test, which need more "
    "images than pairs to show the same gap."
)
_AS_DRAWN = (
    "Images are judged as they were drawn. There is no truncation or adjustment to vary, and no face without the "
    "sentence to measure drift against."
)


def merge_cells(
    plan: AuditPlan,
    vocabulary: Vocabulary,
    folders: Iterable[str | Path],
    origin: dict[str, Any] | None = None,
    calibration: Calibration | None = None,
    run: str | None = None,
    labelled: Iterable[str | Path] = (),
) -> AuditResult:
    """One result of the cells in several folders that `Audit.run` wrote to.

    Args:
        plan: What the cells were drawn for.
        vocabulary: That of the plan.
        folders: Output folders of runs, each with a folder of cells.
        origin: That of the cells to take, where it is known; else all cells of the plan must share one.
        calibration: The judge's errors, as `read_calibration` gives them.
        run: That of the cells to take, for a function in memory that nothing else identifies.
        labelled: Further folders that may hold people's labels.

    Raises:
        DataError: Cells are missing, come from more than one subject, num or judge, contradict each other or were
            changed, or the calibration is of another judge.
    """
    folders = list(folders)
    outcomes, origins = _collected(plan, vocabulary, folders, origin, run)
    if len(origins) > 1:
        raise DataError("the folders hold cells of different models, versions or numbers; give each audit its folder")
    effective = plan if not origins or origins[0]["subject"]["has_settings"] else plan.without_settings()
    places = [(setting.name, name) for setting in effective.settings for name in plan.drawn_cells(vocabulary)]
    if missing := [place for place in places if place not in outcomes]:
        raise DataError(
            f"{len(missing)} of {len(places)} cells are missing, the first is {missing[0][1]!r} ({missing[0][0]}); "
            "run every shard, and name every folder (cells of version 0.1 are drawn again)"
        )
    provenance = from_dict(Provenance, origins[0])
    if calibration:
        check_same_judge(calibration, provenance.judge["sha256"])
    labels, answered = _labels(effective, vocabulary, outcomes, provenance.num, [*folders, *labelled])
    counted, edits = counted_pairs(plan, vocabulary, outcomes) if plan.classifier else (outcomes, None)
    moved = calibration if plan.transports else None
    errors = (moved.cells, moved.joint) if moved else (None, ())
    findings = replace(analyse(effective, vocabulary, counted, errors[0], errors[1], answered), edits=edits)
    if calibration and not plan.transports:
        elsewhere = transported(effective, vocabulary, counted, JudgeErrors(calibration.cells, calibration.joint))
        findings = replace(findings, transported=elsewhere)
    tables = {place: outcomes[place]["agreement"] for place in places} if plan.second_judge else None
    return AuditResult(
        **vars(findings),
        agreement=agreement(tables) if tables else None,
        labels=labels,
        limits=_limits(
            plan, provenance, {len(counted[place]["success"]) for place in places}, findings, bool(answered)
        ),
        plan=plan,
        plan_sha256=plan_hash(plan),
        num_overridden=provenance.num != plan.num,
        settings_left_out=tuple(setting.name for setting in plan.settings if setting not in effective.settings),
        calibration=calibration,
        provenance=provenance,
        date=utc_now(),
        environment=environment(),
        declared=declared_in(folders),
        outcomes=outcomes,
    )


def _collected(plan, vocabulary, folders, origin, run):
    """Outcomes by (setting, composition), and the different origins and runs they have."""
    outcomes, origins, runs, paths = {}, [], set(), {}
    for cell in cached_cells(plan, vocabulary, folders):
        if origin not in (None, cell.origin) or run not in (None, cell.content.get("run")):
            continue
        if cell.origin not in origins:
            origins.append(cell.origin)
        found, key = cell.content["outcomes"], (cell.place, origins.index(cell.origin))
        if key in paths and outcomes[cell.place] != found:
            raise DataError(
                f"{paths[key]} and {cell.path} contradict each other about one composition; delete the wrong folder"
            )
        paths[key] = cell.path
        outcomes[cell.place] = found
        runs.add(cell.content.get("run"))
    if len(runs) > 1:
        raise DataError("the folders hold cells of functions in memory that cannot be told apart; run the audit again")
    return outcomes, origins


def _labels(plan, vocabulary, outcomes, num, folders):
    """Summary of the labels in the folders, and the labels where they count; None for a plan that asks for none."""
    if not plan.labels:
        return None, None
    images = sampled_images(plan, vocabulary, outcomes, num, folders)
    return used_labels(read_raters(folders), images, plan.labels)


def _limits(plan, provenance, nums, findings, is_labelled):
    kinds = {each.corrected.by for each in findings.comparisons if each.corrected}
    judges = [judge for judge in (provenance.judge, provenance.second_judge) if judge]
    further = (
        (_TRANSPORTED, "calibration" in kinds),
        (_LABELLED, is_labelled),
        (_STEERED, not all(judge["is_independent"] for judge in judges)),
        (_UNPAIRED, not provenance.subject.is_paired),
        (_AS_DRAWN, not provenance.subject.has_settings and not plan.classifier),
        (f"Compositions have from {min(nums)} to {max(nums)} images.", len(nums) > 1),
    )
    always = _OF_CLASSIFIER if plan.classifier else LIMITS
    return (*always, *(text for text, applies in further if applies))
