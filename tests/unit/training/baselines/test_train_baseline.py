"""Training of the baselines: what a step changes, phases, resuming, what a run leaves behind."""

import copy
import json

import pytest
import torch

from styleT2I.baselines.config import TextEncoderConfig
from styleT2I.baselines.damsm import TextEncoder
from styleT2I.config import override
from styleT2I.data.training.captioned import CaptionedData
from styleT2I.errors import ConfigError
from styleT2I.formats.model_folder import read_model_folder
from styleT2I.generation.systems.interface import open_system
from styleT2I.networks.registry import load_network
from styleT2I.training.baselines.damsm import caption_words
from styleT2I.training.baselines.registry import baseline_config, new_task, task_config
from styleT2I.training.engine import RunConfig, run
from tests.tiny_model import tiny_clip, write_tiny

SIZES = {
    "gan_int_cls": {
        "generator": {"z_dim": 3, "cond_dim": 4, "widths": (6, 4), "num_residual": 1},
        "discriminator": {"cond_dim": 4, "widths": (4, 6)},
        "style_encoder": {"widths": (4, 6)},
        "style_share": 0.5,
    },
    "stackgan": {
        "generator": {"z_dim": 3, "cond_dim": 4, "widths": (6, 4),
                      "stage2": {"encoder_widths": (4, 6), "num_residual": 1, "widths": (6, 4, 4)}},
        "discriminator1": {"widths": (4,)},
        "discriminator2": {"widths": (4, 6), "is_unconditional": True},
    },
    "dfgan": {
        "generator": {"z_dim": 3, "widths": (6, 4, 4)}, "discriminator": {"widths": (4, 4, 6), "head_width": 4},
        "g_lr": 2e-3,
    },
}  # fmt: skip


def tiny_task(system, clip, num_steps=4):
    _, config = baseline_config(
        system, "minifaces", clip=str(clip), data="minifaces:biased/train:24", eval_data="minifaces:biased/val:8",
        batch_size=4, eval_num=8, **SIZES[system],
    )  # fmt: skip
    return new_task(system, config, num_steps, seed=1)


def tiny_run(system, clip, outdir, steps, num_steps=4):
    task = tiny_task(system, clip, num_steps)
    every = {"eval_every": 4, "snapshot_every": 4, "checkpoint_every": 2}
    run(task, RunConfig(str(outdir), steps, seed=1, device="cpu", **every))
    return task


def state(network):
    return copy.deepcopy(network.state_dict())


def changed(before, network):
    return {key.split(".")[0] for key, value in network.state_dict().items() if not torch.equal(value, before[key])}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("clip"), "clip", tiny_clip())


@pytest.fixture(scope="module")
def text_encoder(tmp_path_factory):
    torch.manual_seed(0)
    words = caption_words(CaptionedData(["minifaces:biased/train:24"], 16), 24)
    network = TextEncoder(TextEncoderConfig(words, None, 4, 8, dropout=0.5))
    return write_tiny(tmp_path_factory.mktemp("damsm"), "text_encoder", network, training={"max_words": 5})


def test_a_damsm_reads_the_sentences_as_its_own_training_did_and_goes_with_the_model(text_encoder, tmp_path):
    _, config = task_config(
        "dfgan", "minifaces", damsm=text_encoder.parent, data="minifaces:biased/train:24", batch_size=4, eval_num=8,
        eval_data="minifaces:biased/val:8", **SIZES["dfgan"],
    )  # fmt: skip
    task = new_task("dfgan", config, 2, seed=1)
    run(task, RunConfig(str(tmp_path), 1, seed=1, device="cpu", eval_every=1, snapshot_every=1, checkpoint_every=1))
    encoder = load_network(text_encoder)
    long, short = "she is smiling and she wears glasses", "she is smiling and she"
    torch.testing.assert_close(task.text.encode([long]), encoder.encode([short]).sentence)  # five words, no dropout
    read = json.loads((tmp_path / "dfgan.json").read_text())
    assert read["info"]["text"] == {"encoder": "damsm", "max_words": 5} and read["config"]["text_dim"] == 8
    assert set(read_model_folder(tmp_path).files) == {"dfgan", "text_encoder"}
    copied = load_network(tmp_path / "text_encoder.json").state_dict()
    assert all(torch.equal(value, copied[name]) for name, value in encoder.state_dict().items())


