"""What images show that no word asked for: a sentence and a line of a figure for each declared entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from styleT2I.fairness.report.elements.figures import ShareRow, share_plot
from styleT2I.fairness.report.names import sentence_of, term_words
from styleT2I.fairness.report.wording import interval, percent
from styleT2I.fairness.results import AuditResult
from styleT2I.torch_utils.markup import Section, details, section, tag
from styleT2I.torch_utils.words import counted

__all__ = ["unasked"]


def unasked(result: AuditResult, further) -> Section | None:
    """The section; None where the plan declares no such entry. further: the whole table, as parts of a section."""
    if result.unprompted is None:
        return None
    rows = [row for row in result.unprompted.rows if "prompt" in row and row.get("share") is not None]
    names = list(result.summary)
    shown = [row for row in rows if row["setting"] == names[0]] if rows else []
    plot = share_plot([_plotted(result, row) for row in shown], "Rates of what was not asked for") if shown else None
    legend = (
        "Dot and line: rate in the generated images and its interval. Diamond: rate in the training images that show "
        "what the sentence asks for. Dashed line: an even split."
    )
    return section(
        "unprompted",
        "What appears unasked",
        tag("p", "How often images show something that their sentence leaves open: what the system adds of its own."),
        tag("ul", [tag("li", _sentence(result, row)) for row in shown]) if shown else None,
        tag("figure", plot, tag("figcaption", legend)) if plot else None,
        details("All values and tests", further),
    )


def _plotted(result: AuditResult, row: Mapping[str, Any]) -> ShareRow:
    label = f"“{sentence_of(result, row['prompt'])}”: {term_words(row['attribute'], result)}"
    return ShareRow(label, row["share"], tuple(row["share_interval"]), row.get("even_share"), row.get("training_share"))


def _sentence(result: AuditResult, row: Mapping[str, Any]) -> str:
    who = term_words(row["attribute"], result)
    said = f"Asked for “{sentence_of(result, row['prompt'])}”, {percent(row['share'])} of images show {who} "
    said += f"(interval {interval(tuple(row['share_interval']))})"
    training = row.get("training_share")
    if training is not None:
        is_shown = row.get("p_training_adjusted", 1.0) <= result.plan.alpha
        change = "more than" if row["share"] > training else "less than"
        change = change if is_shown else "not shown to differ from"
        said += f", {change} the {percent(training)} of such images in the training data"
    if row.get("corrected_by") == "labels":
        said += f", by people's labels of {counted(row['labelled_images'], 'image')}"
        said += f" (the judge alone: {percent(row['counted_share'])})"
    even = row.get("even_share")
    if even is not None and row.get("p_even_adjusted", 1.0) > result.plan.alpha:
        said += f". No difference from an even split ({percent(even)}) is shown"
    return f"{said}."
