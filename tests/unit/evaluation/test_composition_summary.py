"""The summary of compositions from cells whose figures are known, and its table; shares counted by hand."""

import json

import pytest

from styleT2I.data.worlds import WORLDS
from styleT2I.errors import DataError
from styleT2I.evaluation.suites.compositions.summary import add_comparisons, summarise
from styleT2I.evaluation.tables import compositions_table, read_report
from styleT2I.statistics.intervals import newcombe_paired_interval, wilson_interval

GROUPS = WORLDS["minifaces"].nuisance_groups


def cell(name, kind, method, right, composition="", drift=None, nuisances=None, frechet=10.0, kept=None):
    num = right.count("1")
    return {
        "cell": name,
        "kind": kind,
        "composition": composition,
        "method": method,
        "success": num / len(right),
        "success_interval": wilson_interval(num, len(right)),
        "unedited": 0.1,
        "drift": drift or {"smiling": 0.1},
        "nuisances": nuisances or {"roll": 0.2, "clothes_l": 0.4, "iris": 0.6},
        "success_real": 0.9 if kind == "rare" else None,
        "frechet": frechet,
        "kept": kept or {"identity": [0.9] * len(right), "background": [2.0] * len(right)},
        "right": right,
    }


@pytest.fixture
def cells():
    found = [
        cell("he+lipstick", "rare", "none", "1100000000", "he+lipstick", frechet=20.0),
        cell("she+lipstick", "frequent", "none", "1111111110", "he+lipstick"),
        cell("she+beard", "rare", "none", "1111100000", "she+beard", frechet=30.0),
        cell("he+beard", "frequent", "none", "1111111111", "she+beard"),
        cell("2 attributes", "count", "none", "1111111100"),
        cell("he+lipstick", "rare", "paper", "1111100001", "he+lipstick", {"smiling": 0.3, "hat": 0.0}, frechet=22.0),
        cell("she+lipstick", "frequent", "paper", "1111111101", "he+lipstick", {"smiling": 0.1, "hat": 0.2}),
        cell("she+beard", "rare", "paper", "1111111110", "she+beard", {"smiling": 0.2, "old": 0.5}, frechet=28.0),
        cell("he+beard", "frequent", "paper", "1111111111", "she+beard", {"smiling": 0.0}),
        cell("2 attributes", "count", "paper", "1111111111"),
    ]
    add_comparisons(found)
    return found


def test_gaps_and_gains_are_paired_by_latent(cells):
    by_key = {(one["cell"], one["method"]): one for one in cells}
    lipstick = by_key["he+lipstick", "paper"]
    # twin 1111111101 against 1111100001: both on 5 and the last, the twin alone on 3, neither on 1
    assert lipstick["gap"] == pytest.approx(0.3)
    assert lipstick["gap_interval"] == newcombe_paired_interval(6, 3, 0, 1)
    assert lipstick["gain"] == pytest.approx(0.4)
    assert lipstick["gain_interval"] == newcombe_paired_interval(2, 4, 0, 4)
    assert by_key["she+lipstick", "paper"]["gain_interval"] == newcombe_paired_interval(8, 1, 1, 0)
    assert "gain" not in by_key["he+lipstick", "none"] and "gap" not in by_key["she+lipstick", "paper"]


