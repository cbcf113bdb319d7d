"""`audit run` on what is no StyleT2I model: a function, images, another system; `audit calibrate` of any judge."""

import csv
import json

import PIL.Image
import pytest
import yaml
from click.testing import CliRunner

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.audit import _model_of, main
from styleT2I.fairness.plan import AuditPlan, load_plan
from tests.fake_faces import PLAN, draw
from tests.tiny_model import write_tiny_model


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(PLAN))
    return path


@pytest.fixture
def images(tmp_path, plan):
    """The fake faces as files, with a table of their sentences: the arguments that name them."""
    (tmp_path / "images/sub").mkdir(parents=True)
    rows = []
    for name, text in load_plan(plan)[0].sentences_of(load_vocabulary("minifaces")).items():
        for seed in range(20):
            rows.append((f"sub/{name}{seed}.png", text, seed))
            PIL.Image.fromarray(draw(text, seed)).save(tmp_path / "images" / rows[-1][0])
    write_table(tmp_path, rows)
    return "--images", tmp_path / "images", "--prompts", tmp_path / "prompts.csv"


def write_table(folder, rows):
    with open(folder / "prompts.csv", "w", newline="") as f:
        csv.writer(f).writerows([("file", "prompt", "seed"), *rows])


def audit(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def result_of(folder):
    return json.loads((folder / "audit.json").read_text())


def test_a_function_is_audited_whole_or_in_shards_to_the_same_bytes(plan, tmp_path):
    subject = "--callable", "tests.fake_faces:draw"
    for outdir, shard in (("whole", "1/1"), ("a", "1/2"), ("b", "2/2")):
        done = audit("run", plan, *subject, "--outdir", tmp_path / outdir, "--shard", shard)
        assert done.exit_code == 0, done.output
    merged = audit("merge", plan, tmp_path / "a", tmp_path / "b", "--outdir", tmp_path / "merged")
    assert merged.exit_code == 0, merged.output
    assert (tmp_path / "merged/audit.json").read_bytes() == (tmp_path / "whole/audit.json").read_bytes()
    result = result_of(tmp_path / "whole")
    assert result["comparisons"][0]["gap"] == 0.4 and result["model"]["name"] == "tests.fake_faces:draw"
    assert len(list((tmp_path / "whole/cells").glob("*.png"))) == 2


def test_images_are_audited_by_their_table(plan, images, tmp_path):
    done = audit("run", plan, *images, "--outdir", tmp_path / "out")
    assert done.exit_code == 0, done.output
    result = result_of(tmp_path / "out")
    assert result["comparisons"][0]["gap"] == 0.4 and result["subject"]["is_paired"]
    assert set(result["model"]["components"]) == {"images", "prompts"}


def test_another_system_is_audited_as_it_draws(tmp_path):
    tiny_systems = pytest.importorskip("tests.tiny_systems")
    folder = tiny_systems.write_system(tmp_path / "stackgan", "stackgan")
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump({**PLAN, "num": 9, "truncation": [0.7, 0.5]}))
    done = audit("run", path, "--model", folder, "--device", "cpu", "--outdir", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "the plan's 2 settings are replaced by one" in done.output
    result = result_of(tmp_path / "out")
    assert {cell["setting"] for cell in result["cells"]} == {"as drawn"}
    assert result["subject"]["kind"] == "system" and len(result["model"]["components"]["stackgan"]) == 64


BAD = [
    (("--callable", "tests.fake_faces:drew"), "did you mean 'draw'"),
    (("--callable", "tests.fake_faces:fail"), "failed on 'a woman who wears lipstick' with seed 0: RuntimeError"),
    (("--callable", "tests.fake_faces:draw", "--model", "minifaces"), "an audit is of one system"),
    (("--images", "images"), "--images and --prompts belong together"),
    (("--prompts", "prompts.csv"), "--images and --prompts belong together"),
    (("--images", "absent", "--prompts", "absent.csv"), "absent.csv: cannot be read"),
]


@pytest.mark.parametrize("arguments, message", BAD)
def test_what_cannot_be_audited_is_one_line_without_a_result(plan, arguments, message, tmp_path):
    done = audit("run", plan, *arguments, "--outdir", tmp_path / "out")
    assert done.exit_code == 2 and message in done.output
    assert done.output.count("error:") == 1 and "Traceback" not in done.output
    assert not [path for path in tmp_path.glob("out/**/*.*") if path.name != "plan.lock"]  # what was declared stays


def test_images_and_table_that_do_not_fit_write_nothing(plan, images, tmp_path):
    (tmp_path / "images/more.png").write_bytes((tmp_path / "images/sub/he+lipstick0.png").read_bytes())
    done = audit("run", plan, *images, "--outdir", tmp_path / "out")
    assert done.exit_code == 2 and "has 'more.png'" in done.output and not (tmp_path / "out").exists()
    done = audit("run", plan, *images, "--num", "3", "--outdir", tmp_path / "out")
    assert done.exit_code == 2 and "--num does not apply to --images" in done.output


@pytest.fixture
def labelled(tmp_path):
    """A data folder of fake faces with labels, one in four of which is wrong about lipstick."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(32):
        text = f"a {'woman' if number % 2 else 'man'} {'with lipstick' if number & 2 else ''}"
        PIL.Image.fromarray(draw(text, 0)).save(folder / f"images/{number:02}.png")
        is_wrong = number >= 24
        rows.append((f"{number:02}.png", number % 2, int(bool(number & 2) != is_wrong)))
    with open(folder / "attributes.csv", "w", newline="") as f:
        csv.writer(f).writerows([("file", "she", "lipstick"), *rows])
    return folder


def test_any_judge_is_calibrated_on_labelled_images(plan, labelled, tmp_path):
    model = write_tiny_model(tmp_path / "model")
    options = ("--model", model, "--device", "cpu", "--out", tmp_path / "judge.json", "--resolution", "8")
    done = audit("calibrate", plan, *options, "--data", labelled)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "judge.json").read_text())
    for counts in found["cells"].values():  # 8 faces of each kind of which 2 are labelled wrongly
        assert counts == {"true_positive": 6, "false_negative": 2, "false_positive": 2, "true_negative": 14}
    of_sex = found["attributes"]["he+lipstick"]["he"]
    assert of_sex == {"true_positive": 8, "false_negative": 0, "false_positive": 0, "true_negative": 8}
    calibrated = "--calibration", tmp_path / "judge.json"
    done = audit("run", plan, "--callable", "tests.fake_faces:draw", *calibrated, "--outdir", tmp_path / "out")
    assert done.exit_code == 0 and "(transports: true), so nothing is corrected" in done.stderr
    unmoved = result_of(tmp_path / "out")
    assert not any("corrected" in each for each in (*unmoved["cells"], *unmoved["comparisons"]))
    assert unmoved["transported"]["rows"][0]["gap"] == pytest.approx(0.45)
    assert "If the calibration held for these images" in (tmp_path / "out/audit.html").read_text()
    plan.write_text(yaml.safe_dump({**PLAN, "transports": True}))
    done = audit("run", plan, "--callable", "tests.fake_faces:draw", *calibrated, "--outdir", tmp_path / "out")
    assert done.exit_code == 0, done.output
    she, he = (cell["corrected"]["success"] for cell in result_of(tmp_path / "out")["cells"])
    # Of men 0.5 are seen with lipstick and 0.4 without, by a judge that errs about lipstick in a quarter of either.
    assert (she, he) == pytest.approx((1.0, 0.55))


@pytest.mark.parametrize("composition, message", [("hat", "has no labels of hat"), ("old_lady", "unknown attribute")])
def test_data_or_a_plan_without_what_is_asked_is_one_line(labelled, tmp_path, composition, message):
    path = tmp_path / "plan.yaml"
    judge = {"kind": "python", "source": "tests.fake_faces:know_all"}
    path.write_text(yaml.safe_dump({"name": "bad", "compositions": [composition], "judge": judge}))
    refused(path, labelled, tmp_path, message)


def test_data_that_never_shows_a_composition_is_one_line(plan, labelled, tmp_path):
    table = (labelled / "attributes.csv").read_text()
    (labelled / "attributes.csv").write_text(table.replace(",1,", ",0,"))
    refused(plan, labelled, tmp_path, "no image shows 'she+lipstick'")


def refused(path, data, folder, message):
    options = ("--model", write_tiny_model(folder / "model"), "--device", "cpu", "--out", folder / "judge.json")
    done = audit("calibrate", path, *options, "--resolution", "8", "--data", data)
    assert done.exit_code == 2 and message in done.output and done.output.count("error:") == 1
    assert not (folder / "judge.json").exists()


def test_a_plan_with_a_classifier_takes_a_model_and_nothing_else(tmp_path):
    classifier = {"source": "tests.fake_faces:look", "target": "lipstick"}
    sides = {"compositions": ["she", "he"], "comparisons": [{"name": "gender", "first": "she", "second": "he"}]}
    path = tmp_path / "classifier.yaml"
    path.write_text(yaml.safe_dump({**PLAN, **sides, "classifier": classifier}))
    out = ("--outdir", str(tmp_path / "out"))
    for given in (("--callable", "tests.fake_faces:draw"), ("--calibration", "judge.json"), ("--method", "sefa")):
        result = CliRunner().invoke(main, ["run", str(path), *given, *out])
        assert result.exit_code == 2 and "audits a classifier on edited faces of a model" in result.output
    result = CliRunner().invoke(main, ["calibrate", str(path), "--out", str(tmp_path / "judge.json")])
    assert result.exit_code == 2 and "a plan with a classifier audits its answers" in result.output
    path.write_text(yaml.safe_dump({**PLAN, **sides, "classifier": {**classifier, "target": "hat"}}))
    result = CliRunner().invoke(main, ["run", str(path), *out])
    assert result.exit_code == 2 and "has no column 'hat'" in result.output and result.output.count("\n") <= 2
    assert not (tmp_path / "out").exists()


def test_without_a_name_the_embedded_model_of_the_plans_vocabulary_is_audited(tmp_path):
    for vocabulary, name in (("minifaces", "minifaces"), ("portraits", "portraits"), ("celeba", "portraits")):
        compositions = ("Male+Smiling",) if vocabulary != "minifaces" else ("he+smiling",)
        plan = AuditPlan("one", vocabulary=vocabulary, compositions=compositions)
        assert _model_of(plan, None) == name and _model_of(plan, "mine") == "mine"


def test_the_report_names_a_model_as_it_was_typed(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump({"name": "one", "vocabulary": "minifaces", "compositions": ["he"]}))
    for given in ([], ["--model", "minifaces"]):
        out = tmp_path / f"out{len(given)}"
        result = CliRunner().invoke(
            main, ["run", str(path), *given, "--num", "2", "--device", "cpu", "--outdir", str(out)]
        )
        assert result.exit_code == 0, result.output
        assert "--model minifaces " in json.loads((out / "audit.json").read_text())["rerun"]
