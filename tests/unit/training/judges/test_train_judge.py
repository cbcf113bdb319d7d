"""Training of judges and segmenter: they learn, resume exactly, and say on export what was measured."""

from dataclasses import replace

import pytest
import torch

from styleT2I.data.dataset import Batch
from styleT2I.data.training import joined
from styleT2I.data.training.degrade_config import DegradeConfig
from styleT2I.data.training.labelled import LabelledData
from styleT2I.errors import CheckpointError, ConfigError, DataError
from styleT2I.evaluation.measures.judge import measure_judge, mistakes_u8
from styleT2I.formats.component import read_component
from styleT2I.networks.registry import load_network_component
from styleT2I.torch_utils.images import to_uint8
from styleT2I.torch_utils.seeding import generator
from styleT2I.torch_utils.stats import read_stats
from styleT2I.training.checkpoints import newest_checkpoint
from styleT2I.training.engine import RunConfig, run
from styleT2I.training.judges.config import JudgeConfig, SegmenterTrainingConfig
from styleT2I.training.judges.judge import JudgeTask
from styleT2I.training.judges.segmenter import SegmenterTask
from styleT2I.training.optimisation import schedule


class Squares:
    """Grey pictures: "he" is a bright left half, "lipstick" a red middle; one nuisance, the grey; one region."""

    resolution = 16
    attribute_names, region_names, nuisance_names = ("he", "lipstick"), ("middle",), ("grey",)

    def __init__(self, num, seed):
        rng = generator("squares", seed)
        self.labels = torch.rand(num, 2, generator=rng) < 0.5
        self.grey = torch.rand(num, 1, generator=rng) - 0.5

    def __len__(self):
        return len(self.labels)

    def batch(self, indices):
        rows = torch.tensor(list(indices))
        labels, grey = self.labels[rows], self.grey[rows]
        image = grey.view(-1, 1, 1, 1).expand(-1, 3, 16, 16).clone()
        image[:, :, :, :6] += 0.4 * labels[:, 0].view(-1, 1, 1, 1)
        masks = torch.zeros(len(rows), 1, 16, 16, dtype=torch.bool)
        masks[:, 0, 6:10, 6:10] = labels[:, 1].view(-1, 1, 1)
        image[:, 0] += masks[:, 0]
        return Batch(to_uint8(image), [()] * len(rows), labels, masks, grey)


@pytest.fixture
def squares(monkeypatch):
    """Data sets "train" and "test" of squares in place of files."""
    sets = {"train": Squares(192, 0), "test": Squares(96, 1)}
    monkeypatch.setattr(joined, "open_dataset", lambda spec, resolution, with_masks: sets[spec])
    return sets


SMALL = {"data": ("train",), "eval_data": "test", "resolution": 16, "widths": (8, 8), "batch_size": 16}


def run_small(task, outdir, steps, **settings):
    run(task, RunConfig(str(outdir), steps, device="cpu", log_every=10, eval_every=20, snapshot_every=20,
                        checkpoint_every=5, **settings))  # fmt: skip
    return task


def test_mirrored_images_are_seen_and_their_nuisances_left_out(squares, monkeypatch):
    """Half of a batch is mirrored; with all of it mirrored the nuisances' loss is 0, whatever is estimated."""
    seen = []
    task = JudgeTask(JudgeConfig(**SMALL, feature_dim=16, mirror=True, degrade=DegradeConfig(0, 0, 0, 0, 0, 0)), 4)
    task.setup(torch.device("cpu"))
    features = task.network.features_of_view
    monkeypatch.setattr(task.network, "features_of_view", lambda image: seen.append(image) or features(image))
    figures = task.step(0, generator("judge", 0))
    image, _, _ = task.data.training_batch(0, 16, 0)
    is_plain = (seen[0] == image).flatten(1).all(dim=1)
    is_mirrored = (seen[0] == image.flip(3)).flatten(1).all(dim=1)
    assert (is_plain | is_mirrored).all() and 2 < (is_mirrored & ~is_plain).sum() < 14
    assert figures["loss_nuisances"] > 0
    monkeypatch.setattr(torch, "rand", lambda *shape, generator: torch.ones(*shape))
    assert task.step(1, generator("judge", 1))["loss_nuisances"] == 0


