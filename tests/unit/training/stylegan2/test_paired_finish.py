"""The finish of a fitted generator: it gains detail, keeps near the renders, resumes, and refuses what is none."""

import shutil

import pytest
import torch

from styleT2I.config import to_dict
from styleT2I.data.portraits.scenes.streams import Z_DIM
from styleT2I.data.portraits.scenes.vector import VECTOR_SIZE
from styleT2I.errors import ConfigError, DataError
from styleT2I.formats.component import read_component, write_component
from styleT2I.formats.model_folder import read_model_folder
from styleT2I.networks.registry import load_network_component
from styleT2I.networks.scene_encoder import SceneEncoder, SceneEncoderConfig
from styleT2I.networks.stylegan2.config import GeneratorConfig
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.networks.stylegan2.patch_discriminator import (
    PatchDiscriminator,
    PatchDiscriminatorConfig,
    image_logits,
    map_distance,
    patch_logits,
)
from styleT2I.training.engine import RunConfig, run
from styleT2I.training.stylegan2.losses import logistic_discriminator_loss
from styleT2I.training.stylegan2.paired_finish import PairedFinish, detail
from styleT2I.training.stylegan2.rendered_fit import ENCODER
from styleT2I.training.stylegan2.renderer_fit_config import paired_finish_config
from tests.interrupted import run_whole_and_in_parts
from tests.stub_portraits import fill_cache


@pytest.fixture(scope="module")
def init(tmp_path_factory):
    """The folder of an untrained fit, beside a cache with a few images."""
    folder = tmp_path_factory.mktemp("fit")
    torch.manual_seed(0)
    config = GeneratorConfig(
        resolution=32, z_dim=Z_DIM, w_dim=32, mapping_layers=2, channels={4: 16, 8: 16, 16: 16, 32: 8}
    )
    network = Generator(config)
    write_component(folder, "generator", Generator.kind, to_dict(config), network.state_dict())
    shape = SceneEncoderConfig(VECTOR_SIZE, hidden_dim=16, w_dim=32)
    write_component(folder, ENCODER, SceneEncoder.kind, to_dict(shape), SceneEncoder(shape).state_dict())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLET2I_CACHE", str(folder / "cache"))
        fill_cache("biased/train:24", "biased/val:6")
        yield str(folder)


def _task(init, **changes):
    parts = {"data": ("portraits:biased/train:24",), "eval_data": "portraits:biased/val:6", "d_widths": (8, 16)}
    return PairedFinish(paired_finish_config(init=init, **{**parts, "batch": 4, "unpaired": 4, "steps": 60, **changes}))


def test_a_finish_comes_nearer_to_the_renders_and_gains_detail(init):
    torch.manual_seed(0)
    task = _task(init, lr=0.01, ema_kimg=0.05)
    task.setup(torch.device("cpu"))
    mapping = {name: tensor.clone() for name, tensor in task.generator.mapping.state_dict().items()}
    before = task.evaluate(0)
    for step in range(60):
        losses = task.step(step, torch.Generator().manual_seed(step))
    after = task.evaluate(60)
    assert after["psnr_scene"] > before["psnr_scene"] + 1
    for figure in ("detail", "detail_new"):
        assert abs(after[figure] - 1) < abs(before[figure] - 1)
    assert all(value == value for value in losses.values())
    assert all(torch.equal(mapping[name], tensor) for name, tensor in task.average.mapping.state_dict().items())
    assert task.generator.synthesis.b32.conv1.noise_strength.item() != 0


def test_a_resumed_finish_equals_an_uninterrupted_one(init, tmp_path):
    folders = run_whole_and_in_parts(lambda: _task(init, steps=6), tmp_path, steps=6, stopped_at=3)
    one, other = (load_network_component(folder / "generator.json") for folder in folders)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_what_is_exported_lies_between_the_fit_and_its_finish(init, tmp_path, share):
    task = _task(init, finished_share=share)
    task.setup(torch.device("cpu"))
    fit = load_network_component(f"{init}/generator.json").state_dict()
    with torch.no_grad():
        for parameter in task.average.synthesis.parameters():
            parameter.add_(0.5)
    finished = task.average.state_dict()
    task.export(tmp_path, 1)
    exported = load_network_component(tmp_path / "generator.json").state_dict()
    for name, tensor in exported.items():
        torch.testing.assert_close(tensor, fit[name].lerp(finished[name], share))


