"""Agreement of two judges: kappa and its interval against statsmodels, tables by cell and by setting."""

import json

import pytest
import torch

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.fairness.analysis.agreement import agreement, agreement_tables, kappa_interval
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.run import Audit
from styleT2I.metrics.attributes import NO, UNDETERMINED, YES
from styleT2I.statistics.intervals import wilson_interval
from tests.fake_faces import PLAN, draw


def verdicts(num, seed):
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(-1, 2, (num, 1), generator=generator, dtype=torch.int8)
    second = torch.where(torch.rand(num, 1, generator=generator) < 0.7, first, first.roll(1))
    return first, second


@pytest.mark.parametrize("seed", range(5))
def test_kappa_and_its_interval_equal_statsmodels(seed):
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    first, second = verdicts(50, seed)
    table = agreement_tables(first, second, ("he",), ("he",), {"he": True})["attributes"]["he"]
    kappa, interval = kappa_interval(table)
    oracle = inter_rater.cohens_kappa(table)
    assert (kappa, *interval) == pytest.approx((oracle.kappa, oracle.kappa_low, oracle.kappa_upp))


def test_95_of_100_intervals_hold_the_truth():
    """Two judges that agree on 0.8 of the pictures, at 0.5 by chance: kappa is 0.6."""
    chances, truth = torch.tensor([0.4, 0.1, 0.1, 0.4]), 0.6
    generator = torch.Generator().manual_seed(1)
    held = 0
    for _ in range(1000):
        drawn = torch.multinomial(chances, 150, replacement=True, generator=generator).bincount(minlength=4)
        low, high = kappa_interval(drawn.view(2, 2).tolist())[1]
        held += low <= truth <= high
    assert 930 <= held <= 970


def test_full_agreement_of_few_pictures_is_no_certainty_and_one_word_throughout_no_kappa():
    kappa, (low, high) = kappa_interval([[5, 0, 0], [0, 5, 0], [0, 0, 0]])
    assert kappa == high == 1 and low == pytest.approx((wilson_interval(10, 10)[0] - 0.5) / 0.5)
    assert kappa_interval([[10, 0, 0], [0, 0, 0], [0, 0, 0]]) is None
    assert kappa_interval([[9, 1, 0], [0, 0, 0], [0, 0, 0]]) is None
    assert kappa_interval([[0] * 3] * 3) is None


def test_tables_are_of_the_composition_and_of_what_both_judges_know():
    first = torch.tensor([[YES, NO], [YES, YES], [NO, UNDETERMINED]], dtype=torch.int8)  # he, lipstick
    second = torch.tensor([[YES, YES, NO], [YES, YES, NO], [YES, YES, NO]], dtype=torch.int8)  # hat, lipstick, he
    tables = agreement_tables(first, second, ("he", "lipstick"), ("hat", "lipstick", "he"), {"lipstick": True})
    assert tables["success"] == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]
    assert tables["attributes"] == {"he": [[0, 2, 0], [0, 1, 0], [0, 0, 0]], "lipstick": tables["success"]}
    found = agreement({("now", "a"): tables, ("now", "b"): tables, ("then", "a"): tables})
    assert list(found["settings"]) == ["now", "then"] and len(found["cells"]) == 3
    assert found["settings"]["now"]["success"]["num"] == 6
    assert found["cells"][0]["attributes"]["he"]["agreement"] == pytest.approx(1 / 3)


def test_an_audit_with_a_second_judge_says_where_they_part(tmp_path):
    other = {"kind": "python", "source": "tests.fake_faces:look_the_other_way"}
    plan = from_dict(AuditPlan, {**PLAN, "second_judge": other})
    audit = Audit(plan, load_vocabulary("minifaces"), draw, device="cpu")
    audit.run(tmp_path)
    result = json.loads(json.dumps(audit.result(tmp_path)))
    (setting,) = result["agreement"]["settings"].values()
    assert setting["attributes"]["he"] == {
        "num": 40, "agreement": 1.0, "agreement_interval": list(wilson_interval(40, 40)), "kappa": 1.0,
        "kappa_interval": [pytest.approx((wilson_interval(40, 40)[0] - 0.5) / 0.5), 1.0],
    }  # fmt: skip
    she, he = result["agreement"]["cells"]
    assert she["success"]["agreement"] == 0 and he["success"]["agreement"] == 0.4
    assert result["second_judge"]["source"] == other["source"] and result["comparisons"][0]["gap"] == 0.4
