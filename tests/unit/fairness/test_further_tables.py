"""What a plan asks for beside its comparisons: unprompted attributes, rarity, quality, sweeps; counted by hand."""

import itertools

import pytest
import torch
from scipy.stats import binomtest, fisher_exact

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.data.dataset import open_dataset
from styleT2I.fairness.analysis.assemble import analyse
from styleT2I.fairness.analysis.training_rates import training_rates
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.results import to_json
from styleT2I.statistics.intervals import newcombe_interval, newcombe_paired_interval, wilson_interval

VOCABULARY = load_vocabulary("minifaces")
DATA = "minifaces:biased/train:500"


def analysed(by_setting, seen=None, quality=None, **declared):
    """The result of a plan on letters by (setting's place, composition)."""
    plan = from_dict(AuditPlan, {"name": "by hand", **declared})
    outcomes = {}
    for setting, letters in zip(plan.settings, by_setting, strict=True):
        for cell, text in letters.items():
            outcomes[setting.name, cell] = {"success": text, "attributes": {}, "drift": {}, "seen": seen or {}}
            if quality:
                outcomes[setting.name, cell]["quality"] = quality[cell]
    return to_json(analyse(plan, VOCABULARY, outcomes))


@pytest.fixture(scope="module")
def labels():
    data = open_dataset(DATA, with_masks=False)
    return dict(zip(data.attribute_names, data.labels_of(range(len(data))).T, strict=True))


def test_labels_come_without_painting_and_are_those_of_the_images():
    data = open_dataset(DATA, with_masks=False)
    assert torch.equal(data.labels_of([3, 499]), data.batch([3, 499]).attributes)


def test_training_shares_are_counted_and_a_stated_number_comes_first(labels):
    plan = from_dict(
        AuditPlan,
        {
            "name": "shares",
            "compositions": ["he+lipstick", "she+lipstick"],
            "training_data": DATA,
            "training_shares": {"lipstick+she": 0.25},
            "unprompted": [{"prompt": "lipstick", "attribute": "he"}, {"prompt": "hat", "attribute": "old",
                                                                       "training_share": 0.5}],
        },
    )  # fmt: skip
    found = training_rates(plan, VOCABULARY)
    both = int((labels["he"] & labels["lipstick"]).sum())
    assert (found.compositions["he+lipstick"].count, found.compositions["he+lipstick"].num) == (both, 500)
    assert found.compositions["she+lipstick"].value == 0.25
    of_lipstick = found.attributes["lipstick", "he"]
    assert (of_lipstick.count, of_lipstick.num) == (both, int(labels["lipstick"].sum()))
    assert found.attributes["hat", "old"].num is None


def test_an_unprompted_share_stands_beside_an_even_split_and_the_training_data(labels):
    seen = {"he": "1" * 15 + "0" * 75 + "?" * 10, "gray_hair": "1" * 40 + "0" * 60}
    result = analysed(
        [{"lipstick": "1" * 100, "hat": "1" * 100}],
        seen=seen,
        compositions=["lipstick", "hat"],
        training_data=DATA,
        unprompted=[
            {"prompt": "lipstick", "attribute": "she"},
            {"prompt": "hat", "attribute": "gray_hair", "training_share": 0.2},
        ],
    )["unprompted"]
    assert DATA in result["explanation"]
    she, gray = result["rows"]
    assert (she["num"], she["undetermined"], she["share"]) == (100, 10, 75 / 90)
    assert she["share_interval"] == list(wilson_interval(75, 90))
    assert she["share_bounds_interval"] == [0.75, 0.85]
    assert she["even_share"] == 0.5 and she["p_even"] == pytest.approx(binomtest(75, 90, 0.5).pvalue)
    num = int(labels["lipstick"].sum())
    count = int((labels["lipstick"] & ~labels["he"]).sum())
    assert she["training_share"] == count / num and she["amplification"] == pytest.approx(75 / 90 - count / num)
    assert she["amplification_interval"] == list(newcombe_interval(75, 90, count, num))
    assert she["amplification_ratio"] == pytest.approx(75 / 90 / (count / num))
    low, high = she["amplification_ratio_interval"]
    assert low < she["amplification_ratio"] < high
    assert she["p_training"] == pytest.approx(fisher_exact([[75, 15], [count, num - count]]).pvalue)
    assert gray["even_share"] == 0.25  # one of four colours
    assert gray["p_training"] == pytest.approx(binomtest(40, 100, 0.2).pvalue)
    assert gray["amplification_ratio_interval"] == pytest.approx([end / 0.2 for end in wilson_interval(40, 100)])
    assert gray["p_even_adjusted"] == pytest.approx(max(2 * min(she["p_even"], gray["p_even"]), gray["p_even"]))


