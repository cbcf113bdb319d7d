import json

from click.testing import CliRunner

from styleT2I.evaluate import main


def test_figures_of_a_suite_land_in_json_with_hashes_and_the_grid_beside_them(tmp_path):
    arguments = ["--suite", "generator", "--num", "128", "--data", "minifaces:biased/train:128", "--device", "cpu"]
    outputs = ["--json", str(tmp_path / "figures.json"), "--grid", str(tmp_path / "grid.png")]
    result = CliRunner().invoke(main, [*arguments, *outputs])
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "figures.json").read_text())
    figures = report["suites"]["generator"]
    assert figures["num"] == 128 and figures["data"] == "minifaces:biased/train:128"
    assert len(report["model"]["components"]["judges.heldout"]) == 64
    assert (tmp_path / "grid.png").stat().st_size > 10_000


def test_an_unknown_suite_and_an_unwritable_report_are_one_line(tmp_path):
    for arguments in (["--suite", "beauty"], ["--suite", "judges", "--json", str(tmp_path / "file" / "x.json")]):
        (tmp_path / "file").write_text("not a folder")
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output and result.output.count("error:") == 1
