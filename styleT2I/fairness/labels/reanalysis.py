"""An audit's sample from its folder, and its result with the labels that are there now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.errors import DataError
from styleT2I.fairness.cells.merge import merge_cells
from styleT2I.fairness.labels.sample import sampled_images
from styleT2I.fairness.labels.session import LabelSession, open_session
from styleT2I.fairness.report.page import read_result, write_report
from styleT2I.fairness.results import AuditResult

__all__ = ["label_session", "labelled_again"]


def label_session(folder: str | Path, rater: str, is_resolver: bool = False) -> LabelSession:
    """The session of a rater on the sample of a finished audit.

    Raises:
        DataError: There is no audit, its cells or images are gone, or its plan asks for no labels.
        ConfigError: As `session.open_session`.
    """
    result = _read(folder)
    plan, vocabulary = _drawn(result), load_vocabulary(result.plan.vocabulary)
    images = sampled_images(plan, vocabulary, result.outcomes or {}, result.provenance.num, [folder])
    return open_session(folder, rater, images, vocabulary, result.plan_sha256, is_resolver)


def labelled_again(folder: str | Path) -> AuditResult:
    """The result of an audit with the labels that are in its folder now; its report is written again."""
    before = _read(folder)
    vocabulary = load_vocabulary(before.plan.vocabulary)
    result = merge_cells(before.plan, vocabulary, [folder], calibration=before.calibration)
    result = replace(result, rerun=before.rerun)
    write_report(result, folder, [folder])
    return result


def _read(folder):
    result = read_result(folder)
    if not result.outcomes:
        raise DataError(f"{folder}: the audit's cells are not there; name the folder that the audit was run in")
    return result


def _drawn(result):
    return result.plan if result.provenance.subject.has_settings else result.plan.without_settings()
