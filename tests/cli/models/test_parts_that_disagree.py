"""Components that do not fit each other, or the purpose: packaged rightly, warned about or refused in one line."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.audit import main as audit
from styleT2I.edit import main as edit
from styleT2I.evaluate import main as evaluate
from styleT2I.formats.model_folder import read_model_folder, write_model_manifest
from styleT2I.generate import main as generate
from styleT2I.package_model import main as package_model
from styleT2I.train_a2d import main as train_a2d
from styleT2I.train_stylegan2 import main as train_stylegan2
from styleT2I.train_t2d import main as train_t2d
from tests.fake_faces import PLAN
from tests.foreign_files import write_nvidia
from tests.tiny_model import tiny_a2d, tiny_generator, tiny_t2d, write_tiny, write_tiny_model

CELEBA = load_vocabulary("celeba").names


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), without=("t2d", "a2d"))


def invoke(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def direction_networks(tmp_path, t2d="celeba", a2d="celeba", attributes=CELEBA):
    """Options of a T2D and an A2D whose components say which vocabulary they were trained with."""
    told = {"clip_name": "tiny-clip"}
    return (
        "--t2d", write_tiny(tmp_path, "t2d", tiny_t2d(), **told, training={"vocabulary": t2d}),
        "--a2d", write_tiny(tmp_path, "a2d", tiny_a2d(), **told, vocabulary=Path(a2d).stem, attributes=list(attributes),
                            training={"vocabulary": a2d}),
    )  # fmt: skip


def package(folder, outdir, *options):
    parts = ("--generator", folder / "generator.json", "--clip", folder / "clip.json")
    return invoke(package_model, *parts, *options, "--outdir", outdir)


def test_the_vocabulary_is_that_of_the_networks_training(folder, tmp_path):
    result = package(folder, tmp_path / "model", *direction_networks(tmp_path))
    assert result.exit_code == 0 and "warning" not in result.output, result.output
    assert read_model_folder(tmp_path / "model").vocabulary == "celeba"
    drawn = invoke(generate, "--model", tmp_path / "model", "--text", "he is wearing lipstick", "--seeds", 0,
                   "--adjust-method", "paper", "--device", "cpu", "--outdir", tmp_path / "out")  # fmt: skip
    assert drawn.exit_code == 0, drawn.output
    record = json.loads((tmp_path / "out/generate.json").read_text())
    assert record["warnings"] == [] and record["attributes"] == {"Male": True, "Wearing_Lipstick": True}
    assert all(found["cosine"] is not None for found in record["images"][0]["attributes"].values())


def test_a_vocabulary_of_ones_own_is_found_in_its_file_or_asked_for(folder, tmp_path):
    file = tmp_path / "mine.json"
    content = json.loads((load_vocabulary.__globals__["_FOLDER"] / "vocabularies/minifaces.json").read_text())
    file.write_text(json.dumps({**content, "name": "mine"}))
    networks = direction_networks(tmp_path, str(file), str(file), load_vocabulary("minifaces").names)
    result = package(folder, tmp_path / "model", *networks)
    assert result.exit_code == 0, result.output
    assert load_vocabulary(read_model_folder(tmp_path / "model").vocabulary).name == "mine"
    file.unlink()
    result = package(folder, tmp_path / "other", *networks)
    assert result.exit_code == 2 and "name its file by --vocabulary" in result.output
    again = invoke(package_model, "--model", tmp_path / "model", "--outdir", tmp_path / "again")
    assert again.exit_code == 0, again.output  # the folder has its own copy


def test_networks_of_different_vocabularies_are_refused(folder, tmp_path):
    result = package(folder, tmp_path / "model", *direction_networks(tmp_path, t2d="minifaces"))
    assert result.exit_code == 2 and result.output.count("\n") == 1
    assert "'minifaces'" in result.output and "'celeba'" in result.output and not (tmp_path / "model").exists()


def test_a_vocabulary_that_a2d_does_not_speak_is_refused(folder, tmp_path):
    result = package(folder, tmp_path / "model", *direction_networks(tmp_path), "--vocabulary", "minifaces")
    assert result.exit_code == 2 and "would never be used" in result.output and not (tmp_path / "model").exists()


def test_attributes_that_a2d_lacks_are_named_when_packaged_and_when_asked_for(folder, tmp_path):
    networks = direction_networks(tmp_path, attributes=("Male", "Wearing_Hat"))
    result = package(folder, tmp_path / "model", *networks)
    assert result.exit_code == 0 and "and 32 others: nothing will be adjusted for these" in result.output
    arguments = ("--model", tmp_path / "model", "--text", "he is wearing lipstick", "--seeds", 0, "--device", "cpu")
    drawn = invoke(generate, *arguments, "--outdir", tmp_path / "out")
    assert drawn.exit_code == 0, drawn.output
    line = "was not trained on Wearing_Lipstick, so nothing is adjusted for it"
    (warning,) = json.loads((tmp_path / "out/generate.json").read_text())["warnings"]
    assert line in warning and drawn.output.count(line) == 1
    plain = invoke(generate, *arguments, "--no-adjust", "--outdir", tmp_path / "plain")
    assert line not in plain.output and plain.exit_code == 0


ODD = {"labels": ({"c_dim": 3}, "takes labels (c_dim 3)"), "grey": ({"image_channels": 1}, "of 1 channel"),
       "RGBA": ({"image_channels": 4}, "of 4 channels")}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_a_generator_that_cannot_serve_is_one_line_everywhere(kind, folder, tmp_path):
    changes, reason = ODD[kind]
    write_nvidia(tmp_path / "odd.pkl", G_ema=tiny_generator(**changes))
    G, clip, outdir = ("--generator", tmp_path / "odd.pkl"), ("--clip", folder / "clip.json"), tmp_path / "out"
    t2d = ("--t2d", write_tiny(tmp_path, "t2d", tiny_t2d(), clip_name="tiny-clip"))
    small = ("--steps", 1, "--batch", 2, "--device", "cpu", "--outdir", outdir)
    calls = {
        train_t2d: (*G, *clip, "--data", "minifaces:biased/train:8", *small),
        train_a2d: (*G, *clip, "--spatial-weight", 0, *small),
        generate: ("--model", folder, *G, *t2d, "--text", "he smiles", "--seeds", 0, "--outdir", outdir),
        package_model: (*G, *clip, "--outdir", outdir),
    }
    for command, arguments in calls.items():
        result = invoke(command, *arguments)
        lines = [line for line in result.stderr.splitlines() if not line.startswith(("note: ", "warning: "))]
        assert result.exit_code == 2 and len(lines) == 1 and reason in lines[0], (command.name, result.output)
        assert "odd.pkl" in lines[0] and not (outdir / "model.json").exists()


@pytest.mark.parametrize("kind", ODD)
def test_a_model_folder_with_such_a_generator_is_one_line_everywhere(kind, tmp_path):
    changes, reason = ODD[kind]
    folder = write_tiny_model(tmp_path / "model")
    write_tiny(folder, "generator", tiny_generator(**changes))
    roles = ("generator", "clip", "t2d", "a2d", "judges.guide")
    files = {role: f"{role.replace('.', '_')}.json" for role in roles}
    write_model_manifest(folder, "odd", files, "minifaces")
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump(PLAN))
    calls = {
        edit: ("--model", folder, "--set", "hat=1", "--seeds", 0, "--outdir", tmp_path / "out"),
        evaluate: ("--model", folder, "--suite", "edits", "--num", 4, "--json", tmp_path / "r.json"),
        audit: ("run", plan, "--model", folder, "--outdir", tmp_path / "audit"),
    }
    for command, arguments in calls.items():
        result = invoke(command, *arguments)
        errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert result.exit_code == 2 and len(errors) == 1 and reason in errors[0], (command.name, result.output)


@pytest.mark.parametrize("channels", [1, 4])
def test_adversarial_training_does_not_start_from_a_generator_of_other_channels(channels, tmp_path):
    write_nvidia(tmp_path / "odd.pkl", G_ema=tiny_generator(image_channels=channels))
    result = invoke(train_stylegan2, "--preset", "minifaces64", "--init", tmp_path / "odd.pkl", "--device", "cpu",
                    "--data", "minifaces:biased/train:8", "--kimg", 0.01, "--outdir", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 2 and f"of {channels} channels" in result.stderr.splitlines()[-1], result.output