def test_a_finish_goes_on_from_another_with_its_discriminator(init, tmp_path):
    run(_task(init, steps=3, finished_share=1.0), RunConfig(outdir=str(tmp_path), steps=3, device="cpu"))
    further = _task(str(tmp_path))
    torch.manual_seed(1)
    further.setup(torch.device("cpu"))
    for name, network in (
        ("generator", further.average), (ENCODER, further.encoder), ("patch_discriminator", further.discriminator)
    ):  # fmt: skip
        written = load_network_component(tmp_path / f"{name}.json").state_dict()
        assert all(torch.equal(tensor, written[key]) for key, tensor in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in further.discriminator.parameters())
    with pytest.raises(ConfigError, match="its widths is not the training's"):
        _task(str(tmp_path), d_widths=(8, 24)).setup(torch.device("cpu"))


def test_half_precision_moves_the_networks_almost_as_single_precision_does(init):
    moved = {}
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        task = _task(init, precision=precision, judge=None)
        task.setup(torch.device("cpu"))
        before = task.generator.synthesis.b32.conv1.weight.clone()
        for step in range(4):
            task.step(step, torch.Generator().manual_seed(step))
        moved[precision] = (task.generator.synthesis.b32.conv1.weight - before).flatten()
        assert task.average.synthesis.b32.half_dtype is None  # what is measured and exported
    assert torch.cosine_similarity(moved["fp32"], moved["bf16"], dim=0) > 0.9
    assert not torch.equal(moved["fp32"], moved["bf16"])
    with pytest.raises(ConfigError, match="precision of a fit or a finish is fp32 or bf16, not 'fp16'"):
        _task(init, precision="fp16")


def test_what_does_not_belong_together_is_refused_in_one_line(init, tmp_path):
    with pytest.raises(ConfigError, match="add --init DIR"):
        paired_finish_config()
    with pytest.raises(ConfigError, match="lies between 0 and 1, not 2"):
        paired_finish_config(init=init, finished_share=2)
    with pytest.raises(DataError, match="its images have no scenes"):
        _task(init, data=("minifaces:biased/train:4",)).setup(torch.device("cpu"))
    model = tmp_path / "model"
    model.mkdir()
    for role, name in (("judges.guide", "generator"), ("generator", ENCODER)):
        component = read_component(read_model_folder("minifaces").file(role))
        write_component(model, name, component.kind, component.config, component.state_dict)
    with pytest.raises(ConfigError, match="is no stylegan2-generator; --init names the folder of a fit"):
        _task(str(model)).setup(torch.device("cpu"))
    other = tmp_path / "other"
    shutil.copytree(init, other, ignore=shutil.ignore_patterns("cache"))
    shape = SceneEncoderConfig(VECTOR_SIZE - 1, hidden_dim=16, w_dim=32)
    write_component(other, ENCODER, SceneEncoder.kind, to_dict(shape), SceneEncoder(shape).state_dict())
    with pytest.raises(ConfigError, match="was fitted to other scenes"):
        _task(str(other)).setup(torch.device("cpu"))


def test_every_patch_counts_in_the_losses_and_every_size_alike_in_an_images_logit():
    torch.manual_seed(0)
    maps = PatchDiscriminator(PatchDiscriminatorConfig((4, 8)))(torch.rand(2, 3, 16, 16))
    assert patch_logits(maps).shape == (2 * 16 + 2 * 4,)
    first = (maps[0][-1][0].mean() + maps[1][-1][0].mean()) / 2
    assert image_logits(maps).shape == (2, 1)
    assert image_logits(maps)[0].item() == pytest.approx(first.item(), abs=1e-6)


def test_maps_are_as_far_from_each_other_as_their_values():
    maps = PatchDiscriminator(PatchDiscriminatorConfig((4, 8)))(torch.rand(2, 3, 16, 16))
    assert map_distance(maps, maps) == 0
    assert map_distance(maps, [[each + 0.5 for each in size] for size in maps]).item() == pytest.approx(0.5, abs=1e-6)


def test_the_discriminator_tells_fine_structure_from_its_blur_within_tens_of_steps():
    torch.manual_seed(0)
    image = torch.nn.functional.avg_pool2d(torch.randn(32, 3, 66, 66), 3, 1)
    blurred = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    network = PatchDiscriminator(PatchDiscriminatorConfig((8, 16)))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, betas=(0.0, 0.99))
    for _ in range(60):
        optimizer.zero_grad()
        real, fake = (patch_logits(network(each)) for each in (image[:24], blurred[:24]))
        logistic_discriminator_loss(real, fake).backward()
        optimizer.step()
    with torch.no_grad():
        assert (image_logits(network(image[24:])) > image_logits(network(blurred[24:]))).all()


def test_no_patch_of_the_discriminator_sees_farther_than_its_width():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 128, 128, requires_grad=True)
    logits = PatchDiscriminator(PatchDiscriminatorConfig())(image)[0][-1]
    (gradient,) = torch.autograd.grad(logits[0, 0, 4, 4], image)
    rows = gradient.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == 80


def test_a_blur_loses_detail():
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert detail(torch.nn.functional.avg_pool2d(image, 3, 1, 1)) < 0.5 * detail(image)
