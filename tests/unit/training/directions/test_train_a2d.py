"""Training of Attribute-to-Direction: it learns what it is taught, stays in its region, resumes as if never stopped."""

import pytest
import torch
import torch.nn.functional as F

from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.formats.component import read_component
from styleT2I.networks.faces.segmenter import Segmenter, SegmenterConfig
from styleT2I.networks.registry import load_network_component
from styleT2I.recipes import recipe_names
from styleT2I.torch_utils.seeding import generator
from styleT2I.torch_utils.stats import read_stats
from styleT2I.training.directions.a2d import A2DTask
from styleT2I.training.directions.config import A2DConfig, direction_config
from styleT2I.training.engine import RunConfig, run
from tests.tiny_model import write_tiny, write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_tiny_model(tmp_path_factory.mktemp("tiny"))
    torch.manual_seed(4)
    config = SegmenterConfig(("hair", "skin", "eyes", "mouth"), resolution=16, widths=(4, 6))
    write_tiny(folder, "segmenter", Segmenter(config).eval())
    return folder


def config(folder, **changes):
    settings = {
        "generator": str(folder / "generator.json"), "clip": str(folder / "clip.json"),
        "segmenter": str(folder / "segmenter.json"), "judge": str(folder / "judges_guide.json"), "batch_size": 4,
        "theta": 2.0, "hidden_dim": 16, "num_hidden": 1, "attributes": ("lipstick", "he"), "eval_num": 4,
        "calibration_num": 4, **changes,
    }  # fmt: skip
    return A2DConfig(**settings)


def trained(folder, outdir, steps, resume="auto", **changes):
    task = A2DTask(config(folder, **changes), num_steps=4, seed=3)
    run(
        task,
        RunConfig(
            outdir=str(outdir), steps=steps, seed=3, device="cpu", log_every=2, eval_every=2, snapshot_every=2,
            checkpoint_every=2, resume=resume,
        ),
    )  # fmt: skip
    return read_component(outdir / "a2d.json")


class RedCLIP(torch.nn.Module):
    """A CLIP that sees one thing: how much redder than green an image is. Every phrase means red."""

    temperature_scale = 20.0
    embed_dim = 8

    def encode_image(self, image):
        red, green = image[:, 0].mean(dim=(1, 2)), image[:, 1].mean(dim=(1, 2))
        return F.normalize(torch.stack([red - green, torch.ones_like(red)], dim=1), dim=1)

    def encode_text(self, texts):
        return torch.tensor([[1.0, 0.0]]).expand(len(texts), -1)


def red_task(folder, **changes):
    settings = {"attributes": ("lipstick",), "lr": 3e-3, "theta": 1000.0, "alpha": 2.0, "spatial_weight": 0.0,
                "judge": None, **changes}  # fmt: skip
    task = A2DTask(config(folder, **settings), num_steps=60)
    task.setup(torch.device("cpu"))
    task.clip = RedCLIP()
    task.phrase_features = torch.tensor([[1.0, 0.0]])
    task._text_features = lambda columns: torch.ones(len(columns), 8)
    return task


def last(task, steps, name):
    for step in range(steps):
        figures = task.step(step, generator("toy", step))
    return figures[name]


def test_w_plus_a_gets_more_of_the_attribute_and_w_minus_a_less(folder):
    task = red_task(folder)
    last(task, 60, "loss")
    w = task.generator.mapping(torch.randn(8, 8, generator=generator("w")))
    with torch.no_grad():
        a = task.network(w[:, 0], torch.ones(8, 8))
        redness = [task.clip.encode_image(task.generator.synthesis(w + sign * a))[:, 0] for sign in (-1, 0, 1)]
    assert (redness[0] < redness[1]).all() and (redness[1] < redness[2]).all()


def test_the_hinge_lets_go_once_the_images_differ_by_alpha(folder):
    task = red_task(folder, alpha=0.05)
    assert last(task, 40, "loss_semantic") == 0


def test_the_norm_penalty_keeps_directions_short(folder):
    norms = {use: last(red_task(folder, theta=0.3, use_norm_penalty=use), 60, "a_norm") for use in (True, False)}
    assert norms[True] < 0.6 * norms[False]


def test_the_spatial_constraint_moves_the_change_into_the_region(folder):
    def inside(weight):
        task = red_task(folder, spatial_weight=weight, alpha=0.3)
        left = torch.zeros(16, 16)
        left[:, :8] = 1
        task.regions = lambda image, names: (left.expand(len(image), -1, -1), torch.ones(len(image), dtype=torch.bool))
        last(task, 60, "loss")
        w = task.generator.mapping(torch.randn(8, 8, generator=generator("w")))
        with torch.no_grad():
            a = task.network(w[:, 0], torch.ones(8, 8))
            energy = (task.generator.synthesis(w + a) - task.generator.synthesis(w - a)).abs().sum(dim=1)
        return (energy * left).sum() / energy.sum()

    assert inside(5.0) > inside(0.0) + 0.03