@pytest.mark.parametrize("architecture", ["resnet", "plain"])
def test_a_judge_learns_and_its_export_says_how_well(architecture, squares, tmp_path):
    config = JudgeConfig(**SMALL, architecture=architecture, feature_dim=16, lr=5e-3)
    run_small(JudgeTask(config, 120), tmp_path, 120)
    component = read_component(tmp_path / "judge.json")
    measured = component.info["measured"]
    assert measured["num"] == 96
    assert min(measured["attributes"].values()) > 0.97
    assert measured["rare_pairs"].keys() == {"he+lipstick"}
    assert measured["nuisances"]["grey"] > 0.5
    network = load_network_component(component)
    image, truth, nuisances = LabelledData(("test",), "attributes", 16).batch(range(96))
    assert ((network(image) > 0) == truth).float().mean() > 0.97
    assert (network.nuisances(image) - nuisances).abs().mean() < 0.2
    last = read_stats(tmp_path / "stats.jsonl")[-1]
    assert last["worst_attribute"] == pytest.approx(min(measured["attributes"].values()), abs=0.03)


def test_a_judge_goes_on_from_another(squares, tmp_path):
    """Its weights and its nuisances' scale are the given one's, whatever the new images are."""
    config = JudgeConfig(**SMALL, feature_dim=8)
    run_small(JudgeTask(config, 10), tmp_path / "first", 10)
    given = load_network_component(tmp_path / "first" / "judge.json")
    squares["train"] = Squares(64, 2)
    task = JudgeTask(replace(config, init=str(tmp_path / "first" / "judge.json")), 10)
    task.setup(torch.device("cpu"))
    assert task.network.config == given.config and not given.config.mirrored
    assert all(torch.equal(a, b) for a, b in zip(task.network.parameters(), given.parameters(), strict=True))
    assert all(parameter.requires_grad for parameter in task.network.parameters())
    run_small(task, tmp_path / "second", 10)
    assert read_component(tmp_path / "second" / "judge.json").info["training"]["init"] == "judge.json"
    mirrored = JudgeTask(replace(task.config, mirror=True), 10)
    mirrored.setup(torch.device("cpu"))
    assert mirrored.network.config == replace(given.config, mirrored=True)
    assert not torch.equal(next(task.network.parameters()), next(given.parameters()))


def test_a_judge_does_not_go_on_from_another_shape_or_kind(squares, tmp_path):
    run_small(JudgeTask(JudgeConfig(**SMALL, feature_dim=8), 10), tmp_path, 10)
    judge = str(tmp_path / "judge.json")
    with pytest.raises(ConfigError, match=r"judge\.json: its architecture is not the training's; take the preset"):
        JudgeTask(JudgeConfig(**SMALL, feature_dim=8, architecture="plain", init=judge), 10).setup(torch.device("cpu"))
    squares["train"].attribute_names = squares["test"].attribute_names = ("he", "hat")
    with pytest.raises(ConfigError, match="its attribute_names is not"):
        JudgeTask(JudgeConfig(**SMALL, feature_dim=8, init=judge), 10).setup(torch.device("cpu"))
    run_small(SegmenterTask(SegmenterTrainingConfig(**SMALL), 10), tmp_path / "other", 10)
    with pytest.raises(CheckpointError, match=r"segmenter\.json: is a 'segmenter' where a 'judge' is needed"):
        JudgeTask(JudgeConfig(**SMALL, init=str(tmp_path / "other" / "segmenter.json")), 10).setup(torch.device("cpu"))


