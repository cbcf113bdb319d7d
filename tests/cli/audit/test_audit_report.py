"""`audit run`, `audit merge` and `audit report`: page, JSON and CSV files together, and the command that makes them."""

import json
import shlex

import pytest
import yaml
from click.testing import CliRunner

from styleT2I.audit import main
from tests.tiny_model import tiny_judge, write_tiny_model

FILES = (
    "attributes.csv", "audit.html", "audit.json", "audit.junit.xml", "audit.md", "audit.sarif", "cells.csv",
    "comparisons.csv", "drift.csv", "limits.csv", "outcomes.csv",
)  # fmt: skip
PLAN = {
    "name": "tiny",
    "num": 6,
    "compositions": ["she+lipstick", "he+lipstick"],
    "comparisons": [{"name": "lipstick", "first": "she+lipstick", "second": "he+lipstick"}],
    "thresholds": [{"comparison": "lipstick", "max_gap": 1.0}],
    "adjustment": ["none"],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), onlookers={"judges.heldout": tiny_judge(seed=7)})


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(PLAN))
    return path


def audit(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def test_shards_merge_to_the_same_page_and_report_makes_it_again(model, plan, tmp_path):
    common = ("--model", model, "--device", "cpu", "--outdir")
    whole = audit("run", plan, *common, tmp_path / "whole")
    assert whole.exit_code == 4 and str(tmp_path / "whole/audit.html") in whole.output, whole.output
    expected = contents(tmp_path / "whole")
    assert expected["audit.html"].count(b"<img") >= 2

    for shard in ("1/2", "2/2"):
        assert audit("run", plan, *common, tmp_path / shard[0], "--shard", shard).exit_code == 0
    merged = audit("merge", plan, tmp_path / "1", tmp_path / "2", "--outdir", tmp_path / "merged")
    assert merged.exit_code == 4, merged.output  # a limit of 100 points is not decided by six pairs
    assert contents(tmp_path / "merged") == expected

    for name in FILES:
        if name != "audit.json":
            (tmp_path / "merged" / name).unlink()
    again = audit("report", tmp_path / "merged")
    assert again.exit_code == 0, again.output
    assert contents(tmp_path / "merged") == expected


def test_the_command_in_the_report_makes_the_same_audit(model, plan, tmp_path, monkeypatch):
    first = audit("run", plan, "--model", model, "--num", "3", "--device", "cpu", "--outdir", tmp_path / "out")
    assert first.exit_code == 4, first.output
    found = json.loads((tmp_path / "out/audit.json").read_text())
    words = shlex.split(found["rerun"])
    assert words[:4] == ["python", "-m", "styleT2I.audit", "run"] and "--num 3" in found["rerun"]
    monkeypatch.chdir(tmp_path)
    again = audit(*words[3:], "--device", "cpu")
    assert again.exit_code == 4, again.output
    assert contents(tmp_path / "audit") == contents(tmp_path / "out")


def test_a_report_of_nothing_is_one_line(tmp_path):
    result = audit("report", tmp_path / "none")
    assert result.exit_code == 2 and result.output.count("error:") == 1 and "cannot read the audit" in result.output
