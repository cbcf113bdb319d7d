"""Priors of unCLIP as Karlo's authors and diffusers (PriorTransformer) store them: the same network, renamed.

Every size follows from the tensors but the number of heads: a config.json beside the file says it, else they are as
wide as Karlo's. Karlo's own files keep the embeddings' statistics in a file of their own beside them.
"""

from __future__ import annotations

import json
import re

import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.imported import (
    Reading,
    count_blocks,
    is_state_dict,
    load_state,
    renamed,
    shape_of,
    without_prefix,
)
from styleT2I.formats.pickles.tensors import load_tensors
from styleT2I.formats.pickles.torch_files import Content, open_checkpoint

CONFIG, STATISTICS = "config.json", "ViT-L-14_stats.th"
HEAD_WIDTH = 64
NUM_FURTHER = 4  # places behind the tokens
_TENSOR = r"\.(weight|bias)"
_OF_KARLO = (  # to diffusers' names
    (rf"clip_img_proj{_TENSOR}", r"proj_in.\1"),
    (rf"text_emb_proj{_TENSOR}", r"embedding_proj.\1"),
    (rf"text_enc_proj{_TENSOR}", r"encoder_hidden_states_proj.\1"),
    (rf"time_embed\.([02]){_TENSOR}", lambda match: f"time_embedding.linear_{int(match[1]) // 2 + 1}.{match[2]}"),
    (r"prd_emb", r"prd_embedding"),
    (r"positional_embedding", r"positional_embedding"),
    (rf"transformer\.resblocks\.(\d{{1,3}})\.ln_1{_TENSOR}", r"transformer_blocks.\1.norm1.\2"),
    (rf"transformer\.resblocks\.(\d{{1,3}})\.attn\.c_qkv{_TENSOR}", r"transformer_blocks.\1.attn1.qkv.\2"),
    (rf"transformer\.resblocks\.(\d{{1,3}})\.attn\.c_proj{_TENSOR}", r"transformer_blocks.\1.attn1.to_out.0.\2"),
    (rf"transformer\.resblocks\.(\d{{1,3}})\.ln_2{_TENSOR}", r"transformer_blocks.\1.norm3.\2"),
    (rf"transformer\.resblocks\.(\d{{1,3}})\.mlp\.c_fc{_TENSOR}", r"transformer_blocks.\1.ff.net.0.proj.\2"),
    (rf"transformer\.resblocks\.(\d{{1,3}})\.mlp\.c_proj{_TENSOR}", r"transformer_blocks.\1.ff.net.2.\2"),
    (rf"final_ln{_TENSOR}", r"norm_out.\1"),
    (rf"out_proj{_TENSOR}", r"proj_to_clip_embeddings.\1"),
)
_OF_DIFFUSERS = (  # to ours
    (rf"proj_in{_TENSOR}", r"image_in.\1"),
    (rf"embedding_proj{_TENSOR}", r"text_in.\1"),
    (rf"encoder_hidden_states_proj{_TENSOR}", r"token_in.\1"),
    (rf"time_embedding\.linear_([12]){_TENSOR}", lambda match: f"step_in.{2 * int(match[1]) - 2}.{match[2]}"),
    (r"prd_embedding", r"query"),
    (r"positional_embedding", r"places"),
    (rf"transformer_blocks\.(\d{{1,3}})\.norm1{_TENSOR}", r"blocks.\1.norm1.\2"),
    (rf"transformer_blocks\.(\d{{1,3}})\.attn1\.qkv{_TENSOR}", r"blocks.\1.qkv.\2"),
    (rf"transformer_blocks\.(\d{{1,3}})\.attn1\.to_out\.0{_TENSOR}", r"blocks.\1.attn_out.\2"),
    (rf"transformer_blocks\.(\d{{1,3}})\.norm3{_TENSOR}", r"blocks.\1.norm2.\2"),
    (rf"transformer_blocks\.(\d{{1,3}})\.ff\.net\.0\.proj{_TENSOR}", r"blocks.\1.mlp.0.\2"),
    (rf"transformer_blocks\.(\d{{1,3}})\.ff\.net\.2{_TENSOR}", r"blocks.\1.mlp.2.\2"),
    (rf"norm_out{_TENSOR}", r"norm_out.\1"),
    (rf"proj_to_clip_embeddings{_TENSOR}", r"image_out.\1"),
    (r"clip_mean", r"mean"),
    (r"clip_std", r"std"),
)
_PART = re.compile(r"(.*\.attn1\.)to_([qkv])(\.(?:weight|bias))")


