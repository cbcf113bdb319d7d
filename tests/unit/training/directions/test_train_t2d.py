"""Training of Text-to-Direction: it learns what it is taught, its control does not, a resumed run is the same."""

import math

import pytest
import torch
import torch.nn.functional as F

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.data.training.augment import draw_augmentation
from styleT2I.errors import CheckpointError, ConfigError, DataError
from styleT2I.formats.component import read_component
from styleT2I.formats.texts.glove import read_glove
from styleT2I.torch_utils.images import save_png
from styleT2I.torch_utils.seeding import generator
from styleT2I.torch_utils.stats import read_stats
from styleT2I.training.directions.config import T2DConfig, direction_config
from styleT2I.training.directions.rival_captions import RivalCaptions
from styleT2I.training.directions.t2d import T2DTask
from styleT2I.training.engine import RunConfig, run
from tests.tiny_model import write_tiny_model

WORDS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def config(folder, **changes):
    settings = {
        "generator": str(folder / "generator.json"), "clip": str(folder / "clip.json"),
        "data": "minifaces:biased/train:48", "batch_size": 6, "theta": 2.0, "hidden_dim": 16, "num_hidden": 1,
        **changes,
    }  # fmt: skip
    return T2DConfig(**settings)


def trained(folder, outdir, steps, resume="auto", **changes):
    task = T2DTask(config(folder, **changes), num_steps=6, seed=3)
    run(
        task,
        RunConfig(
            outdir=str(outdir), steps=steps, seed=3, device="cpu", log_every=2, eval_every=2, snapshot_every=2,
            checkpoint_every=2, resume=resume,
        ),
    )  # fmt: skip
    return read_component(outdir / "t2d.json")


class ColourCLIP(torch.nn.Module):
    """A CLIP that understands three words: the colour that an image has more of than of the other two."""

    temperature_scale = 20.0
    embed_dim = 3

    def encode_image(self, image):
        return F.normalize(image.mean(dim=(2, 3)), dim=1)

    def short_ids(self, texts, multiple=1):
        return torch.tensor([WORDS.index(text) for text in texts])

    def encode_ids(self, ids):
        return F.one_hot(ids, 3).float()


