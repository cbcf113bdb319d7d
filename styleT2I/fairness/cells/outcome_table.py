"""Every verdict of an audit as a long table, a row per image and attribute: outcomes.csv, Parquet and frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.fairness.analysis.outcomes import FAILURE, SUCCESS, UNSURE
from styleT2I.fairness.results import AuditResult

__all__ = ["COLUMNS", "outcome_rows"]

COLUMNS = ("setting", "composition", "sentence", "seed", "attribute", "asked", "verdict", "score", "success")
_VERDICTS = {SUCCESS: "yes", FAILURE: "no", UNSURE: "undetermined"}


def outcome_rows(result: AuditResult) -> Iterator[dict[str, Any]]:
    """The rows, in the order of settings, compositions, images and attributes.

    asked: "yes" or "no" where the sentence asks for the attribute or its absence, None where it leaves it open.
    verdict: of the judge on the attribute. score: above 0 for yes, None where it gave no number. success: of the image,
    all that the sentence asks for.
    """
    vocabulary = load_vocabulary(result.plan.vocabulary)
    cells, sentences = result.plan.drawn_cells(vocabulary), result.plan.sentences_of(vocabulary)
    for (setting, name), outcome in sorted((result.outcomes or {}).items(), key=_order(result, cells)):
        for index, seed in enumerate(outcome["seeds"]):
            for attribute, letters in outcome["seen"].items():
                asked = cells[name].get(attribute)
                yield {
                    "setting": setting,
                    "composition": name,
                    "sentence": sentences[name],
                    "seed": seed,
                    "attribute": attribute,
                    "asked": None if asked is None else "yes" if asked else "no",
                    "verdict": _VERDICTS[letters[index]],
                    "score": outcome["scores"][attribute][index],
                    "success": _VERDICTS[outcome["success"][index]],
                }


def _order(result, cells):
    settings, names = list(result.summary), list(cells)
    return lambda entry: (settings.index(entry[0][0]), names.index(entry[0][1]))
