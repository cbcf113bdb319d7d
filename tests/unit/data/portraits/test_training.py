"""Trainings on rendered portraits: presets fit the data, and a generator is fitted from scenes and from latents."""

import pytest
import torch

from styleT2I.config import to_dict
from styleT2I.data.portraits.scenes.sampling import sample_scene
from styleT2I.data.portraits.scenes.streams import Z_DIM
from styleT2I.data.portraits.scenes.vector import MIRRORED, VECTOR_NAMES, VECTOR_SIZE, scene_vector
from styleT2I.errors import ConfigError, DataError
from styleT2I.formats.component import write_component
from styleT2I.networks.faces.attribute_classifier import AttributeClassifier, ClassifierConfig
from styleT2I.networks.faces.feature_distance import feature_distance
from styleT2I.networks.registry import load_network_component
from styleT2I.training.clip.config import preset_config
from styleT2I.training.clip.task import CLIPTask
from styleT2I.training.engine import RunConfig, run
from styleT2I.training.judges.config import judge_config, segmenter_config
from styleT2I.training.judges.judge import JudgeTask
from styleT2I.training.judges.segmenter import SegmenterTask
from styleT2I.training.stylegan2.rendered_fit import RenderedFit, scenes_without_images
from styleT2I.training.stylegan2.rendered_scenes import RenderedScenes
from styleT2I.training.stylegan2.renderer_fit_config import RenderedFitConfig, rendered_fit_config
from tests.interrupted import run_whole_and_in_parts
from tests.stub_portraits import fill_cache


