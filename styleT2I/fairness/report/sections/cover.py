"""The head of an audit's page: what was audited, by whom, for which use; blank lines where the plan does not say."""

from __future__ import annotations

from styleT2I.fairness.plan.cover import Cover
from styleT2I.fairness.results import AuditResult
from styleT2I.torch_utils.markup import Markup, tag
from styleT2I.torch_utils.words import counted

__all__ = ["cover"]


def cover(result: AuditResult) -> Markup:
    """The title, the facts of the run, and the block that responsible persons fill in and sign."""
    told = result.plan.cover or Cover()
    model, num = result.provenance.model["name"], result.provenance.num
    num_cells = len({cell.cell for cell in result.cells})
    scope = f"{counted(num_cells, 'combination')} of attributes, {counted(num, 'image')} of each"
    if len(result.summary) > 1:
        scope += f", in {len(result.summary)} settings"
    facts = (
        ("Audited system", model),
        ("Date of this result", result.date.replace("T", " ").replace("Z", " UTC") if result.date else ""),
        ("Scope", f"{scope}; {counted(len(result.comparisons), 'declared comparison')}"),
        ("Revision", told.revision),
        ("Auditor", told.auditor),
        ("Intended use of the system", told.intended_use),
        ("Groups that may be affected", told.affected_groups),
        ("Plan approved by, on", told.approval),
        ("Signature of the responsible person", ""),
    )
    return tag(
        "header",
        tag("p", _kicker(result), class_="kicker"),
        tag("h1", result.plan.name),
        tag("dl", [tag("div", tag("dt", name), _said(name, text)) for name, text in facts], class_="cover"),
        id="cover",
    )


def _kicker(result: AuditResult) -> str:
    if result.plan.classifier:
        return f"Fairness audit of a face classifier: “{result.plan.classifier.target}” on edited faces"
    return "Fairness audit of generated faces, by perceived attributes"


def _said(name: str, text: str) -> Markup:
    if text:
        return tag("dd", text)
    notes = {"Date of this result": "not recorded", "Signature of the responsible person": "to be signed by hand"}
    return tag("dd", tag("small", notes.get(name, "not stated in the plan")), class_="blank")
