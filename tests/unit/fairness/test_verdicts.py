"""Verdicts on limits: what is never "within", families of limits, floors, bounds, and tipping points."""

import numpy as np
import pytest
import torch
from scipy.stats import binom, norm

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.fairness.analysis.decisions.evidence import CorrectedSides, CountedSides, rate_of_letters
from styleT2I.fairness.analysis.decisions.soundness import Obstacle
from styleT2I.fairness.analysis.decisions.verdicts import Question, of_gap, of_ratio, of_share, of_success, verdicts
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.run import Audit
from styleT2I.statistics.misclassification import Sides

VOCABULARY = load_vocabulary("minifaces")


def letters(rate, num=200):
    return "1" * round(rate * num) + "0" * (num - round(rate * num))


def decided(parts, kind="max_gap", limit=0.1, alpha=0.05, obstacle=None):
    (result,) = verdicts([Question(kind, "x", limit, parts, obstacle)], alpha)
    return result


# Four audits that must never be "within": each says why in one sentence.


def grey(prompt, seed):
    return np.full((16, 16, 3), 128, np.uint8)


def noise(prompt, seed):
    """Images that all differ."""
    image = np.random.default_rng([seed, len(prompt)]).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    image[0, 0] = 0, 255, 0
    return image


def copied(prompt, seed):
    return noise(prompt, 3)


def deaf(prompt, seed):
    return noise("", seed)


def sees_all(images):
    """Whatever is asked for, in every image."""
    return {"lipstick": np.ones(len(images)), "hat": np.ones(len(images))}


def sees_nothing(images):
    return {"lipstick": np.full(len(images), np.nan), "hat": np.full(len(images), np.nan)}


def tosses_a_coin(images):
    """The same answer for the same image, and no relation to what it shows."""
    tossed = [
        np.random.default_rng(int(image.astype(np.int64).ravel() @ np.arange(1, image.size + 1))) for image in images
    ]
    return {name: np.array([rng.normal() for rng in tossed]) for name in ("lipstick", "hat")}


@pytest.mark.parametrize(
    "draw, judge, kind, said",
    [
        (grey, "sees_all", "blank", "60 of 60 images of lipstick are of one colour and show no face"),
        (copied, "sees_all", "copies", "59 of 60 images of lipstick are copies of another one"),
        (deaf, "sees_all", "copies", "in 60 of 60 pairs of 'pair' both sides are the same image"),
        (noise, "sees_nothing", "undetermined", "the judge left 60 of 60 images of lipstick undetermined"),
        (noise, "tosses_a_coin", "judge", "one grey level brighter, as if by chance"),
    ],
)
def test_what_shows_nothing_is_never_within_and_says_why(draw, judge, kind, said, tmp_path):
    plan = from_dict(
        AuditPlan,
        {
            "name": "nothing",
            "num": 60,
            "compositions": ["lipstick", "hat"],
            "comparisons": [{"name": "pair", "first": "lipstick", "second": "hat"}],
            "thresholds": [{"comparison": "pair", "max_gap": 0.9, "min_ratio": 0.01}],
            "judge": {"kind": "python", "source": f"tests.unit.fairness.test_verdicts:{judge}"},
        },
    )
    audit = Audit(plan, VOCABULARY, draw, device="cpu")
    audit.run(tmp_path)
    result = audit.result(tmp_path)
    assert result.verdict == "not decided" and len(result.not_decided) == 2
    for threshold in result.thresholds:
        assert threshold.verdict == "not decided" and threshold.obstacle == kind and said in threshold.reason
    assert any(said in problem[:1].lower() + problem[1:] for problem in result.problems)


def test_a_sound_audit_of_the_same_size_is_within(tmp_path):
    plan = AuditPlan("sound", compositions=("lipstick", "hat"), num=60)
    plan = from_dict(
        AuditPlan,
        {
            "name": plan.name,
            "num": 60,
            "compositions": ["lipstick", "hat"],
            "comparisons": [{"name": "pair", "first": "lipstick", "second": "hat"}],
            "thresholds": [{"comparison": "pair", "max_gap": 0.2}],
            "judge": {"kind": "python", "source": "tests.unit.fairness.test_verdicts:sees_all"},
        },
    )
    audit = Audit(plan, VOCABULARY, noise, device="cpu")
    audit.run(tmp_path)
    result = audit.result(tmp_path)
    assert result.verdict == "within" and not result.problems


def test_two_that_both_fail_are_not_assessable_and_one_that_succeeds_is():
    from styleT2I.fairness.analysis.assemble import analyse

    plan = from_dict(
        AuditPlan,
        {
            "name": "floors",
            "compositions": ["she+hat", "he+hat", "she+beard"],
            "comparisons": [
                {"name": "both fail", "first": "she+hat", "second": "he+hat"},
                {"name": "one fails", "first": "she+beard", "second": "he+hat"},
            ],
            "thresholds": [
                {"comparison": "both fail", "max_gap": 0.2, "min_success": 0.5},
                {"comparison": "one fails", "max_gap": 0.2},
            ],
        },
    )
    rates = {"she+hat": 0.02, "he+hat": 0.0, "she+beard": 0.9}
    found = {
        (plan.settings[0].name, name): {"success": letters(rate), "attributes": {}, "drift": {}}
        for name, rate in rates.items()
    }
    gap, success, other = analyse(plan, VOCABULARY, found).thresholds
    assert gap.verdict == "not decided" and gap.obstacle == "floor" and "equal failure is no fairness" in gap.reason
    assert success.verdict == "exceeded"  # a floor of its own says that both fail
    assert other.verdict == "exceeded"


