"""Trainings that are killed, stopped, starved of disk or fed NaN."""

import errno
import json
import resource
import signal

import pytest
import torch

from styleT2I.errors import CheckpointError, OutputError, TrainingError
from styleT2I.torch_utils import files
from styleT2I.torch_utils.files import temporary_path
from styleT2I.torch_utils.stats import read_stats
from styleT2I.training.checkpoints import list_checkpoints, newest_checkpoint, read_checkpoint
from tests.toy_training import NUM_STEPS, ToyConfig, ToyTask, final_tensors, toy_run


def assert_same_state(first, second):
    one, two = final_tensors(first), final_tensors(second)
    assert one.keys() == two.keys()
    for name in one:
        assert torch.equal(one[name], two[name]), name


def test_resume_after_kill_matches_uninterrupted_run(tmp_path, run_python):
    killed = run_python("-m", "tests.toy_training", tmp_path / "killed", 7)
    assert killed.returncode == 0, killed.stderr
    steps = json.loads(killed.stdout)
    before_the_end = [step for step in steps if 0 < step < NUM_STEPS]  # the last kill may fall between it and the exit
    assert len(before_the_end) > 10 and steps == sorted(steps)
    toy_run(tmp_path / "whole")
    assert_same_state(tmp_path / "killed", tmp_path / "whole")
    assert (tmp_path / "killed/toy.safetensors").read_bytes() == (tmp_path / "whole/toy.safetensors").read_bytes()
    assert [r["step"] for r in read_stats(tmp_path / "killed/stats.jsonl")] == list(range(2, NUM_STEPS + 1, 2))


