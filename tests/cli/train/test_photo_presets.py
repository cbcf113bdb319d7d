"""The presets for photographs, two steps each, on drawn faces laid out as CelebAMask-HQ: they read what is there."""

import pytest
from click.testing import CliRunner

from styleT2I.formats.component import read_component
from styleT2I.train_judge import main as train_judge
from styleT2I.train_segmenter import main as train_segmenter
from tests.celebahq_stand_in import write_stand_in


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_stand_in(tmp_path_factory.mktemp("celebahq"), num=12, side=160, mask_side=64)


@pytest.mark.parametrize(
    "command, preset, name, measured, seen",
    [
        (train_judge, "photos-guide", "judge-guide", "attributes", 40),
        (train_judge, "photos-heldout", "judge-heldout", "attributes", 40),
        (train_segmenter, "photos", "segmenter", "iou", 13),
    ],
)
def test_a_preset_of_photographs_trains_on_a_release(release, tmp_path, command, preset, name, measured, seen):
    data = ("--data", f"celebahq:{release}:train", "--eval-data", f"celebahq:{release}:test")
    few = ("--steps", "2", "--batch", "2", "--eval-every", "2", "--device", "cpu")
    result = CliRunner().invoke(command, ["--preset", preset, *data, *few, "--outdir", str(tmp_path)])
    assert result.exit_code == 0, result.output
    component = read_component(tmp_path / f"{name}.json")
    assert component.step == 2 and component.config["resolution"] == 128
    assert len(component.info["measured"][measured]) == seen
