"""`python -m styleT2I.generate --model` on the earlier GANs: pictures, seeds, refusals."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from styleT2I.baselines.attngan import AttnGANGenerator
from styleT2I.baselines.config import AttnGANConfig, DFGANConfig
from styleT2I.baselines.dfgan import DFGANGenerator
from styleT2I.formats import model_folder
from styleT2I.formats.model_folder import SYSTEMS
from styleT2I.generate import main
from styleT2I.torch_utils.images import load_image
from tests.foreign_files import save_damsm_text
from tests.tiny_model import write_tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A generator's component, and a file with embeddings of two sentences."""
    folder = tmp_path_factory.mktemp("gan")
    write_tiny(folder, "gan", DFGANGenerator(DFGANConfig(5, 3, (6, 4))))
    values = np.random.RandomState(0).randn(2, 5)
    np.savez(folder / "said.npz", embeddings=values, texts=np.array(["a red bird", "a blue bird"]))
    np.save(folder / "wide.npy", np.zeros((2, 7)))
    return folder


def generate(folder, *arguments):
    return CliRunner().invoke(main, ["--model", str(folder / "gan.json"), "--device", "cpu", *map(str, arguments)])


def test_a_sentence_of_the_file_is_drawn_and_a_seed_is_a_picture(folder, tmp_path):
    said = ("--embeddings", folder / "said.npz")
    result = generate(folder, *said, "--text", "a blue bird", "--seeds", "0-2", "--outdir", tmp_path / "three")
    assert result.exit_code == 0, result.output
    assert generate(folder, *said, "--text", "#1", "--seeds", "2", "--outdir", tmp_path / "one").exit_code == 0
    three, one = (load_image(tmp_path / name / "seed0002.png") for name in ("three", "one"))
    assert three.shape == (3, 8, 8) and three.equal(one)
    assert not three.equal(load_image(tmp_path / "three" / "seed0001.png"))
    record = json.loads((tmp_path / "three" / "generate.json").read_text())
    assert record["text"] == "a blue bird" and record["seeds"] == [0, 1, 2]
    assert record["model"]["components"]["dfgan"] and (tmp_path / "three" / "grid.png").is_file()


def test_a_released_text_encoder_answers_a_free_sentence_and_attngan_shows_where_it_read(tmp_path, monkeypatch):
    monkeypatch.delenv("STYLET2I_CAPTIONS", raising=False)
    words = ["<end>", "a", "red", "blue", "bird"]
    encoder = save_damsm_text(tmp_path, words)
    captions = (tmp_path / "captions.pickle").rename(tmp_path / "elsewhere.pickle")
    attngan = AttnGANConfig(text_dim=6, z_dim=3, cond_dim=2, width=2, num_stages=2, first_resolution=8)
    for name, network in (("gan", DFGANGenerator(DFGANConfig(6, 3, (6, 4)))), ("attn", AttnGANGenerator(attngan))):
        (tmp_path / name).mkdir()
        write_tiny(tmp_path / name, "gan", network)
        said = ["--text-encoder", encoder, "--text", "a red bird", "--seeds", "1", "--outdir", tmp_path / name / "out"]
        refused = generate(tmp_path / name, *said)
        assert refused.exit_code == 2 and "name its captions.pickle with --dictionary" in refused.output
        explain = ["--explain"] if name == "attn" else []
        result = generate(tmp_path / name, *said, "--dictionary", captions, *explain)
        assert result.exit_code == 0, result.output
        assert (tmp_path / name / "out" / "explain.png").is_file() == (name == "attn")
        record = json.loads((tmp_path / name / "out" / "generate.json").read_text())
        assert len(record["model"]["components"]["text_encoder"]) == 64


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_baseline_whose_weights_are_not_there_names_its_training(name, tmp_path, monkeypatch):
    monkeypatch.setattr(model_folder, "styleT2I", SimpleNamespace(__path__=[]))  # no folder of checkpoints
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path))
    arguments = ["--model", name, "--text", "he smiles", "--outdir", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2 and f"styleT2I.train_baseline --system {name} --outdir" in result.output
    assert result.output.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"\4\0\0\0\1\0\0\0\3\0\0\0V 1\x11", b"\3\0\0\0\1\0\0\0\2", b"4\n1\n3\nV 1\n"])
def test_a_torch7_file_is_called_what_it_is(content, tmp_path):
    (tmp_path / "coco_gan.pth").write_bytes(content + b"nn.gModule" * 9)
    result = CliRunner().invoke(
        main, ["--model", str(tmp_path / "coco_gan.pth"), "--text", "a bird", "--outdir", "out"]
    )
    assert result.exit_code == 2 and "a Torch7 file" in result.output and "train_baseline" in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "free sentence; give DAMSM's with --text-encoder, or a file of such embeddings with --embeddings"),
        (("--embeddings", "said.npz"), "has no embedding of 'he smiles'; write a sentence of the file, or #0 to #1"),
        (("--embeddings", "wide.npy"), "reads 5 numbers per sentence, but is given 7"),
        (("--embeddings", "said.npz", "--trunc", "0.5"), "does not take --trunc; leave it out"),
        (("--embeddings", "gan.json"), "gan.json"),
        (("--explain",), "does not take --explain; leave it out"),
        (("--dictionary", "said.npz"), "name that too, with --text-encoder"),
        (("--text-encoder", "gan.json"), "is a 'dfgan-generator', but the text_encoder is a 'damsm-text'"),
    ],
)
def test_what_it_cannot_do_is_one_line_and_leaves_nothing(folder, tmp_path, arguments, line):
    arguments = [folder / name if "." in name and name[0].isalpha() else name for name in arguments]
    result = generate(folder, *arguments, "--text", "he smiles", "--outdir", tmp_path / "out")
    assert result.exit_code == 2 and line in result.output and result.output.count("\n") == 1
    assert not (tmp_path / "out").exists()
