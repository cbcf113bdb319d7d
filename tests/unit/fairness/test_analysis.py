"""Outcomes of cells and what follows from them, counted by hand."""

import pytest
import torch

from styleT2I.attributes.compositions import read_composition
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.fairness.analysis.assemble import analyse
from styleT2I.fairness.analysis.outcomes import cell_outcomes
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.results import to_json
from styleT2I.metrics.attributes import NO, UNDETERMINED, YES
from styleT2I.statistics.intervals import newcombe_paired_interval, wilson_interval
from styleT2I.statistics.misclassification import Confusion

VOCABULARY = load_vocabulary("minifaces")


def test_outcomes_are_three_way_and_drift_leaves_out_what_the_sentence_decides():
    names = ("he", "lipstick", "hat", "black_hair", "brown_hair", "blond_hair", "gray_hair")
    before = torch.tensor([[YES, NO, NO, YES, NO, NO, NO]] * 4, dtype=torch.int8)
    after = torch.tensor(
        [
            [NO, YES, NO, NO, NO, NO, YES],  # she, lipstick, gray: all there
            [YES, UNDETERMINED, YES, NO, NO, NO, YES],  # he: seen to be wrong, whatever the lips
            [NO, UNDETERMINED, YES, NO, NO, NO, YES],  # only the lips are open
            [NO, YES, UNDETERMINED, NO, NO, NO, NO],  # not gray
        ],
        dtype=torch.int8,
    )
    wanted = {"he": False, "lipstick": True, "gray_hair": True}
    found = cell_outcomes(before, after, wanted, names, VOCABULARY)
    assert found["success"] == "10?0"
    assert found["attributes"] == {"he": "1011", "lipstick": "1??1", "gray_hair": "1110"}
    assert found["drift"] == {"hat": [2, 3]}


def outcomes(success, cell):
    return {
        "success": success,
        "attributes": dict.fromkeys(read_composition(cell, VOCABULARY), success),
        "drift": {"hat": [1, 4], "old": [0, 0]},
    }


@pytest.fixture(scope="module")
def result():
    plan = from_dict(
        AuditPlan,
        {
            "name": "by hand",
            "compositions": ["she+lipstick", "he+lipstick", "he+beard", "she+beard"],
            "comparisons": [
                {"name": "lipstick", "first": "she+lipstick", "second": "he+lipstick"},
                {"name": "same", "first": "he+beard", "second": "he+lipstick"},
            ],
            "thresholds": [
                {"comparison": "lipstick", "max_gap": 0.02},
                {"comparison": "same", "max_gap": 0.2},
            ],
            "max_undetermined": 0.5,
            "adjustment": ["hold", "none"],
        },
    )
    by_cell = {
        "she+lipstick": "1" * 10,
        "he+lipstick": "11000000??",
        "he+beard": "11000000??",
        "she+beard": "0" * 10,
    }
    found = {(setting.name, cell): outcomes(text, cell) for setting in plan.settings for cell, text in by_cell.items()}
    return to_json(analyse(plan, VOCABULARY, found))


def test_cells_have_shares_intervals_and_bounds(result):
    assert [cell["cell"] for cell in result["cells"]] == ["she+lipstick", "he+lipstick", "he+beard", "she+beard"] * 2
    he = result["cells"][1]
    assert (he["num"], he["successes"], he["undetermined"], he["success"]) == (10, 2, 2, 0.2)
    assert he["success_interval"] == list(wilson_interval(2, 10))
    assert he["success_bounds"] == [0.2, 0.4]
    assert he["attributes"] == {name: {"asked": name, "right": 0.2, "undetermined": 2} for name in ("he", "lipstick")}
    assert result["cells"][0]["attributes"]["he"]["asked"] == "she"
    assert he["drift"] == {"hat": 0.25, "old": None}


