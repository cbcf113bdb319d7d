"""`python -m styleT2I.edit`: its files, and every user error as one line with exit status 2 and nothing written."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from styleT2I.edit import main
from tests.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def edit(folder, outdir, *arguments):
    return CliRunner().invoke(main, ["--model", str(folder), "--device", "cpu", "--outdir", str(outdir), *arguments])


def test_an_edit_gives_a_png_per_seed_a_grid_a_strip_and_a_json(folder, tmp_path):
    result = edit(folder, tmp_path / "out", "--set", "lipstick=1", "--set", "smiling=-0.5", "--seeds", "0-1,9")
    assert result.exit_code == 0, result.output
    names = ["edit.json", "grid.png", "seed0000.png", "seed0001.png", "seed0009.png", "strip.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    record = json.loads((tmp_path / "out/edit.json").read_text())
    assert (record["seeds"], record["strengths"]) == ([0, 1, 9], {"lipstick": 1.0, "smiling": -0.5})
    assert set(record["model"]["components"]) == {"generator", "clip", "a2d"}
    assert record["command"].startswith("python -m styleT2I.edit")
    assert cv2.imread(str(tmp_path / "out/strip.png")).shape == (20 + 3 * 128, 9 * 128, 3)


def test_a_strip_alone_needs_nothing_set(folder, tmp_path):
    result = edit(folder, tmp_path / "out", "--strip", "hat", "--seeds", "0-20")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["edit.json", "strip.png"]
    assert cv2.imread(str(tmp_path / "out/strip.png")).shape[0] == 20 + 8 * 128


def test_latents_from_a_file_take_the_place_of_seeds(folder, tmp_path):
    np.save(tmp_path / "w.npy", np.zeros(8, np.float32))
    result = edit(folder, tmp_path / "out", "--set", "hat=1", "--latents", str(tmp_path / "w.npy"))
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "out/edit.json").read_text())
    assert record["seeds"] is None and record["latents"].endswith("w.npy")
    assert (tmp_path / "out/0000.png").exists()


@pytest.mark.parametrize(
    "arguments, named",
    [
        ((), "--set lipstick=1"),
        (("--set", "lipstick"), "NAME=STRENGTH"),
        (("--set", "lipstick=much"), "NAME=STRENGTH"),
        (("--set", "=1"), "NAME=STRENGTH"),
        (("--set", "lipstik=1"), "lipstick"),
        (("--set", "hat=nan"), "nan"),
        (("--set", "hat=1", "--set", "hat=2"), "twice"),
        (("--set", "hat=1", "--latents", "missing.npy"), "missing.npy"),
        (("--set", "hat=1", "--strip", "hatt"), "hat"),
    ],
)
def test_a_users_mistake_is_one_line_and_writes_nothing(folder, tmp_path, arguments, named):
    result = edit(folder, tmp_path / "out", *arguments)
    assert result.exit_code == 2, result.output
    errors = [line for line in result.stderr.splitlines() if line]
    assert len(errors) == 1 and errors[0].startswith("error: ") and named in errors[0]
    assert not (tmp_path / "out").exists()
