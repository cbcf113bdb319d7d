"""On a GPU: half precision through the kernels, training in it, and recorded synthesis."""

import copy
from dataclasses import replace

import pytest
import torch

from styleT2I.generation.pipeline import StyleT2I
from styleT2I.networks.stylegan2.config import DiscriminatorConfig, GeneratorConfig, set_precision
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.ops.kernels import cuda_extension, default_impl
from styleT2I.torch_utils.extensions import build
from styleT2I.torch_utils.hardware.cuda_graphs import Graphed
from styleT2I.torch_utils.seeding import generator
from styleT2I.training.stylegan2.config import StyleGAN2Config
from styleT2I.training.stylegan2.task import StyleGAN2Task

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

TOLERANCE = {"fp16": 1e-2, "bf16": 6e-2}


@pytest.fixture(scope="module", autouse=True)
def kernels():
    build(cuda_extension())


@pytest.fixture(scope="module")
def G():
    torch.manual_seed(0)
    return Generator(GeneratorConfig(256, channel_base=8192)).eval().requires_grad_(False).cuda()


def relative_error(ours, exact):
    return ((ours - exact).abs().max() / exact.abs().max()).item()


@pytest.mark.parametrize("precision", TOLERANCE)
def test_images_and_gradients_in_half_precision_agree_with_float32(G, precision):
    half = set_precision(copy.deepcopy(G), precision)
    ws = G.mapping(torch.randn(4, 512, device="cuda")).requires_grad_()
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        image, ours = G.synthesis(ws), half.synthesis(ws)
        with default_impl("torch"):
            plain = half.synthesis(ws)
    assert ours.dtype == torch.float32
    assert relative_error(ours, image) < TOLERANCE[precision] and relative_error(plain, ours) < TOLERANCE[precision]
    grads = [torch.autograd.grad(y.square().mean(), ws)[0] for y in (image, ours)]
    assert (grads[1] - grads[0]).norm() < 10 * TOLERANCE[precision] * grads[0].norm()


@pytest.mark.parametrize("precision", TOLERANCE)
def test_pictures_of_the_embedded_model_are_near_those_of_float32(precision):
    pictures = [
        StyleT2I.from_pretrained("minifaces", device="cuda", precision=name)
        .generate("he is wearing lipstick", seeds=range(8), adjustment=None)
        .images_u8.int()
        for name in ("fp32", precision)
    ]
    assert (pictures[0] - pictures[1]).abs().float().mean() < 2


@pytest.mark.parametrize("precision", TOLERANCE)
def test_training_in_half_precision_stays_finite_and_learns(precision):
    config = StyleGAN2Config(
        "minifaces:biased/train:64",
        GeneratorConfig(64, z_dim=32, w_dim=32, mapping_layers=2, channel_base=1024, channel_max=32),
        DiscriminatorConfig(64, channel_base=1024, channel_max=32),
        batch_size=8, eval_num=8, r1_interval=2, pl_interval=2, r1_gamma=1.0, precision=precision,
    )  # fmt: skip
    results = {}
    for name in ("fp32", precision):
        torch.manual_seed(0)
        task = StyleGAN2Task(replace(config, precision=name), 8, seed=0)
        task.setup(torch.device("cuda"))
        before = [p.clone() for p in task.G.parameters()]
        results[name] = [task.step(step, generator("step", 0, step)) for step in range(20)]
        assert all(torch.isfinite(torch.tensor(list(f.values()))).all() for f in results[name])
        assert sum((p != old).any().item() for p, old in zip(task.G.parameters(), before, strict=True)) > 20
    ours, exact = (results[name][0]["loss_d"] for name in (precision, "fp32"))
    assert ours == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_recorded_synthesis_draws_the_same_images_and_sees_changed_weights(G, precision):
    half = set_precision(copy.deepcopy(G), precision)
    draw = Graphed(lambda ws: half.synthesis(ws, noise_mode="const"))
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False), torch.no_grad():
        for num in (1, 1, 3, 1):
            ws = half.mapping(torch.randn(num, 512, device="cuda"))
            assert relative_error(draw(ws), half.synthesis(ws)) < 1e-3
        first = draw(ws)
        half.synthesis.b4.const.mul_(2)
        assert relative_error(draw(ws), half.synthesis(ws)) < 1e-3 and not torch.equal(first, draw(ws))


def test_recorded_pictures_are_the_eager_ones_bit_for_bit(monkeypatch):
    pictures = []
    for value in ("1", "0"):
        monkeypatch.setenv("STYLET2I_GRAPHS", value)
        pipeline = StyleT2I.from_pretrained("minifaces", device="cuda")
        pictures.append(pipeline.generate("he is wearing lipstick", seeds=range(5)).images_u8)
    assert torch.equal(*pictures)


@pytest.mark.parametrize("loss", [1e-8, 1.0, 1e8])
def test_no_gradient_overflows_in_float16(G, loss):
    half = set_precision(copy.deepcopy(G), "fp16")
    ws = G.mapping(torch.randn(4, 512, device="cuda")).requires_grad_()
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        grads = [torch.autograd.grad(loss * g.synthesis(ws).square().sum(), ws)[0] for g in (G, half)]
    assert (grads[1] - grads[0]).norm() < 0.1 * grads[0].norm()


def test_recordings_are_few():
    draw = Graphed(lambda x: x * 2, max_shapes=2)
    for num in (1, 2, 3, 4):
        x = torch.ones(num, device="cuda")
        assert torch.equal(draw(x), 2 * x)
    assert len(draw._recorded) == 2
