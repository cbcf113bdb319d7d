"""CLIP in the layout of Hugging Face's transformers (CLIPModel), renamed to OpenAI's: the same network.

The folder's config.json says what shapes cannot: the activation and the number of heads.
"""

from __future__ import annotations

import json
import re
import warnings

import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.clip.layout import clip_model, name_of, tokenizer_of, unwrap
from styleT2I.formats.foreign.imported import Reading, load_state
from styleT2I.formats.pickles.torch_files import Content

CONFIG = "config.json"
_WHOLE = (
    "text_projection.weight", "visual_projection.weight", "logit_scale",
    "text_model.final_layer_norm.weight", "vision_model.pre_layrnorm.weight",
)  # fmt: skip
_TOWERS = {"text_model": "", "vision_model": "visual."}
_TOP = {
    "logit_scale": "logit_scale",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "text_projection.weight": "text_projection",  # the two projections are transposed as well
    "visual_projection.weight": "visual.proj",
}
_NORMS = {
    "text_model.final_layer_norm": "ln_final",
    "vision_model.pre_layrnorm": "visual.ln_pre",  # spelt so
    "vision_model.post_layernorm": "visual.ln_post",
}
_BLOCK = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip
_PROJECTION = re.compile(r"(.*)\.self_attn\.([qkv])_proj\.(weight|bias)")
_LAYER = re.compile(r"(text_model|vision_model)\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")


def is_huggingface_clip(tree) -> bool:
    """Whether the content of a file has tensors by the names of a CLIPModel, or of one of its towers."""
    state, _ = unwrap(tree)
    return "text_model.final_layer_norm.weight" in state or "vision_model.pre_layrnorm.weight" in state


def read_huggingface_clip(content: Content, which: str) -> Reading:
    """The CLIP of a file for our adapter; CheckpointError when it has one tower or is of another kind."""
    path = content.path
    state, _ = unwrap(content.tree)
    missing = [key for key in _WHOLE if key not in state]
    if missing:
        raise CheckpointError(f"holds one tower of a CLIP, without {', '.join(missing)}; give the whole CLIPModel")
    settings = _settings(path.with_name(CONFIG))
    tensors = _renamed(load_state(state))
    model = clip_model(tensors)
    for name, part in (("text_config", "text_cfg"), ("vision_config", "vision_cfg")):
        heads = settings.get(name, {}).get("num_attention_heads")
        if isinstance(heads, int) and heads > 0:
            width = model[part]["width"]
            model[part] |= {"heads": heads} if part == "text_cfg" else {"head_width": width // heads}
    config = {
        "name": name_of(path),
        "model": model,
        "quick_gelu": settings["quick_gelu"],
        "tokenizer": tokenizer_of(model),
    }
    return Reading("clip", config, {f"model.{key}": tensor for key, tensor in tensors.items()}, _notes(settings, path))


def _settings(path):
    """The parts of config.json that matter, with `quick_gelu`; OpenAI's activation where there is no such file."""
    if not path.is_file():
        return {"quick_gelu": True, "is_assumed": True}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        kind = settings["model_type"]
        towers = {name: settings.get(name) or {} for name in ("text_config", "vision_config")}
        activations = {tower.get("hidden_act", "quick_gelu") for tower in towers.values()}
        eps = {tower.get("layer_norm_eps", 1e-5) for tower in towers.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a configuration of transformers' (model_type); fetch it again") from error
    if kind != "clip" or len(activations) > 1 or not activations <= {"quick_gelu", "gelu"} or eps != {1e-5}:
        raise CheckpointError(
            f"is described by {path} as a {kind!r} with {', '.join(map(str, sorted(activations)))}; of transformers' "
            "models, CLIP itself with quick_gelu or gelu is supported"
        )
    return {**towers, "quick_gelu": activations == {"quick_gelu"}}


def _renamed(state):
    tensors, projections = {}, {}
    for key, tensor in state.items():
        if match := _PROJECTION.fullmatch(key):
            projections.setdefault(f"{match[1]}.self_attn.in_proj.{match[3]}", {})[match[2]] = tensor
        elif not key.endswith("position_ids"):
            is_projection = key.endswith("_projection.weight")
            tensors[_name(key)] = tensor.t().contiguous() if is_projection else tensor
    for key, parts in projections.items():
        if set(parts) != set("qkv"):
            raise CheckpointError(f"lacks a part of the attention {key[:80]!r}; it is damaged")
        tensors[_name(key)] = torch.cat([parts[part] for part in "qkv"])
    return tensors


def _name(key):
    """OpenAI's name of a tensor; CheckpointError when a CLIPModel has no such tensor."""
    if key in _TOP:
        return _TOP[key]
    stem, _, kind = key.rpartition(".")
    if stem in _NORMS:
        return f"{_NORMS[stem]}.{kind}"
    match = _LAYER.fullmatch(key)
    if match and match[3] == "self_attn.in_proj":
        return f"{_TOWERS[match[1]]}transformer.resblocks.{match[2]}.attn.in_proj_{match[4]}"
    if match and match[3] in _BLOCK:
        return f"{_TOWERS[match[1]]}transformer.resblocks.{match[2]}.{_BLOCK[match[3]]}.{match[4]}"
    raise CheckpointError(f"the tensor {key[:80]!r} belongs to no CLIPModel of transformers; use another checkpoint")


def _notes(settings, path):
    if not settings.get("is_assumed"):
        return {}
    note = f"there is no {CONFIG} beside the file: QuickGELU and heads of 64 are assumed, as in OpenAI's"
    warnings.warn(f"{path}: {note}", stacklevel=3)
    return {"notes": [note]}