def colour_task(folder, **changes):
    """A T2D task whose captions are colours; the truncated latents are nearly one face, so w gives nothing away."""
    settings = {"theta": 1000.0, "batch_size": 3, "lr": 3e-3, "hidden_dim": 32, "truncation_psi": 0.1, **changes}
    task = T2DTask(config(folder, **settings), num_steps=150)
    task.setup(torch.device("cpu"))
    task.clip = ColourCLIP()
    task._captions = lambda step, rng: [WORDS[i] for i in torch.randperm(3, generator=rng)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        task.network.trunk.mlp[0] = torch.nn.Linear(8 + 3, 32)
    task.optimizer = torch.optim.Adam(task.network.parameters(), lr=task.config.lr)
    return task


def mean_loss(task, steps):
    losses = [task.step(step, generator("toy", step))["loss_contrastive"] for step in range(steps)]
    return sum(losses[-10:]) / 10


def test_training_teaches_a_toy_world(folder):
    task = colour_task(folder)
    before = task.step(0, generator("toy", 0))["loss_contrastive"]
    after = mean_loss(task, 150)
    assert before > 0.8 * math.log(3)
    assert after < 0.35 * before


def test_the_control_with_captions_of_other_faces_learns_next_to_nothing(folder):
    assert mean_loss(colour_task(folder, shuffle_captions=True), 150) > 0.9 * math.log(2)  # at best: not my own colour


def test_the_norm_penalty_keeps_directions_short(folder):
    norms = {}
    for use in (True, False):
        task = colour_task(folder, theta=0.5, use_norm_penalty=use)
        for step in range(100):
            norms[use] = task.step(step, generator("toy", step))["s_norm"]
    assert norms[True] < 0.6 * norms[False]


def test_generator_and_clip_stay_frozen(folder):
    task = T2DTask(config(folder), num_steps=2)
    task.setup(torch.device("cpu"))
    before = {key: value.clone() for key, value in task.generator.state_dict().items()}
    task.step(0, generator("step", 0))
    assert not [
        p for p in (*task.generator.parameters(), *task.clip.parameters()) if p.requires_grad or p.grad is not None
    ]
    assert all(torch.equal(before[key], value) for key, value in task.generator.state_dict().items())


def test_theta_rel_counts_in_mean_distances_over_all_layers(folder):
    task = T2DTask(config(folder, theta=None, theta_rel=0.5), num_steps=1)
    task.setup(torch.device("cpu"))
    w = task.generator.mapping(torch.randn(4000, 8, generator=torch.Generator().manual_seed(9)))  # [4000, 6, 8]
    distance = (w - w.mean(dim=0)).flatten(1).norm(dim=1).mean().item()
    assert task.theta == pytest.approx(0.5 * distance, rel=0.05)


@pytest.mark.parametrize(
    "changes", [{}, {"text_encoder": "gru", "embedding_dim": 4}, {"lr_decay": True, "jitter": 0.1}]
)
def test_a_resumed_run_has_the_weights_of_an_uninterrupted_one(folder, tmp_path, changes):
    whole = trained(folder, tmp_path / "whole", 6, **changes)
    trained(folder, tmp_path / "parts", 4, **changes)
    resumed = trained(folder, tmp_path / "parts", 6, **changes)
    assert whole.state_dict.keys() == resumed.state_dict.keys()
    assert all(torch.equal(tensor, resumed.state_dict[key]) for key, tensor in whole.state_dict.items())


def test_a_training_goes_on_from_a_network_and_needs_no_image(folder, tmp_path):
    (tmp_path / "captions.txt").write_text("a man with a hat\nshe is smiling\nan old woman\nhe has a beard\n")
    settings = {"data": str(tmp_path / "captions.txt"), "batch_size": 3}
    first = trained(folder, tmp_path / "first", 2, **settings)
    task = T2DTask(config(folder, **settings, init=str(tmp_path / "first" / "t2d.json")), num_steps=2, seed=5)
    task.setup(torch.device("cpu"))
    assert all(torch.equal(value, first.state_dict[name]) for name, value in task.network.state_dict().items())
    task.step(0, generator("t2d", 0))
    assert any(not torch.equal(value, first.state_dict[name]) for name, value in task.network.state_dict().items())


def test_captions_of_ones_own_are_not_measured_on_the_presets_images():
    given = {"generator": "g", "clip": "c", "data": "mine.txt"}
    assert direction_config("t2d", "portraits", **given)[1].eval_data is None
    assert direction_config("t2d", "portraits", **given, eval_data="FOLDER")[1].eval_data == "FOLDER"
    assert (
        direction_config("t2d", "portraits", **{**given, "data": "FOLDER"})[1].eval_data == "portraits:biased/test:512"
    )


def test_a_network_of_another_shape_or_kind_is_not_gone_on_from(folder, tmp_path):
    trained(folder, tmp_path, 2)
    for changes, error, words in (
        ({"init": str(tmp_path / "t2d.json"), "hidden_dim": 8}, ConfigError, "its hidden_dim is not the training's"),
        ({"init": str(folder / "clip.json")}, CheckpointError, "is a 'clip' where a 't2d' is needed"),
    ):
        with pytest.raises(error, match=words):
            T2DTask(config(folder, **changes), num_steps=2).setup(torch.device("cpu"))


def test_every_log_line_carries_the_judges_figures_beside_the_losses(folder, tmp_path):
    judged = {"judge": str(folder / "judges_guide.json"), "eval_data": "minifaces:biased/test:12", "eval_num": 12}
    trained(folder, tmp_path, 4, **judged)
    lines = read_stats(tmp_path / "stats.jsonl")
    assert [line["step"] for line in lines] == [2, 4]
    for line in lines:
        assert {
            "loss",
            "loss_contrastive",
            "loss_norm",
            "s_norm",
            "success",
            "attribute_worst",
            "frechet",
        } <= line.keys()
        assert 0 <= line["success"] <= line["attribute_mean"] <= 1
    assert (tmp_path / "samples-000004.png").exists()


def test_the_exported_component_says_what_it_was_trained_with(folder, tmp_path):
    info = trained(folder, tmp_path, 2).info
    assert info["clip_name"] == "tiny-clip"
    assert info["generator_sha256"] == read_component(folder / "generator.json").sha256
    assert info["training"]["theta"] == 2.0


def test_presets_hold_the_papers_settings():
    for name, theta, steps in (
        ("celebahq", 8, 60_001),
        ("cub", 8, 80_001),
        ("ffhq", 10, 60_001),
        ("nabirds", 15, 80_001),
    ):
        found, settings = direction_config("t2d", name, generator="g", clip="c", data="d")
        assert (found, settings.theta, settings.batch_size, settings.lr) == (steps, theta, 40, 1e-4)
        assert (settings.truncation_psi, settings.norm_weight, settings.symmetric) == (0.5, 1.0, False)
        assert (settings.text_encoder, settings.space, settings.num_hidden, settings.hidden_dim) == (
            "gru",
            "w+",
            2,
            None,
        )


def test_a_given_theta_replaces_the_presets_relative_one():
    assert direction_config("t2d", "minifaces", generator="g", clip="c", theta=3.0)[1].theta_rel is None


def test_the_flip_loss_is_logged_and_trains(folder):
    task = T2DTask(config(folder, contrastive_weight=0.0, flip_weight=1.0, theta=1000.0, lr=3e-3), num_steps=40)
    task.setup(torch.device("cpu"))
    task._captions = lambda step, rng: ["she is smiling", "he has a beard", "a woman", "a bearded man with glasses"]
    losses = [task.step(step, generator("flip", step))["loss_flip"] for step in range(40)]
    assert sum(losses[-5:]) < sum(losses[:5])


@pytest.mark.parametrize(
    "preset, changes, named",
    [
        ("minifacs", {}, "did you mean 'minifaces'"),
        ("celebahq", {}, "--data"),
        ("minifaces", {"theta": 1.0, "theta_rel": 1.0}, "not both"),
        ("minifaces", {"theta": -1.0}, "-1.0"),
        ("minifaces", {"batch_size": 1}, "at least 2"),
        ("minifaces", {"glove": "x"}, "gru"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(preset, changes, named):
    with pytest.raises(ConfigError, match=named):
        direction_config("t2d", preset, generator="g", clip="c", **changes)


def test_a_component_of_another_kind_is_refused(folder):
    with pytest.raises(CheckpointError, match="is a 'clip' where a 'stylegan2-generator' is needed"):
        T2DTask(config(folder, generator=str(folder / "clip.json")), 1).setup(torch.device("cpu"))


def test_images_without_captions_are_refused_before_a_network_is_built(folder, tmp_path):
    save_png(tmp_path / "0.png", torch.zeros(3, 16, 16, dtype=torch.uint8))
    with pytest.raises(DataError, match="image 0 has no caption, which this training learns from"):
        T2DTask(config(folder, data=str(tmp_path)), 1).setup(torch.device("cpu"))


def test_captions_that_the_own_caption_implies_are_also_true():
    rivals = RivalCaptions(load_vocabulary("minifaces"))
    table = rivals.also_true(["he is smiling", "he is smiling and wears a hat", "she is smiling"])
    assert table.tolist() == [[True, False, False], [True, True, False], [False, False, True]]


def test_flips_turn_one_stated_attribute_round_each_and_leave_the_rest():
    rivals = RivalCaptions(load_vocabulary("minifaces"))
    captions = ["she has blond hair and is not smiling", "a photo of a person"]
    flips = rivals.flips(captions)
    own = {"he": False, "smiling": False, "blond_hair": True}
    assert parse(flips.own[0]).attributes == own
    assert flips.own[1] == captions[1]
    bald_of_colour = {name: value for name, value in own.items() if name != "blond_hair"}
    expected = [{**own, "he": True}, {**own, "smiling": True}]
    expected += [{**bald_of_colour, colour: True} for colour in ("black_hair", "brown_hair", "gray_hair")]
    stated = [parse(text).attributes for text in flips.flipped]
    assert flips.owner.tolist() == [0] * len(expected)
    assert len(stated) == len(expected) and all(one in stated for one in expected)


def test_augmentation_shifts_and_tints_each_image_on_its_own_and_lets_gradients_through():
    image = torch.zeros(2, 3, 16, 16)
    image[:, :, 8, 8] = 1
    image.requires_grad_(True)
    moved = draw_augmentation(len(image), torch.Generator().manual_seed(0), jitter=0.0, translate=0.25)(image)
    assert not torch.allclose(moved[0], moved[1])
    tinted = draw_augmentation(len(image), torch.Generator().manual_seed(0), jitter=0.2, translate=0.0)(image)
    assert (tinted - image).abs().max() <= 0.4 + 1e-6
    assert not torch.allclose(tinted[0], tinted[1])
    (moved.sum() + tinted.sum()).backward()
    assert image.grad.abs().sum() > 0
    assert torch.equal(draw_augmentation(len(image), torch.Generator(), jitter=0.0, translate=0.0)(image), image)


def test_glove_vectors_start_the_gru_and_stay(folder, tmp_path):
    glove = tmp_path / "glove.txt"
    glove.write_text("he 1 2 3\nsmiling 4 5 6\nunrelated 7 8 9\n")
    component = trained(folder, tmp_path / "run", 2, text_encoder="gru", glove=str(glove))
    assert component.config["text_encoder"]["words"] == ["he", "smiling"]
    expected = torch.tensor([[0.0, 0, 0], [1, 2, 3], [4, 5, 6]])
    assert torch.equal(component.state_dict["text_encoder.embedding.weight"], expected)


@pytest.mark.parametrize(
    "content, named",
    [
        ("he 1 2\nshe 1 x\n", ":2: not a GloVe line"),
        ("he 1 2\nshe 1\n", ":2: 1 numbers"),
        ("other 1 2\n", "none of the 2"),
    ],
)
def test_a_file_that_is_not_glove_is_refused_by_line(tmp_path, content, named):
    (tmp_path / "glove.txt").write_text(content)
    with pytest.raises(DataError, match=named):
        read_glove(tmp_path / "glove.txt", ["he", "she"])


def test_a_missing_glove_file_is_named(tmp_path):
    with pytest.raises(DataError, match="glove.txt: cannot be read"):
        read_glove(tmp_path / "glove.txt", ["he"])
