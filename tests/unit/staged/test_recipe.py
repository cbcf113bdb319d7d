"""`python -m styleT2I.recipe`: every stage of an experiment on a stand-in of its data, and on after failures."""

import importlib
import json
import subprocess

import pytest
import torch
from click.testing import CliRunner

from styleT2I.data.worlds import WORLDS
from styleT2I.generation.model import Model
from styleT2I.recipe import main
from styleT2I.staged import engine, worlds
from styleT2I.staged.papers import PAPERS, SIZES, Wanted, paper_stages
from styleT2I.staged.splits import Splits, splits_of
from tests.bird_releases import write_cub, write_nabirds
from tests.celebahq_stand_in import write_stand_in
from tests.clip_containers import write_container
from tests.plain_clip import random_state
from tests.tiny_model import tiny_generator, write_tiny

STAGES = ["report", "generator", "clip", "clip_eval", "guide", "heldout", "segmenter", "t2d", "a2d", "package",
          "evaluate",
          "audit", "study"]  # fmt: skip
SMALL_VIT = {"width": 64, "layers": 2, "patch": 16, "grid": 2, "text_width": 64, "text_layers": 2, "embed": 16,
             "context": 77, "vocab": 49408}  # fmt: skip


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """440 drawn faces of 32 pixels: 110 of each split, as R-precision ranks one caption among 100."""
    return write_stand_in(tmp_path_factory.mktemp("data"), num=440, side=32, mask_side=32)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A generator's component and a small ViT of random weights, as OpenAI's archives hold it."""
    folder = tmp_path_factory.mktemp("weights")
    state = random_state(**SMALL_VIT)
    scalars = {"input_resolution": 32, "context_length": 77, "vocab_size": 49408}
    clip = write_container(
        folder / "small.pt", "torchscript", {**state, **{k: torch.tensor(v) for k, v in scalars.items()}}
    )
    return ("--generator", write_tiny(folder, "g", tiny_generator(resolution=32)), "--clip", clip)


@pytest.fixture
def in_process(monkeypatch):
    """Stages run in this process; those named in `broken` fail, and `ran` lists all that were started."""
    ran, broken, real = [], set(), subprocess.run

    def run(command, check=False, **more):
        if not command[2:] or not command[2].startswith("styleT2I."):  # what a stage itself starts
            return real(command, check=check, **more)
        name, arguments = command[2].removeprefix("styleT2I."), command[3:]
        ran.append((name, arguments[0] if arguments[0] in ("run", "export", "report") else None))
        if name in broken:
            return subprocess.CompletedProcess(command, -9)
        module = importlib.import_module(f"styleT2I.{name}")
        result = CliRunner().invoke(module.main, arguments)
        assert result.exit_code == 0, (name, result.output, result.exception)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(engine.subprocess, "run", run)
    return ran, broken


def test_the_whole_recipe_ends_with_table_and_page_and_goes_on_where_it_stopped(
    stand_in, weights, in_process, tmp_path
):
    ran, broken = in_process
    arguments = (
        "celebahq",
        "--data",
        stand_in,
        *weights,
        "--size",
        "toy",
        "--device",
        "cpu",
        "--outdir",
        tmp_path / "run",
    )
    modules = ("dataset", "convert", "train_clip", "train_judge", "train_segmenter", "train_t2d", "train_a2d",
               "package_model", "evaluate", "audit", "study")  # fmt: skip
    for module in modules:  # each fails once, after all before it went on
        broken.clear()
        broken.add(module)
        result = invoke(*arguments)
        assert result.exit_code == 2 and "failed; correct the error above" in result.output, result.output
    broken.clear()
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    counts = {module: sum(name == module for name, _ in ran) for module in modules}
    assert counts == {**dict.fromkeys(modules, 2), "train_clip": 3, "train_judge": 3}
    table = (tmp_path / "run" / "table.md").read_text()
    page = (tmp_path / "run" / "index.html").read_text()
    for told in ("this run, Text-to-Direction", "this run, with the paper", "real images of the captions",
                 "StyleT2I, published", "0.625 (unverified)", "17.46 (unverified)"):  # fmt: skip
        assert told in table and told in page
    assert "audit/audit.html" in page and "study/index.html" in page and "data/index.html" in page
    results = json.loads((tmp_path / "run" / "results.json").read_text())["suites"]["protocol"]
    assert results["ranked"] == results["num"] == 110 and set(results["methods"]) == {"none", "paper"}
    assert all(0 <= results["methods"][name]["r_precision"]["value"] <= 1 for name in ("none", "paper"))
    assert Model.from_pretrained(tmp_path / "run" / "model", device="cpu").vocabulary.name == "celeba"
    ran.clear()
    again = invoke(*arguments)
    assert again.exit_code == 0 and not ran and "0 of 13 stages to do" in again.output


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAPERS)
def test_every_stage_uses_options_that_its_command_has_and_files_of_stages_before_it(name, size):
    splits = Splits("x:train", "x:val", "x:test", "x:unseen", "x", "")
    wanted = Wanted(PAPERS[name], "runs/x", splits, splits, "cpu", size, {"clip": "clip-vit-b-32"})
    plan = paper_stages(wanted)
    check_options(plan)
    assert [stage for stage in STAGES if stage in plan] == list(plan)
    assert ("segmenter" in plan) == ("audit" in plan) == (PAPERS[name].vocabulary == "celeba")


def check_options(plan):
    """Every stage's options are its command's, and the files of the run that it reads are made before it."""
    made = set()
    for module, arguments, result in plan.values():
        command = importlib.import_module(f"styleT2I.{module}" + (".__main__" if "." in module else "")).main
        if hasattr(command, "commands"):
            command, arguments = command.commands[arguments[0]], arguments[1:]
        command.make_context(module, list(arguments), resilient_parsing=True)
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in arguments if word.startswith("--")} <= known, module
        used = {word for word in arguments if word.startswith("runs/x/") and word.endswith(".json")} - {result}
        assert used <= made, module
        made.add(result)


def test_a_plan_has_hours_and_says_what_they_rest_on(stand_in, tmp_path):
    arguments = ("celebahq", "--data", stand_in, "--clip", "clip-vit-b-32", "--outdir", tmp_path / "run", "--plan")
    told = invoke(*arguments).output
    assert "t2d       to do; 11.7 GPU h: 2,400,040 rows" in told and "4.4 ms on one H100" in told
    assert "generator to do; 70.4 GPU h" in told and not (tmp_path / "run").exists()
    shorter = invoke(*arguments, "--generator", "stylegan2-ada-ffhq-1024", "--size", "small").output
    assert "generator to do\n" in shorter and "t2d       to do; 1.2 GPU h" in shorter


def test_a_result_that_is_given_skips_its_stage(stand_in, weights, tmp_path):
    file = weights[1]
    arguments = ("celebahq", "--data", stand_in, "--clip", "x", "--outdir", tmp_path / "run", "--dry-run")
    told = invoke(*arguments, "--given", f"generator={file}", "--given", f"segmenter={file}").output
    assert "train_stylegan2" not in told and "train_segmenter" not in told
    assert f"--generator {file}" in told and f"--segmenter {file}" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("celebahq",), "no data; add --data DIR"),
        (("celebahq", "--data", "/nosuch"), "has no folder CelebA-HQ-img"),
        (("ffhq", "--data", "DATA", "--clip", "x"), "steered by captions of celebahq; add --text-data"),
        (("celebahq", "--data", "DATA", "--text-data", "DATA", "--clip", "x"), "has captions of its own"),
        (("celebahq", "--data", "DATA"), "no CLIP to tune; add --clip SOURCE"),
        (("celebahq", "--data", "DATA", "--clip", "x", "--given", "t2d"), "write STAGE=FILE"),
        (("celebahq", "--data", "DATA", "--clip", "x", "--given", "t2d=/nosuch"), "there is no such file"),
        (("celebahq", "--data", "DATA", "--clip", "x", "--given", "t3d=DATA"), "no such stage; one of generator"),
        (("minifaces", "--data", "DATA"), "minifaces makes its own"),
        (("minifaces", "--given", "t2d=DATA"), "takes a whole model alone"),
        (("minifaces", "--given", "model=nosuch"), "nosuch"),
        (("celeba",), "'celebahq'"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(stand_in, tmp_path, arguments, told):
    words = [word.replace("DATA", str(stand_in)) for word in arguments]
    result = invoke(*words, "--outdir", tmp_path / "run")
    assert result.exit_code == 2 and told in result.output and result.output.count("\n") == 1, result.output
    assert not (tmp_path / "run").exists()


def test_splits_are_the_papers_where_their_tables_are_there_and_are_told(stand_in, tmp_path):
    assert splits_of("celebahq", stand_in).unseen == f"celebahq:{stand_in}:unseen-test"
    (tmp_path / "plain").mkdir()
    plain = write_stand_in(tmp_path / "plain" / "x", num=4, side=16, mask_side=16, tables=False)
    found = splits_of("celebahq", plain, 9)
    assert found.train == f"celebahq:{plain}:train:9" and "tables are not there" in found.note
    assert splits_of("cub", write_cub(tmp_path)).unseen.endswith(":unseen")
    assert splits_of("nabirds", write_nabirds(tmp_path)).test.endswith(":test")


@pytest.mark.parametrize("size", worlds.SIZES)
@pytest.mark.parametrize("world", WORLDS)
def test_the_stages_of_a_world_use_options_that_their_commands_have(world, size):
    check_options(worlds.recipe_stages("runs/x", "cpu", world, size))


def test_a_world_ends_with_the_same_table_and_page(in_process, tmp_path):
    result = invoke("minifaces", "--size", "toy", "--device", "cpu", "--outdir", tmp_path / "run")
    assert result.exit_code == 0, result.output
    table = (tmp_path / "run" / "table.md").read_text()
    assert table.count("this run, ") == 2 and "real images of the captions" in table and "published" not in table
    page = (tmp_path / "run" / "index.html").read_text()
    assert "StyleT2I on MiniFaces" in page and "audit/audit.html" in page and "study/index.html" in page


def test_a_world_takes_a_finished_model_and_only_measures_it(in_process, tmp_path):
    words = (
        "minifaces",
        "--given",
        "model=minifaces",
        "--size",
        "toy",
        "--device",
        "cpu",
        "--outdir",
        tmp_path / "run",
    )
    told = invoke(*words, "--dry-run").output.splitlines()
    assert [line.split()[2] for line in told] == ["styleT2I.evaluate", "styleT2I.audit", "styleT2I.study"]
    assert all("--model minifaces" in line for line in told)
    result = invoke(*words)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "run" / "results.json").read_text())
    assert report["model"]["name"] == "minifaces" and report["suites"]["protocol"]["num"] == 110
    page = (tmp_path / "run" / "index.html").read_text()
    assert "given, model: minifaces" in page and "--model minifaces --text" in result.output


def test_the_commands_of_a_world_come_in_the_order_of_the_papers(tmp_path):
    told = invoke("minifaces", "--outdir", tmp_path / "run", "--dry-run").output.splitlines()
    modules = [line.split()[2].removeprefix("styleT2I.") for line in told]
    assert modules == ["fit_stylegan2", "train_judge", "train_judge", "train_segmenter", "train_clip", "train_clip",
                       "train_encoder", "train_t2d", "train_a2d", "package_model", "evaluate", "audit",
                       "study"]  # fmt: skip
    assert "--suite protocol" in told[-3] and "minifaces.yaml" in told[-2]