def test_summary_of_a_method(cells):
    summary = summarise(cells, "paper", GROUPS)
    rare = summary["rare"]
    assert (rare["mean"], rare["worst"], rare["worst_cell"]) == (pytest.approx(0.75), 0.6, "he+lipstick")
    assert rare["worst_interval"] == wilson_interval(6, 10)
    assert rare["interval"][0] < 0.75 < rare["interval"][1]
    assert summary["frequent"]["mean"] == pytest.approx(0.95)
    assert summary["gap"] == pytest.approx(0.2) and summary["gap_interval"][0] < 0.2 < summary["gap_interval"][1]
    assert (summary["gap_worst"], summary["gap_worst_cell"]) == (pytest.approx(0.3), "he+lipstick")
    assert summary["gain"]["rare"]["mean"] == pytest.approx(0.4)
    assert summary["gain"]["frequent"]["mean"] == pytest.approx(0.0)
    assert summary["gain"]["frequent"]["worst"] == 0.0
    smiling = summary["drift"]["attributes"]["smiling"]
    assert smiling == {"mean": pytest.approx(0.15), "worst": 0.3, "worst_cell": "he+lipstick"}
    assert (summary["drift"]["worst"], summary["drift"]["worst_attribute"]) == (0.5, "old")
    assert summary["drift"]["mean"] == pytest.approx((0.15 + 0.1 + 0.5) / 3)
    assert summary["nuisances"]["pose"] == pytest.approx(0.2)
    assert summary["nuisances"]["clothes"] == pytest.approx(0.4)
    assert summary["nuisances"]["face"] == pytest.approx(0.6)
    assert summary["frechet"] == pytest.approx({"rare": 25.0, "frequent": 10.0})
    assert summary["success_real"] == {"rare": pytest.approx(0.9), "frequent": None}
    assert summary["frechet_ratio"] == pytest.approx({"rare": 1.0, "frequent": 1.0})
    assert summary["by_count"]["2"]["success"] == 1.0 and summary["by_count"]["2"]["gain"] == pytest.approx(0.2)
    assert "gain" not in summarise(cells, "none", GROUPS)


def test_equal_success_on_other_latents_is_no_certainty(cells):
    """The gain on the frequent cells is 0 with one latent won and one lost, so its interval has a width."""
    low, high = summarise(cells, "paper", GROUPS)["gain"]["frequent"]["interval"]
    assert low < 0 < high


def test_what_stays_is_compared_on_the_same_latents_without_those_that_show_nothing_of_it(cells):
    for one in cells:
        if one["kind"] != "count" and one["method"] == "paper":
            one["kept"] = {"identity": [0.8, 1.0] * 5, "background": [None, 3.0, 5.0] + [2.0] * 7}
    kept = summarise(cells, "paper", GROUPS)["kept"]
    assert kept["identity"]["mean"] == pytest.approx(0.9)
    assert kept["identity"]["difference"] == pytest.approx(0.0)
    low, high = kept["identity"]["difference_interval"]
    assert -0.1 < low < 0 < high < 0.1
    assert kept["background"]["mean"] == pytest.approx((3 + 5 + 7 * 2) / 9)
    assert kept["background"]["difference"] == pytest.approx((1 + 3) / 9)
    for one in cells:
        one["kept"] = one["kept"] | {"clothes": [None] * 10}  # nowhere seen
    assert "clothes" not in summarise(cells, "paper", GROUPS)["kept"]
    assert summarise(cells, "none", GROUPS)["kept"] == {
        "identity": {"mean": pytest.approx(0.9)},
        "background": {"mean": pytest.approx(2.0)},
    }


def test_reports_make_one_table(cells, tmp_path):
    methods = {method: summarise(cells, method, GROUPS) for method in ("none", "paper")}
    report = {"suites": {"compositions": {"methods": methods}, "regions": {"inside": 0.623}}}
    (tmp_path / "full.json").write_text(json.dumps(report))
    table = compositions_table([("full", read_report(tmp_path / "full.json"))] * 2).splitlines()
    assert len(table) == 2 + 4 and len({line.count("|") for line in table}) == 1
    none, paper = table[2:4]
    assert none.startswith("| full | none | 35.0 (") and none.endswith("|  |")
    assert paper.startswith("| full | paper | 75.0 (") and paper.endswith("| 62.3 |")
    assert "| 0.900 / 2.0 |" in none
    for part in ("60.0 (he+lipstick)", "+20.0 (", "+40.0 (", "50.0 (old)", "25.0 (x1.00) / 10.0 (x1.00)"):
        assert part in paper


@pytest.mark.parametrize("text", ["{", "[]", '{"suites": {"t2d": {}}}', None])
def test_a_file_that_is_no_report_is_named(tmp_path, text):
    path = tmp_path / "other.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=r"other\.json"):
        read_report(path)
