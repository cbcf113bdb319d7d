"""StackGAN (v1) in the layout of its authors' PyTorch code: one state dict per file, netG_*.pth or netD_*.pth.

A generator's file holds Stage-I, or both stages with Stage-I under STAGE1_G. Every size follows from the tensors.
"""

from __future__ import annotations

import re

from styleT2I.formats.foreign.imported import (
    Reading,
    choose,
    count_blocks,
    is_state_dict,
    load_state,
    renamed,
    shape_of,
    with_batch_counts,
    without_prefix,
)
from styleT2I.formats.pickles.torch_files import Content

_STAGE1 = "STAGE1_G."
_GENERATOR = (
    (r"ca_net\.fc\.(\w+)", r"augment.fc.\1"),
    (r"fc\.([01])\.(\w+)", r"project.\1.\2"),
    (r"encoder\.(\d{1,2})\.(\w+)", r"encode.\1.\2"),
    (r"hr_joint\.([01])\.(\w+)", r"join.\1.\2"),
    (r"residual\.(\d{1,2})\.block\.(\d)\.(\w+)", r"residual.\1.block.\2.\3"),
    (r"upsample(\d{1,2})\.([12])\.(\w+)", lambda match: f"up.{int(match[1]) - 1}.{match[2]}.{match[3]}"),
    (r"img\.0\.weight", "to_rgb.0.weight"),
)
_DISCRIMINATOR = (
    (r"encode_img\.(\d{1,2})\.(\w+)", r"encode.\1.\2"),
    (r"get_cond_logits\.outlogits\.(\d)\.(\w+)", r"cond_head.\1.\2"),
    (r"get_uncond_logits\.outlogits\.0\.(\w+)", r"uncond_head.0.\1"),
)


def is_stackgan(tree) -> bool:
    """Whether the content of a file is a network in this layout."""
    return bool(_networks(tree))


def read_stackgan(content: Content, which: str) -> Reading:
    """The generator ("G_ema" or "G", the file has one) or the discriminator ("D") that a file's content is."""
    state = choose(_networks(content.tree), which)
    return _read_discriminator(state) if which == "D" else _read_generator(state)


def _networks(tree):
    state = without_prefix(tree) if is_state_dict(tree) else {}
    stage1 = _STAGE1 if f"{_STAGE1}fc.0.weight" in state else ""
    if all(key in state for key in (f"{stage1}fc.0.weight", f"{stage1}ca_net.fc.weight", "img.0.weight")):
        return {"G_ema": state, "G": state}
    is_discriminator = "encode_img.0.weight" in state and "get_cond_logits.outlogits.0.weight" in state
    return {"D": state} if is_discriminator else {}


def _read_generator(state):
    if not any(key.startswith(_STAGE1) for key in state):
        config, tensors = _stage1_config(state), renamed(state, _GENERATOR, "StackGAN generator")
        config["stage2"], tensors = None, {f"stage1.{key}": value for key, value in tensors.items()}
        return Reading("stackgan-generator", config, with_batch_counts(load_state(tensors)))
    stages = [{key.removeprefix(_STAGE1): value for key, value in state.items() if key.startswith(_STAGE1)}]
    stages += [{key: value for key, value in state.items() if not key.startswith(_STAGE1)}]
    config = _stage1_config(stages[0])
    config["stage2"] = {
        "encoder_widths": _conv_widths(stages[1], "encoder"),
        "num_residual": count_blocks(stages[1], r"residual\.(\d{1,2})\.block\.0\.weight"),
        "widths": [shape_of(stages[1], "hr_joint.0.weight", 4)[0], *_doubled_widths(stages[1])],
    }
    tensors = {}
    for name, stage in zip(("stage1", "stage2"), stages, strict=True):
        own = renamed(stage, _GENERATOR, "StackGAN generator")
        tensors |= {f"{name}.{key}": value for key, value in own.items()}
    return Reading("stackgan-generator", config, with_batch_counts(load_state(tensors)))


def _stage1_config(state):
    conditions, text_dim = shape_of(state, "ca_net.fc.weight", 2)
    rows, inputs = shape_of(state, "fc.0.weight", 2)
    cond_dim = conditions // 2
    widths = [rows // 16, *_doubled_widths(state)]
    return {"text_dim": text_dim, "z_dim": inputs - cond_dim, "cond_dim": cond_dim, "widths": widths}


def _read_discriminator(state):
    shapes = [shape_of(state, f"encode_img.{index}.weight", 4) for index in _conv_indices(state, "encode_img")]
    halving = [shape[0] for shape in shapes if shape[-1] == 4]
    narrow = [shape[0] for shape in shapes if shape[-1] != 4]
    width, joined, *_ = shape_of(state, "get_cond_logits.outlogits.0.weight", 4)
    config = {
        "cond_dim": joined - width,
        "widths": halving,
        "narrow_widths": narrow,
        "is_unconditional": "get_uncond_logits.outlogits.0.weight" in state,
    }
    tensors = load_state(renamed(state, _DISCRIMINATOR, "StackGAN discriminator"))
    return Reading("stackgan-discriminator", config, with_batch_counts(tensors))


def _conv_indices(state, name):
    matches = (re.fullmatch(rf"{name}\.(\d{{1,2}})\.weight", key) for key in state)
    return sorted(int(match[1]) for match in matches if match and len(state[match[0]].shape) == 4)


def _conv_widths(state, name):
    return [shape_of(state, f"{name}.{index}.weight", 4)[0] for index in _conv_indices(state, name)]


def _doubled_widths(state):
    num = count_blocks(state, r"upsample(\d{1,2})\.1\.weight")
    return [shape_of(state, f"upsample{number}.1.weight", 4)[0] for number in range(1, num + 1)]
