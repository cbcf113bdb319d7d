"""Recipes: every preset is a file that reads, a file of one's own takes its place, and mistakes in it are one line."""

import pytest
from click.testing import CliRunner

from styleT2I import (
    fit_stylegan2,
    train_a2d,
    train_clip,
    train_encoder,
    train_judge,
    train_landmarks,
    train_segmenter,
    train_stylegan2,
    train_t2d,
)
from styleT2I.config import ConfigError, setting
from styleT2I.options.training import options_of
from styleT2I.recipes import FOLDER, configured, read_recipe, recipe_names
from styleT2I.training.baselines.registry import CONFIGS
from styleT2I.training.clip.config import CLIPTrainConfig
from styleT2I.training.directions.config import A2DConfig, T2DConfig
from styleT2I.training.encoder.config import EncoderTrainingConfig
from styleT2I.training.judges.config import JudgeConfig, LandmarkTrainingConfig, SegmenterTrainingConfig
from styleT2I.training.stylegan2.config import StyleGAN2Config

TRAININGS = {
    "t2d": T2DConfig, "a2d": A2DConfig, "clip": CLIPTrainConfig, "judge": JudgeConfig, "stylegan2": StyleGAN2Config,
    "segmenter": SegmenterTrainingConfig, "landmarks": LandmarkTrainingConfig,
    "encoder": EncoderTrainingConfig,
    **{f"baselines/{system}": config for system, config in CONFIGS.items()},
}  # fmt: skip
COMMANDS = [
    train_t2d,
    train_a2d,
    train_clip,
    train_judge,
    train_segmenter,
    train_landmarks,
    train_encoder,
    train_stylegan2,
    fit_stylegan2,
]


def test_every_recipe_is_read_by_a_training():
    found = {path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml")}
    assert found == set(TRAININGS)
    for training, config in TRAININGS.items():
        assert "minifaces" in recipe_names(training) or training in ("judge", "landmarks", "stylegan2")
        for name in recipe_names(training):
            length, settings = read_recipe(training, name, config, also=("resolution",))
            assert settings or name in ("paper", "stylegan2-config-f", "minifaces")
            assert length is not None or "epochs" in settings


def test_a_file_of_ones_own_is_a_recipe_and_what_is_given_besides_wins(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("steps: 7\nname: mine\nlr: 2e-4\nwidths: [4, 8]\n")
    steps, config = configured("judge", file, JudgeConfig, batch_size=5, lr=None)
    assert (steps, config.name, config.lr, config.widths, config.batch_size) == (7, "mine", 2e-4, (4, 8), 5)
    assert config.nuisance_weight == JudgeConfig().nuisance_weight


@pytest.mark.parametrize(
    "text, named",
    [
        ("nuisance_wieght: 1\n", "mine.yaml: unknown key 'nuisance_wieght'; did you mean 'nuisance_weight'?"),
        ("steps: many\n", "mine.yaml: steps is a number above 0, got 'many'"),
        ("- 1\n", "mine.yaml: a configuration takes a mapping"),
        ("lr: fast\n", "lr takes a number, got 'fast'"),
    ],
)
def test_mistakes_in_a_file_are_one_line(tmp_path, text, named):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        configured("judge", file, JudgeConfig)
    assert named in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_training_takes_a_file_and_tells_its_unknown_key(module, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("resolutoin: 32\nlrr: 1\n")
    arguments = ["--config", str(file), "--outdir", str(tmp_path / "out")]
    result = CliRunner().invoke(module.main, arguments)
    assert result.exit_code == 2 and "mine.yaml: unknown key 'resolutoin'" in result.stderr, result.output
    assert not (tmp_path / "out").exists()


def test_a_preset_and_a_file_are_not_both_given(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("steps: 1\n")
    arguments = ["--config", str(file), "--preset", "guide", "--outdir", str(tmp_path / "out")]
    result = CliRunner().invoke(train_judge.main, arguments)
    assert result.exit_code == 2 and "give one of --preset and --config, not both" in result.stderr


def test_a_training_by_a_file_of_ones_own(tmp_path):
    file = tmp_path / "mine.yaml"
    data = "data: ['minifaces:balanced/judge-train:8']\neval_data: minifaces:balanced/test:8\n"
    file.write_text(f"{data}steps: 1\nname: mine\nresolution: 32\nwidths: [4, 4]\nbatch_size: 4\n")
    arguments = ["--config", str(file), "--outdir", str(tmp_path / "out"), "--device", "cpu", "--name", "other"]
    result = CliRunner().invoke(train_segmenter.main, arguments)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out/other.json").is_file() and not (tmp_path / "out/mine.json").exists()


def test_an_option_says_what_the_field_says():
    import dataclasses

    import click

    @dataclasses.dataclass
    class Settings:
        plain: int = 3
        some_width: int | None = setting(None, "How wide.", low=1)
        names: tuple[str, ...] = setting((), "Which ones.", separator=",")
        files: tuple[str, ...] = setting((), "Which files.")
        on: bool = setting(True, "Leave it off.", flag="--no-on")
        kind: str = setting("a", "Which kind.", choices=("a", "b"))

    seen = []
    command = click.command()(options_of(Settings, skip=("kind",))(lambda **given: seen.append(given)))
    assert {option.name for option in command.params} == {"some_width", "names", "files", "on"}
    run = CliRunner().invoke
    assert run(command, []).exit_code == 0
    assert (
        run(command, ["--no-on", "--names", "x, y", "--files", "f", "--files", "g", "--some-width", "2"]).exit_code == 0
    )
    assert run(command, ["--some-width", "0"]).exit_code == 2
    assert seen[0] == dict.fromkeys(("some_width", "names", "files", "on"))
    assert seen[1] == {"some_width": 2, "names": ("x", "y"), "files": ("f", "g"), "on": False}
