"""Trainings of unCLIP's networks: drops, resuming, what a run leaves behind, a toy world learnt."""

import dataclasses
import json

import pytest
import torch
from torch.nn import functional as F

from styleT2I.baselines.unclip.captions import CaptionEncoder
from styleT2I.baselines.unclip.config import DecoderConfig, PriorConfig, UNetConfig
from styleT2I.baselines.unclip.decoder import UnclipDecoder
from styleT2I.baselines.unclip.diffusion import abar_table, add_noise
from styleT2I.baselines.unclip.prior import Caption, UnclipPrior
from styleT2I.config import override
from styleT2I.data.training.augment import drop_rows
from styleT2I.errors import ConfigError
from styleT2I.evaluation.measures.embedded_data import EncodedTexts
from styleT2I.evaluation.measures.embeddings import EmbeddingEvaluation
from styleT2I.formats.model_folder import read_model_folder
from styleT2I.generation.systems.interface import open_system
from styleT2I.metrics.linear_probe import fit_linear_probe, variance_explained
from styleT2I.networks.registry import load_network, network_class
from styleT2I.recipes import recipe_names
from styleT2I.torch_utils.seeding import SeedNoise, generator
from styleT2I.training.baselines.registry import baseline_config, new_task, task_config
from styleT2I.training.checkpoints import flatten_state, newest_checkpoint
from styleT2I.training.engine import RunConfig, run
from tests.tiny_model import tiny_clip, write_tiny

TRUNK = {"width": 8, "num_heads": 2, "num_layers": 1}
UNET = {"widths": (4, 6), "num_blocks": 1, "attention": (1,), "head_width": 3, "dropout": 0.0}
SIZES = {
    "unclip_prior": {"network": TRUNK, "eval_steps": 2},
    "unclip_ar_prior": {"network": {**TRUNK, "num_components": 4, "num_buckets": 8, "num_dots": 4}},
    "unclip": {
        "network": {"resolution": 8, "cond_dim": 8, "context_dim": 4, "learns_variance": True, "unet": UNET},
        "eval_steps": 2,
    },
    "unclip_upsampler": {
        "network": {"resolution": 16, "low_resolution": 8, "cond_dim": 4, "unet": {**UNET, "attention": ()}},
        "crop": 8, "eval_steps": 2,
    },
}  # fmt: skip
COMMON = {"data": "minifaces:biased/train:24", "eval_data": "minifaces:biased/val:8", "batch_size": 6, "eval_num": 8}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return str(write_tiny(tmp_path_factory.mktemp("clip"), "clip", tiny_clip()))


def tiny_task(system, clip, num_steps=4, **changes):
    _, config = task_config(system, "minifaces", clip=clip, **{**COMMON, **SIZES[system], **changes})
    return new_task(system, config, num_steps, seed=1)


def train(task, outdir, steps, **settings):
    every = {"eval_every": 4, "snapshot_every": 4, "log_every": 2, "checkpoint_every": 2, **settings}
    run(task, RunConfig(str(outdir), steps, seed=1, device="cpu", **every))


@pytest.mark.parametrize("system", list(SIZES))
def test_a_resumed_training_equals_an_uninterrupted_one_to_the_bit(system, clip, tmp_path):
    train(tiny_task(system, clip), tmp_path / "whole", 4)
    for steps in (2, 4):
        train(tiny_task(system, clip), tmp_path / "parts", steps)
    a, b = (flatten_state(newest_checkpoint(tmp_path / name).state)[1] for name in ("whole", "parts"))
    assert a.keys() == b.keys() and len(a) > 20 and all(torch.equal(a[name], b[name]) for name in a)
    record = json.loads((tmp_path / "whole" / f"{system}.json").read_text())
    assert record["info"]["training"]["model"] == system and record["info"]["training"]["clip"] == "clip.json"
    assert record["info"]["measured"]["kimg"] == pytest.approx(0.024)
    assert load_network(tmp_path / "whole" / f"{system}.json").kind == system.replace("_", "-").replace(
        "unclip", "unclip" if "_" in system else "unclip-decoder"
    )


