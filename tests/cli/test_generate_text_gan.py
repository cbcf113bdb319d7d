"""`python -m styleT2I.generate --model` on the earlier GANs: pictures, seeds, refusals."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from styleT2I.baselines.dfgan import DFGANConfig, DFGANGenerator
from styleT2I.generate import main
from styleT2I.torch_utils.images import load_image
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


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "cannot answer a free sentence; give a file of such embeddings with --embeddings"),
        (("--embeddings", "said.npz"), "has no embedding of 'he smiles'; write a sentence of the file, or #0 to #1"),
        (("--embeddings", "wide.npy"), "reads 5 numbers a sentence, but is given 7"),
        (("--embeddings", "said.npz", "--trunc", "0.5"), "is no StyleT2I model and has no --trunc; drop it"),
        (("--embeddings", "gan.json"), "gan.json"),
    ],
)
def test_what_it_cannot_do_is_one_line_and_leaves_nothing(folder, tmp_path, arguments, line):
    arguments = [folder / name if "." in name and name[0].isalpha() else name for name in arguments]
    result = generate(folder, *arguments, "--text", "he smiles", "--outdir", tmp_path / "out")
    assert result.exit_code == 2 and line in result.output and result.output.count("\n") == 1
    assert not (tmp_path / "out").exists()
