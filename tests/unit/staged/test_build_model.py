"""build_model: the commands of a world's model in order, each with options that exist, finished ones skipped."""

import importlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from styleT2I.build_model import main
from styleT2I.data.portraits.scenes.recipe import read_spec
from styleT2I.evaluation.suites import MIN_RANKED
from styleT2I.generation.model import Model
from styleT2I.staged import engine, worlds
from styleT2I.staged.worlds import stages
from tests.stub_portraits import fill_cache


@pytest.mark.parametrize("size", worlds.SIZES)
@pytest.mark.parametrize("world", worlds.WORLDS)
def test_every_stage_uses_options_that_its_command_has_and_files_of_stages_before_it(world, size):
    made = set()
    for module, arguments, result in stages("runs/x", "cpu", world, size, "runs/y").values():
        command = importlib.import_module(f"styleT2I.{module}" + (".__main__" if "." in module else "")).main
        context = command.make_context(module, list(arguments))
        preset = context.params.get("recipe", context.params.get("preset"))
        assert preset in (
            None, world, f"{world}-eval", "portraits-finish", "guide", "heldout", "portraits-guide",
            "portraits-heldout",
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
    rendered = {recipe.name: rows for recipe, rows in map(read_spec, arguments[: arguments.index("--workers")])}
    fit = rendered_fit_config()
    clip, judge = preset_config("portraits"), judge_config("portraits-guide")[1]
    wanted = [*fit.data, fit.eval_data, clip.eval_data, *clip.data, *judge.data]
    for spec in wanted:
        recipe, rows = read_spec(spec.removeprefix("portraits:"))
        assert set(rows) <= set(rendered[recipe.name]), spec


@pytest.mark.parametrize("size", worlds.SIZES)
def test_a_size_renders_what_its_trainings_are_told_to_read(size):
    plan = stages("x", "cpu", "portraits", size)
    words = [word for stage in plan.values() for word in stage.arguments if word.startswith("portraits:")]
    assert bool(words) == (size != "full")
    held = {}
    for spec in plan["renders"].arguments[:-2]:
        recipe, rows = read_spec(spec)
        held[recipe.name] = max(rows.stop, held.get(recipe.name, 0))
    for recipe, rows in (read_spec(word.removeprefix("portraits:")) for word in words):
        assert held[recipe.name] >= rows.stop
    assert held["balanced/test"] >= MIN_RANKED


def test_finished_stages_are_skipped_and_a_failed_one_stops_in_one_line(tmp_path, monkeypatch, capsys):
    called = []

    def fake(command, check):
        called.append(command[2])
        return subprocess.CompletedProcess(command, 1 if command[2].endswith("train_clip") else 0)

    monkeypatch.setattr(engine.subprocess, "run", fake)
    for name in ("generator", "guide", "heldout", "segmenter"):
        file = tmp_path / name / worlds._NAMES[name]
        file.parent.mkdir()
        file.write_text("{}")
    with pytest.raises(SystemExit) as end:
        main(["minifaces", "--outdir", str(tmp_path), "--device", "cpu"])
    said = capsys.readouterr()
    assert end.value.code == 2 and called == ["styleT2I.train_clip"]
    assert "stage clip failed" in said.err and said.out.count(" done (") == 4
    assert said.out.splitlines()[0] == f"minifaces, size full, in {tmp_path}: 7 of 11 stages to do"
    assert sum(line.endswith("to do") for line in said.out.splitlines()[1:]) == 7


def test_the_model_is_packaged_and_measured_again_where_a_part_of_it_is_newer(tmp_path):
    plan = stages(str(tmp_path), "cpu", "minifaces")
    for time, stage in enumerate(plan.values()):
        file = Path(stage.result)
        file.parent.mkdir(exist_ok=True)
        file.write_text("{}")
        os.utime(file, (time, time))
    assert all(engine.is_done(name, plan) for name in plan)
    os.utime(plan["segmenter"].result, (99, 99))
    assert [name for name in plan if not engine.is_done(name, plan)] == ["package", "evaluate"]


def test_portraits_are_built_at_toy_size_go_on_after_a_failure_and_are_published(tmp_path, monkeypatch, capsys):
    """Every command for real, in this process; pictures are stand-ins, so that no renderer is asked for."""
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    fill_cache(*stages("x", "cpu", "portraits", "toy")["renders"].arguments[:-2])
    ran, broken = [], ["styleT2I.train_a2d"]

    def run(command, check):
        name, arguments = command[2], command[3:]
        ran.append(name)
        if name in broken:
            return subprocess.CompletedProcess(command, 2)
        module = importlib.import_module(name if name != "styleT2I.data.portraits" else f"{name}.__main__")
        result = CliRunner().invoke(module.main, arguments)
        assert result.exit_code == 0, (name, result.output, result.exception)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(engine.subprocess, "run", run)
    published = tmp_path / "checkpoints" / "portraits"
    arguments = ["portraits", "--size", "toy", "--outdir", str(tmp_path / "run"), "--device", "cpu"]
    arguments += ["--publish", str(published)]
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2 and "stage a2d failed" in capsys.readouterr().err
    made = {file: file.stat().st_mtime_ns for file in (tmp_path / "run").glob("*/*.safetensors")}
    assert len(made) >= 8
    broken.clear()
    ran.clear()
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert not end.value.code
    assert ran == [f"styleT2I.{name}" for name in ("data.portraits", "train_a2d", "package_model", "evaluate",
                                                   "package_model")]  # fmt: skip
    assert made == {file: file.stat().st_mtime_ns for file in made}
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["suites"]["judges"]["data"] == "portraits:balanced/test:110"
    opened = Model.from_pretrained(published, device="cpu")
    assert opened.vocabulary.name == "portraits" and opened.name == "portraits"
    assert set(opened.info("a2d")["strengths"]) == {"Smiling"}  # calibrated, as the training of A2D does it
    assert opened.network("generator").z_dim == 192


def test_the_old_command_builds_minifaces(capsys):
    from styleT2I.build_minifaces import main as old

    lines = []
    for command, arguments in ((old, []), (main, ["minifaces"])):
        with pytest.raises(SystemExit):
            command([*arguments, "--outdir", "runs/x", "--dry-run"])
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1] and lines[0].startswith("python -m styleT2I.fit_stylegan2")
