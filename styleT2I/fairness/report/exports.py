"""An audit's verdicts for machines: JUnit XML and SARIF for continuous integration, Markdown for a pull request."""

from __future__ import annotations

import json
import re
from xml.sax.saxutils import escape, quoteattr

from styleT2I.fairness.report.verdict_words import (
    limit_words,
    measured_words,
    outcome,
    overturned_by,
    reason_of,
    verdict_sentence,
    who_words,
)
from styleT2I.fairness.results import AuditResult, ThresholdResult

__all__ = ["export_files", "junit", "markdown", "sarif"]

_UNSEEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML cannot hold
_LEVELS = {"exceeded": "error", "not decided": "warning"}


def export_files(result: AuditResult, name: str = "audit") -> dict[str, str]:
    """Text by file name."""
    return {f"{name}.junit.xml": junit(result), f"{name}.sarif": sarif(result), f"{name}.md": markdown(result)}


def junit(result: AuditResult) -> str:
    """A test case per limit: exceeded is a failure, not decided an error, so that neither passes unnoticed."""
    cases = []
    for threshold in result.thresholds:
        attributes = (
            f"name={_quoted(f'{threshold.subject}: {limit_words(threshold)}')} classname={_quoted(result.plan.name)}"
        )
        said = _escaped(_sentence(threshold))
        kind = {"exceeded": "failure", "not decided": "error"}.get(threshold.verdict)
        body = (
            f'<{kind} message={_quoted(_sentence(threshold))} type="{threshold.verdict}">{said}</{kind}>'
            if kind
            else ""
        )
        cases.append(f"    <testcase {attributes}>{body}</testcase>" if body else f"    <testcase {attributes}/>")
    counts = [sum(each.verdict == verdict for each in result.thresholds) for verdict in ("exceeded", "not decided")]
    suite = f'name={_quoted(result.plan.name)} tests="{len(cases)}" failures="{counts[0]}" errors="{counts[1]}"'
    stamp = f' timestamp="{result.date.rstrip("Z")}"' if result.date else ""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", f"  <testsuite {suite}{stamp}>"]
    return "\n".join([*lines, *cases, "  </testsuite>", "</testsuites>", ""])


def sarif(result: AuditResult) -> str:
    """SARIF 2.1.0: a result per limit that is exceeded (error) or not decided (warning)."""
    found = [
        {
            "ruleId": threshold.kind,
            "level": _LEVELS[threshold.verdict],
            "message": {"text": f"{threshold.subject}: {_sentence(threshold)}"},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": "audit.json"}}}],
            "partialFingerprints": {"limit/v1": f"{threshold.subject}/{threshold.kind}"},
        }
        for threshold in result.thresholds
        if threshold.verdict in _LEVELS
    ]
    kinds = dict.fromkeys(threshold.kind for threshold in result.thresholds)
    rules = [{"id": kind, "shortDescription": {"text": f"Limit {kind} of an audit's plan"}} for kind in kinds]
    driver = {"name": "styleT2I audit", "version": result.provenance.versions.get("styleT2I", "0"), "rules": rules}
    content = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": found}],
    }
    return json.dumps(content, indent=1) + "\n"


def markdown(result: AuditResult) -> str:
    """A summary: the verdict in a sentence, and a row per limit."""
    compared = {each.name: each for each in result.comparisons}
    lines = [f"### Audit: {_cell(result.plan.name)}: {result.verdict}", "", _cell(verdict_sentence(result)), ""]
    if result.thresholds:
        lines += [
            "| limit | images that show it | measured (interval) | verdict | overturned by, or why open |",
            "| --- " * 5 + "|",
        ]
    for threshold in result.thresholds:
        value, ends = measured_words(threshold)
        pair = compared.get(threshold.subject)
        cells = (
            f"{threshold.subject}, {limit_words(threshold)}",
            who_words(result, pair) if pair else value,
            f"{value}, {ends}",
            outcome(threshold),
            reason_of(threshold) or overturned_by(threshold),
        )
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    what = f"{result.provenance.model['name']}, {result.provenance.num} images per composition"
    lines += ["", f"{_cell(what)}. It is about what the judge perceives, and certifies no model as fair.", ""]
    return "\n".join(lines)


def _sentence(threshold: ThresholdResult) -> str:
    value, ends = measured_words(threshold)
    said = f"{threshold.verdict}: {limit_words(threshold)}; measured {value}, interval {ends}"
    return f"{said}; {reason_of(threshold)}" if threshold.verdict == "not decided" else said


def _quoted(text):
    return quoteattr(_UNSEEN.sub("?", text))


def _escaped(text):
    return escape(_UNSEEN.sub("?", text))


def _cell(text):
    """Text that no Markdown reads as markup: marks are escaped, lines joined."""
    return re.sub(r"([\\`*_{}\[\]<>|#~&])", r"\\\1", " ".join(str(text).split()))
