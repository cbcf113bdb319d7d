"""`audit run` and `audit merge`: one result whatever was killed or sharded, thresholds, one-line errors."""

import json

import pytest
import yaml
from click.testing import CliRunner

from styleT2I.audit import main
from styleT2I.formats.model_folder import write_model_manifest
from tests.tiny_model import tiny_judge, write_tiny_model

PLAN = {
    "name": "tiny",
    "num": 66,  # more than one block of latents
    "compositions": ["she+lipstick", "he+lipstick", "he+beard"],
    "comparisons": [{"name": "lipstick", "first": "she+lipstick", "second": "he+lipstick"}],
    "thresholds": [{"comparison": "lipstick", "max_gap": 1.0}],
    "truncation": [0.7, 0.5],
    "adjustment": ["paper", "none"],
    "unprompted": [{"prompt": "lipstick", "attribute": "he"}],
    "training_data": "minifaces:biased/train:300",
    "quality_data": "minifaces:balanced/test:20",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny model with a held-out judge of random weights."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), onlookers={"judges.heldout": tiny_judge(seed=7)})


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(PLAN))
    return path


def audit(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run(plan, folder, outdir, *arguments):
    return audit("run", plan, "--model", folder, "--device", "cpu", "--outdir", outdir, *arguments)


def test_numbers_of_one_are_singular(plan, tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(yaml.safe_dump({**PLAN, "truncation": [0.7], "adjustment": ["none"], "unprompted": []}))
    said = audit("plan", path).stdout
    assert "3 compositions x 66 images x 1 setting = 198 images, 1 primary comparison, 1 limit\n" in said


def test_the_pairs_that_decide_all_limits_are_planned_and_too_few_are_a_warning(tmp_path):
    path = tmp_path / "plan.yaml"
    small = {key: PLAN[key] for key in ("name", "compositions", "comparisons")}
    path.write_text(yaml.safe_dump({**small, "num": 50, "thresholds": [{"comparison": "lipstick", "max_gap": 0.1}]}))
    said = audit("plan", path, "--detect-within", "--correlation", "0.4", "--success", "0.8")
    assert said.exit_code == 0, said.output
    num = int(said.stdout.split("about ")[1].split()[0])
    assert 150 <= num <= 200 and "1 limit kept with power 0.8" in said.stdout  # normal approximation: 164
    assert "the plan's 50 images per composition show that in" in said.stderr
    path.write_text(yaml.safe_dump({**small, "num": 400, "thresholds": [{"comparison": "lipstick", "max_gap": 0.1}]}))
    assert not audit("plan", path, "--detect-within", "--correlation", "0.4").stderr
    for limit, message in ((0.0, "no number of pairs shows it kept"), (None, "the plan declares no limit")):
        thresholds = [] if limit is None else [{"comparison": "lipstick", "max_gap": limit}]
        path.write_text(yaml.safe_dump({**small, "thresholds": thresholds}))
        refused = audit("plan", path, "--detect-within")
        assert refused.exit_code == 2 and message in refused.stderr and refused.stderr.count("error:") == 1
    assert audit("plan", "--detect-within").exit_code == 2


def test_an_interrupted_audit_says_that_the_same_command_goes_on(folder, plan, tmp_path, monkeypatch):
    def interrupted(self, *arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("styleT2I.fairness.run.Audit.run", interrupted)
    result = run(plan, folder, tmp_path / "out")
    said = "error: interrupted; finished compositions are cached: the same command resumes from there"
    assert result.exit_code == 130 and result.stderr.splitlines()[-1] == said


def test_a_model_without_a_vocabulary_is_told_how_to_get_one(plan, tmp_path):
    files = {role: f"{role}.json" for role in ("generator", "clip", "t2d")}
    model = write_tiny_model(tmp_path / "model")
    write_model_manifest(model, "bare", files, None)
    result = run(plan, model, tmp_path / "out")
    assert result.exit_code == 2 and "model 'bare' has no vocabulary" in result.stderr
    assert "--vocabulary minifaces" in result.stderr


def test_a_run_resumes_and_shards_merge_to_the_same_bytes(folder, plan, tmp_path):
    whole = run(plan, folder, tmp_path / "whole")
    assert whole.exit_code == 4, whole.output  # a judge of random weights decides nothing
    expected = (tmp_path / "whole/audit.json").read_bytes()
    result = json.loads(expected)
    assert result["verdict"] == "not decided" and len(result["cells"]) == 3 * 3
    assert {"curves", "adjustment", "unprompted", "quality"} <= result.keys()
    assert [row["num"] for row in result["unprompted"]["rows"]] == [66] * 3
    assert {row["figure"] for row in result["quality"]["rows"]} == {"realism", "naturalness", "sharpness"}
    assert not result["num_overridden"] and len(result["plan_sha256"]) == 64
    assert all(len(sha256) == 64 for sha256 in result["model"]["components"].values())

    for shard in ("1/2", "2/2"):
        assert run(plan, folder, tmp_path / shard[0], "--shard", shard).exit_code == 0
        assert not (tmp_path / shard[0] / "audit.json").exists()
    assert audit("merge", plan, tmp_path / "1", "--outdir", tmp_path / "half").exit_code == 2
    assert not (tmp_path / "half").exists()
    merged = audit("merge", plan, tmp_path / "1", tmp_path / "2", "--outdir", tmp_path / "merged")
    assert merged.exit_code == 4, merged.output
    assert (tmp_path / "merged/audit.json").read_bytes() == expected

    cells = sorted((tmp_path / "whole/cells").iterdir())
    cells[0].unlink()
    cells[3].unlink()
    cells[2].write_text("{")  # damaged
    assert [path.suffix for path in cells] == [".json", ".png"] * (len(cells) // 2)
    kept = {path: path.stat().st_mtime_ns for path in cells[4:]}
    (tmp_path / "whole/audit.json").unlink()
    assert run(plan, folder, tmp_path / "whole").exit_code == 4
    assert (tmp_path / "whole/audit.json").read_bytes() == expected
    assert {path: path.stat().st_mtime_ns for path in cells[4:]} == kept


def test_another_number_is_said_and_does_not_mix_with_kept_cells(folder, plan, tmp_path):
    assert run(plan, folder, tmp_path / "out", "--num", "4").exit_code == 4
    assert run(plan, folder, tmp_path / "out", "--num", "3").exit_code == 4
    result = json.loads((tmp_path / "out/audit.json").read_text())
    assert result["num"] == 3 and result["num_overridden"] and result["plan"]["num"] == 66
    assert {cell["num"] for cell in result["cells"]} == {3}
    mixed = audit("merge", plan, tmp_path / "out", "--outdir", tmp_path / "mixed")
    assert mixed.exit_code == 2 and "different models, versions or numbers" in mixed.output


def test_a_failed_threshold_is_exit_status_3(folder, tmp_path):
    path = tmp_path / "strict.yaml"
    strict = {**PLAN, "compositions": ["she", "he"], "truncation": [0.7], "adjustment": ["none"]}
    strict["comparisons"] = [{"name": "sex", "first": "she", "second": "he"}]
    strict["thresholds"] = [{"comparison": "sex", "max_gap": 0.0}]
    path.write_text(yaml.safe_dump(strict))
    result = run(path, folder, tmp_path / "out", "--num", "9")
    assert result.exit_code == 3, result.output
    assert json.loads((tmp_path / "out/audit.json").read_text())["exceeded"] == ["sex"]


@pytest.fixture(scope="module")
def sighted(tmp_path_factory):
    """The plan's calibration by hand: a judge that misses lipstick on men half of the time."""
    counts = {"true_positive": 90, "false_negative": 10, "false_positive": 5, "true_negative": 95}
    blind = {"true_positive": 50, "false_negative": 50, "false_positive": 5, "true_negative": 95}
    return {"she+lipstick": counts, "he+lipstick": blind, "he+beard": counts}


def test_gaps_are_corrected_by_a_calibration_of_the_same_judge(folder, plan, sighted, tmp_path):
    path = tmp_path / "judge.json"
    plan.write_text(yaml.safe_dump({**PLAN, "transports": True}))
    measured = audit("calibrate", plan, "--model", folder, "--num", "10", "--out", path, "--device", "cpu")
    assert measured.exit_code == 0, measured.output
    found = json.loads(path.read_text())
    for counts in found["cells"].values():
        assert counts["true_positive"] + counts["false_negative"] == 10
        assert counts["true_negative"] + counts["false_positive"] == 10
    path.write_text(json.dumps({**found, "cells": sighted}))
    for outdir, shard in (("a", "1/1"), ("b", "1/2"), ("b", "2/2")):
        arguments = ("--num", "5", "--shard", shard, "--calibration", path)
        assert run(plan, folder, tmp_path / outdir, *arguments).exit_code == (4 if shard == "1/1" else 0)
    result = json.loads((tmp_path / "a/audit.json").read_text())
    low, high = result["comparisons"][0]["corrected"]["gap_interval"]
    assert -1 <= low <= high <= 1
    assert result["thresholds"][0]["value"] == result["comparisons"][0]["corrected"]["gap"]
    assert result["calibration"]["cells"] == sighted
    merged = audit("merge", plan, tmp_path / "b", "--calibration", path, "--outdir", tmp_path / "b")
    assert merged.exit_code == 4, merged.output
    assert (tmp_path / "b/audit.json").read_bytes() == (tmp_path / "a/audit.json").read_bytes()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"judge_sha256": "0" * 64}, "another judge than the audit's"),
        ({"judge": {"role": "judges.heldout", "margin": 1.0}}, "another judge or margin"),
        ({"cells": {}}, "does not cover 'she+lipstick'"),
        ({"cells": {"he": {}}}, "not a usable calibration"),
    ],
)
def test_a_calibration_that_does_not_fit_is_one_line(folder, plan, sighted, tmp_path, changes, message):
    path = tmp_path / "judge.json"
    calibration = {"judge": {"role": "judges.heldout", "margin": 0.0}, "judge_sha256": "", "cells": sighted}
    path.write_text(json.dumps({**calibration, **changes}))
    result = run(plan, folder, tmp_path / "out", "--num", "2", "--calibration", path)
    assert result.exit_code == 2 and message in result.output and "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changes, arguments",
    [({"num": 0}, ()), ({"compositions": ["he+she"]}, ()), ({}, ("--num", "0")), ({}, ("--shard", "3/2"))],
)
def test_what_cannot_be_audited_is_one_line_and_writes_nothing(folder, tmp_path, changes, arguments):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump({**PLAN, **changes}))
    result = run(path, folder, tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert result.output.count("error:") == 1 and "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_held_out_judge_is_one_line_and_writes_nothing(plan, tmp_path):
    result = run(plan, write_tiny_model(tmp_path / "model"), tmp_path / "out")
    assert result.exit_code == 2 and "no judges.heldout" in result.output
    assert not (tmp_path / "out").exists()