def is_karlo_prior(tree) -> bool:
    """Whether the content of a file is a prior in either layout."""
    state = _state(tree)
    return "prd_embedding" in state or {"prd_emb", "clip_img_proj.weight"} <= state.keys()


def read_karlo_prior(content: Content, which: str) -> Reading:
    """The prior of a file's content; CheckpointError where its statistics or sizes are missing or do not fit."""
    state = _state(content.tree)
    is_karlo = "prd_emb" in state
    tensors = load_state(state)
    if is_karlo:
        tensors = renamed(tensors, _OF_KARLO, "prior of Karlo's")
        tensors |= _statistics(content.path)
    width, embed_dim = shape_of(tensors, "proj_in.weight", 2)
    num_heads = _num_heads(content.path, width)
    tensors = _by_head(tensors, num_heads) if is_karlo else _joined(tensors)
    config = {
        "embed_dim": embed_dim,
        "text_width": shape_of(tensors, "encoder_hidden_states_proj.weight", 2)[1],
        "num_tokens": shape_of(tensors, "positional_embedding", 3)[1] - NUM_FURTHER,
        "width": width,
        "num_heads": num_heads,
        "num_layers": count_blocks(tensors, r"transformer_blocks\.(\d{1,3})\.norm1\.weight"),
    }
    for name in ("clip_mean", "clip_std"):
        shape_of(tensors, name, 2)
        tensors[name] = tensors[name].flatten()
    named = renamed(tensors, _OF_DIFFUSERS, "prior of unCLIP's")
    return Reading("unclip-prior", config, named, {"layout": "karlo" if is_karlo else "diffusers"})


def _state(tree):
    """The file's state dict without the prefix of Karlo's training; {} where it has none."""
    held = tree.get("state_dict", tree) if isinstance(tree, dict) else {}
    return without_prefix(held, "model.") if is_state_dict(held) else {}


def _statistics(path):
    """Mean and deviation [1, D] of image embeddings, out of Karlo's file beside its prior."""
    file = path.parent / STATISTICS
    if not file.is_file():
        raise CheckpointError(
            f"lacks the mean and deviation of its embeddings; put Karlo's {STATISTICS} into the same folder"
        )
    with open_checkpoint(file) as content:
        parts = content.tree if isinstance(content.tree, (tuple, list)) else ()
        if len(parts) != 2 or not all(hasattr(part, "shape") and len(part.shape) == 1 for part in parts):
            raise CheckpointError(f"{file}: holds no mean and deviation, two vectors; fetch it again")
        mean, std = load_tensors(list(parts))
    return {"clip_mean": mean.float().unsqueeze(0), "clip_std": std.float().unsqueeze(0)}


def _num_heads(path, width):
    """Of the config.json beside a file of diffusers', else as many as give Karlo's width per head."""
    try:
        said = json.loads((path.parent / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        said = {}
    num = said.get("num_attention_heads") if isinstance(said, dict) else None
    if num is None:
        num = width // HEAD_WIDTH
    if not isinstance(num, int) or num < 1 or width % num:
        raise CheckpointError(
            f"its width {width} does not part into {num} heads; put the {CONFIG} that belongs to it into its folder"
        )
    return num


def _by_head(tensors, num_heads):
    """Karlo's queries, keys and values, which stand head by head, as three blocks."""
    changed = dict(tensors)
    for key, value in tensors.items():
        if ".attn1.qkv." in key:
            if len(value) % (3 * num_heads):
                raise CheckpointError(f"the tensor {key!r} does not part into {num_heads} heads; it is damaged")
            changed[key] = value.unflatten(0, (num_heads, 3, -1)).transpose(0, 1).flatten(0, 2).contiguous()
    return changed


def _joined(tensors):
    """diffusers' queries, keys and values as one tensor."""
    changed, parts = {}, {}
    for key, value in tensors.items():
        if match := _PART.fullmatch(key):
            parts.setdefault(f"{match[1]}qkv{match[3]}", {})[match[2]] = value
        else:
            changed[key] = value
    for key, found in parts.items():
        if found.keys() != {"q", "k", "v"}:
            raise CheckpointError(f"lacks a part of {key!r}, queries, keys or values; fetch it again")
        changed[key] = torch.cat([found[part] for part in "qkv"])
    return changed
