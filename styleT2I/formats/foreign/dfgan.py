"""DF-GAN in the layout of its authors' code: state_epoch_*.pth with netG, netD and netC, or a state dict of netG alone.

Keys may carry the prefix "module." of a parallel wrapper. Every size follows from the tensors.
"""

from __future__ import annotations

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.imported import (
    Reading,
    choose,
    count_blocks,
    is_state_dict,
    load_state,
    renamed,
    shape_of,
    without_prefix,
)
from styleT2I.formats.pickles.torch_files import Content

_GENERATOR = (
    (r"fc\.(\w+)", r"project.\1"),
    (r"GBlocks\.(\d{1,2})\.c([12])\.(\w+)", lambda match: f"blocks.{match[1]}.conv{int(match[2]) - 1}.{match[3]}"),
    (r"GBlocks\.(\d{1,2})\.c_sc\.(\w+)", r"blocks.\1.skip.\2"),
    (
        r"GBlocks\.(\d{1,2})\.fuse([12])\.affine([01])\.fc_(gamma|beta)\.linear([12])\.(\w+)",
        lambda match: (
            f"blocks.{match[1]}.fuse{int(match[2]) - 1}.affine{match[3]}.{match[4]}.{2 * int(match[5]) - 2}.{match[6]}"
        ),
    ),
    (r"to_rgb\.1\.(\w+)", r"to_rgb.1.\1"),
)
_DISCRIMINATOR = (
    (r"conv_img\.(\w+)", r"from_rgb.\1"),
    (r"DBlocks\.(\d{1,2})\.conv_r\.([02])\.weight", r"blocks.\1.residual.\2.weight"),
    (r"DBlocks\.(\d{1,2})\.conv_s\.(\w+)", r"blocks.\1.skip.\2"),
    (r"DBlocks\.(\d{1,2})\.gamma", r"blocks.\1.gain"),
    (r"joint_conv\.([02])\.weight", r"head.\1.weight"),
)


def is_dfgan(tree) -> bool:
    """Whether the content of a file has a network in this layout."""
    return bool(_networks(tree))


def read_dfgan(content: Content, which: str) -> Reading:
    """The generator ("G_ema" or "G": a file has one) or the discriminator ("D": netD and netC) of a file's content."""
    state = choose(_networks(content.tree), which)
    return _read_discriminator(state) if which == "D" else _read_generator(state)


def _networks(tree):
    """The state dicts by name; D is netD and netC together, whose names do not overlap."""
    held = tree.get("model", tree) if isinstance(tree, dict) else {}
    parts = held if isinstance(held, dict) and "netG" in held else {"netG": held}
    states = {name: without_prefix(state) for name, state in parts.items() if is_state_dict(state)}
    generator = states.get("netG", {})
    if "GBlocks.0.c1.weight" not in generator:
        return {}
    found = {"G_ema": generator, "G": generator}
    return found | {"D": states["netD"] | states["netC"]} if {"netD", "netC"} <= states.keys() else found


def _read_generator(state):
    rows, z_dim = shape_of(state, "fc.weight", 2)
    _, cond_dim = shape_of(state, "GBlocks.0.fuse1.affine0.fc_gamma.linear1.weight", 2)
    num = count_blocks(state, r"GBlocks\.(\d{1,2})\.c1\.weight")
    widths = [rows // 16, *(shape_of(state, f"GBlocks.{index}.c1.weight", 4)[0] for index in range(num))]
    config = {"text_dim": cond_dim - z_dim, "z_dim": z_dim, "widths": widths}
    tensors = load_state(renamed(state, _GENERATOR, "DF-GAN generator"))
    return Reading("dfgan-generator", config, tensors)


def _read_discriminator(state):
    num = count_blocks(state, r"DBlocks\.(\d{1,2})\.gamma")
    widths = [shape_of(state, "conv_img.weight", 4)[0]]
    widths += [shape_of(state, f"DBlocks.{index}.conv_r.0.weight", 4)[0] for index in range(num)]
    head_width, joined, *_ = shape_of(state, "joint_conv.0.weight", 4)
    if joined <= widths[-1]:
        raise CheckpointError("its netC does not belong to its netD; use another checkpoint")
    config = {"text_dim": joined - widths[-1], "widths": widths, "head_width": head_width}
    tensors = load_state(renamed(state, _DISCRIMINATOR, "DF-GAN discriminator"))
    # The authors' blocks of equal widths own a shortcut's weights too, but pass the map by unchanged.
    unused = {f"blocks.{index}.skip.{name}" for index in range(num) for name in ("weight", "bias")
              if widths[index] == widths[index + 1]} & tensors.keys()  # fmt: skip
    notes = [f"{len(unused)} tensors are left out: shortcuts that its authors' code never applies"] if unused else []
    kept = {key: value for key, value in tensors.items() if key not in unused}
    return Reading("dfgan-discriminator", config, kept, {"notes": notes})
