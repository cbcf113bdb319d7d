"""Suite "compositions": what is asked for, what a cell's figures mean, and that a killed run goes on."""

import json

import pytest
import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.data.dataset import open_dataset
from styleT2I.data.worlds import WORLDS
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge, Observation
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.compositions import suite as compositions
from styleT2I.evaluation.suites.compositions.cells import composition_cells, count_cells
from styleT2I.evaluation.suites.compositions.measure import CellMeasure
from styleT2I.evaluation.suites.compositions.suite import compositions_grid, evaluate_compositions
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.metrics.attributes import YES
from styleT2I.torch_utils.seeding import latents_of_seeds
from tests.tiny_model import tiny_a2d, tiny_clip, tiny_generator, tiny_judge, tiny_segmenter, tiny_t2d, write_tiny

NONE, PAPER = AdjustmentConfig("none"), AdjustmentConfig("paper")
NAMED = {"he+lipstick", "he+earrings", "she+beard", "young+gray_hair", "he+old+earrings", "dark_skin+blond_hair"}
NUM = 5
WORLD = WORLDS["minifaces"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("components")
    judge = tiny_judge(seed=5, nuisances=("roll", "jaw"))
    return {
        "generator": write_tiny(folder, "generator", tiny_generator()),
        "clip": write_tiny(folder, "clip", tiny_clip()),
        "t2d": write_tiny(folder, "t2d", tiny_t2d(), clip_name="tiny-clip"),
        "a2d": write_tiny(folder, "a2d", tiny_a2d(), clip_name="tiny-clip"),
        "judges.heldout": write_tiny(folder, "judge", judge, measured={"nuisances": {"roll": 0.9, "jaw": 0.1}}),
    }


def model_of(files):
    return Model(dict(files), vocabulary="minifaces", device="cpu")


@pytest.fixture
def fewer_cells(monkeypatch):
    """Two compositions with their twins and one count, so that a run takes no time."""
    monkeypatch.setattr(compositions, "composition_cells", lambda world, num: composition_cells(world, num)[:4])
    monkeypatch.setattr(compositions, "count_cells", lambda world, num, data: count_cells(world, num, data)[:1])


def test_rare_cells_and_their_twins_are_those_of_the_data_and_say_what_they_ask():
    cells = composition_cells(WORLD, 3)
    rare, frequent = ([cell for cell in cells if cell.kind == kind] for kind in ("rare", "frequent"))
    assert len(rare) >= 12 and NAMED <= {cell.name for cell in rare}
    assert [cell.composition for cell in rare] == [cell.composition for cell in frequent]
    for cell, twin in zip(rare, frequent, strict=True):
        assert len(cell.sentences) == 3
        assert parse(cell.sentences[0]).attributes == cell.requests[0]
        assert parse(twin.sentences[0]).attributes == twin.requests[0]
        changed = [name for name in cell.requests[0] if cell.requests[0][name] != twin.requests[0][name]]
        assert set(cell.requests[0]) == set(twin.requests[0]) and len(changed) == 1


def test_pictures_of_a_cell_show_what_it_asks_for():
    for cell in (*composition_cells(WORLD, 2)[::5], *count_cells(WORLD, 2)):
        data = open_dataset(cell.data, 16, with_masks=False)
        for request, row in zip(cell.requests, cell.rows, strict=True):
            label = dict(zip(data.attribute_names, data.batch([row]).attributes[0].tolist(), strict=True))
            assert request.items() <= label.items()


def test_sentences_of_one_to_five_attributes_state_just_those():
    cells = count_cells(WORLD, 4)
    assert [cell.name for cell in cells] == ["1 attribute", *(f"{count} attributes" for count in (2, 3, 4, 5))]
    for count, cell in enumerate(cells, start=1):
        assert [len(request) for request in cell.requests] == [count] * 4
        assert [parse(text).attributes for text in cell.sentences] == list(cell.requests)
        assert len(set(cell.rows)) == 4
    assert cells == count_cells(WORLD, 4)
    assert {cell.data for cell in count_cells(WORLD, 2, "minifaces:balanced/val:60")} == {"minifaces:balanced/val:60"}


@pytest.mark.parametrize("place", [0, -3])  # a composition, sentences of three attributes
def test_a_cells_figures_are_those_of_a_loop_over_latents(files, place):
    model = model_of(files)
    cell = [*composition_cells(WORLD, NUM), *count_cells(WORLD, NUM)][place]
    figures = CellMeasure(StyleT2I(model), WORLD, NUM, 0.7).measure(cell, NONE)
    G, clip, t2d, judge = (model.network(role) for role in ("generator", "clip", "t2d", "judges.heldout"))
    right, changed, moved, before = [], [], [], []
    for seed in range(NUM):
        ws = G.mapping(latents_of_seeds([seed], 8), truncation_psi=0.7)
        edited = ws + t2d(ws[:, 0], clip.encode_text([cell.sentences[seed]]))
        images = [G.synthesis(styles).clamp(-1, 1) for styles in (ws, edited)]
        said = [{name: logit > 0 for name, logit in zip(judge.attribute_names, judge(image)[0].tolist(), strict=True)}
                for image in images]  # fmt: skip
        request = cell.requests[seed]
        right.append(all(said[1][name] == value for name, value in request.items()))
        if "smiling" not in request:
            changed.append(said[0]["smiling"] != said[1]["smiling"])
        rolls = [judge.nuisances(image)[0, 0].item() for image in images]
        before.append(rolls[0])
        moved.append(abs(rolls[1] - rolls[0]))
    assert figures["right"] == "".join(str(int(one)) for one in right)
    assert figures["success"] == pytest.approx(sum(right) / NUM)
    assert figures["drift"]["smiling"] == pytest.approx(sum(changed) / len(changed))
    assert set(figures["nuisances"]) == {"roll"}  # the judge's record says that it cannot read the jaw
    spread = torch.tensor(before).std().item()
    assert figures["nuisances"]["roll"] == pytest.approx(sum(moved) / NUM / spread, rel=1e-3)
    if place == 0:
        assert set(figures["attributes"]) == {"he", "lipstick"} and not {"he", "lipstick"} & set(figures["drift"])


def test_adjusted_shares_are_those_of_the_pipelines_cosines(files):
    model = model_of(files)
    measure, cell = CellMeasure(StyleT2I(model), WORLD, 9, 0.7), composition_cells(WORLD, 9)[0]
    figures = measure.measure(cell, AdjustmentConfig("paper", threshold=0.1, strength=2.0))
    prompts = [measure.pipeline.understand(cell.sentences[0])] * 9
    adjusted = measure.pipeline.directions(measure.ws, prompts, AdjustmentConfig("paper", threshold=0.1, strength=2.0))
    shares = (adjusted.cosines <= 0.1).double().mean(dim=0)
    assert 0 < shares.sum()
    assert figures["adjusted"] == pytest.approx(dict(zip(adjusted.names, shares.tolist(), strict=True)))
    assert figures["added_norm"] == pytest.approx(
        (adjusted.s_adjusted - adjusted.s).flatten(1).norm(dim=1).mean().item(), rel=1e-4
    )
    plain = measure.measure(cell, NONE)
    assert not any(plain["adjusted"].values()) and plain["added_norm"] == 0 and figures["held"] == {}


def test_what_stays_is_told_of_each_latent(files, tmp_path):
    segmenter = tiny_segmenter(("hair", "background"))
    segmenter.head.bias.data.zero_()  # an untrained one sees nothing anywhere
    model = model_of({**files, "segmenter": write_tiny(tmp_path, "segmenter", segmenter)})
    measure, cell = CellMeasure(StyleT2I(model), WORLD, NUM, 0.7), composition_cells(WORLD, NUM)[0]
    kept = measure.measure(cell, NONE)["kept"]
    G, judge = model.network("generator"), model.network("judges.heldout")
    with torch.no_grad():
        before = G.synthesis(measure.ws).clamp(-1, 1)
        after = torch.cat([image for image, _ in measure.edits(cell, NONE)])
        cosines = torch.cosine_similarity(judge.features(before), judge.features(after))
        rolls = judge.nuisances(before)[:, 0], judge.nuisances(after)[:, 0]
        masks = [model.network("segmenter")(image)[:, 1] > 0 for image in (before, after)]
    assert kept["identity"] == pytest.approx(cosines.tolist(), abs=1e-4)
    spread = rolls[0].std()
    assert kept["pose"] == pytest.approx(((rolls[1] - rolls[0]).abs() / spread).tolist(), rel=1e-3, abs=1e-4)
    assert set(kept) == {"identity", "pose", "background"} and any(value is not None for value in kept["background"])
    for k, value in enumerate(kept["background"]):
        pixels = (after[k] - before[k]).abs().mean(dim=0)[masks[0][k] & masks[1][k]] * 127.5
        assert value is None if not len(pixels) else value == pytest.approx(pixels.mean().item(), abs=1e-3)
    without = CellMeasure(StyleT2I(model_of(files)), WORLD, NUM, 0.7).measure(cell, NONE)["kept"]
    assert set(without) == {"identity", "pose"}


def test_the_judge_counts_changes_in_spreads_of_the_images_before(files):
    judge = HeldOutJudge(model_of(files))
    verdict, features = torch.full((3, 14), YES, dtype=torch.int8), torch.zeros(3, 5)
    before = Observation(verdict, features, torch.tensor([[0.0], [1.0], [2.0]]))  # spread 1
    after = Observation(verdict, features, torch.tensor([[0.0], [2.5], [1.0]]))
    assert judge.changes(before, after) == pytest.approx({"roll": 2.5 / 3})


def test_a_stopped_run_measures_no_cell_twice_and_ends_like_an_uninterrupted_one(
    files, tmp_path, monkeypatch, fewer_cells
):
    whole = evaluate_compositions(Request(model_of(files), None, NUM, 0.7, [NONE, PAPER]))
    measured, measure = [], CellMeasure.measure

    def stops_at_the_fourth(self, cell, config):
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append((cell.name, config.method))
        return measure(self, cell, config)

    monkeypatch.setattr(CellMeasure, "measure", stops_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        evaluate_compositions(Request(model_of(files), None, NUM, 0.7, [NONE, PAPER], tmp_path / "cells"))
    kept = sorted((tmp_path / "cells").iterdir())
    assert len(kept) == 3
    kept[0].write_text("{", encoding="utf-8")  # cut off by a full disk: measured again
    again = []
    monkeypatch.setattr(
        CellMeasure, "measure", lambda self, cell, config: again.append(cell.name) or measure(self, cell, config)
    )
    resumed = evaluate_compositions(Request(model_of(files), None, NUM, 0.7, [NONE, PAPER], tmp_path / "cells"))
    assert len(again) == 10 - 3 + 1
    assert json.loads(json.dumps(resumed)) == json.loads(json.dumps(whole))


def test_kept_cells_of_other_weights_or_settings_are_not_taken(files, tmp_path, monkeypatch, fewer_cells):
    def measured(files, psi, *adjustments):
        count, measure = [], CellMeasure.measure
        with monkeypatch.context() as patch:
            patch.setattr(CellMeasure, "measure", lambda *args: count.append(1) or measure(*args))
            evaluate_compositions(Request(model_of(files), None, NUM, psi, adjustments, tmp_path / "cells"))
        return len(count)

    assert measured(files, 0.7, NONE, PAPER) == 10
    assert measured(files, 0.7, NONE, PAPER) == 0
    assert measured(files, 0.6, NONE) == 5
    assert measured(files, 0.7, NONE, AdjustmentConfig("paper", strength=2.0)) == 5
    other = tiny_a2d()
    other.trunk.mlp[-1].bias.data += 1
    a2d = write_tiny(tmp_path, "other", other, clip_name="tiny-clip")
    assert measured({**files, "a2d": a2d}, 0.7, NONE, PAPER) == 5  # Text-to-Direction alone does not depend on it
    assert measured({**files, "t2d": tiny_t2d()}, 0.7, NONE) == 5  # built in memory: known by no hash, never kept
    assert measured({**files, "t2d": tiny_t2d()}, 0.7, NONE) == 5


def test_the_grid_has_a_strip_and_a_row_for_every_composition(files, fewer_cells):
    grid = compositions_grid(Request(model_of(files), psi=0.7, adjustments=[NONE, PAPER]))
    assert grid.shape == (3, 4 * (20 + 96 + 4), 3 * (4 * 98 + 2))
    rows = grid[:, 20:120].float().split(4 * 98 + 2, dim=2)
    assert (rows[0] != rows[1]).any()  # unedited, then edited


@pytest.mark.parametrize(
    "changes, adjustments, error, named",
    [
        ({"a2d": None}, [NONE, PAPER], CheckpointError, "train_a2d"),
        ({}, [PAPER, PAPER], ConfigError, "paper, paper"),
        ({"judges.heldout": None}, [NONE], CheckpointError, "judges.heldout"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_the_first_cell(files, changes, adjustments, error, named):
    with pytest.raises(error, match=named):
        evaluate_compositions(Request(model_of({**files, **changes}), None, NUM, 0.7, adjustments))


def test_another_vocabulary_is_refused(files):
    model = Model({role: files[role] for role in ("generator", "clip")}, vocabulary="celeba", device="cpu")
    with pytest.raises(ConfigError, match="of no world .*vocabulary is 'celeba'"):
        evaluate_compositions(Request(model, None, NUM, 0.7, [NONE]))
