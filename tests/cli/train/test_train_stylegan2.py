"""The command train_stylegan2."""

from click.testing import CliRunner

from styleT2I.formats.component import read_component
from styleT2I.torch_utils.stats import read_stats
from styleT2I.train_stylegan2 import main


def test_command_trains_and_resumes(tmp_path):
    arguments = ["--outdir", str(tmp_path), "--resolution", "16", "--batch", "4", "--eval-num", "8", "--device", "cpu",
                 "--data", "minifaces:biased/train:16", "--eval-data", "minifaces:biased/val:8",
                 "--eval-kimg", "0.004"]  # fmt: skip
    for kimg, step in (("0.004", 1), ("0.008", 2)):
        result = CliRunner().invoke(main, [*arguments, "--kimg", kimg])
        assert result.exit_code == 0, result.output
        assert "note: no --judge given" in result.stderr
        assert read_component(tmp_path / "generator.json").step == step
        assert (tmp_path / f"samples-000000{step}.png").exists()
    assert [record["step"] for record in read_stats(tmp_path / "stats.jsonl")] == [1, 2]


def test_mistakes_are_one_line(tmp_path):
    for arguments, text in [
        (["--data", str(tmp_path / "absent")], "no data set"),
        (["--resolution", "48"], "power of two"),
        (["--init", str(tmp_path)], "holds no generator.json"),
        (["--preset", "stylegan2-config-f"], "add --data SPEC"),
        (["--precision", "fp16", "--device", "cpu"], "'fp16' is for a CUDA device"),
    ]:
        result = CliRunner().invoke(main, ["--outdir", str(tmp_path / "run"), *arguments])
        assert result.exit_code == 2 and text in result.stderr.splitlines()[-1], result.stderr
        assert "Traceback" not in result.stderr
