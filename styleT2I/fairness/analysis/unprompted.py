"""Unprompted attributes: how often images show what their sentence leaves open, against the training data."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from styleT2I.attributes.compositions import read_composition
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.fairness.analysis.decisions.evidence import JudgeErrors, corrected_rate_of, rate_of_letters
from styleT2I.fairness.analysis.outcomes import FAILURE, SUCCESS, UNSURE
from styleT2I.fairness.analysis.training_rates import TrainingRate, TrainingRates
from styleT2I.fairness.plan import AuditPlan, Setting, Unprompted
from styleT2I.fairness.results import Table
from styleT2I.statistics.evidence import Evidence, Resampled, equality_p
from styleT2I.statistics.hypothesis_tests import benjamini_hochberg, binomial_exact, fisher, holm
from styleT2I.statistics.intervals import newcombe_interval, rate_ratio_interval, wilson_interval
from styleT2I.statistics.misclassification import binomial, rate_bounds
from styleT2I.torch_utils.seeding import generator

__all__ = ["share_evidence", "unprompted"]


def unprompted(
    plan: AuditPlan,
    vocabulary: Vocabulary,
    outcomes: Mapping[tuple[str, str], dict],
    training: TrainingRates,
    errors: JudgeErrors | None = None,
) -> Table | None:
    """Rates of unprompted attributes, against an even split and the training data.

    Args:
        plan: Its unprompted entries are counted.
        vocabulary: That of the plan.
        outcomes: As `analyse` takes them, with "seen": the verdicts on every attribute.
        training: Rates in the training data, as far as they are known.
        errors: Of the judge, where they were measured; rates that they cover are corrected.

    Returns:
        A row per setting and entry; None without an entry. Counted rates are of images with a determined verdict, and
        the bounds count the others either way; corrected ones are of all images, and the row has the counted rate too.
    """
    if not plan.unprompted:
        return None
    rows = []
    for setting in plan.settings:
        in_setting = [
            {
                "setting": setting.name,
                "prompt": entry.prompt,
                "attribute": entry.attribute,
                **_rate(
                    outcomes[setting.name, entry.prompt]["seen"],
                    *vocabulary.resolve(entry.attribute),
                    vocabulary,
                    training.attributes.get((entry.prompt, entry.attribute)),
                ),
                **_corrected(plan, setting, vocabulary, outcomes, entry, training, errors),
            }
            for entry in plan.unprompted
        ]
        is_primary = setting == plan.settings[0]
        for against in ("even", "training"):
            _adjust(in_setting, f"p_{against}", is_primary)
        rows += in_setting
    correction = (
        " Rates, amplifications and p-values are corrected for the judge's errors, which were measured together with "
        "the attributes of the sentence; counted: as the judge perceives."
    )
    is_corrected = any("counted_share" in row for row in rows)
    return Table(
        "Rate of images in which the judge perceives an attribute that no word asks for, with a Wilson interval. It is "
        "tested against an even split (exact binomial test) and against those images of the training data "
        f"({training.source}) that show what the sentence asks for. Amplification compares the rate with that of "
        "the training data: their difference is positive, and their ratio above 1, where the model shows the attribute "
        "more often. A rate counted in the data is treated as a sample (Fisher's exact test, both samples in the "
        "intervals), a stated rate as exact. Adjusted p-values: Holm in the primary setting, Benjamini-Hochberg in the "
        "others, which are exploratory." + correction * is_corrected,
        tuple(rows),
    )


def share_evidence(
    plan: AuditPlan,
    vocabulary: Vocabulary,
    outcomes: Mapping[tuple[str, str], dict],
    entry: Unprompted,
    errors: JudgeErrors | None,
    setting: Setting | None = None,
) -> tuple[Evidence, bool]:
    """Evidence on the rate of an unprompted attribute, and whether it is as good as the audit's other values.

    It is not where the audit has a calibration that does not cover the attribute together with those of the sentence.
    setting: None: the primary one.
    """
    outcome = outcomes[(setting or plan.settings[0]).name, entry.prompt]
    wanted = read_composition(entry.attribute, vocabulary)
    ((name, value),) = wanted.items()
    if errors:
        asked = {*read_composition(entry.prompt, vocabulary), name}
        source = f"unprompted {entry.attribute} {setting.name if setting else ''}".strip()
        found = corrected_rate_of(errors, entry.prompt, asked, wanted, outcome, source)
        if found is not None:
            return found, True
    letters = outcome["seen"][name]
    if not value:
        letters = letters.translate(str.maketrans({SUCCESS: FAILURE, FAILURE: SUCCESS}))
    return rate_of_letters(letters), not errors


def _corrected(plan, setting, vocabulary, outcomes, entry, training: TrainingRates, errors):
    """What a corrected row has in place of, or beside, a counted one; {} where it is not corrected."""
    if not errors:
        return {}
    found, is_covered = share_evidence(plan, vocabulary, outcomes, entry, errors, setting)
    if not is_covered:
        return {}
    confidence, (name, value) = 1 - plan.alpha, vocabulary.resolve(entry.attribute)
    letters = outcomes[setting.name, entry.prompt]["seen"][name]
    row = {
        "share": found.value,
        "share_interval": list(found.interval(confidence)),
        "counted_share": letters.count(SUCCESS if value else FAILURE) / len(letters),
        "p_even": equality_p(found, _even_rate(name, value, vocabulary)),
    }
    rate = training.attributes.get((entry.prompt, entry.attribute))
    if rate is None:
        return row
    values = getattr(found, "values", None)
    if values is None:  # undetermined images widen it: no resamples of a ratio
        low, high = found.interval(confidence)
        ends = [low - rate.value, high - rate.value]
        ratio = [low / rate.value, high / rate.value] if rate.value else None
        p = equality_p(found, rate.value)
    else:
        source = generator("audit", "training", entry.prompt, entry.attribute, setting.name)
        drawn = binomial(rate.num, rate.value, len(values), source) / rate.num if rate.num else rate.value
        difference = Resampled(found.value - rate.value, values - drawn)
        ends, p = list(difference.interval(confidence)), equality_p(difference)
        over = Resampled(0.0, values / torch.as_tensor(drawn).clamp(min=1e-6), (0.0, 1e6))
        ratio = list(over.interval(confidence)) if rate.value else None
    return row | {
        "amplification": found.value - rate.value,
        "amplification_interval": ends,
        "amplification_ratio": found.value / rate.value if rate.value else None,
        "amplification_ratio_interval": ratio,
        "p_training": p,
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
