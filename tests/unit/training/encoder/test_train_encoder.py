"""Training of an encoder: it learns, resumes exactly, lets deltas in one after the other, and says what it reached."""

import pytest
import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.component import read_component
from styleT2I.networks.registry import load_network_component
from styleT2I.torch_utils.stats import read_stats
from styleT2I.training.checkpoints import newest_checkpoint
from styleT2I.training.encoder.config import EncoderTrainingConfig
from styleT2I.training.encoder.task import EncoderTask
from styleT2I.training.engine import RunConfig, run
from tests.tiny_model import tiny_generator, tiny_judge, write_tiny

SMALL = {"resolution": 32, "widths": (4, 4, 6, 6), "pyramid_dim": 4, "hidden_dim": 12, "batch_size": 6, "eval_num": 12}


@pytest.fixture
def parts(tmp_path):
    return {
        "generator": str(write_tiny(tmp_path / "parts", "g", tiny_generator())),
        "judge": str(write_tiny(tmp_path / "parts", "judge", tiny_judge())),
    }


def run_small(task, outdir, steps):
    run(task, RunConfig(str(outdir), steps, device="cpu", log_every=10, eval_every=20, snapshot_every=20,
                        checkpoint_every=5))  # fmt: skip
    return task


def test_an_encoder_learns_from_samples_and_its_export_says_how_well(parts, tmp_path):
    config = EncoderTrainingConfig(**parts, **SMALL, lr=5e-3, latent_weight=1.0)
    run_small(EncoderTask(config, 120), tmp_path / "out", 120)
    component = read_component(tmp_path / "out/encoder.json")
    assert component.kind == "latent-encoder"
    training, measured = component.info["training"], component.info["measured"]
    assert training["generator"] == "g.json" and len(training["generator_sha256"]) == 64
    assert "guide judge" in training["distance"]
    assert measured["w_error"] < 0.85  # 1 is the mean's
    lines = read_stats(tmp_path / "out/stats.jsonl")
    assert lines[-1]["loss_latent"] < 0.7 * lines[0]["loss_latent"]
    network = load_network_component(component)
    assert network(torch.zeros(1, 3, 16, 16)).shape == (1, 6, 8)
    assert (tmp_path / "out/encoder-000120.png").is_file()


def test_deltas_are_let_in_one_after_the_other(parts):
    task = EncoderTask(EncoderTrainingConfig(**parts, **SMALL, progressive=0.5), 100)
    task.setup(torch.device("cpu"))
    counts = [task.num_deltas(step) for step in range(100)]
    assert counts[:10] == [0] * 10 and counts[60:] == [5] * 40 and counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3, 4, 5}


def test_resume_matches_an_uninterrupted_run_with_data(parts, tmp_path, monkeypatch):
    config = EncoderTrainingConfig(**parts, **SMALL, data="minifaces:biased/train:8")

    class Killed(Exception):
        pass

    run_small(EncoderTask(config, 8), tmp_path / "whole", 8)
    task = EncoderTask(config, 8)
    step_of_task = task.step

    def step(index, rng):
        if index == 6:
            raise Killed
        return step_of_task(index, rng)

    monkeypatch.setattr(task, "step", step)
    with pytest.raises(Killed):
        run_small(task, tmp_path / "cut", 8)
    run_small(EncoderTask(config, 8), tmp_path / "cut", 8)
    states = [newest_checkpoint(tmp_path / name).state["network"] for name in ("whole", "cut")]
    assert states[0] and all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_another_network_in_the_generators_place_is_one_line(parts):
    task = EncoderTask(EncoderTrainingConfig(**{**parts, "generator": parts["judge"]}, **SMALL), 8)
    with pytest.raises(CheckpointError, match="'stylegan2-generator' is needed"):
        task.setup(torch.device("cpu"))
