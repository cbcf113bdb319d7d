import json

import pytest
from click.testing import CliRunner

from styleT2I.evaluate import main
from tests.tiny_model import tiny_a2d, tiny_judge, write_tiny, write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny model with a held-out judge, and neither a2d nor guide judge."""
    observers = {"judges.heldout": tiny_judge(seed=7, nuisances=("roll",))}
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), without=("a2d", "judges.guide"), onlookers=observers)


def invoke(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments), "--device", "cpu"])


def test_figures_of_a_suite_land_in_json_with_hashes_and_the_grid_beside_them(tmp_path):
    arguments = ["--suite", "generator", "--num", "128", "--data", "minifaces:biased/train:128", "--device", "cpu"]
    outputs = ["--out", str(tmp_path / "figures.json"), "--grid", str(tmp_path / "grid.png")]
    result = CliRunner().invoke(main, [*arguments, *outputs])
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "figures.json").read_text())
    figures = report["suites"]["generator"]
    assert figures["num"] == 128 and figures["data"] == "minifaces:biased/train:128"
    assert len(report["model"]["components"]["judges.heldout"]) == 64
    basis = figures["features"]
    assert basis["network_sha256"] == report["model"]["components"]["judges.heldout"]
    assert (basis["seeds"], basis["num_real"], basis["real"]) == ("0-127", 128, "minifaces:biased/train:128")
    assert (tmp_path / "grid.png").stat().st_size > 10_000


def test_an_unknown_suite_and_an_unwritable_report_are_one_line(tmp_path):
    for arguments in (
        ["--suite", "beauty"],
        ["--suite", "judges", "--out", str(tmp_path / "file" / "x.json")],
        ["--suite", "t2d", "--num", "40"],
        ["--suite", "compositions", "--adjust-method", "magic"],
        ["--table"],
        ["report.json"],
        ["--table", str(tmp_path / "file")],
    ):
        (tmp_path / "file").write_text("not a folder")
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output and result.output.count("error:") == 1


def test_compositions_are_measured_kept_and_tabulated(folder, tmp_path):
    a2d = write_tiny(tmp_path, "a2d", tiny_a2d(), clip_name="tiny-clip")
    path = tmp_path / "tiny.json"
    command = ["--suite", "compositions", "--model", folder, "--a2d", a2d, "--num", "2", "--out", path]
    arguments = [*command, "--adjust-method", "none", "--adjust-method", "paper"]
    result = invoke(*arguments, "--grid", tmp_path / "grid.png")
    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text())
    figures = report["suites"]["compositions"]
    assert report["summary"] == figures["summary"] and report["summary"]["method"] == "paper"
    assert {"mean", "worst", "worst_cell", "interval"} <= set(report["summary"]["rare"])
    assert report["summary"]["gap_interval"][0] <= report["summary"]["gap"] <= report["summary"]["gap_interval"][1]
    assert set(report["summary"]["by_count"]) == {"1", "2", "3", "4", "5"}
    assert len(figures["cells"]) == 2 * (2 * 13 + 5)
    assert all(len(cell["success_interval"]) == 2 for cell in figures["cells"])
    assert all(cell["success_real"] in (0, 0.5, 1) and cell["frechet"] > 0 for cell in figures["cells"])
    assert all(len(sha256) == 64 for sha256 in report["model"]["components"].values())
    assert "a2d" in report["model"]["components"]
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "tiny.json.cells").iterdir()}
    assert len(kept) == len(figures["cells"])
    assert (tmp_path / "grid.png").stat().st_size > 10_000
    again = invoke(*arguments)
    assert again.exit_code == 0 and json.loads(path.read_text()) == report
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "tiny.json.cells").iterdir()} == kept
    table = invoke("--table", path, path)
    assert table.exit_code == 0 and table.output.count("| tiny | paper |") == 2
    assert invoke(*command, "--adjust-method", "none", "--no-keep-surroundings").exit_code == 0  # it reads no setting
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "tiny.json.cells").iterdir()} == kept


def test_a_model_without_an_a2d_measures_text_to_direction_alone_or_says_what_is_missing(folder):
    arguments = ["--suite", "compositions", "--model", folder, "--num", "2"]
    missing = invoke(*arguments)
    assert missing.exit_code == 2 and "train_a2d" in missing.output and "Traceback" not in missing.output
    alone = invoke(*arguments, "--adjust-method", "none")
    assert alone.exit_code == 0, alone.output
    assert "gain" not in alone.output


def test_few_captions_leave_r_precision_to_the_pictures_that_have_99_mismatched_ones():
    result = invoke("--suite", "clip", "--num", "120")
    assert result.exit_code == 0, result.output
    ranked = [int(line.split()[1]) for line in result.output.splitlines() if "r_precision_num" in line]
    assert len(ranked) == 2 and all(0 < num < 120 for num in ranked)
