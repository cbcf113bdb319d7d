"""build_model: the commands of a world's model in order, each with options that exist, finished ones skipped."""

import importlib
import subprocess

import pytest

from styleT2I import build_model
from styleT2I.build_model import main, stages
from styleT2I.data.portraits.scenes.recipe import read_spec


@pytest.mark.parametrize("world", build_model.WORLDS)
def test_every_stage_uses_options_that_its_command_has_and_files_of_stages_before_it(world):
    made = set()
    for module, arguments, result in stages("runs/x", "cpu", world).values():
        command = importlib.import_module(f"styleT2I.{module}" + (".__main__" if "." in module else "")).main
        context = command.make_context(module, list(arguments))
        preset = context.params.get("recipe", context.params.get("preset"))
        assert preset in (
            None, world, f"{world}-eval", "portraits128", "guide", "heldout", "portraits-guide", "portraits-heldout",
        )  # fmt: skip
        used = {word for word in arguments if word.startswith("runs/x/") and word.endswith(".json")} - {result}
        assert used <= made, module
        made.add(result)
    assert "runs/x/model/model.json" in made


def test_the_renders_hold_what_the_presets_read():
    from styleT2I.training.clip.config import preset_config
    from styleT2I.training.judges.config import judge_config
    from styleT2I.training.stylegan2.renderer_fit_config import rendered_fit_config

    _, arguments, _ = stages("x", "cpu", "portraits")["renders"]
    rendered = dict((recipe.name, num) for recipe, num in map(read_spec, arguments[: arguments.index("--workers")]))
    fit = rendered_fit_config()
    clip, judge = preset_config("portraits"), judge_config("portraits-guide")[1]
    wanted = [fit.data, fit.eval_data, clip.eval_data, *clip.data, *judge.data]
    for spec in wanted:
        recipe, num = read_spec(spec.removeprefix("portraits:"))
        assert rendered[recipe.name] >= num, spec


def test_finished_stages_are_skipped_and_a_failed_one_stops_in_one_line(tmp_path, monkeypatch, capsys):
    called = []

    def fake(command, check):
        called.append(command[2])
        return subprocess.CompletedProcess(command, 1 if command[2].endswith("train_clip") else 0)

    monkeypatch.setattr(build_model.subprocess, "run", fake)
    for name in ("generator", "guide", "heldout", "segmenter"):
        file = tmp_path / name / build_model._NAMES[name]
        file.parent.mkdir()
        file.write_text("{}")
    with pytest.raises(SystemExit) as end:
        main(["minifaces", "--outdir", str(tmp_path), "--device", "cpu"])
    said = capsys.readouterr()
    assert end.value.code == 2 and called == ["styleT2I.train_clip"]
    assert "stage clip failed" in said.err and said.out.count(": done") == 4


def test_the_old_command_builds_minifaces(capsys):
    from styleT2I.build_minifaces import main as old

    lines = []
    for command, arguments in ((old, []), (main, ["minifaces"])):
        with pytest.raises(SystemExit):
            command([*arguments, "--outdir", "runs/x", "--dry-run"])
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1] and lines[0].startswith("python -m styleT2I.fit_stylegan2")
