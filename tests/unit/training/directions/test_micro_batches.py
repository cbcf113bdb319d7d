"""A batch whose graph is held a few rows at a time gives the gradients of the whole one."""

import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.networks.faces.segmenter import Segmenter, SegmenterConfig
from styleT2I.torch_utils.seeding import generator
from styleT2I.training.directions.a2d import A2DTask
from styleT2I.training.directions.config import A2DConfig, T2DConfig
from styleT2I.training.directions.micro_batches import accumulate_gradients
from styleT2I.training.directions.t2d import T2DTask
from tests.tiny_model import write_tiny, write_tiny_model

SHARED = {"batch_size": 7, "theta": 0.1, "hidden_dim": 16, "num_hidden": 1, "keep_weight": 1.0, "jitter": 0.1,
          "translate": 0.1}  # fmt: skip
TASKS = {
    "t2d": (T2DTask, T2DConfig, {"data": "minifaces:biased/train:48", "flip_weight": 1.0, "symmetric": True,
                                 "ignore_also_true": True}),
    "t2d with its own text encoder": (T2DTask, T2DConfig, {"data": "minifaces:biased/train:48", "text_encoder": "gru",
                                                           "shuffle_captions": True, "embedding_dim": 8}),
    "a2d": (A2DTask, A2DConfig, {"attributes": ("lipstick", "he", "eyeglasses"), "alpha": 2.0}),
    "a2d with its own text encoder": (A2DTask, A2DConfig, {"attributes": ("lipstick", "beard"), "alpha": 2.0,
                                                           "text_encoder": "gru", "embedding_dim": 8}),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_tiny_model(tmp_path_factory.mktemp("tiny"))
    torch.manual_seed(4)
    config = SegmenterConfig(("hair", "skin", "eyes", "mouth"), resolution=16, widths=(4, 6))
    write_tiny(folder, "segmenter", Segmenter(config).eval())
    return folder


def a_task(folder, name, micro_batch, dtype):
    task, config, settings = TASKS[name]
    files = {role: str(folder / f"{role}.json") for role in ("generator", "clip", "segmenter")}
    if task is T2DTask:
        del files["segmenter"]
    task = task(config(**files, **SHARED, **settings, micro_batch=micro_batch), num_steps=3, seed=3)
    task.setup(torch.device("cpu"))
    for part in (task.generator, task.clip, task.network):
        part.to(dtype)
    if dtype == torch.float64:
        convert(task)
    task.optimizer = torch.optim.SGD([p for p in task.network.parameters() if p.requires_grad], lr=0.0)
    return task


def convert(task):
    """The features that were encoded while all was float32, and noise in float64."""
    if task.verdicts is not None:
        task.verdicts.sides = [side.double() for side in task.verdicts.sides]
    if hasattr(task, "phrase_features"):
        task.phrase_features = task.phrase_features.double()
        regions = task.regions
        task.regions = lambda image, names: tuple(t.to(image) if t.is_floating_point() else t
                                                  for t in regions(image.float(), names))  # fmt: skip
    mapping = task.generator.mapping.forward
    task.generator.mapping.forward = lambda z, **settings: mapping(z.double(), **settings)


def gradients(task):
    """The figures of a step, and the gradients that its optimizer is given."""
    given = []
    task.optimizer.register_step_pre_hook(
        lambda *_: given.extend(p.grad.flatten() for p in task.network.parameters() if p.grad is not None)
    )
    figures = task.step(0, generator("step", 0))
    assert all(p.grad is None for p in task.network.parameters())
    return figures, torch.cat(given)


@pytest.mark.parametrize("name", TASKS)
def test_the_gradients_of_a_split_step_are_those_of_the_whole(folder, name):
    figures, exact = gradients(a_task(folder, name, None, torch.float64))
    assert exact.norm() > 0.01
    for size in (1, 3):
        split_figures, split = gradients(a_task(folder, name, size, torch.float64))
        assert distance(split, exact) <= 1e-12
        assert split_figures == pytest.approx(figures, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", TASKS)
def test_a_split_step_in_float32_is_as_exact_as_the_whole(folder, name):
    figures, whole = gradients(a_task(folder, name, None, torch.float32))
    # A2D's cross-entropy of tiny differences multiplies the rounding of float32, 1.2e-7, by up to 10^4.
    tolerance = 1e-6 if name.startswith("t2d") else 1e4 * torch.finfo(torch.float32).eps
    for size in (1, 3):
        split_figures, split = gradients(a_task(folder, name, size, torch.float32))
        assert distance(split, whole) <= tolerance
        assert split_figures == pytest.approx(figures, rel=1e-5, abs=1e-7)


def distance(one, other):
    return ((one - other).norm() / other.norm()).item()


@pytest.mark.parametrize("name", ["t2d", "a2d"])
def test_no_more_rows_than_asked_for_are_drawn_at_a_time(folder, name):
    task = a_task(folder, name, 2, torch.float32)
    drawn, synthesis = [], task.generator.synthesis.forward
    task.generator.synthesis.forward = lambda ws, **settings: drawn.append(len(ws)) or synthesis(ws, **settings)
    task.step(0, generator("step", 0))
    assert max(drawn) == 2 and sum(drawn) >= 2 * SHARED["batch_size"]


def test_an_output_that_the_loss_does_not_read_has_no_part_in_it():
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    x = torch.arange(10.0).view(5, 2)
    loss = accumulate_gradients(lambda rows: (x[rows] * weight, x[rows] + weight), lambda a, b: a.square().sum(), 5, 2)
    assert loss == (x * weight.detach()).square().sum()
    torch.testing.assert_close(weight.grad, (2 * x.square() * weight.detach()).sum(dim=0))


@pytest.mark.parametrize("config", [T2DConfig, A2DConfig])
def test_a_micro_batch_of_nothing_is_refused(config):
    settings = {"data": "x"} if config is T2DConfig else {}
    with pytest.raises(ConfigError, match="micro_batch .* 0"):
        config(generator="g", clip="c", theta=1.0, micro_batch=0, **settings)
