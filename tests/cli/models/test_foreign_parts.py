"""Commands take CLIPs and text networks of other projects in place of components."""

import json

import pytest
import torch
from click.testing import CliRunner

from styleT2I.generate import main as generate
from styleT2I.package_model import main as package_model
from styleT2I.train_clip import main as train_clip
from styleT2I.train_t2d import main as train_t2d
from tests.plain_clip import random_state
from tests.published_t2d import published, save, write_glove
from tests.tiny_model import write_tiny_model

SEEDS = ("--seeds", "0-1", "--device", "cpu")
T2D = ("--data", "minifaces:biased/train:12", "--batch", "4", "--hidden-dim", "8", "--steps", "1", "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The file that the authors' fine-tuning leaves, of a tiny CLIP with OpenAI's whole vocabulary."""
    state = random_state(width=64, layers=1, patch=16, grid=2, context=77, vocab=49408)
    path = tmp_path_factory.mktemp("clip") / "last.pt"
    torch.save({"model": {key: tensor.half() for key, tensor in state.items()}, "epoch": 1}, path)
    return path


@pytest.fixture
def t2d(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_GLOVE", str(write_glove(tmp_path / "glove.txt")))
    return save(tmp_path / "t2d.pt", published())


def run(command, *arguments):
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


def test_train_on_a_foreign_clip_package_and_generate(folder, clip, tmp_path):
    run(train_t2d, "--model", folder, "--clip", clip, "--outdir", tmp_path / "run", *T2D)
    made = json.loads((tmp_path / "run/t2d.json").read_text())
    assert made["info"]["clip_name"] == "last" and made["config"]["text_dim"] == 16
    parts = ("--generator", folder / "generator.json", "--clip", clip, "--t2d", tmp_path / "run/t2d.json")
    run(package_model, *parts, "--name", "mine", "--outdir", tmp_path / "model")
    assert json.loads((tmp_path / "model/clip.json").read_text())["config"]["quick_gelu"] is True
    run(generate, "--model", tmp_path / "model", "--text", "he smiles", *SEEDS, "--outdir", tmp_path / "out")


def test_generate_with_the_authors_text_network(folder, t2d, tmp_path):
    outdir = tmp_path / "out"
    result = run(generate, "--model", folder, "--t2d", t2d, "--text", "The woman smiling", *SEEDS, "--outdir", outdir)
    assert (outdir / "seed0001.png").is_file() and "Traceback" not in result.output


def test_fine_tune_a_foreign_clip(clip, tmp_path):
    data = ("--data", "minifaces:balanced/train:6", "--batch", "3", "--steps", "1", "--device", "cpu")
    options = ("--preset", "celebahq", "--clip", clip, "--name", "tuned", "--outdir", tmp_path)
    run(train_clip, *options, *data)
    tuned = json.loads((tmp_path / "tuned.json").read_text())["config"]
    assert tuned["quick_gelu"] is True and tuned["name"] == "tuned"


def test_a_foreign_file_of_another_kind_is_one_line(folder, clip, t2d, tmp_path):
    for option, path, kind in (("--clip", t2d, "t2d"), ("--t2d", clip, "clip")):
        arguments = ("--model", folder, option, path, "--text", "he smiles", *SEEDS, "--outdir", tmp_path / "out")
        result = CliRunner().invoke(generate, [str(argument) for argument in arguments])
        assert result.exit_code == 2, result.output
        errors = [line for line in result.output.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1 and str(path) in errors[0] and f"is a '{kind}'" in errors[0], result.output
    assert not (tmp_path / "out").exists()
