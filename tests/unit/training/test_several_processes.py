"""Several processes on one batch: the training of one, whatever happens to one of them."""

import json
import shutil

import pytest
import torch

from styleT2I.networks.faces.segmenter import Segmenter, SegmenterConfig
from styleT2I.torch_utils.stats import read_stats
from styleT2I.training.checkpoints import newest_checkpoint
from tests.shared.processes import start, together, wait
from tests.shared.tasks import TASKS, end_of, train, train_anew, train_until
from tests.tiny_model import write_tiny, write_tiny_model

FAST = ("toy", "t2d", "stylegan2", "clip")
DONE = ["done", "done"]
ROUNDING = {  # parts whose gradients are rounding alone, which Adam divides by itself
    "clip": ("in_proj_bias", "k_proj.bias"),  # the same is added to all of a softmax's logits
    "unclip_prior": ("qkv.bias",),
    "unclip_ar_prior": ("qkv.bias",),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_tiny_model(tmp_path_factory.mktemp("tiny"))
    torch.manual_seed(4)
    config = SegmenterConfig(("hair", "skin", "eyes", "mouth"), resolution=16, widths=(4, 6))
    write_tiny(folder, "segmenter", Segmenter(config).eval())
    return folder


def assert_same_end(first, second, but=(), limit=1e-5):
    a, b = end_of(first), end_of(second)
    assert a.keys() == b.keys()
    far = {name: (a[name].double() - b[name].double()).abs().max().item() for name in a if a[name].numel()}
    assert {name: gap for name, gap in far.items() if gap > limit and not any(part in name for part in but)} == {}


def losses(outdir):
    lines = read_stats(outdir / "stats.jsonl")
    return torch.tensor([line[key] for line in lines for key in sorted(line) if "loss" in key])


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in TASKS])
def test_two_processes_train_as_one_on_the_same_batch(name, folder, tmp_path):
    if name == "attngan":
        train("damsm", folder, tmp_path / "damsm", 2)
        for file in (tmp_path / "damsm").glob("*_encoder.*"):
            shutil.copy(file, folder)
    train(name, folder, tmp_path / "one")
    assert together(train, name, folder, tmp_path / "two") == DONE
    assert (losses(tmp_path / "one") - losses(tmp_path / "two")).abs().max() <= 1e-5
    assert len(losses(tmp_path / "one")) >= 20
    # Adam divides a gradient by its own size, so the rounding of a small one is a part of a step, of which these are 20
    # of 3e-4: of CLIP a third of one is allowed (1.3e-5 and 5.5e-5 were seen on two processors with AVX-512).
    limit = 1e-4 if name == "clip" else 1e-5
    assert_same_end(tmp_path / "one", tmp_path / "two", ROUNDING.get(name, ()), limit)
    one, two = ({p.name for p in (tmp_path / run).iterdir() if "tfevents" not in p.name} for run in ("one", "two"))
    assert one == two  # but for TensorBoard's files, which are named by process


def test_a_run_goes_on_with_another_number_of_processes(tmp_path):
    train("toy", None, tmp_path / "whole", 12)
    assert together(train, "toy", None, tmp_path / "parts", 4) == DONE
    train("toy", None, tmp_path / "parts", 8)
    assert together(train, "toy", None, tmp_path / "parts", 12, num=4) == DONE * 2
    assert_same_end(tmp_path / "whole", tmp_path / "parts")
    assert json.loads((tmp_path / "parts/options.json").read_text())["exported"]["files"] == ["exported.txt"]


@pytest.mark.parametrize("what", ["killed", "hangs"])
def test_without_one_of_them_a_run_ends_with_a_checkpoint_of_the_last_whole_step(what, tmp_path):
    members = start(train_until, what, 7, 1, tmp_path / "run", environment={"STYLET2I_WAIT": 3})
    (end,) = wait(members[:1])
    assert end.startswith("TrainingError: another process") and "the state after step 7 is saved" in end
    members[1][0].kill()
    train("toy", None, tmp_path / "whole", 7)
    assert_same_end(tmp_path / "whole", tmp_path / "run")  # of step 7, which the other had not finished
    train("toy", None, tmp_path / "run", 9)
    train("toy", None, tmp_path / "whole", 9)
    assert_same_end(tmp_path / "whole", tmp_path / "run")


def test_a_signal_to_any_of_them_stops_all_after_the_same_step(tmp_path):
    rest = "after step 6 of 20; the same command goes on from there"
    assert together(train_until, "told to stop", 5, 1, tmp_path) == [
        f"TrainingError: stopped by a signal to another process {rest}",
        f"TrainingError: stopped by SIGTERM {rest}",
    ]
    assert newest_checkpoint(tmp_path).step == 6


def test_what_the_first_process_refuses_all_refuse(tmp_path):
    train("toy", None, tmp_path, 2)
    first, second = together(train_anew, tmp_path)
    assert first == second and first.startswith("OutputError: ") and "holds checkpoints of an earlier run" in first


def test_a_batch_that_cannot_be_shared_is_refused_in_one_line(tmp_path):
    for end in together(train, "toy", None, tmp_path, 1, num=3):
        assert end.startswith("ConfigError: 8 rows cannot be shared evenly by 3 processes; choose a --batch")
