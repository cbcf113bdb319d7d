"""Agreement of two judges: tables by cell and by setting."""

import pytest
import torch

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.fairness.analysis.agreement import agreement, agreement_tables
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.run import Audit
from styleT2I.metrics.attributes import NO, UNDETERMINED, YES
from styleT2I.statistics.intervals import wilson_interval
from tests.fake_faces import PLAN, draw


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
    result = audit.result(tmp_path).to_json()
    (setting,) = result["agreement"]["settings"].values()
    assert setting["attributes"]["he"] == {
        "num": 40, "agreement": 1.0, "agreement_interval": list(wilson_interval(40, 40)), "kappa": 1.0,
        "kappa_interval": [pytest.approx((wilson_interval(40, 40)[0] - 0.5) / 0.5), 1.0],
    }  # fmt: skip
    she, he = result["agreement"]["cells"]
    assert she["success"]["agreement"] == 0 and he["success"]["agreement"] == 0.4
    assert result["second_judge"]["source"] == other["source"] and result["comparisons"][0]["gap"] == 0.4
