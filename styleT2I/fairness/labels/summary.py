"""What a result says about people's labels: who labelled what, how far they agree, and whether the labels count."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from styleT2I.fairness.analysis.outcomes import UNSURE
from styleT2I.fairness.labels.answers import ANSWERS, Answers, disagreements, labels_of
from styleT2I.fairness.labels.sample import SampledImage
from styleT2I.statistics.agreement import kappa_interval

__all__ = ["LabelSummary", "RaterAgreement", "RaterFacts", "used_labels"]


@dataclass(frozen=True)
class RaterFacts:
    """One rater. answers, undecided: over images and attributes; sha256: of the file, None while it is unfinished."""

    name: str
    role: Literal["rater", "resolver"]
    answers: int
    undecided: int
    sha256: str | None


@dataclass(frozen=True)
class RaterAgreement:
    """How far two raters agree about one attribute, undecided being an answer; kappa None where it says nothing."""

    raters: tuple[str, str]
    attribute: str
    images: int
    agreed: int
    kappa: float | None
    kappa_interval: tuple[float, float] | None


@dataclass(frozen=True)
class LabelSummary:
    """The labels of an audit's sample."""

    pairs: int  # of every comparison in the sample
    images: int
    raters: tuple[RaterFacts, ...]
    agreement: tuple[RaterAgreement, ...]
    differing: int  # images on which the raters differ about an attribute, or none is decided
    undetermined: int  # images without a label of an attribute, after resolvers
    reason: str | None = None  # why the labels do not count, in a sentence; None: they do


def used_labels(
    raters: Sequence[Answers], images: Sequence[SampledImage], pairs: int
) -> tuple[LabelSummary, Mapping[str, Mapping[str, str]] | None]:
    """The summary, and the labels by image and attribute where they count.

    Labels count once two raters have answered everything: labelling cannot stop where the result pleases. A
    resolver's answers count once all images on which raters differ have one.

    Args:
        raters: As `answers.read_raters` has them.
        images: The sample.
        pairs: Of every comparison in the sample.
    """
    finished = [each for each in raters if each.role == "rater" and each.is_sealed and each.is_complete(images)]
    differing = disagreements(finished, images)
    resolvers = [each for each in raters if each.role == "resolver" and each.is_sealed and each.is_complete(differing)]
    labels = labels_of([*finished, *resolvers], images)
    reason = None
    if len(finished) < 2:
        reason = f"{len(finished)} of 2 raters have finished, so the labels do not count yet"
    summary = LabelSummary(
        pairs=pairs,
        images=len(images),
        raters=tuple(_facts(each) for each in raters),
        agreement=tuple(
            _agreement(pair, name, images)
            for pair in itertools.combinations(finished, 2)
            for name in dict.fromkeys(name for image in images for name in image.attributes)
        ),
        differing=len(differing) if len(finished) > 1 else 0,
        undetermined=sum(UNSURE in label.values() for label in labels.values()) if reason is None else 0,
        reason=reason,
    )
    return summary, labels if reason is None else None


def _facts(answers):
    given = [answer for answer, _ in answers.given.values()]
    sha256 = answers.sha256 if answers.is_sealed else None
    return RaterFacts(answers.rater, answers.role, len(given), given.count("undecided"), sha256)


def _agreement(pair, name, images):
    table = [[0] * len(ANSWERS) for _ in ANSWERS]
    for image in images:
        if name in image.attributes:
            row, column = (ANSWERS.index(each.given[image.sha256, name][0]) for each in pair)
            table[row][column] += 1
    kappa, ends = kappa_interval(table) or (None, None)
    agreed = sum(table[index][index] for index in range(len(ANSWERS)))
    return RaterAgreement((pair[0].rater, pair[1].rater), name, sum(map(sum, table)), agreed, kappa, ends)