def test_rarity_is_a_correlation_of_ranks_in_every_setting():
    shares = {"he+lipstick": 0.02, "he+earrings": 0.04, "he+bangs": 0.03, "she+lipstick": 0.3, "hat": 0.9}
    rising = {"he+lipstick": 1, "he+bangs": 3, "he+earrings": 5, "she+lipstick": 7, "hat": 8}
    rising = {name: "1" * num + "0" * (10 - num) for name, num in rising.items()}
    flat = dict.fromkeys(rising, "1" * 10)
    found = analysed([rising, flat], compositions=list(shares), training_shares=shares, adjustment=["hold", "none"])[
        "rarity"
    ]
    every, pairs, *others = found["rows"]
    assert (every["compositions"], every["num_compositions"], every["correlation"]) == ("all", 5, 1.0)
    assert every["p"] == pytest.approx(2 / 120) and every["correlation_interval"] is None
    assert (pairs["compositions"], pairs["num_compositions"]) == ("of 2 attributes", 4)
    assert [row["correlation"] for row in others] == [None, None]
    assert [row["cell"] for row in found["compositions"]][::4] == ["he+lipstick", "hat"]


def test_rarity_of_three_compositions_says_nothing():
    shares = {"he": 0.5, "hat": 0.1, "lipstick": 0.4}
    assert "rarity" not in analysed([dict.fromkeys(shares, "10")], compositions=list(shares), training_shares=shares)


SHIFTED = torch.randn(60, generator=torch.Generator().manual_seed(0)).tolist()
COMPARED = {
    "compositions": ["she+hat", "he+hat"],
    "comparisons": [{"name": "hat", "first": "she+hat", "second": "he+hat"}],
}


def test_quality_is_compared_on_the_same_latents():
    quality = {"she+hat": {"sharpness": [x + 0.5 for x in SHIFTED]}, "he+hat": {"sharpness": SHIFTED}}
    found = analysed([dict.fromkeys(quality, "1" * 60)], quality=quality, **COMPARED)["quality"]
    (row,) = found["rows"]
    assert row["difference"] == pytest.approx(0.5, abs=1e-6) and row["is_difference_shown"]
    low, high = row["difference_interval"]
    assert high - low < 1e-5  # every pair differs by as much, however much the images vary
    assert [one["cell"] for one in found["compositions"]] == ["she+hat", "he+hat"]
    low, high = found["compositions"][0]["sharpness_interval"]
    assert high - low > 0.3


def test_results_that_nobody_asked_for_are_left_out():
    found = analysed([{"she+hat": "10", "he+hat": "01"}], **COMPARED)
    assert not {"curves", "adjustment", "unprompted", "rarity", "quality"} & found.keys()


@pytest.fixture(scope="module", params=[["hold", "none", "paper"], ["none", "hold", "paper"]])
def swept(request):
    """Success under hold, none and paper, whichever is the primary one."""
    letters = {
        "hold": {"she+hat": "1" * 20, "he+hat": "1" * 18 + "00"},
        "none": {"she+hat": "1" * 20, "he+hat": "1" * 10 + "0" * 10},
        "paper": {"she+hat": "1" * 20, "he+hat": "0" + "1" * 11 + "0" * 8},
    }
    methods = request.param
    return methods, analysed([letters[method] for method in methods], adjustment=methods, **COMPARED)


