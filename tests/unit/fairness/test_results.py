"""The typed result: what audit.json holds, there and back without a changed byte, and errors that name the place."""

import json
from pathlib import Path

import pytest

from styleT2I.errors import DataError
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.report.page import read_result, write_report
from styleT2I.fairness.results import AuditResult, ComparisonResult, Table, to_json
from tests.audit_result import audit_content, audit_result

PUBLISHED = sorted((Path(__file__).resolve().parents[3] / "docs/audit").glob("*.json"))


@pytest.mark.parametrize("is_calibrated", [False, True])
def test_a_result_there_and_back_is_the_same_text(is_calibrated):
    content = audit_content(is_calibrated=is_calibrated)
    result = AuditResult.from_json(content)
    written = result.to_json()
    assert json.dumps(written, sort_keys=True) == json.dumps({**content, "settings_left_out": []}, sort_keys=True)
    assert AuditResult.from_json(json.loads(json.dumps(written))) == result
    assert isinstance(result.plan, AuditPlan) and isinstance(result.comparisons[0], ComparisonResult)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_published_audit_is_written_again_byte_for_byte(path, tmp_path):
    (tmp_path / path.with_suffix(".html").name).write_bytes(path.with_suffix(".html").read_bytes())
    page = write_report(read_result(path), tmp_path, [], path.stem)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    assert page.read_bytes() == path.with_suffix(".html").read_bytes()


def test_keys_of_a_later_version_stay():
    content = {**audit_content(), "novel": {"rho": -0.5}}
    result = AuditResult.from_json(content)
    assert result.extra == {"novel": {"rho": -0.5}} and result.to_json()["novel"] == {"rho": -0.5}


def test_what_an_earlier_version_did_not_write_is_filled_in():
    content = audit_content()
    for key in ("subject", "second_judge", "quality_data", "calibration", "rerun"):
        content.pop(key, None)
    result = AuditResult.from_json(content)
    assert result.is_paired and result.provenance.second_judge is None and result.rerun is None
    assert result.to_json()["subject"]["has_settings"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"cells": [{"setting": "x"}]}, r"cells\[0\]"),
        ({"plan": {"name": 1}}, "plan.name"),
        ({"num": "ten"}, "num takes a whole number"),
        ({"plan": {"name": "a", "nmu": 1}}, "did you mean 'num'"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(change, message):
    with pytest.raises(DataError, match=message):
        AuditResult.from_json({**audit_content(), **change})


def test_a_table_without_compositions_has_no_key_for_them():
    assert to_json(Table("Why.", ({"share": 0.5},))) == {"explanation": "Why.", "rows": [{"share": 0.5}]}
    assert "unprompted" not in audit_result().to_json()