@pytest.fixture(scope="module", autouse=True)
def rendered(tmp_path_factory):
    """A cache that holds a few pictures of every set that the presets read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLET2I_CACHE", str(tmp_path_factory.mktemp("cache")))
        fill_cache(
            "balanced/judge-train:12", "balanced/test:8", "balanced/train:8", "biased/train:24", "biased/val:6"
        )  # fmt: skip
        yield


SMALL = {"data": ("portraits:balanced/judge-train:12",), "eval_data": "portraits:balanced/test:8", "batch_size": 4}


@pytest.mark.parametrize("preset", ["portraits-guide", "portraits-heldout"])
def test_the_judges_presets_learn_the_vocabulary_and_are_measured_in_its_rare_pairs(preset):
    steps, config = judge_config(preset, **SMALL)
    task = JudgeTask(config, 10)
    task.setup(torch.device("cpu"))
    losses = [task.step(k, torch.Generator().manual_seed(k))["loss_attributes"] for k in range(4)]
    assert losses[-1] < losses[0] and steps >= 2000
    assert task.network.config.resolution == 128 and len(task.network.attribute_names) == 31
    assert {"Male+Wearing_Lipstick", "Female+a beard"} <= set(task.pairs) and "he+lipstick" not in task.pairs


def test_the_segmenters_preset_finds_celebas_parts_and_the_beard():
    _, config = segmenter_config("portraits", **SMALL)
    task = SegmenterTask(config, 10)
    task.setup(torch.device("cpu"))
    figures = [task.step(k, torch.Generator().manual_seed(k)) for k in range(3)]
    assert figures[-1]["loss"] < figures[0]["loss"]
    assert len(task.network.region_names) == 20 and task.network.region_names[-1] == "beard"
    with pytest.raises(ConfigError, match="did you mean 'portraits'"):
        segmenter_config("portrait")


@pytest.mark.parametrize("preset", ["portraits", "portraits-eval"])
def test_the_clips_presets_learn_from_captions_of_portraits(preset):
    data = ("portraits:balanced/train:8", "portraits:biased/train:8")
    config = preset_config(preset, data=data, eval_data="portraits:balanced/test:8", batch_size=4)
    task = CLIPTask(config, 10, 0)
    task.setup(torch.device("cpu"))
    figures = task.step(0, torch.Generator().manual_seed(0))
    assert all(value == value for value in figures.values())
    assert config.name == preset.replace("portraits", "portraits-clip")  # `build_model` looks for that file
    assert preset_config(preset, data=("photographs",)).name == "clip"


def _config(**changes):
    return RenderedFitConfig(
        data=("portraits:biased/train:24",), eval_data="portraits:biased/val:6", resolution=32,
        channels={4: 16, 8: 16, 16: 16, 32: 8}, w_dim=32, encoder_hidden_dim=16, mapping_layers=2,
        mapping_hidden_dim=32, batch=6, mapping_batch=16, num_latents=40, **changes,
    )  # fmt: skip


def test_fitting_brings_drawn_scenes_closer_to_their_renders():
    torch.manual_seed(0)
    task = RenderedFit(_config(steps=60, share_16=0.4, share_mapping=0.1, share_joint=0.1))
    task.setup(torch.device("cpu"))
    before = task.evaluate(0)["psnr_scene"]
    for step in range(48):
        task.step(step, torch.Generator().manual_seed(step))
    assert task.evaluate(48)["psnr_scene"] > before + 1.5


def test_a_fit_in_half_precision_takes_almost_the_same_steps_and_measures_in_single():
    figures = {}
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        task = RenderedFit(_config(steps=60, share_16=0.4, share_mapping=0.1, share_joint=0.1, precision=precision))
        task.setup(torch.device("cpu"))
        before = task.evaluate(0)["psnr_scene"]
        losses = [task.step(step, torch.Generator().manual_seed(step))["loss"] for step in range(12)]
        assert task.generator.synthesis.b32.half_dtype is (torch.bfloat16 if precision == "bf16" else None)
        figures[precision] = (before, sum(losses))
        task.evaluate(12)
        assert task.generator.synthesis.b32.half_dtype is None
    assert figures["fp32"][0] == figures["bf16"][0] and figures["fp32"][1] != figures["bf16"][1]
    assert figures["bf16"][1] == pytest.approx(figures["fp32"][1], rel=0.05)
    with pytest.raises(ConfigError, match="is fp32 or bf16, not 'half'"):
        _config(precision="half")


def test_the_mapping_stage_explains_more_of_w_the_longer_it_runs():
    torch.manual_seed(0)
    shares = {"share_16": 0.01, "share_32": 0.0, "share_64": 0.0, "share_mapping": 0.9, "share_joint": 0.01}
    task = RenderedFit(_config(steps=200, **shares))
    task.setup(torch.device("cpu"))
    start = task.stages[-2][1]
    figures = [task.step(start + k, torch.Generator().manual_seed(k))["unexplained"] for k in range(120)]
    assert sum(figures[-10:]) < 0.8 * sum(figures[:10])


def test_a_resumed_fit_equals_an_uninterrupted_one_and_its_generator_opens(tmp_path):
    shares = {"share_16": 0.3, "share_mapping": 0.2, "share_joint": 0.2, "steps": 10}
    folders = run_whole_and_in_parts(lambda: RenderedFit(_config(**shares)), tmp_path, steps=10, stopped_at=5)
    one, other = (load_network_component(folder / "generator.json") for folder in folders)
    assert one.config.z_dim == Z_DIM
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_fit_goes_on_from_what_another_one_wrote(tmp_path):
    shares = {"share_16": 0.3, "share_mapping": 0.2, "share_joint": 0.2, "steps": 10}
    run(RenderedFit(_config(**shares)), RunConfig(outdir=str(tmp_path), steps=10, device="cpu"))
    other = RenderedFit(_config(**shares, init=str(tmp_path)))
    torch.manual_seed(1)
    other.setup(torch.device("cpu"))
    for name, network in (("generator", other.generator), ("scene_encoder", other.encoder)):
        written = load_network_component(tmp_path / f"{name}.json").state_dict()
        assert all(torch.equal(tensor, written[key]) for key, tensor in network.state_dict().items())
    assert other.encoder.mean.abs().max() > 0
    with pytest.raises(ConfigError, match="is no scene-encoder"):
        write = load_network_component(tmp_path / "generator.json")
        write_component(tmp_path, "scene_encoder", write.kind, to_dict(write.config), write.state_dict())
        RenderedFit(_config(**shares, init=str(tmp_path))).setup(torch.device("cpu"))


def test_a_fit_may_go_on_with_the_drawing_alone(tmp_path):
    shares = {"share_16": 0.3, "share_mapping": 0.0, "share_joint": 0.0, "steps": 10}
    run(RenderedFit(_config(**shares)), RunConfig(outdir=str(tmp_path / "first"), steps=10, device="cpu"))
    further = _config(**shares, init=str(tmp_path / "first"), train_encoder=False)
    run(RenderedFit(further), RunConfig(outdir=str(tmp_path / "second"), steps=10, device="cpu"))
    moved = []
    for name in ("generator", "scene_encoder"):
        one, other = (load_network_component(tmp_path / at / f"{name}.json").state_dict() for at in ("first", "second"))
        moved += [f"{name}.{key}" for key in one if not torch.equal(one[key], other[key])]
    assert moved and all(name.startswith("generator.synthesis.") for name in moved)


def test_several_sets_are_mixed_and_every_scene_keeps_its_image():
    mixed = RenderedScenes(["portraits:balanced/train:8", "portraits:biased/val:6"], 32)
    first, second = RenderedScenes(["portraits:balanced/train:8"], 32), RenderedScenes(["portraits:biased/val:6"], 32)
    assert len(mixed) == 14
    known = mixed.renders([9, 3, 13, 8, 0], 16, torch.device("cpu"))
    for row, (part, k) in enumerate([(second, 1), (first, 3), (second, 5), (second, 0), (first, 0)]):
        alone = part.renders([k], 16, torch.device("cpu"))
        assert all(torch.equal(one[row], other[0]) for one, other in zip(known, alone, strict=True))
        assert torch.equal(mixed.latents([9, 3, 13, 8, 0])[row], part.latents([k])[0])
    assert known.image.shape == (5, 3, 16, 16) and known.weight.min() >= 1
    with pytest.raises(DataError, match="no rendered portraits are named; give --data SPEC"):
        RenderedScenes([], 32)


def test_data_without_scenes_are_refused_in_one_line():
    task = RenderedFit(rendered_fit_config(data=("minifaces:biased/train:4",), eval_data="portraits:biased/val:6"))
    with pytest.raises(DataError, match="minifaces:biased/train:4: its images have no scenes"):
        task.setup(torch.device("cpu"))


def test_the_stages_share_all_steps_and_leave_some_to_the_full_resolution():
    stages = RenderedFit(rendered_fit_config()).stages
    assert [name for name, _, _ in stages] == ["draw-16", "draw-32", "draw-64", "draw", "mapping", "joint"]
    assert stages[0][1] == 0 and stages[-1][2] == 40000
    assert all(a[2] == b[1] and a[1] < a[2] for a, b in zip(stages, stages[1:], strict=False))
    with pytest.raises(ConfigError, match="leave no step"):
        rendered_fit_config(share_mapping=0.8)


def test_a_mirror_turns_pose_and_light_round_and_nothing_else():
    turned = {name.partition("[")[0] for name, is_turned in zip(VECTOR_NAMES, MIRRORED, strict=True) if is_turned}
    assert turned == {"yaw", "roll", "gaze_yaw", "parting", "shift_x", "key_azimuth", "asymmetry"}


def test_latents_without_pictures_belong_to_their_scenes():
    z, vectors = scenes_without_images(3)
    assert z.shape == (3, Z_DIM) and vectors.shape == (3, VECTOR_SIZE)
    expected = scene_vector(sample_scene(0, "biased", z=z[1].tolist()))
    torch.testing.assert_close(vectors[1], torch.from_numpy(expected))


def test_feature_distance_is_zero_for_equal_pictures_and_grows_with_their_difference():
    torch.manual_seed(1)
    trunk = AttributeClassifier(ClassifierConfig(("Male",), resolution=32, widths=(4, 8))).trunk
    image, noise = torch.rand(2, 3, 32, 32) * 2 - 1, torch.randn(2, 3, 32, 32)
    assert feature_distance(trunk, image, image) == 0
    near, far = (feature_distance(trunk, image, image + share * noise) for share in (0.05, 0.5))
    assert 0 < near < far
