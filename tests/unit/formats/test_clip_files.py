"""CLIP files of other projects: of any shape, wrapped and renamed, against an implementation of its own."""

import sys
import types

import open_clip
import pytest
import torch
from torch import nn

from styleT2I import load_clip
from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.clip.layout import clip_model
from styleT2I.formats.foreign.registry import read_network
from styleT2I.generation.model import Model
from styleT2I.networks.clip.loading import installed_clip_package
from styleT2I.networks.clip.model import CLIP
from tests.clip_containers import saved, write_container
from tests.plain_clip import CONTEXT, IDS, SCALARS, assert_same, pixels, random_state


@pytest.mark.parametrize(
    "shape, heads, text_heads",
    [
        ({}, 2, 1),
        ({"width": 192, "patch": 5, "grid": 2, "layers": 3, "text_width": 128, "text_layers": 3}, 3, 2),
        ({"width": 96, "text_width": 80, "embed": 24}, 1, 1),  # OpenAI's code divides by 64 and drops the rest
        ({"width": 32, "text_width": 48, "grid": 1}, 1, 1),
    ],
)
def test_a_vit_of_any_shape_is_built_from_its_tensors(tmp_path, shape, heads, text_heads):
    state = random_state(**shape)
    clip = load_clip(saved(tmp_path / "any.pt", {**state, **SCALARS}))
    assert_same(clip, state, heads, text_heads)
    assert clip.config.quick_gelu and clip.config.name == "any"


@pytest.mark.parametrize("width, layers, grid", [(16, [1, 2, 1, 1], 1), (32, [1, 1, 2, 3], 3)])
def test_a_resnet_of_any_shape_is_built_from_its_tensors(tmp_path, width, layers, grid):
    vision = {"image_size": 32 * grid, "width": width, "layers": layers}
    text = {"context_length": CONTEXT, "vocab_size": 40, "width": 128, "heads": 2, "layers": 1}
    torch.manual_seed(0)
    own = open_clip.CLIP(24, vision, text, quick_gelu=True).eval()
    clip = load_clip(saved(tmp_path / "resnet.pt", {**own.state_dict(), **SCALARS}))
    image = pixels(32 * grid)
    with torch.no_grad():
        torch.testing.assert_close(clip.model.encode_image(image), own.encode_image(image), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(clip.model.encode_text(IDS), own.encode_text(IDS), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("is_half", [False, True])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_authors_fine_tuned_checkpoint_is_openais_clip(tmp_path, prefix, is_half):
    state = random_state()
    stored = {prefix + key: tensor.half() if is_half else tensor for key, tensor in state.items()}
    path = saved(tmp_path / "last.pt", {"model": stored, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}})
    clip = load_clip(path)
    assert_same(clip, {key: tensor.half().float() if is_half else tensor for key, tensor in state.items()})
    assert clip.config.quick_gelu and all(tensor.dtype == torch.float32 for tensor in clip.state_dict().values())


def test_a_torchscript_archive_is_read_without_running_it(tmp_path, monkeypatch):
    state = random_state()
    write_container(tmp_path / "ViT.pt", "torchscript", {**state, **SCALARS})
    monkeypatch.setattr(torch.jit, "load", lambda *args, **kwargs: pytest.fail("the archive was run"))
    assert_same(load_clip(tmp_path / "ViT.pt"), state)


@pytest.fixture
def clip_package(tmp_path, monkeypatch):
    """A stand-in for OpenAI's package: its layout on the disk, and a model whose class is clip.model.CLIP."""
    folder = tmp_path / "site" / "clip"
    folder.mkdir(parents=True)
    for name in ("__init__.py", "clip.py", "model.py"):
        (folder / name).write_text("")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.delitem(sys.modules, "clip", raising=False)
    state = random_state(width=64, text_width=64)
    model = clip_model(state)
    made = open_clip.CLIP(
        model["embed_dim"], model["vision_cfg"] | {"head_width": 16}, model["text_cfg"], quick_gelu=True
    )
    made.load_state_dict(state)
    made.__class__ = type("CLIP", (open_clip.CLIP,), {"__module__": "clip.model"})
    return made.eval(), state


def test_a_model_of_openais_package_is_taken_as_it_is(clip_package):
    model, state = clip_package
    assert installed_clip_package() == "openai"
    for source in (model, (model, lambda image: image)):  # what clip.load returns
        clip = load_clip(source)
        assert isinstance(clip, CLIP) and clip.config.quick_gelu
        assert_same(clip, state, heads=4)
    with torch.no_grad():
        image = pixels(clip.config.image_size)
        torch.testing.assert_close(clip.model.encode_image(image), model.encode_image(image))


def test_a_model_of_openais_package_on_half_precision_keeps_its_own_numbers(clip_package):
    model, state = clip_package
    clip = load_clip(model.half())
    assert next(model.parameters()).dtype == torch.float16
    assert_same(clip, {key: tensor.half().float() for key, tensor in state.items()}, heads=4)


def test_a_pipeline_takes_such_a_model_as_its_clip(clip_package):
    network = Model({"clip": clip_package[0]}, device="cpu").network("clip")
    assert isinstance(network, CLIP)
    assert_same(network, clip_package[1], heads=4)


def test_an_open_clip_model_keeps_its_own_activation():
    torch.manual_seed(0)
    model = clip_model(random_state())
    own = open_clip.CLIP(model["embed_dim"], model["vision_cfg"], model["text_cfg"]).eval()
    clip = load_clip(own)
    assert not clip.config.quick_gelu and load_clip(clip) is clip
    with torch.no_grad():
        torch.testing.assert_close(clip.model.encode_text(IDS), own.encode_text(IDS))


def test_pypis_unrelated_clip_is_recognised_and_explained(tmp_path, monkeypatch):
    (tmp_path / "clip.py").write_text("def paste(): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "clip", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert installed_clip_package() == "other"
    for source in (types.ModuleType("clip"), "ViT-B/32"):
        with pytest.raises(CheckpointError, match="PyPI's clipboard tool, not OpenAI's"):
            load_clip(source)


def test_openais_names_find_what_openais_package_has_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match="ViT-B/32: no such file.*--clip clip-vit-b-32"):
        load_clip("ViT-B/32")
    (tmp_path / ".cache/clip").mkdir(parents=True)
    saved(tmp_path / ".cache/clip/ViT-B-32.pt", {**random_state(), **SCALARS})
    assert_same(load_clip("ViT-B/32"), random_state())


@pytest.mark.parametrize("source", [3, None, nn.Linear(2, 2), "fake"])
def test_what_is_no_clip_is_refused(source):
    with pytest.raises(CheckpointError, match="is not a CLIP|no such file"):
        load_clip(source)


def test_a_read_clip_survives_as_a_component(tmp_path):
    from styleT2I.formats.component import write_component

    component = read_network(saved(tmp_path / "any.pt", {**random_state(), **SCALARS}))
    path = write_component(tmp_path, "clip", component.kind, component.config, component.state_dict)
    assert_same(load_clip(path), random_state())