def test_within_and_exceeded_agree_with_the_interval_shown():
    for rates in ((0.8, 0.8), (0.8, 0.72), (0.8, 0.6), (0.99, 0.98)):
        result = decided(of_gap(CountedSides(letters(rates[0]), letters(rates[1])[::-1], True), 0.1))
        low, high = result.interval
        assert (result.verdict == "within") == (-0.1 < low and high < 0.1)
        assert (result.verdict == "exceeded") == (low > 0.1 or high < -0.1)


def test_tost_is_that_of_the_textbook_for_large_samples():
    """Two one-sided z tests of independent rates (Schuirmann 1987), with n so large that all methods agree."""
    num, rates = 200_000, (0.80, 0.81)
    sides = CountedSides(letters(rates[0], num), letters(rates[1], num), False)
    spread = (sum(rate * (1 - rate) for rate in rates) / num) ** 0.5
    for limit in (0.0105, 0.012, 0.0125):
        wanted = norm.sf((limit - 0.01) / spread)
        assert of_gap(sides, limit).p_within == pytest.approx(wanted, rel=0.02)
    assert of_gap(sides, 0.008).p_exceeded == pytest.approx(2 * norm.sf(0.002 / spread), rel=0.05)


def test_holm_goes_over_all_limits_and_an_obstacle_counts_as_one():
    good = of_gap(CountedSides(letters(0.8, 300), letters(0.8, 300), True), 0.1)
    questions = [Question("max_gap", str(n), 0.1, good) for n in range(3)]
    alone = verdicts(questions[:1], 0.05)[0]
    together = verdicts([*questions, Question("max_gap", "bad", 0.1, good, Obstacle("blank", "why"))], 0.05)
    assert together[0].p_within == pytest.approx(min(1.0, 4 * alone.p_within))
    assert [each.verdict for each in together] == ["within"] * 3 + ["not decided"]
    assert together[0].confidence == pytest.approx(1 - 2 * 0.05 / 4) and together[3].reason == "why"


def test_undetermined_images_widen_the_interval_to_both_extremes():
    first, second = "1" * 150 + "0" * 30 + "?" * 20, "1" * 150 + "0" * 50
    low, high = CountedSides(first, second, False).contrast().interval(0.95)
    least = CountedSides(first.replace("?", "0"), second, False).contrast().interval(0.95)
    most = CountedSides(first.replace("?", "1"), second, False).contrast().interval(0.95)
    assert (low, high) == (least[0], most[1]) and high - low > 1.5 * (least[1] - least[0])


def test_a_ratio_interval_is_where_its_contrast_touches_zero_and_agrees_with_a_simulation():
    sides = CountedSides(letters(0.6, 400), letters(0.8, 400), False)
    parts = of_ratio(sides, 0.8)
    low, high = parts.interval(0.95)
    rng = np.random.default_rng(0)
    ratios = rng.binomial(400, 0.6, 100_000) / rng.binomial(400, 0.8, 100_000)
    assert [low, high] == pytest.approx(np.quantile(ratios, [0.025, 0.975]), abs=0.01)
    assert parts.value == pytest.approx(0.75) and parts.p_within > 0.5
    assert decided(of_ratio(sides, 0.6), "min_ratio", 0.6).verdict == "within"
    assert decided(of_ratio(sides, 0.9), "min_ratio", 0.9).verdict == "exceeded"


def test_a_rate_at_its_floor_and_shares_by_exact_binomials():
    """Wilson's one-sided tests lie near the exact binomial ones."""
    parts = of_success(CountedSides(letters(0.9), letters(0.95), True), 0.8)
    assert parts.p_within == pytest.approx(binom.sf(179, 200, 0.8), abs=0.001)
    share = of_share(rate_of_letters(letters(0.6)), "max_share", 0.5)
    assert share.p_exceeded == pytest.approx(binom.sf(119, 200, 0.5), abs=0.002) and share.p_within > 0.9
    assert decided(of_share(rate_of_letters(letters(0.6)), "min_share", 0.5), "min_share", 0.5).verdict == "within"


def test_shifting_a_side_by_the_tipping_point_overturns_the_verdict_and_by_less_does_not():
    rng = torch.Generator().manual_seed(0)
    first, second = (0.8 + 0.02 * torch.randn(4000, generator=rng, dtype=torch.float64) for _ in range(2))
    result = decided(of_gap(CorrectedSides(Sides((0.8, 0.8), (first, second))), 0.1))
    assert result.verdict == "within" and 0 < result.tipping < 0.1
    for factor, verdict in ((0.98, "within"), (1.02, "not decided")):
        shifted = first + factor * result.tipping, second - 0
        moved = decided(of_gap(CorrectedSides(Sides((0.8 + factor * result.tipping, 0.8), shifted)), 0.1))
        other = decided(of_gap(CorrectedSides(Sides((0.8 - factor * result.tipping, 0.8),
                                                    (first - factor * result.tipping, second))), 0.1))  # fmt: skip
        assert {moved.verdict, other.verdict} & {verdict} and ("not decided" in {moved.verdict, other.verdict}) == (
            verdict == "not decided"
        )


def test_a_model_at_its_limits_is_within_in_at_most_alpha_of_audits():
    """20 gaps of exactly 10 points, limit 10 points, 200 pairs: even one "within" in at most 5 % (family-wise)."""
    from styleT2I.statistics.equivalence_power import _p_within  # the audit's own test on arrays of tables

    rng, audits = np.random.default_rng(1), 2000
    tables = rng.multinomial(200, [0.66, 0.14, 0.04, 0.16], (audits, 20))  # rates .8 and .7, correlated
    p_values = _p_within("max_gap", 0.1, np.moveaxis(tables, -1, 0))
    false = (p_values.min(axis=1) <= 0.05 / 20).mean()
    assert false <= 0.05 + 3 * (0.05 * 0.95 / audits) ** 0.5
