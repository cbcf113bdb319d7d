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
        (("--set", "hat=1", "--latents", "w.npy", "--seeds", "0-3"), "--latents and --seeds both name faces"),
        (("--set", "blond_hair=1", "--set", "black_hair=1"), "exclude each other"),
        (("--strip", "hat", "--strip-range", "2", "-2"), "runs backwards"),
    ],
)
def test_a_users_mistake_is_one_line_and_writes_nothing(folder, tmp_path, arguments, named):
    result = edit(folder, tmp_path / "out", *arguments)
    assert result.exit_code == 2, result.output
    errors = [line for line in result.stderr.splitlines() if line]
    assert len(errors) == 1 and errors[0].startswith("error: ") and named in errors[0]
    assert not (tmp_path / "out").exists()


def test_the_strip_goes_where_it_is_told_and_the_last_line_says_where_to_look(folder, tmp_path):
    out = tmp_path / "out"
    result = edit(folder, out, "--strip", "hat", "--seeds", "0", "--strip-range", "-1", "1", "--strip-steps", "3")
    assert result.exit_code == 0, result.output
    assert cv2.imread(str(out / "strip.png")).shape == (20 + 128, 3 * 128, 3)
    assert result.stdout == f"strip.png in {out}; next: look at {out}/strip.png for a strength that suits\n"


def test_noise_and_generator_are_told_as_to_generate(folder, tmp_path):
    told = ("--set", "hat=1", "--seeds", "0", "--noise-mode", "none", "--generator", str(folder / "generator.json"))
    refused = edit(folder, tmp_path / "out", *told)
    assert refused.exit_code == 2 and "a2d" in refused.output and "own generator" in refused.output
    result = edit(folder, tmp_path / "out", *told, "--a2d", str(folder / "a2d.json"), "--precision", "fp32")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out/edit.json").read_text())["noise_mode"] == "none"


def test_a_strength_beyond_the_calibrated_range_is_a_warning(folder, tmp_path):
    result = edit(folder, tmp_path / "out", "--set", "lipstick=50", "--seeds", "0")
    assert result.exit_code == 0 and "warning: the strength of lipstick is beyond 2" in result.stderr


def test_a_gan_without_directions_points_to_the_command_that_draws_with_it(tmp_path):
    result = edit("dfgan", tmp_path / "out", "--set", "hat=1")
    assert result.exit_code == 2 and "python -m styleT2I.generate --model" in result.stderr
    assert "train_a2d" not in result.stderr


def test_the_old_name_of_an_option_still_works_with_a_warning(folder, tmp_path):
    result = edit(folder, tmp_path / "out", "--set", "hat=1", "--seeds", "0-1", "--grid=1")
    assert result.exit_code == 0 and "warning: --grid is now called --columns" in result.stderr
    assert cv2.imread(str(tmp_path / "out/grid.png")).shape[1] < 200  # one column
