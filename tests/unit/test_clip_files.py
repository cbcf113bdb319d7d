"""CLIP files of other projects: of any shape, wrapped and renamed, against an implementation of its own."""

import json
import sys
import types
import warnings

import open_clip
import pytest
import torch
from torch import nn

from styleT2I import load_clip
from styleT2I.errors import CheckpointError
from styleT2I.formats.clip_layout import clip_model
from styleT2I.formats.foreign import read_network
from styleT2I.formats.open_clip_files import architecture_of
from styleT2I.model import Model
from styleT2I.networks.clip import CLIP
from styleT2I.networks.clip_loading import installed_clip_package
from styleT2I.torch_utils.files import save_safetensors_atomic
from tests.plain_clip import CONTEXT, image_features, random_state, text_features

SCALARS = {
    "input_resolution": torch.tensor(24),
    "context_length": torch.tensor(CONTEXT),
    "vocab_size": torch.tensor(40),
}
IDS = torch.tensor([[1, 5, 39, 0, 0, 0, 0, 0, 0], [1, 7, 8, 9, 2, 3, 39, 0, 0]])


def pixels(size, num=2):
    return torch.randn(num, 3, size, size, generator=torch.Generator().manual_seed(3))


def assert_same(clip, state, heads=2, text_heads=1, **act):
    """The adapter computes what the plain implementation makes of the state dict."""
    image, ids = pixels(clip.config.image_size), IDS[:, : clip.context_length]
    with torch.no_grad():
        torch.testing.assert_close(
            clip.model.encode_image(image), image_features(state, image, heads, **act), atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(
            clip.model.encode_text(ids), text_features(state, ids, text_heads, **act), atol=1e-4, rtol=1e-4
        )
    torch.testing.assert_close(clip.temperature_scale, state["logit_scale"].exp())


def saved(path, content):
    torch.save(content, path)
    return path


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


class Tensors(nn.Module):
    """Parameters under dotted names, nested as modules, beside attributes that archives of modules hold."""

    numbers: list[int]
    text: str

    def __init__(self, state):
        super().__init__()
        self.numbers, self.text = [3, 4], "constant"
        children = {}
        for key, tensor in state.items():
            name, _, rest = key.partition(".")
            if rest:
                children.setdefault(name, {})[rest] = tensor
            else:
                self.register_buffer(name, tensor)
        for name, part in children.items():
            self.add_module(name if not name.isdigit() else f"{name}", Tensors(part))

    def forward(self, x):
        return x


def test_a_torchscript_archive_is_read_without_running_it(tmp_path, monkeypatch):
    state = random_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        torch.jit.script(Tensors({**state, **SCALARS})).save(str(tmp_path / "ViT.pt"))
    monkeypatch.setattr(torch.jit, "load", lambda *args, **kwargs: pytest.fail("the archive was run"))
    assert_same(load_clip(tmp_path / "ViT.pt"), state)


def test_a_training_file_of_open_clip_is_read_with_gelu(tmp_path):
    state = random_state()
    stored = {"epoch": 1, "name": "run", "state_dict": {f"module.{key}": tensor for key, tensor in state.items()}}
    clip = load_clip(saved(tmp_path / "epoch_1.pt", stored))
    assert_same(clip, state, act=nn.functional.gelu)
    assert not clip.config.quick_gelu


def test_safetensors_are_recognised_by_content_whatever_their_name(tmp_path):
    save_safetensors_atomic(tmp_path / "clip.bin", random_state())
    assert_same(load_clip(tmp_path / "clip.bin"), random_state(), act=nn.functional.gelu)


def test_a_bare_state_dict_says_that_its_activation_is_assumed(tmp_path):
    path = saved(tmp_path / "mine.pt", random_state())
    with pytest.warns(UserWarning, match="mine.pt: .*QuickGELU.*open_clip_config.json"):
        clip = load_clip(path)
    assert_same(clip, random_state())


@pytest.mark.parametrize("name, is_quick", [("vit-quickgelu-x.pt", True), ("open_clip_pytorch_model.bin", False)])
def test_a_telling_file_name_settles_the_activation(tmp_path, name, is_quick, recwarn):
    assert load_clip(saved(tmp_path / name, random_state())).config.quick_gelu is is_quick
    assert not [w for w in recwarn if "QuickGELU" in str(w.message)]


def write_sidecar(folder, model, **preprocessing):
    sidecar = {"model_cfg": model, "preprocess_cfg": preprocessing}
    (folder / "open_clip_config.json").write_text(json.dumps(sidecar))


def test_open_clips_own_configuration_beside_the_file_is_followed(tmp_path):
    state = random_state()
    model = clip_model(state)
    model["vision_cfg"]["head_width"] = 16
    write_sidecar(tmp_path, {**model, "quick_gelu": True}, mean=[0.5, 0.4, 0.3], std=[0.2, 0.2, 0.1])
    saved(tmp_path / "open_clip_pytorch_model.bin", state)
    clip = load_clip(tmp_path)  # the folder, as it is downloaded
    assert_same(clip, state, heads=8)
    assert clip.config.quick_gelu and clip.config.image_mean == (0.5, 0.4, 0.3)
    assert clip.config.name == tmp_path.name


TIMM = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "test_vit", "timm_pool": "", "timm_proj": "linear", "image_size": 160},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 40, "width": 64, "heads": 1, "layers": 1},
}


@pytest.fixture
def timm_file(tmp_path):
    torch.manual_seed(0)
    vision = {**TIMM["vision_cfg"], "timm_model_pretrained": False}
    own = open_clip.CustomTextCLIP(16, vision, TIMM["text_cfg"]).eval()
    return saved(tmp_path / "timm.pt", own.state_dict()), own


