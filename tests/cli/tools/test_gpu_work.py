"""tools/gpu_work.sh: its plan fits the time and says commands that exist; what it packs is small and goes on."""

import importlib
import json
import os
import re
import subprocess
import sys
import tarfile

import pytest
import torch

from styleT2I.config import to_dict
from styleT2I.formats.component import read_component, write_component
from styleT2I.networks.stylegan2.config import DiscriminatorConfig
from styleT2I.networks.stylegan2.discriminator import Discriminator
from styleT2I.training.checkpoints import newest_checkpoint, write_checkpoint
from tests.conftest import ROOT

MOST = 15 * 60  # seconds of a GPU


def gpu_work(*arguments, cwd=ROOT):
    command = ["bash", str(ROOT / "tools/gpu_work.sh"), *map(str, arguments)]
    environment = {**os.environ, "PYTHON": sys.executable}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    result = gpu_work("--dry-run", "out", cwd=folder)
    assert result.returncode == 0 and not list(folder.iterdir()), result.stderr
    return result.stdout


def test_the_plan_fits_the_time_with_the_starts_of_its_trainings(plan):
    stages = dict(re.findall(r"^== (\w+), (\d+) s$", plan, flags=re.M))
    assert [*stages] == ["tests", "speed", "training", "portraits", "unclip", "baselines"]
    total = sum(map(int, stages.values()))
    assert f"in all {total} s" in plan
    trainings = plan.count("tools/pack_run.py")
    assert trainings == 9 and total + 15 * trainings <= MOST - 60  # a training's start, and a machine's
    portraits = re.search(r"^\[(\d+) s\] .*train_stylegan2.*--preset portraits128", plan, flags=re.M)
    assert portraits[1] == stages["portraits"] and "--init" not in portraits[0]


def test_every_command_of_the_plan_takes_its_options(plan):
    named = gpu_work("--dry-run", "/none", "finish", "scratch", "fit128")
    lines = re.findall(r"-m styleT2I\.(\w+) (.*)", plan + named.stdout)
    assert len(lines) >= 15
    for module, arguments in lines:
        known = {option for parameter in importlib.import_module(f"styleT2I.{module}").main.params
                 for option in (*parameter.opts, *parameter.secondary_opts)}  # fmt: skip
        assert set(re.findall(r"(?<= )--[\w-]+", f" {arguments}")) <= known, f"{module} {arguments}"
    for script in set(re.findall(r" ((?:benchmarks|tools)/\w+\.py) ", plan)):
        assert (ROOT / script).is_file()


@pytest.mark.parametrize(
    "arguments, reason",
    [(["out", "tets"], "unknown stage tets"), (["out", "speed:soon"], "seconds are a number"), ([], "usage:")],
)
def test_what_is_no_plan_is_refused_in_one_line(tmp_path, arguments, reason):
    result = gpu_work("--dry-run", *arguments)
    assert result.returncode != 0 and reason in result.stderr and len(result.stderr.splitlines()) == 1


def test_seconds_of_a_stage_can_be_said():
    assert "== speed, 30 s" in gpu_work("--dry-run", "/none", "speed:30").stdout


@pytest.mark.parametrize("limit", [15, 0])
def test_a_pack_holds_halves_and_the_state_where_it_is_small(run_python, tmp_path, limit):
    run = tmp_path / "run"
    run.mkdir()
    D = Discriminator(DiscriminatorConfig(16, channels={4: 8, 8: 8, 16: 8}))
    write_component(run, "discriminator", D.kind, to_dict(D.config), D.state_dict(), step=7, info={"kimg": 0.224})
    (run / "stats.jsonl").write_text("{}\n")
    options = {"task": "stylegan2", "settings": {"batch_size": 32}, "run": {"seed": 0}}
    write_checkpoint(run, 7, {"D": D.state_dict()}, options, 2, {})
    said = run_python(ROOT / "tools/pack_run.py", "--reached", run)
    assert said.stdout == "0.224\n", said.stderr
    made = run_python(ROOT / "tools/pack_run.py", run, tmp_path / "run.tar", "--limit", limit)
    assert made.returncode == 0, made.stderr
    with tarfile.open(tmp_path / "run.tar") as tar:
        tar.extractall(tmp_path / "there", filter="data")
    network = read_component(tmp_path / "there/discriminator.json")
    assert network.step == 7 and network.info["kimg"] == 0.224
    for name, value in D.state_dict().items():
        torch.testing.assert_close(network.state_dict[name].float(), value, rtol=1e-3, atol=1e-6)
    sizes = [(folder / "discriminator.safetensors").stat().st_size for folder in (run, tmp_path / "there")]
    assert sizes[1] < 0.6 * sizes[0] and (tmp_path / "there/stats.jsonl").exists()
    found = newest_checkpoint(tmp_path / "there")
    assert (found is not None and found.step == 7) if limit else found is None


def test_without_a_checkpoint_there_is_nothing_reached(run_python, tmp_path):
    result = run_python(ROOT / "tools/pack_run.py", "--reached", tmp_path)
    assert result.returncode == 2 and "holds no checkpoint yet" in result.stderr


def test_a_training_that_is_stopped_by_its_time_is_exported_with_the_same_command(run_python, tmp_path):
    """What the script relies on: with the images it has seen as its goal, a training writes its networks and stops."""
    arguments = ["-m", "styleT2I.train_stylegan2", "--data", "minifaces:biased/train:16", "--eval-num", 8, "--batch", 2,
                 "--device", "cpu", "--outdir", tmp_path / "run", "--eval-data", "minifaces:biased/val:8"]  # fmt: skip
    config = {"data": "minifaces:biased/train:16", "resolution": 16, "kimg": 1,
              "generator": {"z_dim": 8, "w_dim": 8, "mapping_layers": 1, "channels": {"4": 8, "8": 8, "16": 8}},
              "discriminator": {"channels": {"4": 8, "8": 8, "16": 8}}}  # fmt: skip
    (tmp_path / "tiny.json").write_text(json.dumps(config))
    arguments += ["--config", tmp_path / "tiny.json", "--eval-kimg", 0.002]
    assert run_python(*arguments, "--kimg", 0.004).returncode == 0
    for path in (tmp_path / "run").glob("generator.*"):
        path.unlink()  # as if it had been stopped
    again = run_python(*arguments, "--kimg", 0.004)
    assert again.returncode == 0 and (tmp_path / "run/generator.json").exists(), again.stderr
