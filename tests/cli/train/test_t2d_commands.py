"""`train_t2d` and `package_model`: from components to a model folder that `generate` draws with."""

import json

import pytest
from click.testing import CliRunner

from styleT2I.generate import main as generate
from styleT2I.package_model import main as package_model
from styleT2I.torch_utils.stats import read_stats
from styleT2I.train_t2d import main as train_t2d
from tests.tiny_model import write_tiny_model

DATA = ("--data", "minifaces:biased/train:12", "--eval-data", "minifaces:biased/test:8")
SMALL = ("--batch", "4", "--hidden-dim", "8", "--eval-every", "2", "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def invoke(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def train(folder, outdir, *arguments):
    return invoke(train_t2d, "--model", folder, "--outdir", outdir, *DATA, *SMALL, *arguments)


def test_train_package_generate(folder, tmp_path):
    result = train(folder, tmp_path / "run", "--steps", 4)
    assert result.exit_code == 0, result.output
    assert [line["step"] for line in read_stats(tmp_path / "run/stats.jsonl")] == [2, 4]
    said = result.stdout.splitlines()[-1]
    assert said.startswith(f"trained: {tmp_path}/run/t2d.json; next: python -m styleT2I.package_model --generator ")
    parts = (
        "--generator",
        folder / "generator.json",
        "--clip",
        folder / "clip.json",
        "--t2d",
        tmp_path / "run/t2d.json",
    )
    judge = ("--judges-guide", folder / "judges_guide.json")
    result = invoke(package_model, *parts, *judge, "--name", "mine", "--half", "--outdir", tmp_path / "model")
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "model/model.json").read_text())
    assert manifest["name"] == "mine"
    assert set(manifest["components"]) == {"generator", "clip", "t2d", "judges", "vocabulary"}
    arguments = ("--model", tmp_path / "model", "--text", "he smiles", "--seeds", "0", "--outdir", tmp_path / "out")
    result = invoke(generate, *arguments)
    assert result.exit_code == 0, result.output


def test_word_vectors_and_a_gru_may_read_the_sentences_also_by_the_options_old_name(folder, tmp_path):
    result = train(folder, tmp_path / "new", "--steps", 2, "--text-features", "gru")
    assert result.exit_code == 0, result.output
    old = train(folder, tmp_path / "old", "--steps", 2, "--text-encoder", "gru")
    assert old.exit_code == 0 and "warning: --text-encoder is now called --text-features" in old.stderr
    for name in ("new", "old"):
        assert json.loads((tmp_path / name / "options.json").read_text())["settings"]["text_encoder"] == "gru"


def test_the_random_pair_control_and_the_run_without_penalty_are_recorded(folder, tmp_path):
    result = train(folder, tmp_path, "--steps", 2, "--shuffle-captions", "--no-norm-penalty", "--theta-rel", 0.4)
    assert result.exit_code == 0, result.output
    settings = json.loads((tmp_path / "options.json").read_text())["settings"]
    assert (settings["shuffle_captions"], settings["use_norm_penalty"], settings["theta_rel"]) == (True, False, 0.4)


def test_without_a_judge_the_log_has_losses_and_says_so_once(folder, tmp_path):
    parts = ("--generator", folder / "generator.json", "--clip", folder / "clip.json")
    result = invoke(train_t2d, *parts, "--outdir", tmp_path, *DATA, *SMALL, "--steps", 4)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("no --judge") == 1
    assert all("success" not in line for line in read_stats(tmp_path / "stats.jsonl"))


@pytest.mark.parametrize(
    "arguments, named",
    [
        (("--preset", "celebahq"), "no generator: add --generator"),
        (("--preset", "celeba"), "celeba"),
        (("--generator", "missing.json", "--clip", "missing.json"), "missing.json"),
        (("--model", "no-such-model"), "no-such-model"),
    ],
)
def test_a_users_mistake_in_training_is_one_line(tmp_path, arguments, named):
    result = invoke(train_t2d, "--outdir", tmp_path / "run", *arguments)
    assert result.exit_code == 2
    *notes, error = result.stderr.splitlines()
    assert error.startswith("error: ") and named in error
    assert all(line.startswith("note: ") for line in notes)


def test_parts_of_different_models_are_not_packaged(folder, tmp_path):
    other = write_tiny_model(tmp_path / "other")
    manifest = json.loads((other / "t2d.json").read_text())
    del manifest["manifest_sha256"]
    manifest["info"]["clip_name"] = "another-clip"
    (other / "t2d.json").write_text(json.dumps(manifest))
    result = invoke(
        package_model, "--clip", folder / "clip.json", "--t2d", other / "t2d.json", "--outdir", tmp_path / "m"
    )
    assert result.exit_code == 2
    assert "another-clip" in result.stderr and "do not belong together" in result.stderr
    assert not (tmp_path / "m/model.json").exists()
