"""`--method`: edits, drawings and audits by the ways of others, on a tiny model, and options that do not go with it."""

import json

import pytest
import yaml
from click.testing import CliRunner

from styleT2I import audit, edit, evaluate, generate
from tests.tiny_model import tiny_clip, tiny_generator, tiny_judge, write_tiny, write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), onlookers={"judges.heldout": tiny_judge(seed=7)})


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))


def call(command, *arguments):
    return CliRunner().invoke(command.main, [*map(str, arguments), "--device", "cpu"])


def test_an_edit_by_another_method_is_recorded_and_differs_from_that_of_a2d(folder, tmp_path):
    images = []
    for method in ("a2d", "sefa"):
        out = tmp_path / method
        result = call(edit, "--model", folder, "--method", method, *(("--samples", 20) if method == "sefa" else ()),
                      "--set", "hat=1", "--seeds", "0-1", "--strip-steps", 3, "--outdir", out)  # fmt: skip
        assert result.exit_code == 0, result.output
        assert json.loads((out / "edit.json").read_text())["method"] == method
        images.append((out / "seed0000.png").read_bytes())
    assert images[0] != images[1]


def test_a_generator_and_a_clip_alone_are_drawn_and_edited_without_any_training(tmp_path):
    parts = (
        "--generator",
        write_tiny(tmp_path, "g", tiny_generator()),
        "--clip",
        write_tiny(tmp_path, "c", tiny_clip()),
    )
    drawn = call(generate, *parts, "--method", "optimize", "--steps", 2, "--text", "she is smiling", "--seeds", "0-1",
                 "--outdir", tmp_path / "drawn")  # fmt: skip
    assert drawn.exit_code == 0, drawn.output
    record = json.loads((tmp_path / "drawn/generate.json").read_text())
    assert "optimize" in record["model"]["name"] and set(record["model"]["components"]) == {"generator", "clip"}
    edited = call(edit, *parts, "--method", "styleclip", "--vocabulary", "minifaces", "--samples", 10, "--strip", "hat",
                  "--strip-steps", 2, "--seeds", "0", "--outdir", tmp_path / "edited")  # fmt: skip
    assert edited.exit_code == 0, edited.output
    assert (tmp_path / "edited/strip.png").is_file()


def test_a_sentence_is_drawn_along_directions_of_its_attributes(folder, tmp_path):
    result = call(generate, "--model", folder, "--method", "ganspace", "--samples", 20, "--text", "he wears a hat",
                  "--seeds", "0", "--trunc", 0.5, "--outdir", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out/generate.json").read_text())["truncation_psi"] == 0.5


def test_an_audit_takes_a_method_as_its_system(folder, tmp_path):
    plan = {"name": "tiny", "num": 4, "compositions": ["she+lipstick", "he+lipstick"],
            "comparisons": [{"name": "lipstick", "first": "she+lipstick", "second": "he+lipstick"}]}  # fmt: skip
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    result = call(audit, "run", tmp_path / "plan.yaml", "--model", folder, "--method", "optimize", "--outdir",
                  tmp_path / "out")  # fmt: skip
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "out/audit.json").read_text())
    assert "by optimize" in json.dumps(record) and "--method optimize" in json.dumps(record)


def test_the_suite_gives_a_row_per_method(folder, tmp_path):
    result = call(evaluate, "--model", folder, "--suite", "directions", "--directions", "a2d,sefa", "--samples", 20,
                  "--num", 4, "--out", tmp_path / "out.json")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "| Attribute-to-Direction |" in result.output and "| SeFa |" in result.output
    methods = json.loads((tmp_path / "out.json").read_text())["suites"]["directions"]["methods"]
    assert list(methods) == ["a2d", "sefa"]
    for row in methods.values():
        assert 0 <= row["turned_worst"] <= row["turned"] <= 1 and set(row["glasses_change_gender"]) == {"true", "false"}
        assert len(row["edits"]) == 14 and len(row["compositions"]) == 13 and row["inside"] is None


def test_the_suite_takes_optimisations_as_sentences_and_a_part_of_the_attributes(folder, tmp_path):
    result = call(evaluate, "--model", folder, "--suite", "directions", "--directions", "tedigan", "--attributes",
                  "pale_skin,eyeglasses", "--num", 2, "--out", tmp_path / "out.json")  # fmt: skip
    assert result.exit_code == 0 and "| after TediGAN, optimisation |" in result.output, result.output
    row = json.loads((tmp_path / "out.json").read_text())["suites"]["directions"]["methods"]["tedigan"]
    assert list(row["edits"]) == ["eyeglasses", "dark_skin"] and row["seconds"] > 0
    assert set(row["glasses_change_gender"]) == {"true", "false"}


@pytest.mark.parametrize(
    "command, arguments, named",
    [
        (edit, ("--set", "hat=1", "--samples", 5), "--samples"),
        (edit, ("--set", "hat=1", "--method", "sefa", "--a2d", "FOLDER/a2d.json"), "--a2d"),
        (edit, ("--set", "hat=1", "--method", "optimize"), "optimize"),
        (generate, ("--text", "a hat", "--samples", 5), "--samples"),
        (generate, ("--text", "a hat", "--method", "optimize", "--samples", 5), "--samples"),
        (generate, ("--text", "a hat", "--method", "sefa", "--steps", 5), "--steps"),
        (generate, ("--text", "a hat", "--method", "sefa", "--prior", "ar"), "--prior"),
        (generate, ("--text", "a hat", "--method", "sefa", "--adjust-method", "hold"), "--adjust-method"),
        (generate, ("--text", "a hat", "--method", "sefa", "--generator", "FOLDER/generator.json"), "--clip"),
    ],
)
def test_options_that_do_not_go_together_are_refused_in_one_line(folder, tmp_path, command, arguments, named):
    arguments = [str(argument).replace("FOLDER", str(folder)) for argument in arguments]
    result = call(command, "--model", folder, *arguments, "--outdir", tmp_path / "out")
    assert result.exit_code == 2 and named in result.output and not (tmp_path / "out").exists()
    assert "Traceback" not in result.output


def test_an_unknown_method_of_the_suite_is_refused_before_anything_is_drawn(folder):
    result = call(evaluate, "--model", folder, "--suite", "directions", "--directions", "sfa")
    assert result.exit_code == 2 and "did you mean" in result.output
    result = call(evaluate, "--model", folder, "--suite", "directions", "--attributes", "glases")
    assert result.exit_code == 2 and "glases" in result.output