def test_sigterm_writes_a_checkpoint_and_the_resumed_run_matches(tmp_path):
    task = ToyTask()
    task.on_step = lambda: signal.raise_signal(signal.SIGTERM) if len(task.calls) == 1 and task.mean_loss else None
    with pytest.raises(TrainingError, match="SIGTERM after step 2 of 60; the same command"):
        toy_run(tmp_path / "stopped", task=task)
    assert [p.stem for p in list_checkpoints(tmp_path / "stopped")] == ["ckpt-00000002"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    toy_run(tmp_path / "stopped")
    toy_run(tmp_path / "whole")
    assert_same_state(tmp_path / "stopped", tmp_path / "whole")


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "html", "manifest"])
def test_a_damaged_newest_checkpoint_falls_back_to_the_older_one_with_a_warning(tmp_path, damage):
    toy_run(tmp_path / "run", steps=9)
    weights = tmp_path / "run/ckpt-00000009.safetensors"
    data = bytearray(weights.read_bytes())
    if damage == "flip":
        data[-5] ^= 1
    broken = {"cut": data[: len(data) // 2], "flip": data, "empty": b"", "html": b"<!DOCTYPE html>", "manifest": data}
    weights.write_bytes(broken[damage])
    if damage == "manifest":
        weights.with_suffix(".json").write_text('{"format_version": 1, "ki')
    with pytest.warns(UserWarning, match="resuming from the older ckpt-00000006.json: .*ckpt-00000009"):
        toy_run(tmp_path / "run")
    toy_run(tmp_path / "whole")
    assert_same_state(tmp_path / "run", tmp_path / "whole")


def test_when_no_checkpoint_verifies_the_run_says_so_instead_of_starting_over(tmp_path):
    toy_run(tmp_path, steps=6)
    for path in tmp_path.glob("ckpt-*.safetensors"):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint in .* can be used: .*the file is empty"):
        toy_run(tmp_path)


def test_nan_losses_stop_the_run_and_keep_the_last_good_checkpoint(tmp_path):
    with pytest.raises(
        TrainingError, match="loss was not finite in 5 steps on end, the last of them step 14; .*ckpt-0+9"
    ):
        with pytest.warns(UserWarning, match="no checkpoint at step 12"):
            toy_run(tmp_path, task=ToyTask(ToyConfig(nan_from=10)))
    assert newest_checkpoint(tmp_path).step == 9
    assert all(torch.isfinite(t).all() for t in final_tensors(tmp_path).values())


def test_an_unwritable_folder_fails_before_any_work(tmp_path):
    (tmp_path / "file").write_text("in the way")
    task = ToyTask()
    with pytest.raises(OutputError, match=r"cannot write .*file/run: Not a directory; choose another folder"):
        toy_run(tmp_path / "file/run", task=task)
    assert task.calls == []


def test_a_file_size_limit_leaves_the_previous_checkpoint_intact(tmp_path):
    toy_run(tmp_path, steps=6)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
        with pytest.raises(OutputError, match="cannot write .*ckpt-00000009.safetensors: .*free some space"):
            toy_run(tmp_path, log_every=0, eval_every=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert newest_checkpoint(tmp_path).step == 6
    assert not list(tmp_path.glob("tmp.*"))


def test_a_full_disk_leaves_the_previous_checkpoint_intact(tmp_path, monkeypatch):
    toy_run(tmp_path, steps=6)

    def full(path, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device; free some space"):
        toy_run(tmp_path)
    monkeypatch.undo()
    assert newest_checkpoint(tmp_path).step == 6
    assert not list(tmp_path.glob("tmp.*"))


def test_leftovers_of_a_killed_write_are_removed(tmp_path):
    toy_run(tmp_path, steps=3)
    temporary_path(tmp_path / "ckpt-00000006.safetensors").write_bytes(b"half")
    toy_run(tmp_path, steps=6)
    assert not list(tmp_path.glob("tmp.*"))


def test_a_checkpoint_of_other_settings_is_refused_or_announced(tmp_path):
    toy_run(tmp_path, steps=3)
    with pytest.raises(CheckpointError, match="was trained with --seed 0, not 1"):
        toy_run(tmp_path, seed=1)
    with pytest.raises(CheckpointError, match="is at step 3, beyond the 2 steps asked for"):
        toy_run(tmp_path, steps=2)
    other = ToyTask()
    other.name = "other"
    with pytest.raises(CheckpointError, match="belongs to a training of toy, not other"):
        toy_run(tmp_path, task=other)
    with pytest.warns(UserWarning, match="with other settings: lr 0.01 -> 0.02"):
        toy_run(tmp_path, steps=6, task=ToyTask(ToyConfig(lr=0.02)))


def test_a_state_that_does_not_fit_is_one_line(tmp_path):
    toy_run(tmp_path, steps=3)
    task = ToyTask()
    task.load_state_dict = lambda state: task.net.load_state_dict({"0.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="ckpt-00000003.json: does not fit this task's settings"):
        toy_run(tmp_path, task=task)


def test_resume_never_and_a_named_checkpoint(tmp_path):
    toy_run(tmp_path / "whole", steps=9)
    with pytest.raises(OutputError, match="holds checkpoints of an earlier run"):
        toy_run(tmp_path / "whole", resume="never")
    with pytest.raises(OutputError, match="holds later checkpoints than"):
        toy_run(tmp_path / "whole", resume=str(tmp_path / "whole/ckpt-00000006.json"))
    toy_run(tmp_path / "branch", steps=9, resume=str(tmp_path / "whole/ckpt-00000006.json"))
    assert_same_state(tmp_path / "branch", tmp_path / "whole")


def test_only_the_newest_checkpoints_are_kept_and_pickle_is_not_needed(tmp_path):
    toy_run(tmp_path, steps=12, keep=2)
    assert sorted(p.name for p in tmp_path.glob("ckpt-*")) == [
        "ckpt-00000009.json",
        "ckpt-00000009.safetensors",
        "ckpt-00000012.json",
        "ckpt-00000012.safetensors",
    ]
    state = read_checkpoint(tmp_path / "ckpt-00000012.safetensors").state
    assert state["optimizer"]["param_groups"][0]["betas"] == (0.9, 0.999)
    assert list(state["optimizer"]["state"]) == [0, 1, 2, 3]


def test_a_finished_run_has_nothing_to_do_but_what_was_deleted(tmp_path):
    toy_run(tmp_path, steps=6)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.warns(UserWarning, match="already at step 6 of 6; nothing to do"):
        assert toy_run(tmp_path, steps=6).calls == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "toy.safetensors").unlink()
    assert toy_run(tmp_path, steps=6).calls == ["setup", "export"]
    assert (tmp_path / "toy.safetensors").read_bytes() == before["toy.safetensors"]


def test_a_finished_run_is_not_taken_for_one_of_other_settings(tmp_path):
    toy_run(tmp_path, steps=6)
    with pytest.raises(CheckpointError, match="this training ended, at step 6, with other settings .lr 0.01 -> 0.02"):
        toy_run(tmp_path, steps=6, task=ToyTask(ToyConfig(lr=0.02)))
    with pytest.warns(UserWarning, match="with other settings: lr 0.01 -> 0.02"):
        toy_run(tmp_path, steps=9, task=ToyTask(ToyConfig(lr=0.02)))