def test_a_tower_of_timm_is_refused_until_the_architecture_is_named(timm_file, monkeypatch):
    path, own = timm_file
    with pytest.raises(CheckpointError, match="timm.pt: .*timm's.*architecture=NAME"):
        load_clip(path)
    with pytest.raises(CheckpointError, match="did you mean 'ViT-B-32'"):
        load_clip(path, architecture="ViT-B-23")
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny-timm", {**TIMM, "custom_text": True})
    clip = load_clip(path, architecture="tiny-timm")
    with torch.no_grad():
        torch.testing.assert_close(clip.model.encode_image(pixels(160)), own.encode_image(pixels(160)))
        torch.testing.assert_close(clip.model.encode_text(IDS), own.encode_text(IDS))


def test_a_tower_of_timm_is_built_from_the_configuration_beside_it(timm_file):
    path, own = timm_file
    write_sidecar(path.parent, {**TIMM, "custom_text": True})
    with torch.no_grad():
        torch.testing.assert_close(load_clip(path).model.encode_image(pixels(160)), own.encode_image(pixels(160)))


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-H-14", "ViT-bigG-14", "ViT-H-14-CLIPA", "RN50x4", "RN101"])
def test_open_clips_architectures_are_known_by_their_shapes(name):
    config = open_clip.get_model_config(name)
    config.pop("quick_gelu", None)
    is_custom = config.pop("custom_text", False)
    with torch.device("meta"):
        state = (open_clip.CustomTextCLIP if is_custom else open_clip.CLIP)(**config).state_dict()
    assert architecture_of(clip_model(state)) == name


HF_BLOCK = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
            "attn.out_proj": "self_attn.out_proj"}  # fmt: skip
HF_TOP = {
    "logit_scale": "logit_scale", "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight", "ln_final.bias": "text_model.final_layer_norm.bias",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight", "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
}  # fmt: skip


def as_transformers(state):
    """The state dict by the names of transformers' CLIPModel, which splits the attention into three."""
    renamed = {"text_model.embeddings.position_ids": torch.arange(CONTEXT)[None]}
    for key, tensor in state.items():
        if key in HF_TOP:
            renamed[HF_TOP[key]] = tensor
        elif key in ("text_projection", "visual.proj"):
            name = "text_projection" if key == "text_projection" else "visual_projection"
            renamed[f"{name}.weight"] = tensor.t().contiguous()
        else:
            tower = "vision_model" if key.startswith("visual.") else "text_model"
            number, _, rest = key.partition("resblocks.")[2].partition(".")
            stem = f"{tower}.encoder.layers.{number}."
            if "in_proj" in rest:
                kind = rest.rpartition("_")[2]
                for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                    renamed[f"{stem}self_attn.{letter}_proj.{kind}"] = part.clone()
            else:
                name, _, kind = rest.rpartition(".")
                renamed[f"{stem}{HF_BLOCK[name]}.{kind}"] = tensor
    return renamed


@pytest.mark.parametrize("act, function", [("quick_gelu", None), ("gelu", nn.functional.gelu)])
def test_a_clip_of_transformers_is_the_same_network_renamed(tmp_path, act, function):
    state = random_state()
    folder = tmp_path / "clip-tiny"
    folder.mkdir()
    save_safetensors_atomic(folder / "model.safetensors", as_transformers(state))
    towers = {
        "text_config": {"hidden_act": act, "num_attention_heads": 4},
        "vision_config": {"hidden_act": act, "num_attention_heads": 8},
    }
    (folder / "config.json").write_text(json.dumps({"model_type": "clip", **towers}))
    clip = load_clip(folder)
    assert_same(clip, state, heads=8, text_heads=4, **({"act": function} if function else {}))
    assert clip.config.name == "clip-tiny" and clip.config.quick_gelu is (act == "quick_gelu")


def test_a_clip_of_transformers_without_its_configuration_is_taken_as_openais(tmp_path):
    path = saved(tmp_path / "pytorch_model.bin", as_transformers(random_state()))
    with pytest.warns(UserWarning, match="no config.json beside the file"):
        assert_same(load_clip(path), random_state())


@pytest.mark.parametrize(
    "settings, without, named",
    [
        ({"model_type": "siglip"}, "", "as a 'siglip'"),
        ({"model_type": "clip", "text_config": {"hidden_act": "relu"}}, "", "relu"),
        ([1], "", "config.json: no configuration"),
        ({"model_type": "clip"}, "vision", "one tower of a CLIP"),
        ({"model_type": "clip"}, "k_proj.bias", "a part of the attention"),
    ],
)
def test_what_transformers_has_besides_clip_is_refused_in_one_line(tmp_path, settings, without, named):
    state = {key: t for key, t in as_transformers(random_state()).items() if not without or without not in key}
    path = saved(tmp_path / "pytorch_model.bin", state)
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=named) as caught:
        load_clip(path)
    assert str(path.parent) in str(caught.value) and "\n" not in str(caught.value)


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
    with pytest.raises(CheckpointError, match="is no CLIP|cannot be read"):
        load_clip(source)


def test_a_read_clip_survives_as_a_component(tmp_path):
    from styleT2I.formats.component import write_component

    component = read_network(saved(tmp_path / "any.pt", {**random_state(), **SCALARS}))
    path = write_component(tmp_path, "clip", component.kind, component.config, component.state_dict)
    assert_same(load_clip(path), random_state())
