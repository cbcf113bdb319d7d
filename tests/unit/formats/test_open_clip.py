"""CLIP files of open_clip and of transformers, against an implementation of its own."""

import json
from pathlib import Path

import open_clip
import pytest
import torch
from torch import nn

from styleT2I import load_clip
from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.clip.layout import clip_model, name_of
from styleT2I.formats.foreign.clip.open_clip import architecture_of
from styleT2I.torch_utils.files import save_safetensors_atomic
from tests.clip_containers import saved
from tests.plain_clip import CONTEXT, IDS, assert_same, pixels, random_state


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
        ([1], "", "config.json: not a configuration"),
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


@pytest.mark.parametrize(
    "path, name",
    [
        ("runs/epoch_7.pt", "epoch_7"),
        ("CLIP-ViT-B-32/open_clip_pytorch_model.bin", "CLIP-ViT-B-32"),
        (
            "hub/models--laion--CLIP-ViT-B-32-laion2B/snapshots/1a2b/open_clip_model.safetensors",
            "CLIP-ViT-B-32-laion2B",
        ),
    ],
)
def test_a_clip_is_called_by_its_file_or_where_that_says_nothing_by_its_place(path, name):
    assert name_of(Path(path)) == name
