"""Unprompted attributes: how often images show what their sentence leaves open, against the training data."""

from __future__ import annotations

from collections.abc import Mapping

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.fairness.analysis.corrections import Corrections, Share
from styleT2I.fairness.analysis.outcomes import SUCCESS, UNSURE
from styleT2I.fairness.analysis.training_rates import TrainingRate, TrainingRates, against_training
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.results import Table
from styleT2I.statistics.evidence import equality_p
from styleT2I.statistics.hypothesis_tests import benjamini_hochberg, binomial_exact, fisher, holm
from styleT2I.statistics.intervals import newcombe_interval, rate_ratio_interval, wilson_interval
from styleT2I.statistics.misclassification import rate_bounds
from styleT2I.torch_utils.seeding import generator

__all__ = ["unprompted"]

_CORRECTED = {
    "labels": "Rates, amplifications and p-values in the primary setting rest on people's labels of a random sample of "
    "these images, post-stratified by the judge's verdicts on all; counted: as the judge perceives.",
    "calibration": "Rates, amplifications and p-values are corrected for the judge's errors, which were measured "
    "together with the attributes of the sentence; counted: as the judge perceives.",
}


def unprompted(
    plan: AuditPlan,
    vocabulary: Vocabulary,
    outcomes: Mapping[tuple[str, str], dict],
    training: TrainingRates,
    known: Corrections,
) -> Table | None:
    """Rates of unprompted attributes, against an even split and the training data.

    Args:
        plan: Its unprompted entries are counted.
        vocabulary: That of the plan.
        outcomes: As `analyse` takes them, with "seen": the verdicts on every attribute.
        training: Rates in the training data, as far as they are known.
        known: People's labels and the judge's errors, as far as there are any; rates that they cover are corrected.

    Returns:
        A row per setting and entry; None without an entry. Counted rates are of images with a determined verdict, and
        the bounds count the others either way; corrected ones are of all images, and the row has the counted rate too.
    """
    if not plan.unprompted:
        return None
    rows = []
    for setting in plan.settings:
        in_setting = []
        for entry in plan.unprompted:
            name, value = vocabulary.resolve(entry.attribute)
            seen = outcomes[setting.name, entry.prompt]["seen"]
            rate = training.attributes.get((entry.prompt, entry.attribute))
            found = known.share(entry, setting.name, outcomes[setting.name, entry.prompt], vocabulary)
            source = generator("audit", "training", entry.prompt, entry.attribute, setting.name)
            row = {"setting": setting.name, "prompt": entry.prompt, "attribute": entry.attribute}
            row |= _rate(seen, name, value, vocabulary, rate)
            in_setting.append(row | _corrected(found, row["even_share"], rate, 1 - plan.alpha, source))
        is_primary = setting == plan.settings[0]
        for against in ("even", "training"):
            _adjust(in_setting, f"p_{against}", is_primary)
        rows += in_setting
    kinds = {row.get("corrected_by") for row in rows}
    correction = " ".join(["", *(text for kind, text in _CORRECTED.items() if kind in kinds)])
    return Table(
        "Rate of images in which the judge perceives an attribute that no word asks for, with a Wilson interval. It is "
        "tested against an even split (exact binomial test) and against those images of the training data "
        f"({training.source}) that show what the sentence asks for. Amplification compares the rate with that of "
        "the training data: their difference is positive, and their ratio above 1, where the model shows the attribute "
        "more often. A rate counted in the data is treated as a sample (Fisher's exact test, both samples in the "
        "intervals), a stated rate as exact. Adjusted p-values: Holm in the primary setting, Benjamini-Hochberg in the "
        "others, which are exploratory." + correction,
        tuple(rows),
    )


def _corrected(found: Share, even, training: TrainingRate | None, confidence, source):
    """What a corrected row has in place of, or beside, a counted one; {} where it is not corrected."""
    if found.by is None:
        return {}
    evidence = found.evidence
    row = {
        "share": evidence.value,
        "share_interval": list(evidence.interval(confidence)),
        "counted_share": found.counted,
        "corrected_by": found.by,
        "p_even": equality_p(evidence, even),
    }
    if found.by == "labels":
        row["labelled_images"] = len(found.labelled)
    if training is None:
        return row
    difference, ratio = against_training(evidence, training, confidence, source)
    return row | {
        "amplification": difference.value,
        "amplification_interval": list(difference.interval(confidence)),
        "amplification_ratio": evidence.value / training.value if training.value else None,
        "amplification_ratio_interval": ratio,
        "p_training": equality_p(difference),
    }


def _rate(seen, name, value, vocabulary, training):
    letters = seen[name]
    num_unsure, num_true = letters.count(UNSURE), letters.count(SUCCESS)
    num = len(letters) - num_unsure
    count = num_true if value else num - num_true
    even = _even_rate(name, value, vocabulary)
    row = {
        "num": len(letters),
        "undetermined": num_unsure,
        "share": count / num if num else None,
        "share_interval": list(wilson_interval(count, num)),
        "share_bounds_interval": list(rate_bounds(count, num_unsure, len(letters))),
        "even_share": even,
        "p_even": binomial_exact(count, num, even),
    }
    if training is None:
        return row
    return {**row, "training_share": training.value, **_amplification(count, num, training)}


def _even_rate(name, value, vocabulary):
    """One half; for an attribute of an exclusive group of K, of which exactly one holds, 1 / K."""
    for group in vocabulary.exclusive:
        if group.exactly_one and name in group.attributes:
            rate = 1 / len(group.attributes)
            return rate if value else 1 - rate
    return 0.5


def _amplification(count, num, training: TrainingRate):
    rate, wilson = count / num if num else None, wilson_interval(count, num)
    if training.num is None or training.count is None:
        difference = [end - training.value for end in wilson]
        ratio = [end / training.value for end in wilson] if training.value else None
        p = binomial_exact(count, num, training.value)
    else:
        counts = count, num, training.count, training.num
        difference = list(newcombe_interval(*counts))
        ratio = list(rate_ratio_interval(*counts)) if num else None
        if ratio and not count:
            ratio[0] = 0.0  # half a success was added for the interval, none was seen
        p = fisher(*counts)
    return {
        "training_num": training.num,
        "amplification": None if rate is None else rate - training.value,
        "amplification_interval": difference,
        "amplification_ratio": None if rate is None or not training.value else rate / training.value,
        "amplification_ratio_interval": ratio,
        "p_training": p,
    }


def _adjust(rows, key, is_primary):
    tested = [row for row in rows if key in row]
    adjusted = (holm if is_primary else benjamini_hochberg)([row[key] for row in tested])
    for row, p in zip(tested, adjusted, strict=True):
        row[f"{key}_adjusted"] = p
