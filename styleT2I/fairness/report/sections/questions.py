"""What two rules ask of an audit, and where the page answers them."""

from __future__ import annotations

from styleT2I.fairness.plan.cover import Cover
from styleT2I.fairness.results import AuditResult
from styleT2I.torch_utils.markup import Section, section, table, tag

__all__ = ["questions"]

_ACT, _NIST = "EU AI Act, Annex IV, 2 (g)", "NIST AI RMF, MEASURE 2.11"
_ASKED = (  # source, what it asks in brief, parts of the page that answer it
    (_ACT, "The testing procedures used", ("methods", "again")),
    (_ACT, "The test data and their main characteristics: here sentences, seeds and images", ("compositions", "again")),
    (_ACT, "Metrics, and potentially discriminatory impacts", ("verdict", "primary", "unprompted")),
    (_ACT, "Accuracy and robustness of what measures", ("judge", "declared")),
    (_ACT, "Test logs and reports, dated and signed by the responsible persons", ("cover", "again")),
    (_NIST, "Intended use and groups that may be affected", ("cover",)),
    (_NIST, "Results by group, and where groups intersect", ("primary", "compositions")),
    (_NIST, "Harm that representation does: stereotypes and who is missing", ("unprompted", "verdict")),
    (_NIST, "Difference in quality between groups", ("quality",)),
    (_NIST, "Bias of the data that the system learned from", ("rarity", "unprompted")),
    (_NIST, "Limits of the measurement, and what stays uncertain", ("limits", "judge")),
    (_NIST, "Independent review, residual risk and measures against it", ()),
)


def questions(result: AuditResult, headings: dict[str, str]) -> Section:
    """A row per question. headings: of the page's sections, by anchor; what the page lacks is said."""
    told = result.plan.cover or Cover()
    headings = {"cover": "Cover", **headings}
    rows = []
    for source, asked, anchors in _ASKED:
        links = [tag("a", headings[anchor], href=f"#{anchor}") for anchor in anchors if anchor in headings]
        parts = [part for link in links for part in (", ", link)][1:]
        note = None if parts else tag("span", "Not answered here.")
        if "cover" in anchors and not all((told.auditor, told.intended_use, told.affected_groups)):
            note = tag("small", "blank lines are to be filled in")
        rows.append([asked, tag("td", parts, note, class_="text"), source])
    lead = (
        "Where this page answers what two rules ask of the documentation of a test. The questions are paraphrased; the "
        "table helps to find things, and claims no conformity."
    )
    return section(
        "questions", "What regulators ask",
        tag("p", lead),
        table("Questions, and parts of this page that answer them", ("Asked", "Answered in", "By"), rows),
    )  # fmt: skip
