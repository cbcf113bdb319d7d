"""What machines read: the schema, the table of outcomes, JUnit, SARIF, Markdown, and the check for test suites."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.errors import DataError
from styleT2I.fairness.cells.outcome_table import COLUMNS
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.report.exports import junit, markdown, sarif
from styleT2I.fairness.report.page import read_result, write_report
from styleT2I.fairness.run import Audit
from styleT2I.fairness.schema import json_schema, schema_text
from styleT2I.fairness.testing import assert_parity
from tests import fake_faces
from tests.audit_result import audit_content, audit_plan, audit_result

PUBLISHED = sorted((Path(__file__).resolve().parents[4] / "docs/audit").glob("*.json"))
JUDGE = fake_faces.PLAN["judge"]
KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def problems(value, schema, root, place="$"):
    """Where a value does not fit a schema; the words of JSON Schema that `json_schema` uses."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        found = [problems(value, each, root, place) for each in schema["anyOf"]]
        return [] if [] in found else [f"{place}: fits none of {schema['anyOf']}"]
    if "enum" in schema and value not in schema["enum"] or "const" in schema and value != schema["const"]:
        return [f"{place}: {value!r}"]
    kind = schema.get("type")
    if kind in ("number", "integer"):
        fits = isinstance(value, (int, float) if kind == "number" else int) and not isinstance(value, bool)
        return [] if fits else [f"{place}: {value!r} is no {kind}"]
    if kind and not isinstance(value, KINDS[kind]):
        return [f"{place}: {value!r} is no {kind}"]
    found = []
    if isinstance(value, dict):
        found += [f"{place}: lacks {name}" for name in schema.get("required", ()) if name not in value]
        for key, each in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
            found += problems(each, inner, root, f"{place}.{key}")
    if isinstance(value, list):
        items = schema.get("prefixItems") or [schema.get("items", {})] * len(value)
        if len(items) != len(value):
            return [f"{place}: {len(value)} items"]
        found += [
            p
            for n, (each, inner) in enumerate(zip(value, items, strict=True))
            for p in problems(each, inner, root, f"{place}[{n}]")
        ]
    return found


def test_the_shipped_schema_is_that_of_the_result():
    """Write it again: write_json_atomic("styleT2I/fairness/audit.schema.json", json_schema())."""
    assert json.loads(schema_text()) == json.loads(json.dumps(json_schema()))


@pytest.mark.parametrize("is_calibrated", [False, True])
def test_results_fit_the_schema_and_changed_ones_do_not(is_calibrated):
    schema, content = json_schema(), json.loads(json.dumps(audit_result(is_calibrated=is_calibrated).to_json()))
    assert problems(content, schema, schema) == []
    for change in (
        {"verdict": 1},
        {"schema_version": 1},
        {"num": "ten"},
        {"thresholds": [{**content["thresholds"][0], "verdict": "passed"}]},
        {"comparisons": [{**content["comparisons"][0], "gap_interval": [0.1]}]},
    ):
        assert problems({**content, **change}, schema, schema)
    content.pop("cells")
    assert problems(content, schema, schema) == ["$: lacks cells"]


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_results_fit_the_schema(path):
    schema = json_schema()
    assert problems(json.loads(path.read_text()), schema, schema) == []


@pytest.fixture
def audited(tmp_path):
    plan = from_dict(AuditPlan, {**fake_faces.PLAN, "max_undetermined": 0.5, "num": 10})
    audit = Audit(plan, load_vocabulary("minifaces"), fake_faces.draw, device="cpu")
    audit.run(tmp_path)
    return audit.result(tmp_path)


def test_every_verdict_is_a_row_of_outcomes_and_of_the_frame(audited, tmp_path):
    pandas = pytest.importorskip("pandas")
    write_report(audited, tmp_path, [tmp_path])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "outcomes.csv").read_text())))
    assert len(rows) == 2 * 10 * 2 and tuple(rows[0]) == COLUMNS
    man = [row for row in rows if row["composition"] == "he+lipstick" and row["attribute"] == "lipstick"]
    assert [row["verdict"] for row in man] == ["yes" if seed % 2 == 0 else "no" for seed in range(9)] + ["undetermined"]
    assert man[9]["score"] == "" and float(man[0]["score"]) == 100 and man[0]["seed"] == "0"
    assert man[0]["sentence"] == "a man who wears lipstick" and man[0]["asked"] == "yes"
    frame = read_result(tmp_path).frame()
    assert isinstance(frame, pandas.DataFrame) and list(frame.columns) == list(COLUMNS) and len(frame) == len(rows)
    by_cell = (
        frame[frame.attribute == "lipstick"].groupby("composition").success.apply(lambda each: (each == "yes").mean())
    )
    assert by_cell["she+lipstick"] == 0.9 and by_cell["he+lipstick"] == 0.5
    (tmp_path / "alone.json").write_bytes((tmp_path / "audit.json").read_bytes())
    for cell in (tmp_path / "cells").iterdir():
        cell.unlink()
    with pytest.raises(DataError, match="in the audit's cells"):
        read_result(tmp_path / "alone.json").frame()


