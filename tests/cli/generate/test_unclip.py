"""unCLIP at the command line: generate's options, the manipulations of images, a whole Karlo; refusals in one line."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner

from styleT2I import generate, manipulate
from styleT2I.torch_utils.images import load_image, save_png
from tests.tiny_systems import write_system, write_unclip

FAST = ("--steps", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny unCLIP, and two images."""
    folder = write_unclip(tmp_path_factory.mktemp("model"))
    for name in ("a", "b"):
        rng = torch.Generator().manual_seed(ord(name))
        save_png(folder / f"{name}.png", torch.randint(256, (3, 40, 40), generator=rng).to(torch.uint8))
    return folder


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def draw(folder, outdir, *options):
    return run(generate.main, "--model", folder, "--device", "cpu", "--outdir", outdir, "--text", "she is smiling",
               *FAST, *options)  # fmt: skip


def test_generate_draws_by_a_prior_and_records_the_settings(folder, tmp_path):
    result = draw(folder, tmp_path / "ar", "--prior", "ar", "--guidance", "3", "--seeds", "0-1")
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "ar" / "generate.json").read_text())
    assert record["model"]["settings"]["prior"] == "ar" and record["model"]["settings"]["guidance"] == 3
    assert {"unclip", "unclip_ar_prior", "unclip_upsampler", "clip"} <= record["model"]["components"].keys()
    assert draw(folder, tmp_path / "plain", "--seeds", "1").exit_code == 0
    first, second = (load_image(tmp_path / name / "seed0001.png") for name in ("ar", "plain"))
    assert first.shape == (3, 16, 16) and not first.equal(second)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--prior", "dfusion"), "did you mean 'diffusion'"),
        (("--prior", "text", "--best-of", "2"), "draws no embeddings to choose from"),
        (("--trunc", "0.5"), "does not take --trunc; leave it out"),
        (("--explain",), "does not take --explain"),
        (("--embeddings", "said.npy"), "does not read its sentences by the embeddings given"),
        (("--dictionary", "captions.pickle"), "--text-encoder"),
    ],
)
def test_what_generate_cannot_do_is_one_line_and_leaves_nothing(folder, tmp_path, options, line):
    result = draw(folder, tmp_path / "out", *options)
    assert result.exit_code == 2 and line in result.output and result.output.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_other_systems_have_no_prior(tmp_path):
    result = draw(write_system(tmp_path / "dfgan", "dfgan"), tmp_path / "out", "--prior", "ar")
    assert result.exit_code == 2 and "is not an unCLIP" in result.output and result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "options", "num"),
    [
        ("variations", ("--etas", "0,1", "--seeds", "0-2"), 6),
        ("diff", ("--text", "she is smiling", "--text", "he is wearing a hat", "--num", "3"), 6),
        ("components", ("--nums", "1,2,3"), 3),
    ],
)
def test_an_image_is_manipulated(folder, tmp_path, name, options, num):
    result = run(manipulate.main, name, "--model", folder, "--image", folder / "a.png", "--device", "cpu", *FAST,
                 "--outdir", tmp_path / "out", *options)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "out").glob("row*_column*.png"))) == num
    record = json.loads((tmp_path / "out" / "manipulate.json").read_text())
    assert record["steps"] == 2 and record["images"][0].endswith("a.png") and record["model"]["components"]["unclip"]
    assert load_image(tmp_path / "out" / "grid.png").shape[1] > 96


def test_two_images_are_interpolated(folder, tmp_path):
    images = ("--image", folder / "a.png", "--image", folder / "b.png")
    result = run(manipulate.main, "interpolate", "--model", folder, *images, "--num", "3", "--device", "cpu", *FAST,
                 "--outdir", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "manipulate.json").read_text())["thetas"] == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("interpolate", (), "takes 2 --image, got 1"),
        ("variations", ("--etas", "0,2"), "2.0 is not from 0 to 1"),
        ("variations", ("--etas", "a"), "is not a list of numbers"),
        ("components", ("--nums", "9"), "keeps 3 principal components"),
        ("diff", ("--text", " "), "the text is empty"),
        ("diff", ("--text", "she is smiling", "--from-text", "she is smiling"), "both texts are the same"),
    ],
)
def test_bad_input_of_a_manipulation_is_one_line_and_leaves_nothing(folder, tmp_path, name, options, line):
    result = run(manipulate.main, name, "--model", folder, "--image", folder / "a.png", "--device", "cpu", *FAST,
                 "--outdir", tmp_path / "out", *options)  # fmt: skip
    assert result.exit_code == 2 and line in result.output and result.output.count("\n") == 1
    assert not (tmp_path / "out").exists()


class FakePipeline:
    """diffusers' pipeline as far as it is used: noise that a generator draws, brighter the longer the prompt."""

    tokenizer = type("Tokenizer", (), {
        "model_max_length": 6, "__call__": lambda self, text: SimpleNamespace(input_ids=text.split()),
    })()  # fmt: skip
    super_res_last = SimpleNamespace(config=SimpleNamespace(sample_size=4))

    @classmethod
    def from_pretrained(cls, folder, **settings):
        assert settings["use_safetensors"] and settings["local_files_only"]
        return cls()

    def to(self, device):
        return self

    def set_progress_bar_config(self, disable):
        assert disable

    def __call__(self, text, generator, output_type):
        assert output_type == "pt"
        images = torch.rand(1, 3, 4, 4, generator=generator) / 2 + len(text) / 100
        return SimpleNamespace(images=images)


def test_a_whole_karlo_is_drawn_by_diffusers_and_names_what_is_missing(tmp_path, monkeypatch):
    karlo = tmp_path / "karlo"
    karlo.mkdir()
    (karlo / "model_index.json").write_text('{"_class_name": "UnCLIPPipeline"}')
    monkeypatch.setitem(sys.modules, "diffusers", None)
    arguments = ("--model", karlo, "--text", "a red fox", "--seeds", "0-1", "--device", "cpu")
    result = run(generate.main, *arguments, "--outdir", tmp_path / "out")
    assert result.exit_code == 2 and "pip install 'styleT2I[karlo]'" in result.output and result.output.count("\n") == 1
    monkeypatch.setitem(sys.modules, "diffusers", SimpleNamespace(UnCLIPPipeline=FakePipeline))
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace())
    result = run(generate.main, *arguments, "--outdir", tmp_path / "out")
    assert result.exit_code == 2 and "holds no .safetensors" in result.output and result.output.count("\n") == 1
    for part in ("prior", "decoder", "super_res_first", "super_res_last", "text_encoder", "text_proj"):
        (karlo / part).mkdir()
        (karlo / part / "model.safetensors").touch()
    result = run(generate.main, *arguments, "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.output
    one = run(generate.main, *arguments[:4], "--seeds", "1", "--device", "cpu", "--outdir", tmp_path / "one")
    assert one.exit_code == 0
    pictures = [load_image(tmp_path / name / "seed0001.png") for name in ("out", "one")]
    assert pictures[0].equal(pictures[1]) and not pictures[0].equal(load_image(tmp_path / "out" / "seed0000.png"))
    long = run(generate.main, "--model", karlo, "--text", "a fox " * 9, "--device", "cpu", "--outdir", tmp_path / "no")
    assert long.exit_code == 2 and "12 tokens too long" in long.output and not (tmp_path / "no").exists()
    with_prior = run(generate.main, *arguments, "--prior", "ar", "--outdir", tmp_path / "no")
    assert with_prior.exit_code == 2 and "is a whole Karlo and takes no prior" in with_prior.output
