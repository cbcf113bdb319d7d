"""The part of an audit's report about people's labels, and about a calibration that may not transport to its images."""

from __future__ import annotations

from styleT2I.fairness.report.wording import interval, points
from styleT2I.fairness.results import AuditResult
from styleT2I.torch_utils.markup import Markup, Section, section, table, tag
from styleT2I.torch_utils.words import counted

__all__ = ["basis_sentence", "labels", "rests_on_labels"]

_RESOLVED = (
    "Raters saw the images in a random order of their own, without the sentence, and were asked about all attributes "
    "of the comparison, or about what an unprompted sentence leaves open. The answer that more raters gave counts; "
    "“cannot tell” abstains. Where they differ, a resolver is asked without being shown their answers. What is open "
    "after that counts as a failure at one end of every interval and as a success at the other."
)
_ESTIMATE = (
    "Gaps are estimated by prediction-powered inference with tuned power (PPI++), rates within each verdict of the "
    "judge (post-stratification): both from the labels, with the judge's verdicts on all images to narrow the "
    "interval. No assumption is made about the judge. Where few labelled pairs differ, the interval of a gap is "
    "Newcombe's, of the labels alone."
)


def rests_on_labels(result: AuditResult) -> bool:
    """Whether people's labels count in this result."""
    return result.labels is not None and result.labels.reason is None


def basis_sentence(result: AuditResult) -> str:
    """What the values of a result rest on: labels of its images, a calibration, or the judge alone."""
    kinds = {each.corrected.by or "calibration" for each in result.comparisons if each.corrected}
    if rests_on_labels(result):
        others = (
            " Other compositions and settings are as the judge perceives them." if not result.plan.transports else ""
        )
        return f"Values of {_sampled(result)} rest on people's labels of a random sample of these images.{others}"
    if "calibration" in kinds and result.calibration:
        return (
            f"Values are corrected by the judge's errors on other images ({result.calibration.data}). The plan "
            "declares that it errs on the model's images as on those; the tipping points say how much a difference "
            "would matter."
        )
    if result.calibration:
        return (
            f"The judge's errors were measured on other images ({result.calibration.data}). The plan does not declare "
            "that they are the same on the model's images, so nothing is corrected by them; every verdict is about "
            "what the judge perceives."
        )
    return "The judge's errors were not measured for this audit; every verdict is about what it perceives."


def _sampled(result: AuditResult) -> str:
    """What is labelled: "the declared comparisons (100 pairs of each)"."""
    num, said = result.plan.labels, []
    if result.comparisons:
        said.append(f"the declared comparisons ({counted(num, 'pair')} of each)")
    if result.plan.unprompted:
        said.append(f"what appears unasked ({counted(num, 'image')} of each sentence)")
    return " and ".join(said)


def labels(result: AuditResult) -> list[Section]:
    """The section, if the audit has labels, asks for some, or was calibrated on other images."""
    parts: list[Markup] = []
    if (found := result.labels) is not None:
        what = f"{counted(found.images, 'image')} in all, for {_sampled(result)}"
        parts.append(tag("p", f"A random sample of this audit's own images was put aside for people: {what}."))
        if found.reason:
            parts.append(tag("p", tag("strong", f"{found.reason}.")))
        if found.raters:
            parts.append(_raters(result))
        if found.agreement:
            parts.append(_agreement(result))
            settled = f"{counted(found.differing, 'image')} needed a resolver, {found.undetermined} stayed open. "
            parts.append(tag("p", settled, _RESOLVED))
        if not found.reason:
            parts.append(tag("p", _ESTIMATE))
    if result.transported:
        rows = [[row["name"], f"{points(row['gap'])} ({interval(row['gap_interval'], points)})"]
                for row in result.transported.rows]  # fmt: skip
        parts.append(tag("h3", "If the calibration held for these images"))
        parts.append(tag("p", result.transported.explanation))
        parts.append(table("Gaps by the calibration, in points", ("Comparison", "Gap (interval)"), rows))
    return [section("labels", "Labels and calibration", parts)] if parts else []


def _raters(result):
    assert result.labels is not None
    rows = [
        [each.name, each.role, each.answers, each.undecided, tag("td", tag("code", each.sha256 or "unfinished"))]
        for each in result.labels.raters
    ]
    return table("Who labelled", ("Rater", "Role", "Answers", "Cannot tell", "SHA-256 of the answers"), rows)


def _agreement(result):
    assert result.labels is not None
    rows = []
    for each in result.labels.agreement:
        kappa = "no value: one answer throughout" if each.kappa is None else f"{each.kappa:.2f}"
        ends = each.kappa_interval
        shown = f" ({ends[0]:.2f} to {ends[1]:.2f})" if ends else ""
        rows.append([each.attribute, " and ".join(each.raters), each.images, each.agreed, f"{kappa}{shown}"])
    columns = ("Attribute", "Raters", "Images", "Same answer", "Cohen's kappa (95 % interval)")
    return table("How far raters agree", columns, rows)