def test_the_component_says_what_it_was_trained_on_and_how_strong_its_edits_are(folder, tmp_path):
    component = trained(folder, tmp_path, 4)
    assert component.kind == "a2d"
    info = component.info
    assert info["clip_name"] == "tiny-clip" and info["attributes"] == ["lipstick", "he"]
    assert set(info["strengths"]) == {"lipstick", "he"}
    assert all(step > 0 for sides in info["strengths"].values() for step in sides.values())
    line = read_stats(tmp_path / "stats.jsonl")[-1]
    assert {"loss_semantic", "loss_spatial", "loss_norm", "turned_mean", "drift_mean", "inside_mean"} <= line.keys()
    assert (tmp_path / "samples-000004.png").exists()
    a = load_network_component(component)(torch.zeros(1, 8), torch.zeros(1, 8))
    assert a.shape == (1, 6, 8)


def test_a_resumed_run_equals_an_uninterrupted_one(folder, tmp_path):
    whole = trained(folder, tmp_path / "whole", 4, keep_weight=1.0)
    trained(folder, tmp_path / "parts", 2, keep_weight=1.0)
    parts = trained(folder, tmp_path / "parts", 4, keep_weight=1.0)
    assert all(torch.equal(whole.state_dict[key], parts.state_dict[key]) for key in whole.state_dict)


def test_everything_but_the_network_stays_frozen(folder):
    task = A2DTask(config(folder), num_steps=2)
    task.setup(torch.device("cpu"))
    task.step(0, generator("step", 0))
    frozen = [task.generator, task.clip, task.regions.segmenter]
    assert not [p for network in frozen for p in network.parameters() if p.grad is not None]


def test_the_constraint_without_a_segmenter_is_refused_and_can_be_dropped(folder):
    with pytest.raises(ConfigError, match="add --segmenter"):
        A2DTask(config(folder, segmenter=None), num_steps=1).setup(torch.device("cpu"))
    A2DTask(config(folder, segmenter=None, spatial_weight=0.0), num_steps=1).setup(torch.device("cpu"))
    A2DTask(config(folder, segmenter=None, attributes=("he",)), num_steps=1).setup(torch.device("cpu"))


@pytest.mark.parametrize(
    "changes, error",
    [
        ({"attributes": ("lipstik",)}, "did you mean 'lipstick'"),
        ({"rest_region": "fase"}, "did you mean 'face'"),
    ],
)
def test_unknown_attributes_and_regions_are_named(folder, changes, error):
    with pytest.raises(ConfigError, match=error):
        A2DTask(config(folder, **changes), num_steps=1).setup(torch.device("cpu"))


def test_a_component_of_another_kind_is_refused(folder):
    with pytest.raises(CheckpointError, match="is a 'clip'"):
        A2DTask(config(folder, segmenter=str(folder / "clip.json")), num_steps=1).setup(torch.device("cpu"))


def test_presets_hold_the_papers_settings():
    for name, theta in (("celebahq", 8), ("cub", 8), ("ffhq", 10), ("nabirds", 15)):
        _, settings = direction_config("a2d", name, generator="g", clip="c", segmenter="s")
        assert (settings.theta, settings.batch_size, settings.lr, settings.truncation_psi) == (theta, 40, 1e-4, 0.5)
    assert set(recipe_names("a2d")) == {"minifaces", "portraits", "celebahq", "cub", "ffhq", "nabirds"}


@pytest.mark.parametrize("changes", [{"theta": None}, {"theta_rel": 1.0}, {"alpha": -1.0}, {"batch_size": 0}])
def test_settings_that_make_no_sense_are_refused(folder, changes):
    with pytest.raises(ConfigError):
        config(folder, **changes)


def test_a_segmenter_of_the_background_gives_the_network_a_null_space(folder, tmp_path):
    torch.manual_seed(4)
    segmenter = Segmenter(SegmenterConfig(("mouth", "background"), resolution=16, widths=(4, 6))).eval()
    segmenter.head.bias.data.zero_()  # an untrained one sees nothing anywhere
    path = str(write_tiny(tmp_path, "segmenter", segmenter))
    component = trained(folder, tmp_path / "run", 4, segmenter=path, surroundings_num=3, attributes=("lipstick",))
    network = load_network_component(component, torch.device("cpu"))
    assert len(network.null_space.response) == len(component.info["surroundings"]) == network.config.num_readings > 0
    assert all(name.startswith("background") for name in component.info["surroundings"])
    assert "clarity" not in component.info
    settings = {
        "segmenter": path,
        "attributes": ("lipstick",),
        "clarity": 1.5,
        "init": str(tmp_path / "run" / "a2d.json"),
    }
    again = A2DTask(config(folder, **settings), num_steps=4)
    again.setup(torch.device("cpu"))
    assert again.network.null_space is None  # it is measured anew at the end
    assert all(torch.equal(value, component.state_dict[name]) for name, value in again.network.state_dict().items())
    (tmp_path / "again").mkdir()
    again.export(str(tmp_path / "again"), 4)
    written = read_component(tmp_path / "again" / "a2d.json").info
    assert written["training"]["init"] == "a2d.json" and written["clarity"] == 1.5
    without = trained(folder, tmp_path / "without", 4, segmenter=path, surroundings_num=0, attributes=("lipstick",))
    assert "surroundings" not in without.info and without.config["num_readings"] == 0
    for name, value in without.state_dict.items():
        assert torch.equal(value, component.state_dict[name])
