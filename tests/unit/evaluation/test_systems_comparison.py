"""Suite "systems": known answers on systems that are perfect, blind or constant, and untrained twins."""

import pytest
import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.prompt import Prompt
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.data.minifaces.dataset import MiniFaces
from styleT2I.data.worlds import WORLDS
from styleT2I.errors import ConfigError, PromptError
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.systems import suite as systems
from styleT2I.evaluation.suites.systems.candidates import Row, open_rows, untrained_gan, untrained_pipeline
from styleT2I.evaluation.suites.systems.grid import systems_grid
from styleT2I.evaluation.suites.systems.metrics import over_untrained, paired_success
from styleT2I.evaluation.suites.systems.suite import evaluate_systems
from styleT2I.evaluation.suites.systems.task import ComparisonTask, Observation, Outcomes, Scores, readable_scenes
from styleT2I.evaluation.tables import systems_tables
from styleT2I.formats.model_folder import SYSTEMS
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.systems.interface import open_system
from styleT2I.metrics.frechet import frechet_distance
from styleT2I.statistics.intervals import newcombe_paired_interval
from styleT2I.torch_utils.images import from_uint8
from tests.tiny_model import tiny_clip, tiny_judge, write_tiny, write_tiny_model
from tests.tiny_systems import write_system

NUM = 60
DATA = "minifaces:biased/test:400"


class Renderer:
    """Draws what a sentence asks for with the MiniFaces renderer itself."""

    name, resolution = "renderer", 64

    def __init__(self, sha256="0" * 64):
        self.sha256, self.num_drawn = sha256, 0

    def understand(self, text, *, strict=False):
        return Prompt(text, parse(text, load_vocabulary("minifaces")).attributes, ())

    def sample(self, prompts, seeds):
        self.num_drawn += len(prompts)
        return torch.cat([self.draw(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)])

    def draw(self, prompt, seed):
        world = MiniFaces("composition", "test", seed + 1, wanted=prompt.attributes, with_masks=False)
        return from_uint8(world.batch([seed]).images_u8)

    def describe(self):
        return {"name": self.name, "components": {"renderer": self.sha256}}


class Blind(Renderer):
    """Draws legible faces without a look at the sentence."""

    name, world = "blind", MiniFaces("balanced", "val", NUM, with_masks=False)

    def draw(self, prompt, seed):
        return from_uint8(self.world.batch([seed]).images_u8)


class Constant(Blind):
    """Draws one face."""

    name = "constant"

    def draw(self, prompt, seed):
        return super().draw(prompt, 0)


@pytest.fixture(scope="module")
def observers():
    return Model.from_pretrained("minifaces", device="cpu")


@pytest.fixture(scope="module")
def report(observers):
    rows = [
        Row("perfect", Renderer(), lambda sentences: Blind(), {"kind": "stylet2i"}),
        Row("blind", Blind()),
        Row("constant", Constant()),
    ]
    return evaluate_systems(Request(observers, DATA, NUM, options={"rows": rows}))


def record_of(report, name):
    return next(record for record in report["systems"] if record["name"] == name)


def test_a_perfect_system_scores_nearly_everything_and_beats_its_controls(report):
    perfect = record_of(report, "perfect")
    figures = perfect["figures"]
    assert figures["success"] >= 0.95 and figures["each"] >= 0.97
    assert figures["compositions"]["rare"]["mean"] >= 0.95
    assert figures["r_precision"] >= 0.8 and report["num_ranked"] > 10
    assert all(margin["beats"] for margin in perfect["controls"]["shuffled"].values())
    assert all(perfect["controls"]["untrained"][name]["beats"] for name in ("success", "each", "r_precision"))
    assert perfect["beats_controls"] is True
    assert figures["success_interval"][0] < figures["success"] <= figures["success_interval"][1]


def test_a_system_that_ignores_the_text_fails_the_controls(report):
    blind = record_of(report, "blind")
    assert not any(margin["beats"] for margin in blind["controls"]["shuffled"].values())
    assert blind["beats_controls"] is False
    assert blind["figures"]["success"] < 0.5 and blind["figures"]["r_precision"] < 0.2
    assert blind["lead_of_stylet2i"]["of"] == "perfect" and blind["lead_of_stylet2i"]["beats"]