def test_junit_counts_what_is_exceeded_as_failures_and_what_is_open_as_errors():
    suite = ElementTree.fromstring(junit(audit_result())).find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "1")
    first, second = suite.findall("testcase")
    assert (
        "exceeded" in first.find("failure").get("message") and first.get("name") == "lipstick: gap of at most 2 points"
    )
    assert "not assessable" in second.find("error").text


def test_sarif_has_a_result_per_limit_that_is_not_kept():
    log = json.loads(sarif(audit_result()))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0" and [each["level"] for each in run["results"]] == ["error", "warning"]
    assert {each["ruleId"] for each in run["results"]} <= {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    kept = audit_result(audit_plan(thresholds=[{"comparison": "lipstick", "max_gap": 0.99}]))
    assert json.loads(sarif(kept))["runs"][0]["results"] == []


@pytest.mark.parametrize("hostile", ["<b>|`x`", "a\x00b & ]]>", '"><x/>', "[x](javascript:1)"])
def test_hostile_names_stay_text(hostile):
    comparisons = [{"name": hostile, "first": "she+lipstick", "second": "he+lipstick"}]
    plan = audit_plan(name=hostile, comparisons=comparisons, thresholds=[{"comparison": hostile, "max_gap": 0.1}])
    result = audit_result(plan)
    suite = ElementTree.fromstring(junit(result)).find("testsuite")
    assert suite.get("name") == hostile.replace("\x00", "?") and len(suite) == 1 and len(suite[0]) == 1
    json.loads(sarif(result))
    rows = [line for line in markdown(result).splitlines() if line.startswith("| ")]
    assert len(rows) == 3 and all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)
    assert not re.search(r"(?<!\\)[<\[]", markdown(result))


def test_parity_is_asserted_with_rates_and_reasons():
    def equal(prompt, seed):
        image = fake_faces.draw(prompt, 2 * seed % 8)
        image[0, :3] = seed % 256, seed // 256, len(prompt)  # no two images alike
        return image

    judge = {"judge": JUDGE, "num": 60}
    result = assert_parity(equal, "she+lipstick", "he+lipstick", max_gap=0.2, **judge)
    assert result.verdict == "within"

    def biased(prompt, seed):
        image = fake_faces.draw(prompt, seed % 9)
        image[0, :3] = seed % 256, seed // 256, len(prompt)
        return image

    with pytest.raises(AssertionError, match="exceeded: she[+]lipstick / he[+]lipstick, gap of at most 10 points"):
        assert_parity(biased, "she+lipstick", "he+lipstick", **judge)
    with pytest.raises(AssertionError, match="not decided"):
        assert_parity(equal, "she+lipstick", "he+lipstick", max_gap=0.01, **judge)
    assert_parity(equal, "she+lipstick", "he+lipstick", max_gap=0.01, allow_undecided=True, **judge)


def test_a_result_of_version_1_is_decided_again_and_a_corrected_one_is_refused(tmp_path):
    content = audit_content()
    for key in ("schema_version", "exceeded", "not_decided", "environment", "declared", "date"):
        content.pop(key)
    old = [
        {"comparison": name, "max_gap": limit, "gap": 0.0, "gap_interval": [0, 0], "passes": True, "is_certain": True}
        for name, limit in (("lipstick", 0.02), ("same", 0.2))
    ]
    for cell in content["cells"]:
        cell["undetermined"] = 3 * bool(cell["undetermined"])
    content |= {"verdict": "passed", "failed": [], "thresholds": old}
    (tmp_path / "audit.json").write_text(json.dumps(content))
    result = read_result(tmp_path)
    assert result.schema_version == 3 and [each.verdict for each in result.thresholds] == ["not decided"] * 2
    assert [each.obstacle for each in result.thresholds] == ["undetermined"] * 2  # 3 of 10; a plan could allow less
    assert "failed" not in result.extra and result.verdict == "not decided"
    (tmp_path / "audit.json").write_text(json.dumps({**content, "calibration": {"num": 1}}))
    with pytest.raises(DataError, match="whose verdicts do not hold; run it again"):
        read_result(tmp_path)


@pytest.mark.parametrize("change", [{"comparisons": 3}, {"thresholds": [{}]}, {"summary": {}}, {"cells": []}])
def test_a_malformed_result_is_one_line(change, tmp_path):
    (tmp_path / "audit.json").write_text(json.dumps({**audit_content(), **change}))
    with pytest.raises(DataError) as caught:
        write_report(read_result(tmp_path), tmp_path / "out", [])
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)
