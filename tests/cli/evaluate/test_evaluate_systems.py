"""`python -m styleT2I.evaluate --suite systems` and `--suite style` on tiny systems."""

import json

import pytest
from click.testing import CliRunner

from styleT2I.evaluate import main
from styleT2I.torch_utils.images import load_image
from tests.tiny_model import tiny_clip, tiny_judge, write_tiny_model
from tests.tiny_systems import write_system


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """An earlier GAN, and a model with onlookers."""
    root = tmp_path_factory.mktemp("systems")
    gan, model = root / "gan", root / "model"
    write_system(gan, "gan_int_cls")
    observers = {"judges.heldout": tiny_judge(seed=7, nuisances=("roll",)), "clip_eval": tiny_clip("other")}
    return gan, write_tiny_model(model, onlookers=observers)


def invoke(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments), "--device", "cpu"])


def test_systems_are_measured_drawn_kept_and_printed(folders, tmp_path):
    gan, model = folders
    path = tmp_path / "systems.json"
    command = ["--suite", "systems", "--systems", f"{gan},{model}", "--model", model, "--num", "4", "--out", path]
    command += ["--adjust-method", "none", "--adjust-method", "paper", "--table", "--grid", tmp_path / "grid.png"]
    result = invoke(*command)
    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text())
    figures = report["suites"]["systems"]
    assert [record["name"] for record in figures["systems"]] == [
        "gan",
        "StyleT2I model, T2D alone",
        "StyleT2I model, paper",
    ]
    assert figures["data"].startswith("minifaces:biased/test") and figures["num"] == 4
    assert all(set(record["controls"]) == {"shuffled", "untrained"} for record in figures["systems"])
    assert all(len(digest) == 64 for digest in report["model"]["components"].values())
    assert "| gan | shuffled |" in result.output and "favours StyleT2I" in result.output
    assert load_image(tmp_path / "grid.png").shape[2] == 3 * 262
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "systems.json.cells").iterdir()}
    assert len(kept) == 3
    assert invoke(*command[:-2]).exit_code == 0 and json.loads(path.read_text()) == report
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "systems.json.cells").iterdir()} == kept
    printed = invoke("--suite", "systems", "--table", path)
    assert printed.exit_code == 0 and printed.output.strip() in result.output


def test_a_style_encoder_is_measured(folders, tmp_path):
    gan, model = folders
    arguments = ["--suite", "style", "--systems", gan, "--model", model, "--num", "100"]
    result = invoke(*arguments, "--out", tmp_path / "style.json")
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "style.json").read_text())["suites"]["style"]
    assert figures["num"] == 100 and abs(figures["correlation"]) < 0.5
    assert set(figures["model"]["components"]) == {"gan_int_cls", "clip", "style_encoder"}


def test_what_cannot_be_compared_is_one_line(folders, tmp_path):
    gan, model = folders
    (tmp_path / "other.json").write_text("{}")
    for arguments, named in (
        (["--suite", "systems", "--systems", tmp_path / "nowhere"], "nowhere"),
        (["--suite", "systems", "--systems", f"{gan},{gan}"], "'gan'"),
        (["--suite", "systems", "--systems", ","], "names no system"),
        (["--suite", "systems", "--table", tmp_path / "other.json"], "holds no systems"),
        (["--suite", "style", "--systems", model], "style encoder"),
    ):
        result = invoke("--model", model, *arguments)
        assert result.exit_code == 2 and named in result.output, result.output
        assert result.output.count("error:") == 1 and "Traceback" not in result.output