@pytest.mark.parametrize("make", [
    lambda: JudgeTask(JudgeConfig(**SMALL, feature_dim=8), 10),
    lambda: SegmenterTask(SegmenterTrainingConfig(**SMALL), 10),
])  # fmt: skip
def test_resume_matches_an_uninterrupted_run(make, squares, tmp_path, monkeypatch):
    run_small(make(), tmp_path / "whole", 10)

    class Killed(Exception):
        pass

    task = make()
    step_of_task = task.step

    def step(index, rng):
        if index == 7:
            raise Killed
        return step_of_task(index, rng)

    monkeypatch.setattr(task, "step", step)
    with pytest.raises(Killed):
        run_small(task, tmp_path / "cut", 10)
    assert newest_checkpoint(tmp_path / "cut").step == 5
    run_small(make(), tmp_path / "cut", 10)
    states = [newest_checkpoint(tmp_path / name).state["network"] for name in ("whole", "cut")]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_a_segmenter_learns_and_its_export_says_how_well(squares, tmp_path):
    run_small(SegmenterTask(SegmenterTrainingConfig(**SMALL), 60), tmp_path, 60)
    measured = read_component(tmp_path / "segmenter.json").info["measured"]
    assert measured["num"] == 96 and measured["iou"]["middle"] > 0.8
    assert (tmp_path / "regions-000060.png").exists()


def test_measuring_leaves_the_network_in_its_mode_and_softens_the_same_way_each_time(squares):
    task = JudgeTask(JudgeConfig(**SMALL), 10)
    task.setup(torch.device("cpu"))
    task.network.train()
    first = measure_judge(task.network, task.eval_data, task.pairs)
    assert task.network.training
    assert first == measure_judge(task.network, task.eval_data, task.pairs)
    assert mistakes_u8(task.network, task.eval_data, 96).shape[0] == 3


def test_data_sets_are_pooled_in_order_and_must_agree(squares, monkeypatch):
    pooled = LabelledData(("train", "test"), "attributes", 16)
    image, labels, nuisances = pooled.batch([191, 192, 0])
    assert len(pooled) == 288
    train, test = Squares(192, 0), Squares(96, 1)
    assert torch.equal(labels, torch.cat([train.labels[[191, 0]], test.labels[[0]]]))
    assert torch.equal(nuisances, torch.cat([train.grey[[191, 0]], test.grey[[0]]]))
    assert image.shape == (3, 3, 16, 16)
    assert [len(part[1]) for part in pooled.in_order(200, 250)] == [200, 50]

    monkeypatch.setattr(Squares, "attribute_names", ("he", "hat"))
    sets = {"train": Squares(4, 0), "test": Squares(4, 1), "bare": Squares(4, 2)}
    sets["test"].attribute_names, sets["bare"].attribute_names = ("hat", "he"), ()
    monkeypatch.setattr(joined, "open_dataset", lambda spec, resolution, with_masks: sets[spec])
    with pytest.raises(DataError, match=r"test: its attributes \(hat, he\) are not those of train"):
        LabelledData(("train", "test"), "attributes", 16)
    with pytest.raises(DataError, match="bare: has no attributes"):
        LabelledData(("bare",), "attributes", 16)
    with pytest.raises(DataError, match=r"the evaluation data's attributes \(hat, he\) are not .* \(he, hat\)"):
        LabelledData(("train",), "attributes", 16).check_same_names(LabelledData(("test",), "attributes", 16))
    with pytest.raises(DataError, match="no training data named"):
        LabelledData((), "attributes", 16)


def test_learning_rate_warms_up_and_ends_near_zero():
    factors = [schedule("warmup-cosine", step, 100) for step in range(100)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[5] == 1.0 and factors[52] == pytest.approx(0.5, abs=0.02) and factors[99] < 0.001
    assert factors[5:] == sorted(factors[5:], reverse=True)
