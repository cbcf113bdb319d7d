"""The training loop's records: options, log lines, intervals."""

import json

import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.torch_utils.stats import RunLog, read_stats
from styleT2I.training.checkpoints import flatten_state, restore_state
from styleT2I.training.engine import RunConfig
from tests.toy_training import toy_run


def test_a_run_records_its_options_and_its_figures(tmp_path):
    task = toy_run(tmp_path, steps=25)
    options = json.loads((tmp_path / "options.json").read_text())
    assert options["task"] == "toy" and options["settings"] == {"lr": 0.01, "nan_from": None}
    assert options["run"]["steps"] == 25
    records = {r["step"]: r for r in read_stats(tmp_path / "stats.jsonl")}
    assert sorted(records) == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 25]
    assert [step for step, r in records.items() if "weight" in r] == [10, 20, 25]
    assert task.calls == ["setup", "snapshot 10", "snapshot 20", "snapshot 25", "export"]


def test_a_run_leaves_torchs_own_random_state_alone(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    toy_run(tmp_path, steps=3)
    assert torch.equal(torch.rand(3), expected)


def test_two_seeds_give_two_trainings(tmp_path):
    weights = [toy_run(tmp_path / str(seed), steps=2, seed=seed).net[0].weight for seed in (0, 1)]
    assert not torch.equal(*weights)


@pytest.mark.parametrize("settings", [{"steps": 0}, {"steps": 1, "keep": 0}, {"steps": 1, "log_every": -1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        RunConfig("out", **settings)


def test_log_lines_beyond_the_resumed_step_are_dropped_and_nan_becomes_null(tmp_path):
    with RunLog(tmp_path) as log:
        log.write(1, {"loss": 0.5})
        log.write(2, {"loss": float("nan")})
        log.write(3, {"loss": 0.3})
    with open(tmp_path / "stats.jsonl", "a") as f:
        f.write('{"step": 1, "lo')
    with RunLog(tmp_path, resume_step=2) as log:
        log.write(3, {"loss": 0.25})
    assert read_stats(tmp_path / "stats.jsonl") == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": None},
        {"step": 3, "loss": 0.25},
    ]


def test_nested_states_survive_json_and_safetensors_keys():
    state = {"a": {0: torch.ones(2), "b/c": [torch.zeros(1), (1, 2.5, None, True, "x")]}, "empty": {}}
    state["a/0"] = torch.full((2,), 3.0)
    tree, tensors = flatten_state(state)
    restored = restore_state(json.loads(json.dumps(tree)), tensors)
    assert restored["a"]["b/c"][1] == (1, 2.5, None, True, "x") and restored["empty"] == {}
    assert torch.equal(restored["a"][0], torch.ones(2)) and torch.equal(restored["a/0"], torch.full((2,), 3.0))
    assert torch.equal(restored["a"]["b/c"][0], torch.zeros(1))


def test_states_that_cannot_be_saved_are_named():
    with pytest.raises(TypeError, match="state/a/1 is a set"):
        flatten_state({"a": [1, {2}]})