def test_curves_have_the_gap_in_every_setting_and_its_change_on_the_same_latents(swept):
    methods, result = swept
    rows = {row["method"]: row for row in result["curves"]["rows"]}
    assert list(rows) == methods
    assert [rows[method]["gap"] for method in ("hold", "none", "paper")] == pytest.approx([0.1, 0.5, 0.45])
    assert rows["none"]["gap_interval"] == list(newcombe_paired_interval(10, 10, 0, 0))
    primary, other = methods[:2]
    assert rows[primary]["change"] is None
    assert rows[other]["change"] == pytest.approx(rows[other]["gap"] - rows[primary]["gap"])
    low, high = rows[other]["change_interval"]
    assert low < rows[other]["change"] < high and low * high > 0


def test_the_effect_of_the_adjustment_is_success_with_it_less_success_without(swept):
    _, result = swept
    rows = {(row["method"], row["cell"]): row for row in result["adjustment"]["rows"]}
    assert len(rows) == 2 * 3
    hold, paper = rows["hold", "he+hat"], rows["paper", "he+hat"]
    assert (hold["success_with"], hold["success_without"], hold["effect"]) == pytest.approx((0.9, 0.5, 0.4))
    assert (hold["only_with"], hold["only_without"]) == (8, 0)
    assert hold["effect_interval"] == pytest.approx(newcombe_paired_interval(10, 8, 0, 2))
    assert hold["p"] == pytest.approx(2 / 2**8)
    assert (paper["only_with"], paper["only_without"], paper["effect"]) == (2, 1, pytest.approx(0.05))
    assert paper["effect_interval"] == pytest.approx(newcombe_paired_interval(9, 2, 1, 8))
    assert rows["hold", "all"]["effect"] == pytest.approx(0.2)
    low, high = rows["hold", "all"]["effect_interval"]
    assert 0 < low < 0.2 < high


def test_the_worst_composition_has_an_interval_that_allows_for_its_choice():
    summary = analysed([{"she+hat": "1" * 20, "he+hat": "1" * 18 + "00"}], **COMPARED)["summary"]
    (found,) = summary.values()
    assert found["worst_interval"] == list(wilson_interval(18, 20, 1 - 0.05 / 2))


def test_sides_that_share_no_latent_are_independent_samples():
    plan = from_dict(AuditPlan, {"name": "apart", **COMPARED})
    figures = {"she+hat": [1.0] * 40, "he+hat": [0.0, 1.0] * 15}
    outcomes = {
        (plan.settings[0].name, cell): {"success": "1" * len(values), "attributes": {}, "drift": {}, "seen": {},
                                        "is_paired": False, "quality": {"sharpness": values}}
        for cell, values in figures.items()
    }  # fmt: skip
    (row,) = analyse(plan, VOCABULARY, outcomes).quality.rows
    assert row["difference"] == pytest.approx(0.5)
    assert row["difference_interval"] == pytest.approx([0.5 - 0.18, 0.5 + 0.18], abs=0.03)


def test_bounds_are_the_least_and_the_largest_gap_of_all_ways_to_settle_what_is_open():
    letters = {"she+hat": "1?10?0", "he+hat": "?01?00"}
    (one,) = analysed([letters], **COMPARED)["comparisons"]
    settled = [
        [text.replace("?", "{}").format(*values) for values in itertools.product("01", repeat=text.count("?"))]
        for text in letters.values()
    ]
    gaps = [(first.count("1") - second.count("1")) / 6 for first, second in itertools.product(*settled)]
    assert one["gap_bounds"] == pytest.approx([min(gaps), max(gaps)])
