"""`train_judge` and `train_segmenter`: MiniFaces in, a component out; mistakes in one line."""

import pytest
from click.testing import CliRunner

from styleT2I.formats.component import read_component
from styleT2I.recipes import recipe_names
from styleT2I.train_judge import main as train_judge
from styleT2I.train_segmenter import main as train_segmenter
from styleT2I.training.judges.config import judge_config

DATA = ("--data", "minifaces:balanced/judge-train:8", "--data", "minifaces:balanced/judge-val:8",
        "--eval-data", "minifaces:balanced/test:8")  # fmt: skip
SMALL = ("--steps", "2", "--batch", "4", "--resolution", "32", "--eval-every", "1", "--device", "cpu")


def invoke(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.mark.parametrize("preset", recipe_names("judge"))
def test_train_judge_on_minifaces(preset, tmp_path):
    result = invoke(train_judge, "--preset", preset, "--outdir", tmp_path, *DATA, *SMALL)
    assert result.exit_code == 0, result.output
    _, config = judge_config(preset)
    component = read_component(tmp_path / f"{config.name}.json")
    assert component.kind == "judge" and component.step == 2
    assert component.config["architecture"] == config.architecture
    assert component.info["training"]["data"] == [DATA[1], DATA[3]]
    assert len(component.info["measured"]["attributes"]) == len(component.config["attribute_names"]) == 14
    assert "he+lipstick" in component.info["measured"]["rare_pairs"]


def test_train_segmenter_on_minifaces(tmp_path):
    result = invoke(train_segmenter, "--outdir", tmp_path, "--name", "parts", *DATA, *SMALL)
    assert result.exit_code == 0, result.output
    component = read_component(tmp_path / "parts.json")
    assert component.kind == "segmenter"
    assert component.info["measured"]["iou"].keys() == set(component.config["region_names"])


@pytest.mark.parametrize("command", [train_judge, train_segmenter])
@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--data", "no/such/folder"), "no data set 'no/such/folder'"),
        (("--data", "minifaces:balanced/jduge-train"), "jduge-train"),
        (("--lr", "-1"), "lr of"),
        (("--resolution", "100"), "resolution 100 is not divisible by"),
    ],
)
def test_mistakes_are_one_line_and_status_2(command, arguments, message, tmp_path):
    result = invoke(command, "--outdir", tmp_path / "out", "--device", "cpu", "--data", DATA[1], *arguments)
    assert result.exit_code == 2
    line = result.stderr.strip()
    assert line.startswith("error: ") and message in line and "\n" not in line