def test_one_face_for_all_captions_has_a_margin_of_exactly_zero(report):
    margins = record_of(report, "constant")["controls"]["shuffled"]
    assert margins["success"]["margin"] == pytest.approx(0, abs=1e-12)
    assert margins["each"]["margin"] == pytest.approx(0, abs=1e-12)
    assert margins["success"]["control"] == pytest.approx(record_of(report, "constant")["figures"]["success"])


def test_a_twin_trained_on_shuffled_captions_is_a_third_control_of_its_own_architecture_alone():
    def record(kind, right, is_control=False):
        controls = {"shuffled": {"success": {"beats": True}}}
        return {"kind": kind, "trained_on_shuffled_captions": is_control, "right": right, "controls": controls}

    records = [record("dfgan", "11111111"), record("dfgan", "00000001", True), record("stackgan", "01010101")]
    systems._add_comparisons(records)
    assert records[0]["controls"]["shuffled training"]["success"] == paired_success("11111111", "00000001")
    assert all("shuffled training" not in one["controls"] for one in records[1:])
    weak = [record("dfgan", "00000011"), record("dfgan", "00000001", True)]
    systems._add_comparisons(weak)
    assert records[0]["beats_controls"] is True and weak[0]["beats_controls"] is False


def test_the_datas_own_pictures_stand_beside_the_systems(report):
    renders = report["renders"]
    assert renders["success"] >= 0.95 and renders["compositions"]["frequent"]["mean"] >= 0.95
    assert 0 < renders["frechet"] < record_of(report, "constant")["figures"]["frechet"]


def test_the_table_has_a_row_a_system_a_line_a_control_and_says_whom_it_favours(report):
    text = systems_tables(report)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + 3 + 1 + 2 + (2 + 1 + 1)
    assert "| perfect | untrained |" in text and text.count("does not beat") == 2
    assert "favours StyleT2I" in text and "no FIDs" in text


def test_figures_are_those_of_a_loop_over_pictures(observers):
    task, system = ComparisonTask(observers, WORLDS["minifaces"], DATA, 8), Blind()
    outcomes = task.outcomes(task.draw(system, "blind"))
    judge = observers.network("judges.heldout")
    for row, text in enumerate(task.sentences[:8]):
        logits = judge(system.sample([system.understand(text)], [row]))[0].tolist()
        said = {name: logit > 0 for name, logit in zip(judge.attribute_names, logits, strict=True)}
        asked = parse(text, load_vocabulary("minifaces")).attributes
        right = [said[name] == value for name, value in asked.items()]
        assert outcomes.own.right[row] == all(right)
        assert outcomes.own.each[row] == pytest.approx(sum(right) / len(right))
    assert outcomes.rights.shape == (2, 26)
    for order, _ in task._permutations():
        assert sorted(order.tolist()) == list(range(8)) and (order != torch.arange(8)).all()


def test_a_caption_that_one_system_refuses_is_passed_over_for_all():
    pictures = MiniFaces("biased", "test", 6, with_masks=False)

    def reader(text):
        if text == pictures.captions_of(1)[0]:
            raise PromptError("too long")

    assert readable_scenes(pictures, 3, [reader, lambda text: None]) == [0, 2, 3]
    assert readable_scenes(pictures, 9, []) == list(range(6))


def test_margins_are_paired_differences_with_newcombes_interval():
    margin = paired_success("1111000010", "1000000001")
    assert margin["margin"] == pytest.approx(0.3) and margin["control"] == pytest.approx(0.2)
    assert margin["interval"] == newcombe_paired_interval(1, 4, 1, 4)
    assert margin["beats"] == (margin["interval"][0] > 0)


def test_the_nearer_of_two_sets_beats_the_other_by_the_difference_of_their_distances():
    draw = torch.Generator().manual_seed(0)
    real, near = torch.randn(200, 4, generator=draw), torch.randn(200, 4, generator=draw)
    far = torch.randn(200, 4, generator=draw) + 2
    scores = Scores(*[torch.zeros(200, dtype=torch.float64)] * 3)

    def outcomes(features):
        return Outcomes(scores, scores, {}, features, torch.zeros(2, 26))

    frechet = over_untrained(outcomes(near), outcomes(far), real)["frechet"]
    assert frechet["margin"] == pytest.approx(frechet_distance(far, real) - frechet_distance(near, real))
    assert frechet["interval"][0] < frechet["margin"] < frechet["interval"][1] and frechet["beats"]
    assert not over_untrained(outcomes(far), outcomes(near), real)["frechet"]["beats"]
    assert not over_untrained(outcomes(near), outcomes(near), real)["success"]["beats"]


