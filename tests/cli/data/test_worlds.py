"""Every suite of `evaluate` and the audit on Portraits: a tiny model of its vocabulary, stand-ins of rendered sets."""

import dataclasses
import json
import math

import pytest
import torch
import yaml
from click.testing import CliRunner

from styleT2I import audit, evaluate, package_model
from styleT2I.attributes.compositions import composition_name
from styleT2I.attributes.parsing.parser import parse
from styleT2I.data.dataset import open_dataset
from styleT2I.data.portraits.parts import PARTS
from styleT2I.data.worlds import WORLDS
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.compositions.cells import count_cells
from styleT2I.evaluation.suites.judges import evaluate_judges
from styleT2I.evaluation.suites.regions import _known_faces
from styleT2I.fairness.plan import load_plan
from styleT2I.generation.model import Model
from tests.conftest import ROOT
from tests.stub_portraits import fill_cache
from tests.tiny_model import tiny_clip, tiny_judge, tiny_segmenter, write_tiny_model
from tests.tiny_systems import write_system, write_unclip

NUM = 120  # images of a split
LOOKING = {
    "judges.heldout": tiny_judge(seed=7, nuisances=("roll", "background_colour[0]"), vocabulary="portraits"),
    "clip_eval": tiny_clip("other", vocabulary="portraits"),
    "segmenter": tiny_segmenter(PARTS),
}