def test_gaps_are_paired_tested_and_bounded(result):
    lipstick, same = result["comparisons"]
    assert lipstick["pairs"] == {"both": 2, "only_first": 8, "only_second": 0, "neither": 0}
    assert lipstick["gap"] == 0.8 and lipstick["ratio"] == 0.2
    assert lipstick["gap_interval"] == list(newcombe_paired_interval(2, 8, 0, 0))
    assert lipstick["gap_bounds"] == [0.6, 0.8]
    assert lipstick["p"] == pytest.approx(2 / 2**8)
    assert lipstick["p_holm"] == pytest.approx(4 / 2**8) and lipstick["is_significant"]
    assert same["gap"] == 0 and same["p_holm"] == 1 and not same["is_significant"]
    assert same["gap_bounds"] == pytest.approx([-0.2, 0.2])


def test_other_settings_undeclared_twins_and_the_effect_of_the_adjustment_are_exploratory(result):
    sides = [(one["first"], one["second"]) for one in result["exploratory"]]
    assert len(sides) == 2 + 1 + 4
    assert [first["setting"].split(", ")[1] for first, _ in sides[:2]] == ["none", "none"]
    assert {sides[2][0]["cell"], sides[2][1]["cell"]} == {"he+beard", "she+beard"}
    assert all(first["cell"] == second["cell"] and first != second for first, second in sides[3:])
    assert all("p_holm" not in one and one["p_benjamini_hochberg"] >= one["p"] for one in result["exploratory"])


def test_a_limit_is_exceeded_where_the_whole_interval_is_beyond_it_and_open_where_it_reaches_across(result):
    assert result["verdict"] == "exceeded" and result["exceeded"] == ["lipstick"]
    assert result["not_decided"] == ["same"]  # ten pairs prove nothing
    lipstick, same = result["thresholds"]
    assert lipstick["verdict"] == "exceeded" and lipstick["interval"][0] > 0.02
    assert lipstick["confidence"] == pytest.approx(1 - 0.05 / 2)  # the first of two steps of Holm
    assert same["verdict"] == "not decided" and same["interval"][0] < -0.2
    assert lipstick["tipping"] == pytest.approx(lipstick["interval"][0] - 0.02) and "tipping" not in same


def test_the_summary_names_the_worst_composition(result):
    for summary in result["summary"].values():
        assert (summary["worst_cell"], summary["best_cell"], summary["gap"]) == ("she+beard", "she+lipstick", 1.0)
        assert summary["ratio"] == 0 and summary["undetermined"] == 4


def test_a_gap_that_only_the_judge_makes_is_corrected_away_and_passes():
    """The judge misses half of the lipstick on men: 80 % and 40 % seen are the same rate."""
    data = {
        "name": "corrected",
        "compositions": ["she+lipstick", "he+lipstick"],
        "comparisons": [{"name": "lipstick", "first": "she+lipstick", "second": "he+lipstick"}],
        "thresholds": [{"comparison": "lipstick", "max_gap": 0.1}],
    }
    plan = from_dict(AuditPlan, data)
    seen = {"she+lipstick": "1" * 1600 + "0" * 400, "he+lipstick": "10" * 800 + "0" * 400}
    found = {(plan.settings[0].name, cell): outcomes(text, cell) for cell, text in seen.items()}
    confusions = {"she+lipstick": Confusion(4000, 0, 0, 4000), "he+lipstick": Confusion(2000, 2000, 0, 4000)}
    plain, corrected = (to_json(analyse(plan, VOCABULARY, found, judge)) for judge in (None, confusions))
    assert plain["verdict"] == "exceeded" and plain["thresholds"][0]["value"] == pytest.approx(0.4)
    assert corrected["verdict"] == "within" and corrected["thresholds"][0]["value"] == pytest.approx(0.0)
    compared = corrected["comparisons"][0]
    low, high = compared["corrected"]["gap_interval"]
    assert low < 0 < high
    # The p-value is that of the corrected gap, so it does not contradict the interval; McNemar's would.
    assert compared["p"] < 1e-9 and compared["p_holm"] == compared["corrected"]["p"] > 0.05
    assert not compared["is_significant"]
    assert corrected["cells"][1]["corrected"]["success"] == pytest.approx(0.8)
    assert "corrected" not in plain["cells"][1]