@pytest.mark.parametrize("system", list(SIZES))
def test_every_weight_learns_and_the_average_follows(system, clip):
    task = tiny_task(system, clip, decay_lr=False, **({"text_drop": 0.3} if system == "unclip" else {}))
    task.setup(torch.device("cpu"))
    before = {name: value.clone() for name, value in task.network.named_parameters()}
    for step in range(6):
        metrics = task.step(step, torch.Generator().manual_seed(step))
    assert all(value == value for value in metrics.values())
    assert [name for name, value in task.network.named_parameters() if torch.equal(value, before[name])] == []
    now = dict(task.network.named_parameters())
    for name, value in task.average.named_parameters():
        assert not torch.equal(value, before[name]) and not torch.equal(value, now[name])


def test_a_folder_of_all_four_draws_a_sentence_and_the_command_names_what_is_missing(clip, tmp_path):
    for system in SIZES:
        parts = {}
        if system == "unclip":
            parts = {"prior": tmp_path / "unclip_prior", "ar_prior": tmp_path / "unclip_ar_prior"}
            with pytest.raises(ConfigError, match="has no unclip_prior.json; name the folder of a finished training"):
                tiny_task(system, clip, prior=str(tmp_path))
        train(tiny_task(system, clip, num_steps=1, **{k: str(v) for k, v in parts.items()}), tmp_path / system, 1)
    folder = read_model_folder(tmp_path / "unclip")
    assert set(folder.files) == {"unclip", "unclip_prior", "unclip_ar_prior", "clip"}
    texts = [path.read_text() for path in (tmp_path / "unclip").glob("unclip*.json")]
    assert texts and not [text for text in texts if str(tmp_path) in text]  # a manifest names no folder of a machine
    assert folder.vocabulary == "minifaces" and (tmp_path / "unclip" / "samples-000001.png").is_file()
    assert (tmp_path / "unclip_upsampler" / "samples-000001.png").is_file()
    drawing = open_system(tmp_path / "unclip", device="cpu", unclip={"prior": "ar", "steps": 2}).generate(
        "she is smiling", seeds=[0]
    )
    assert drawing.images_u8.shape == (1, 3, 8, 8) and drawing.model["settings"]["prior"] == "ar"


@pytest.mark.parametrize("system", list(SIZES))
def test_the_presets_are_settings_of_networks_that_can_be_built(system):
    """The papers' sizes, and MiniFaces' of which all four fit into eight megabytes of fp16."""
    kimg, paper = baseline_config(system, "paper", data="faces", clip="clip.json")
    assert kimg * 1000 / paper.batch_size in (600_000, 1_000_000, 800_000) and paper.eps in (1e-6, 1e-10, 1e-8)
    with pytest.raises(ConfigError, match="has no data of its own; add --data"):
        baseline_config(system, "paper", clip="clip.json")
    changes = {} if system == "unclip_upsampler" else {"embed_dim": 64, "text_width": 64}
    kind = {"unclip": "unclip-decoder"}.get(system, system.replace("_", "-"))
    for preset in set(recipe_names(f"baselines/{system}")) - {"paper"}:
        network = network_class(kind)(override(baseline_config(system, preset, clip="x")[1].network, **changes))
        assert 50_000 < sum(value.numel() for value in network.parameters()) < 2_600_000


def test_settings_that_no_training_can_have_are_one_line(clip):
    for system, changes, line in (
        ("unclip", {"image_drop": 1.0}, "image_drop is a rate"),
        ("unclip_prior", {"text_drop": -0.1}, "text_drop are rates"),
        ("unclip_ar_prior", {"smoothing": -1.0}, "smoothing is at least 0"),
        ("unclip_upsampler", {"blur_rate": 2.0}, "blur_rate is a rate"),
        ("unclip_prior", {"g_lr": 1.0}, "g_lr does not go with"),
    ):
        with pytest.raises(ConfigError, match=line):
            tiny_task(system, clip, **changes)
    with pytest.raises(ConfigError, match="crop is a multiple of 2 up to 16"):
        tiny_task("unclip_upsampler", clip, crop=7).setup(torch.device("cpu"))