@pytest.fixture(scope="module", autouse=True)
def world(tmp_path_factory):
    """Portraits with fewer images a split, all of which are in the cache; no composition is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLET2I_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(WORLDS, "portraits", dataclasses.replace(WORLDS["portraits"], max_images=NUM))
        fill_cache(*(f"{part}:{NUM}" for part in ("balanced/test", "biased/test", "biased/train", "biased/val")))
        yield WORLDS["portraits"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("portraits"), onlookers=LOOKING, vocabulary="portraits")


def invoke(command, *arguments):
    return CliRunner().invoke(command, [*map(str, arguments), "--device", "cpu"])


def measured(tmp_path, *arguments):
    """The suites of a report that `evaluate` wrote."""
    result = invoke(evaluate.main, *arguments, "--out", tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    return json.loads((tmp_path / "report.json").read_text())["suites"]


def test_suites_take_the_models_world_its_data_and_its_pairs(model, tmp_path):
    chosen = ("judges", "clip", "wordings", "generator", "t2d")
    suites = measured(tmp_path, "--model", model, *(word for name in chosen for word in ("--suite", name)))
    assert {name: figures["data"] for name, figures in suites.items()} == {
        "judges": "portraits:balanced/test:120",
        "clip": "portraits:balanced/test:120",
        "wordings": "portraits:balanced/test:120",
        "generator": "portraits:biased/train:120",
        "t2d": "portraits:biased/test:120",
    }
    pairs = {pair.name for pair in WORLDS["portraits"].rare_pairs}
    for figures in (*list(suites["judges"].values())[1:], *list(suites["clip"].values())[1:]):
        assert set(figures["rare_pairs"]) == pairs and len(figures["attributes"]) == 31 and figures["num"] == NUM
    assert len(suites["generator"]["rates"]) == 31 and suites["generator"]["frechet_floor"] > 0
    assert suites["t2d"]["num"] == NUM and 0 <= suites["t2d"]["success"] <= 1


def test_compositions_are_measured_without_their_renders_and_with_them(model, tmp_path):
    arguments = ["--suite", "compositions", "--model", model, "--num", "2", "--adjust-method", "none"]
    arguments += ["--adjust-method", "paper"]
    figures = measured(tmp_path, *arguments)["compositions"]
    assert "42 compositions are left out" in figures["left_out"]["frechet"]
    assert "python -m styleT2I.data.portraits compositions/test:2" in figures["left_out"]["frechet"]
    names = {cell["cell"] for cell in figures["cells"] if cell["kind"] == "rare"}
    assert {"Male+Wearing_Lipstick", "Female+a beard", "Bald+Female+Smiling"} <= names and len(names) == 21
    assert set(figures["summary"]["by_count"]) == set("12345678")
    assert figures["summary"]["frechet"] == {"rare": None, "frequent": None}
    assert all((cell["frechet"] is None) == (cell["kind"] != "count") for cell in figures["cells"])
    table = invoke(evaluate.main, "--table", tmp_path / "report.json")
    assert table.exit_code == 0 and "| report | paper |" in table.output
    fill_cache("compositions/test:2")
    again = measured(tmp_path, *arguments)["compositions"]
    assert "left_out" not in again and again["summary"]["frechet"]["rare"] > 0
    assert again["summary"]["rare"] == figures["summary"]["rare"]  # what was measured before is the same


def test_latents_share_sentences_only_where_too_few_captions_state_so_much(world):
    data, num = open_dataset(world.spec("biased/test"), with_masks=False), 60
    stated = [[len(parse(text, world.vocabulary).attributes) for text in data.captions_of(k)] for k in range(NUM)]
    for count, cell in enumerate(count_cells(world, num), start=1):
        assert all(len(request) == count for request in cell.requests) and len(cell.rows) == num
        assert all(count in stated[row] for row in cell.rows)
        having = sum(count in counts for counts in stated)
        assert list(cell.rows[:having]) == sorted(set(cell.rows[:having]))  # each image once, in order
        assert len(set(cell.rows)) == min(having, num)
    lent = list(zip(cell.rows, map(str, cell.requests), strict=True))  # of eight attributes, the rarest
    assert having <= len(set(lent)) < num


def test_nuisances_of_a_colour_or_kind_count_in_the_group_of_the_whole():
    from styleT2I.evaluation.suites.compositions.summary import _nuisances

    read = {"roll": 0.2, "background_colour[0]": 0.4, "background=plain": 0.6, "shape[3]": 1.0}
    figures = _nuisances([{"nuisances": read}], WORLDS["portraits"].nuisance_groups)
    assert (figures["pose"], figures["face"]) == (0.2, 1.0) and figures["background"] == pytest.approx(0.5)


def test_the_other_suites_run_on_portraits(model, tmp_path):
    chosen = ("quality", "regions", "edits")
    suites = measured(
        tmp_path, "--model", model, "--num", "24", "--features", "judge", *(w for n in chosen for w in ("--suite", n))
    )
    assert suites["quality"]["sets"]["real"]["attributes_all"]["fake"] == "portraits:biased/test:120"
    assert suites["regions"]["parts_by"] == "segmenter" and suites["regions"]["psnr"] is None
    assert "Wearing_Lipstick" in suites["regions"]["attributes"] and "Male" not in suites["regions"]["attributes"]
    assert len(suites["edits"]["attributes"]) == 31


def test_systems_and_unclip_are_compared_on_portraits(model, tmp_path, monkeypatch):
    from styleT2I.evaluation.suites import unclip

    fill_cache("compositions/test:2", "balanced/train:120")
    gan = write_system(tmp_path / "gan", "gan_int_cls", vocabulary="portraits")
    arguments = ["--suite", "systems", "--model", model, "--systems", f"{gan},{model}", "--num", "4"]
    figures = measured(tmp_path, *arguments, "--adjust-method", "none", "--grid", tmp_path / "grid.png")["systems"]
    assert len(figures["renders"]["compositions"]["cells"]) == 42 and len(figures["systems"]) == 2
    for name, value in (("NUM_LATENTS", 2), ("NUM_DECODED", 2), ("NUM_EDITED", 2), ("ETAS", (0.0,)),
                        ("THETAS", (0.25,)), ("GUIDANCES", ()), ("NUM_CANDIDATES", ())):  # fmt: skip
        monkeypatch.setattr(unclip, name, value)
    source = write_unclip(tmp_path / "unclip", vocabulary="portraits")
    figures = measured(tmp_path, "--suite", "unclip", "--model", model, "--systems", source, "--num", "4")["unclip"]
    assert figures["probe"] == "portraits:balanced/train:120"
    assert figures["edits"]["text_diffs"]["theta 0.25"]["num"] > 0


def test_systems_without_rendered_compositions_are_refused_with_what_renders_them(model, tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path))
    fill_cache("biased/test:24")
    arguments = ["--suite", "systems", "--model", model, "--systems", model, "--data", "portraits:biased/test:24"]
    result = invoke(evaluate.main, *arguments, "--num", "4")
    assert result.exit_code == 2 and "python -m styleT2I.data.portraits compositions/test:2" in result.output
    missing = invoke(evaluate.main, "--suite", "judges", "--model", model)
    assert missing.exit_code == 2 and missing.output.count("error:") == 1 and "render the others" in missing.output


class Recall:
    """A generator that draws of each latent of a data set its image."""

    def __init__(self, spec, num):
        self.data, self.resolution = open_dataset(spec, 16), 16
        self.latents, self.z_dim = self.data.latents(range(num)), 192

    def mapping(self, z):
        rows = [next(k for k, own in enumerate(self.latents) if torch.equal(own, one)) for one in z]
        return torch.tensor(rows).view(-1, 1, 1)

    def synthesis(self, ws):
        return self.data.batch(ws.flatten().tolist()).images_u8 / 127.5 - 1


def test_a_generator_that_draws_the_scenes_of_its_latents_has_true_regions(world):
    class Known:
        device = "cpu"

        def network(self, role):
            return generator

    generator = Recall("portraits:biased/test:6", 6)
    (faces,) = _known_faces(Known(), world, 6)
    assert faces.psnr.min() > 40 and faces.part_names == PARTS
    assert torch.equal(faces.parts, generator.data.batch(range(6)).masks)


def test_judges_alone_are_a_model_that_one_suite_measures(model, tmp_path):
    """Its accuracies are those of a count over labelled pictures."""
    packed = tmp_path / "judges"
    heldout = ("--judges-heldout", model / "judges_heldout.json")
    done = CliRunner().invoke(package_model.main, [*map(str, heldout), "--outdir", str(packed)])
    assert done.exit_code == 0, done.output  # the vocabulary is found by the judge's attributes
    figures = measured(tmp_path, "--suite", "judges", "--model", packed)["judges"]
    assert set(figures) == {"data", "judges.heldout"}
    data, judge = open_dataset(f"portraits:balanced/test:{NUM}", 16), Model.from_pretrained(packed, device="cpu")
    batch, column = data.batch(range(NUM)), data.attribute_names.index("Smiling")
    image = open_dataset(f"portraits:balanced/test:{NUM}", 16).batch(range(NUM)).images_u8 / 127.5 - 1
    said, truth = judge.network("judges.heldout")(image)[:, column] > 0, batch.attributes[:, column]
    balanced = (said[truth].float().mean() + (~said[~truth]).float().mean()) / 2
    assert figures["judges.heldout"]["attributes"]["Smiling"] == pytest.approx(balanced.item())
    pair = figures["judges.heldout"]["rare_pairs"]["Bangs+Male"]
    assert math.isfinite(pair["balanced"])
    bare = tmp_path / "bare"
    CliRunner().invoke(package_model.main, [*map(str, heldout), "--vocabulary", "none", "--outdir", str(bare)])
    refused = invoke(evaluate.main, "--suite", "judges", "--model", bare)
    assert refused.exit_code == 2 and "it has no vocabulary" in refused.output and "--world" in refused.output
    named = measured(tmp_path, "--suite", "judges", "--model", bare, "--world", "portraits")["judges"]
    assert named == figures


def test_a_judge_of_another_world_and_a_model_of_none_are_one_line(model, tmp_path):
    for arguments, said in (
        (
            ("--model", "minifaces", "--world", "portraits"),
            "names other attributes ('minifaces') than the world 'portraits'",
        ),
        (("--model", model, "--data", "minifaces:balanced/test:110"), "the judges.guide knows 5_o_Clock_Shadow"),
    ):
        result = invoke(evaluate.main, "--suite", "judges", *arguments)
        assert result.exit_code == 2 and said in result.output and result.output.count("error:") == 1
    bare = Model({"judges.heldout": tiny_judge()}, device="cpu")
    assert set(evaluate_judges(Request(bare, "minifaces:balanced/test:110", 110))) == {"judges.heldout"}


PLAN = {
    "name": "Portraits",
    "vocabulary": "portraits",
    "num": 6,
    "compositions": ["Female+Wearing_Lipstick", "Male+Wearing_Lipstick", "Female+a beard", "Male+a beard"],
    "comparisons": [
        {"name": "lipstick", "first": "Female+Wearing_Lipstick", "second": "Male+Wearing_Lipstick"},
        {"name": "beard", "first": "Female+a beard", "second": "Male+a beard"},
    ],
    "thresholds": [{"comparison": "lipstick", "max_gap": 0.1}],
    "adjustment": ["paper", "none"],
    "unprompted": [{"prompt": "Bangs", "attribute": "Male"}],
    "training_data": "portraits:biased/train:120",
    "quality_data": "portraits:balanced/test:120",
}


def test_an_audit_of_portraits_runs_to_its_report_and_its_judge_is_calibrated_on_the_worlds_images(model, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump(PLAN))
    calibrated = invoke(
        audit.main.commands["calibrate"], plan, "--model", model, "--num", "10", "--out", tmp_path / "j.json"
    )
    assert calibrated.exit_code == 0, calibrated.output
    counts = json.loads((tmp_path / "j.json").read_text())
    assert counts["data"] == "portraits:balanced/test:120"
    cell = counts["cells"]["Female+a beard"]
    assert 0 < cell["true_positive"] + cell["false_negative"] <= 10
    run = invoke(audit.main.commands["run"], plan, "--model", model, "--outdir", tmp_path / "out")
    assert run.exit_code in (0, 3), run.output
    result = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert [compared["name"] for compared in result["comparisons"]] == ["lipstick", "beard"]
    assert (tmp_path / "out" / "audit.html").is_file()


def test_images_of_other_systems_are_judged_by_the_worlds_model_where_there_is_one(model, tmp_path, monkeypatch):
    from styleT2I.fairness.judges.judge import open_judge
    from styleT2I.fairness.judges.spec import JudgePlan

    vocabulary = WORLDS["portraits"].vocabulary
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path))
    if not (evaluate.Path(evaluate.__file__).parents[1] / "checkpoints" / "portraits").exists():
        with pytest.raises(Exception, match="no judge of 'portraits' comes with the package"):
            open_judge(JudgePlan(), vocabulary)
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "portraits").symlink_to(model)
    assert set(open_judge(JudgePlan(), vocabulary).attribute_names) == set(vocabulary.names)


@pytest.mark.parametrize("name", WORLDS)
def test_the_plan_in_the_docs_compares_rare_pairs_of_its_world_with_their_twins(name):
    plan, vocabulary = load_plan(ROOT / f"docs/audit/{name}.yaml")
    assert vocabulary.name == name
    compared = {frozenset((pair.first, pair.second)) for pair in plan.comparisons}
    for pair in WORLDS[name].rare_pairs:
        sides = (composition_name(side, vocabulary) for side in (pair.attributes, pair.twin))
        assert frozenset(sides) in compared, pair.name
