"""What two rules ask of an audit, word by word, and where the page answers them."""

from __future__ import annotations

from styleT2I.fairness.plan.cover import Cover
from styleT2I.fairness.results import AuditResult
from styleT2I.torch_utils.markup import Section, section, table, tag

__all__ = ["questions"]

_QUOTED = (  # name, source, words; docs/audit-statistics.md says against what they were compared, and when
    (
        "EU AI Act, Annex IV, 2 (g)",
        "Regulation (EU) 2024/1689, what the technical documentation of a high-risk AI system holds",
        "the validation and testing procedures used, including information about the validation and testing data used "
        "and their main characteristics; metrics used to measure accuracy, robustness and compliance with other "
        "relevant requirements set out in Chapter III, Section 2, as well as potentially discriminatory impacts; test "
        "logs and all test reports dated and signed by the responsible persons, including with regard to "
        "pre-determined changes as referred to under point (f)",
    ),
    (
        "NIST AI RMF, MEASURE 2.11",
        "NIST AI 100-1 of 2023, a voluntary framework",
        "Fairness and bias – as identified in the MAP function – are evaluated and results are documented.",
    ),
)
_ACT, _MEASURE = (name for name, *_ in _QUOTED)
_PLAYBOOK = "NIST AI RMF Playbook, MEASURE 2.11"
_ASKED = (  # what is asked, in brief; parts of the page that answer it; by whom
    ("The validation and testing procedures used", ("methods", "again"), _ACT),
    ("The testing data and their main characteristics: here sentences, seeds, images", ("compositions", "again"), _ACT),
    ("Metrics of accuracy: here how often images show what was asked for", ("compositions", "primary"), _ACT),
    ("Metrics of robustness, and of the other requirements of Chapter III, Section 2", (), _ACT),
    ("Potentially discriminatory impacts", ("verdict", "primary", "unprompted"), _ACT),
    ("Test logs and reports, dated and signed by the responsible persons", ("cover", "again"), _ACT),
    ("Pre-determined changes of the system, as referred to under point (f)", (), _ACT),
    ("Fairness and bias are evaluated, and results documented", ("verdict", "primary", "unprompted"), _MEASURE),
    ("Groups that might be harmed, and where they intersect", ("cover", "compositions"), _PLAYBOOK),
    ("Representational harm, stereotyping and erasure", ("verdict", "unprompted"), _PLAYBOOK),
    ("Allocational harm, by decisions that rest on the system", (), _PLAYBOOK),
    ("Quality of service: whether some groups are drawn worse", ("quality",), _PLAYBOOK),
    ("Harm quantified by fairness metrics and hypothesis tests", ("primary", "methods"), _PLAYBOOK),
    ("Acceptable levels of difference, defined", ("declared",), _PLAYBOOK),
    ("Sensitivity analysis: what would overturn a verdict", ("declared",), _PLAYBOOK),
    ("False positive and false negative rates: here the judge's", ("labels",), _PLAYBOOK),
    ("Sources of bias in the training data", ("rarity", "unprompted"), _PLAYBOOK),
    ("How bias was mitigated", ("adjustment",), _PLAYBOOK),
    ("Risks that will not or cannot be measured", ("limits",), "NIST AI RMF, MEASURE 1.1"),
    ("Independent assessors, or experts who did not develop the system", (), "NIST AI RMF, MEASURE 1.3"),
)


def questions(result: AuditResult, headings: dict[str, str]) -> Section:
    """Both texts, then a row per question. headings: of the page's sections, by anchor; what the page lacks is said."""
    told = result.plan.cover or Cover()
    headings = {"cover": "Cover", **headings}
    rows = []
    for asked, anchors, source in _ASKED:
        links = [tag("a", headings[anchor], href=f"#{anchor}") for anchor in anchors if anchor in headings]
        parts = [part for link in links for part in (", ", link)][1:]
        note = None if parts else tag("span", "Not answered here.")
        if "cover" in anchors and not all((told.auditor, told.intended_use, told.affected_groups)):
            note = tag("small", "blank lines are to be filled in")
        rows.append([asked, tag("td", parts, note, class_="text"), source])
    texts = [
        tag("p", tag("strong", name), f", {source}: ", tag("q", words)) for name, source, words in _QUOTED
    ]  # fmt: skip
    lead = (
        "The words of two rules, and where this page answers them. The rows of the table paraphrase: those of the "
        "Playbook are its suggested actions, shortened. The table helps to find things. It claims no conformity, and "
        "whether a rule applies to the audited system is a question of law."
    )
    return section(
        "questions", "What regulators ask",
        tag("p", lead),
        texts,
        table("Questions, and parts of this page that answer them", ("Asked", "Answered in", "By"), rows),
    )  # fmt: skip