def test_rows_are_dropped_at_their_rates_and_independently():
    """What a step does: 20,000 draws from its own generator, the caption's drop first."""
    num, rng = 20_000, generator("step", 0, 0)
    text, image = ~drop_rows(num, 0.5, rng), ~drop_rows(num, 0.1, rng)
    for dropped, rate in ((text, 0.5), (image, 0.1), (text & image, 0.05)):
        assert dropped.double().mean().item() == pytest.approx(rate, abs=4 * (rate * (1 - rate) / num) ** 0.5)


def test_a_dropped_caption_is_the_empty_one_and_shuffled_ones_are_another_samples(clip):
    task = tiny_task("unclip_prior", clip, text_drop=0.5)
    task.setup(torch.device("cpu"))
    said, embedding = task.captions(list(range(12)), torch.Generator().manual_seed(0))
    is_null = (said.embedding == task.null.embedding).all(dim=1)
    assert 2 <= is_null.sum() <= 10
    for row in range(12):
        own = task.data.captions[row]
        texts = task.encoder.encode(list(own)).embedding
        assert ((texts - embedding[row]).abs().amax(dim=1) < 1e-5).any()
        if is_null[row]:
            assert (~said.hidden[row]).sum() == 2
            torch.testing.assert_close(said.states[row, :2], task.null.states[0, :2])
        else:
            torch.testing.assert_close(said.embedding[row], embedding[row])
    read = {}
    for is_shuffled in (False, True):
        task.config = dataclasses.replace(task.config, shuffle_captions=is_shuffled)

        def inputs(indices, told, rng, is_shuffled=is_shuffled):
            read[is_shuffled] = list(indices), list(told)
            return ()

        task.inputs, task.loss = inputs, lambda: (next(task.network.parameters()).sum(), {})
        task.step(0, torch.Generator().manual_seed(0))
    (indices, told), (same, others) = read[False], read[True]
    assert told == indices == same and others == indices[1:] + indices[:1]


def test_variance_is_explained_as_far_as_labels_make_it():
    rng = torch.Generator().manual_seed(0)
    labels = torch.rand(5000, 3, generator=rng) < torch.tensor([0.5, 0.2, 0.8])
    made = labels.double() @ torch.randn(3, 6, generator=rng).double()
    noise = torch.randn(5000, 6, generator=rng).double()
    noise *= made.var(dim=0).sum().sqrt() / noise.var(dim=0).sum().sqrt() / 3  # a ninth of the labels' variance
    assert variance_explained(made, labels) == pytest.approx(1, abs=1e-6)
    assert variance_explained(made + noise, labels) == pytest.approx(0.9, abs=0.01)
    assert variance_explained(noise, labels) == pytest.approx(0, abs=0.005)


def test_the_evaluation_tells_a_sampler_from_one_that_answers_the_mean_and_from_a_deaf_one():
    """A world of two attributes: the first is said, the second is open and true of a third."""

    class World:
        names = ("smiling", "hat")
        rng = torch.Generator().manual_seed(0)
        labels = torch.stack([torch.rand(600, generator=rng) < 0.5, torch.rand(600, generator=rng) < 1 / 3], dim=1)
        embeddings = (labels.float() * 2 - 1) @ torch.eye(2, 4) + 0.05 * torch.randn(600, 4, generator=rng)
        captions = [("she is smiling",) if smiles else ("she is not smiling",) for smiles, _ in labels.tolist()]

        def __len__(self):
            return 600

        def encode(self, texts):
            signs = torch.tensor([-1.0 if "not" in text else 1.0 for text in texts])
            return Caption(signs.unsqueeze(1) * torch.eye(1, 4), None, None)

    world = World()
    evaluation = EmbeddingEvaluation(world, 600, fit_linear_probe(world.embeddings, world.labels))

    def sampler(caption, seeds):
        hats = (SeedNoise(seeds, "hats")((1,)) > 0.43).float() * 2 - 1
        return torch.cat([caption.embedding[:, :1], hats, 0.05 * SeedNoise(seeds, "rest")((2,))], dim=1)

    def mean(caption, seeds):
        return caption.embedding + torch.tensor([0.0, -1 / 3, 0.0, 0.0])

    sampled, collapsed = evaluation.measure(sampler), evaluation.measure(mean)
    deaf = evaluation.measure(lambda caption, seeds: sampler(Caption(caption.embedding.roll(1, 0), None, None), seeds))
    assert sampled["all_requested"] == collapsed["all_requested"] == 1 and deaf["all_requested"] < 0.7
    assert sampled["spread"] == pytest.approx(1, abs=0.08) and collapsed["spread"] < 0.7
    assert sampled["rates_off"] < 0.05 < 0.1 < collapsed["rates_off"]
    assert collapsed["cos_true"] > sampled["cos_true"]  # which is why cosines alone mislead