def test_finished_systems_are_not_drawn_again(tmp_path, monkeypatch):
    def renders(task):
        num = len(task.seeds)
        return Observation(torch.zeros(num, 14, dtype=torch.int8), torch.zeros(num, 5), torch.zeros(num, 8)), None

    monkeypatch.setattr(ComparisonTask, "renders", renders)
    judge, clip = (
        write_tiny(tmp_path / "model", "judge", tiny_judge()),
        write_tiny(tmp_path / "model", "clip", tiny_clip()),
    )

    def run(sha256):
        system, parts = Constant(sha256), {"judges.heldout": judge, "clip_eval": clip}
        observers = Model(parts, vocabulary="minifaces", device="cpu")
        evaluate_systems(
            Request(observers, DATA, 2, cells_dir=tmp_path / "kept", options={"rows": [Row("one", system)]})
        )
        return system.num_drawn

    assert run("1" * 64) == 2 + 2 * 26
    assert run("1" * 64) == 0
    assert run("2" * 64) == 2 + 2 * 26
    next((tmp_path / "kept").iterdir()).write_text("{", encoding="utf-8")
    assert run("1" * 64) + run("2" * 64) == 2 + 2 * 26  # the damaged one alone
    assert run(None) == run(None) == 2 + 2 * 26  # built in memory: known by no hash


@pytest.mark.parametrize("role", SYSTEMS)
def test_an_untrained_twin_has_other_weights_sees_noise_and_text_and_leaves_the_system_alone(role, tmp_path):
    gan = open_system(write_system(tmp_path, role), device="cpu")
    before = {name: value.clone() for name, value in gan.network.state_dict().items()}
    sentences = ["she is smiling", "he is wearing glasses", "she is wearing a hat"]
    twins = [untrained_gan(gan, sentences) for _ in range(2)]
    prompts = [gan.understand(text) for text in sentences]
    images = [twin.sample(prompts, [0, 1, 2]) for twin in twins]
    assert torch.equal(*images) and images[0].std() > 0.01
    assert not torch.equal(images[0], gan.sample(prompts, [0, 1, 2]))
    assert not any(module.training for module in twins[0].network.modules())
    assert all(torch.equal(value, before[name]) for name, value in gan.network.state_dict().items())


def test_an_untrained_text_to_direction_keeps_the_trained_generator(tmp_path):
    pipeline = StyleT2I.from_pretrained(write_tiny_model(tmp_path), device="cpu")
    twin = untrained_pipeline(pipeline, 0.7).pipeline.model
    assert twin.network("generator") is pipeline.model.network("generator")
    weights = [model.network("t2d").state_dict() for model in (twin, pipeline.model)]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_stylet2i_model_has_a_row_a_method_and_names_do_not_repeat(tmp_path):
    whole, plain = (str(tmp_path / name) for name in ("whole", "plain"))
    write_tiny_model(whole), write_tiny_model(plain, without=("a2d",))
    methods = [AdjustmentConfig("none"), AdjustmentConfig("paper")]
    rows = open_rows([whole, plain], methods, 0.7, "cpu")
    assert [row.name for row in rows] == [
        "StyleT2I whole, T2D alone",
        "StyleT2I whole, paper",
        "StyleT2I plain, T2D alone",
    ]
    assert rows[0].untrained is rows[1].untrained  # drawn once
    with pytest.raises(ConfigError, match="StyleT2I whole, T2D alone"):
        open_rows([whole, whole], methods, 0.7, "cpu")


def test_the_grid_has_a_row_a_sentence_and_a_column_a_system(observers):
    rows = [Row("perfect", Renderer()), Row("blind", Blind())]
    grid = systems_grid(Request(observers, options={"rows": rows}))
    assert grid.shape == (3, 20 + 10 * (20 + 132), 2 * 262)
    left, right = grid[:, 20:].split(262, dim=2)
    assert (left != right).any()
    assert torch.equal(right[:, 20:152], right[:, 172:304])  # the same seeds in every row
