"""package_model on the earlier GANs: whole folders as fp16, one part replaced, what their cards say."""

import json

import pytest
from click.testing import CliRunner

from styleT2I.formats.component import read_component
from styleT2I.formats.model_folder import SYSTEMS, read_model_folder
from styleT2I.generation.systems.interface import open_system
from styleT2I.package_model import main
from tests.tiny_model import tiny_generator, write_tiny, write_tiny_model
from tests.tiny_systems import FURTHER, write_system

TITLES = {
    "gan_int_cls": "GAN-INT-CLS", "stackgan": "StackGAN", "attngan": "AttnGAN", "dfgan": "DF-GAN", "unclip": "unCLIP",
}  # fmt: skip


def package(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("role", SYSTEMS)
def test_a_trainings_folder_becomes_a_smaller_one_that_draws_the_same(role, tmp_path):
    trained = write_system(
        tmp_path / "run", role, training={"data": "minifaces:biased/train", "shuffle_captions": False}
    )
    (trained / "discriminator.json").write_text("{}")  # lies there, is no part of the model
    result = package("--model", trained, "--half", "--outdir", tmp_path / role)
    assert result.exit_code == 0, result.output
    parts = {role} | FURTHER[role]
    packaged = read_model_folder(tmp_path / role)
    assert set(packaged.files) == parts and packaged.vocabulary == "minifaces" and packaged.name == role
    assert not (tmp_path / role / "discriminator.json").exists() and f"{len(parts)} components" in result.output
    size = [sum(path.stat().st_size for path in folder.glob("*.safetensors")) for folder in (trained, packaged.path)]
    assert size[1] < 0.75 * size[0]
    before, after = (open_system(folder, device="cpu") for folder in (trained, packaged.path))
    prompt = after.understand("she is smiling")
    assert (before.sample([prompt], [3]) - after.sample([prompt], [3])).abs().max() < 0.02
    assert after.model.info(role).get("text") == before.model.info(role).get("text")
    card = (packaged.path / "README.md").read_text()
    assert f"not StyleT2I: {TITLES[role]}" in card and "trained by styleT2I" in card and "control" not in card
    assert "open_system" in card and "StyleGAN2, CLIP and networks" not in card and "- stylegan2" not in card


def test_a_control_is_called_one_and_a_part_can_be_replaced(tmp_path):
    trained = write_system(tmp_path / "run", "dfgan", training={"data": "x", "shuffle_captions": True})
    other = write_system(tmp_path / "other", "attngan")
    text_encoder = other / "text_encoder.json"
    result = package("--model", trained, "--text-encoder", text_encoder, "--vocabulary", "minifaces",
                     "--outdir", tmp_path / "packaged")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "It is a control" in (tmp_path / "packaged" / "README.md").read_text()
    state = (read_component(folder / "text_encoder.json").state_dict for folder in (other, tmp_path / "packaged"))
    assert all(one.equal(another) for one, another in zip(*(each.values() for each in state), strict=True))


def test_without_a_vocabulary_attributes_are_not_read(tmp_path):
    trained = write_system(tmp_path / "run", "dfgan")
    parts = ("--dfgan", trained / "dfgan.json", "--text-encoder", trained / "text_encoder.json")
    assert package(*parts, "--vocabulary", "none", "--outdir", tmp_path / "packaged").exit_code == 0
    assert "vocabulary" not in json.loads((tmp_path / "packaged" / "model.json").read_text())["components"]


def test_parts_that_do_not_fit_are_one_line_and_leave_nothing(tmp_path):
    trained = write_system(tmp_path / "run", "gan_int_cls")
    wide = write_system(tmp_path / "wide", "gan_int_cls", z_dim=9)
    arguments = ("--model", trained, "--style-encoder", wide / "style_encoder.json", "--outdir", tmp_path / "out")
    for given, words in ((arguments, "z_dim"), (("--outdir", tmp_path / "out"), "name at least one component")):
        result = package(*given)
        assert result.exit_code == 2 and words in result.output and result.output.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_direction_networks_left_out_with_their_generator_are_named(tmp_path):
    model = write_tiny_model(tmp_path / "model")
    generator = write_tiny(tmp_path, "other", tiny_generator())
    result = package("--model", model, "--generator", generator, "--outdir", tmp_path / "mine")
    assert result.exit_code == 0, result.output
    assert set(read_model_folder(tmp_path / "mine").files) == {"generator", "clip", "judges.guide"}
    notes = [line for line in result.stderr.splitlines() if line.startswith("note: ")]
    assert [f"the {role} of {model} steers that model's own generator" in line for role, line in
            zip(("t2d", "a2d"), notes, strict=True)] == [True, True]  # fmt: skip
    kept = package("--model", model, "--generator", generator, "--t2d", model / "t2d.json", "--a2d", model / "a2d.json",
                   "--outdir", tmp_path / "whole")  # fmt: skip
    assert kept.exit_code == 0 and "note:" not in kept.stderr