def test_texts_that_are_encoded_once_are_read_as_they_are_alone():
    encoder = CaptionEncoder(tiny_clip())
    texts = ["she is smiling", "he is wearing a hat and glasses", "a man", "she is smiling"]
    table = EncodedTexts(encoder, texts)
    said = table.batch([texts[1], texts[2]])
    assert len(table.rows) == 3 and said.num_tokens == 9
    for row, text in enumerate((texts[1], texts[2])):
        alone = encoder.encode([text]).trimmed()
        shown = ~said.hidden[row]
        assert torch.equal(shown, torch.arange(9) < alone.num_tokens)
        torch.testing.assert_close(said.states[row][shown], alone.states[0])
        torch.testing.assert_close(said.embedding[row], alone.embedding[0])
    assert torch.equal(table.batch([texts[2]]).states[0], said.states[1, :4])


@pytest.mark.parametrize("is_shuffled", [False, True])
def test_a_toy_world_of_two_captions_is_drawn_in_its_colours(is_shuffled):
    """Prior, then decoder: "red" and "blue" become embeddings, then images; with shuffled captions they do not."""
    torch.manual_seed(0)
    trunk = PriorConfig(4, 4, 1, 16, 2, 1)
    unet = UNetConfig((8,), 1, (0,), head_width=4, dropout=0.0)
    prior = UnclipPrior(trunk)
    decoder = UnclipDecoder(DecoderConfig(2, 4, 4, unet, cond_dim=16, context_dim=8, learns_variance=False))
    networks = torch.nn.ModuleList([prior, decoder])
    optimizer = torch.optim.Adam(networks.parameters(), 5e-3)
    abar, rng = abar_table("cosine"), torch.Generator().manual_seed(1)

    def world(is_red):
        z = torch.where(is_red.unsqueeze(1), torch.eye(4)[0], torch.eye(4)[1])
        colour = torch.where(is_red.unsqueeze(1), torch.tensor([0.8, -0.8, -0.8]), torch.tensor([-0.8, -0.8, 0.8]))
        return z, colour[:, :, None, None].expand(-1, -1, 2, 2)

    def caption(is_red):
        text = torch.where(is_red.unsqueeze(1), torch.eye(4)[2], torch.eye(4)[3])
        return Caption(text, text.unsqueeze(1), torch.zeros(len(is_red), 1, dtype=torch.bool))

    for _ in range(250):
        is_red = torch.rand(32, generator=rng) < 0.5
        said = caption(is_red[torch.randperm(32, generator=rng)] if is_shuffled else is_red)
        z, image = world(is_red)
        step = torch.randint(1000, (32,), generator=rng)
        noises = [torch.randn(x.shape, generator=rng) for x in (z, image)]
        answer = prior(add_noise(z, noises[0], abar[step]), step, *said)
        given = torch.rand(32, generator=rng) < 0.9
        noise = decoder(add_noise(image, noises[1], abar[step]), step, z, given, *said)
        loss = F.mse_loss(answer, z) + F.mse_loss(noise, noises[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    networks.eval()
    is_red = torch.arange(40) < 20
    said, null = caption(is_red), caption(torch.tensor([True]))
    with torch.no_grad():
        noise = SeedNoise(range(40), "test")
        z = prior.draw(said, null, abar, noise, 8, 1.0, 1.0)
        image = decoder.draw(noise((3, 2, 2)), z, said, null, abar, noise, 8, 1.0, 1.0)
    found = image[:, 0].mean(dim=(1, 2)) > image[:, 2].mean(dim=(1, 2))
    rate = (found == is_red).double().mean().item()
    assert (0.2 < rate < 0.8) if is_shuffled else rate > 0.95
