"""Trainings of DAMSM and AttnGAN: resume to the bit, losses go down, what is written, presets."""

import json

import pytest
import torch

from styleT2I.baselines.config import AttnGANConfig
from styleT2I.config import to_dict
from styleT2I.errors import ConfigError
from styleT2I.formats.foreign.registry import read_network
from styleT2I.formats.model_folder import read_model_folder
from styleT2I.networks.registry import load_network
from styleT2I.training.baselines.attngan import AttnGANTask
from styleT2I.training.baselines.attngan_config import discriminator_configs
from styleT2I.training.baselines.damsm import DAMSMTask
from styleT2I.training.baselines.registry import baseline_config
from styleT2I.training.checkpoints import flatten_state, newest_checkpoint
from styleT2I.training.engine import RunConfig, run

DATA = {"data": ("minifaces:biased/train:24",), "eval_data": "minifaces:biased/val:12", "batch_size": 6}
TINY_IMAGE = {"trunk": "small", "text_dim": 8, "resolution": 16, "widths": (4, 6, 8)}
TINY_GENERATOR = {"z_dim": 4, "cond_dim": 3, "width": 2, "first_resolution": 8, "num_residual": 1}


def train(task, outdir, steps, **settings):
    every = {"eval_every": 0, "snapshot_every": 0, "log_every": 2, "checkpoint_every": 2, **settings}
    run(task, RunConfig(str(outdir), steps, device="cpu", **every))
    return task


def damsm_task(**changes):
    settings = {**DATA, "vocabulary_num": 24, "embedding_dim": 6, "image": TINY_IMAGE, **changes}
    return DAMSMTask(baseline_config("damsm", "minifaces", **settings)[1], num_steps=8)


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damsm")
    train(damsm_task(), folder, 2)
    return {name: str(folder / f"{name}.json") for name in ("text_encoder", "image_encoder")}


def attngan_task(encoders, **changes):
    settings = {**DATA, **encoders, "generator": TINY_GENERATOR, "d_width": 2, "eval_num": 12, **changes}
    return AttnGANTask(baseline_config("attngan", "minifaces", **settings)[1], num_steps=8)


def assert_same_end(whole, parts):
    a, b = (flatten_state(newest_checkpoint(folder).state)[1] for folder in (whole, parts))
    assert a.keys() == b.keys() and len(a) > 20 and all(torch.equal(a[name], b[name]) for name in a)


def test_a_resumed_damsm_equals_an_uninterrupted_one_to_the_bit(tmp_path):
    train(damsm_task(), tmp_path / "whole", 4)
    for steps in (2, 4):
        train(damsm_task(), tmp_path / "parts", steps)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


def test_damsm_learns_which_caption_belongs_to_which_picture(tmp_path):
    task = damsm_task(batch_size=12, dropout=0.0, lr=5e-3, vocabulary=None, eval_data=None)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        task.setup(torch.device("cpu"))
        losses = [sum(task.step(step, torch.Generator().manual_seed(step)).values()) for step in range(90)]
    assert sum(losses[-5:]) < 0.85 * sum(losses[:5])


def test_damsm_writes_both_encoders_with_the_figures_of_what_was_written(encoders):
    manifest = json.loads(open(encoders["text_encoder"]).read())
    assert manifest["kind"] == "damsm-text" and 0 <= manifest["info"]["measured"]["r_precision_12"] <= 1
    assert "hair" in load_network(encoders["text_encoder"]).config.words
    assert load_network(encoders["image_encoder"]).config.trunk == "small"


def test_a_resumed_attngan_equals_an_uninterrupted_one_to_the_bit(tmp_path, encoders):
    train(attngan_task(encoders), tmp_path / "whole", 4)
    for steps in (2, 4):
        train(attngan_task(encoders), tmp_path / "parts", steps)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


def test_attngan_writes_pictures_and_networks_that_load(tmp_path, encoders):
    train(attngan_task(encoders), tmp_path, 1, snapshot_every=1, eval_every=1)
    assert (tmp_path / "samples-0000001.png").exists() and (tmp_path / "attention-0000001.png").exists()
    generator, text = load_network(tmp_path / "attngan.json"), load_network(tmp_path / "text_encoder.json")
    features = text.encode(["a man with black hair"])
    made = generator(torch.zeros(1, generator.noise_dim), features.sentence, features.words, features.mask)
    assert made.images[-1].shape == (1, 3, 32, 32)
    kinds = [read_network(tmp_path / f"discriminator{stage}.json").kind for stage in range(3)]
    assert kinds == ["stackgan-discriminator"] * 3
    folder = read_model_folder(tmp_path)
    assert set(folder.files) == {"attngan", "text_encoder"} and folder.vocabulary == "minifaces"
    info = json.loads((tmp_path / "attngan.json").read_text())["info"]
    assert info["text"]["max_words"] == 32 and info["training"]["image_encoder"] == "image_encoder.json"


def test_every_network_learns_and_the_encoders_stay(encoders):
    task = attngan_task(encoders, eval_data=None)
    task.setup(torch.device("cpu"))
    networks = {"G": task.G, "Ds": task.Ds, "text": task.text, "image": task.image}
    before = {name: [p.clone() for p in network.parameters()] for name, network in networks.items()}
    task.step(0, torch.Generator().manual_seed(0))
    moved = {
        name: [not torch.equal(p, old) for p, old in zip(networks[name].parameters(), before[name], strict=True)]
        for name in networks
    }
    assert all(moved["G"]) and all(moved["Ds"]) and not any(moved["text"]) and not any(moved["image"])


def test_discriminators_have_the_sizes_of_the_published_files(shared_dir):
    configs = discriminator_configs(AttnGANConfig(), 8, 64)
    for stage, config in enumerate(configs):
        found = read_network(shared_dir / "golden" / "attngan" / f"netD{stage}.pth", "D").config
        assert to_dict(config) == {key: list(v) if isinstance(v, (list, tuple)) else v for key, v in found.items()}


def test_encoders_that_do_not_fit_and_missing_weights_are_one_line(encoders):
    with pytest.raises(ConfigError, match="inception"):
        baseline_config("damsm", "paper", data=("minifaces:biased/train:24",))
    task = attngan_task({**encoders, "image_encoder": encoders["text_encoder"]})
    with pytest.raises(ConfigError, match="is a damsm-text, not a damsm-image"):
        task.setup(torch.device("cpu"))