@pytest.mark.parametrize("system", SIZES)
def test_a_run_leaves_a_model_that_draws_sentences_and_resumes_as_if_never_stopped(system, clip, tmp_path):
    whole = tiny_run(system, clip, tmp_path / "whole", 4)
    tiny_run(system, clip, tmp_path / "halved", 2)
    resumed = tiny_run(system, clip, tmp_path / "halved", 4)
    for name, network in whole.networks.items():
        assert not changed(state(network), resumed.networks[name]), name
    assert (tmp_path / "whole" / "samples-000004.png").is_file()
    gan = open_system(tmp_path / "whole", device="cpu")
    assert gan.role == system and gan.resolution == 16 and gan.model.has("style_encoder") == (system == "gan_int_cls")
    captions = ["she is smiling", "he is wearing glasses"]
    prompts = [gan.understand(caption) for caption in captions]
    together = gan.sample(prompts * 2, [0, 1, 1, 0])
    assert together.shape == (4, 3, 16, 16) and together.abs().max() <= 1 and together.isfinite().all()
    torch.testing.assert_close(gan.sample(prompts[1:], [0]), together[3:], rtol=0, atol=0)  # alone as in company
    assert not torch.equal(together[0], together[2])  # another seed
    torch.testing.assert_close(gan.features(captions)[0], whole.text.encode(captions))  # read as in training
    drawing = gan.generate(prompts[0], [3, 4])
    assert drawing.images_u8.shape == (2, 3, 16, 16) and drawing.to_dict()["seeds"] == [3, 4]


def test_stage_one_is_frozen_while_stage_two_learns(clip):
    task = tiny_task("stackgan", clip)
    torch.manual_seed(0)
    task.setup(torch.device("cpu"))
    rng = torch.Generator().manual_seed(0)
    G = task.networks["G"]
    before = state(G)
    task.step(0, rng)
    assert changed(before, G) == {"stage1"}
    before, first, second = state(G), state(task.networks["D1"]), state(task.networks["D2"])
    task.networks["G_ema"].stage1.load_state_dict(G.stage1.state_dict())
    task.step(2, rng)
    assert changed(before, G) == {"stage2"}  # the statistics of Stage-I's batch norm rest too
    assert not changed(first, task.networks["D1"]) and changed(second, task.networks["D2"])


def test_the_style_encoder_learns_last_and_alone_and_reads_z_back(clip):
    task = tiny_task("gan_int_cls", clip, num_steps=400)
    torch.manual_seed(0)
    task.setup(torch.device("cpu"))
    rng = torch.Generator().manual_seed(0)
    before = {name: state(network) for name, network in task.networks.items()}
    losses = [task.step(step, rng)["loss_style"] for step in range(200, 204)]
    assert changed(before["S"], task.networks["S"]) and not changed(before["G"], task.networks["G"])
    assert not changed(before["D"], task.networks["D"]) and all(loss > 0 for loss in losses)


def test_settings_that_contradict_are_one_line(clip):
    with pytest.raises(ConfigError, match="give one of --clip, --damsm and --embeddings"):
        baseline_config("dfgan", "minifaces")
    with pytest.raises(ConfigError, match="has no data of its own; add --data"):
        baseline_config("dfgan", "paper", clip="clip.json")
    with pytest.raises(ConfigError, match="unknown system 'dfgn'; did you mean 'dfgan'"):
        baseline_config("dfgn", "minifaces")


def test_an_option_that_a_system_has_no_use_for_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="embeddings does not go with damsm; leave it out"):
        task_config("damsm", "minifaces", embeddings="said.npy")
    assert task_config("damsm", "minifaces", clip="clip.json")[1].clip == "clip.json"
    with pytest.raises(ConfigError, match="inception does not go with stackgan"):
        task_config("stackgan", "minifaces", clip="clip.json", inception="inception.pth")
    with pytest.raises(ConfigError, match="name its folder with --damsm"):
        task_config("attngan", "minifaces")
    _, config = task_config("attngan", "minifaces", damsm=tmp_path, data="minifaces:biased/train:24")
    assert config.data == ("minifaces:biased/train:24",) and config.text_encoder == str(tmp_path / "text_encoder.json")


def test_shuffled_captions_reach_the_network_with_no_picture_of_their_own(clip, monkeypatch):
    task = tiny_task("dfgan", clip)
    task.setup(torch.device("cpu"))
    seen = []
    monkeypatch.setattr(task, "update", lambda step, batch, rng: seen.append(batch) or {})
    for is_shuffled in (False, True):
        task.config = override(task.config, shuffle_captions=is_shuffled)
        task.step(0, torch.Generator().manual_seed(0))
    true, shuffled = seen
    assert torch.equal(true.image, shuffled.image) and torch.equal(shuffled.text, true.text.roll(2, dims=0))
    assert not any(torch.equal(own, wrong) for own, wrong in zip(true.text, shuffled.wrong, strict=True))


@pytest.mark.parametrize("system", SIZES)
def test_a_minifaces_generator_fits_into_four_megabytes_of_fp16(system):
    _, config = baseline_config(system, "minifaces", clip="clip.json")
    G = new_task(system, config, 10).build(64)["G"]
    assert G.resolution == 64 and sum(p.numel() for p in G.parameters()) * 2 < 4_000_000
