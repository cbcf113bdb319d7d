"""StyleGAN2 in the layout of rosinality's stylegan2-pytorch: converted files, training files, bare state dicts.

The layout stores tensors only; widths, depth and resolution follow from their shapes, the rest is fixed by it.
"""

from __future__ import annotations

import re

import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.imported import (
    Reading,
    choose,
    count_blocks,
    doublings,
    filter_taps,
    is_state_dict,
    load_state,
    shape_of,
    without_prefix,
)
from styleT2I.formats.pickles.torch_files import Content
from styleT2I.torch_utils.seeding import generator

NAMES = {"g_ema": "G_ema", "g": "G", "d": "D"}  # a file's key of each network -> its name here
MAX_WIDTH = 4096  # of the mapping network, when the mean of w is computed here
NUM_MEAN_LATENTS = 4096  # as the layout's own tools take for the mean of w that training files lack
_LAYER = {
    "conv.weight": "weight", "conv.modulation.weight": "affine.weight", "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength", "activate.bias": "bias", "bias": "bias",
}  # fmt: skip
_D_TOP = {
    "convs.0.0.weight": "fromrgb.weight", "convs.0.1.bias": "fromrgb.bias",
    "final_conv.0.weight": "b4.conv.weight", "final_conv.1.bias": "b4.conv.bias",
    "final_linear.0.weight": "b4.fc.weight", "final_linear.0.bias": "b4.fc.bias",
    "final_linear.1.weight": "b4.out.weight", "final_linear.1.bias": "b4.out.bias",
}  # fmt: skip
_D_BLOCK = {"conv1.0": "conv0", "conv1.1": "conv0", "conv2.1": "conv1", "conv2.2": "conv1", "skip.1": "skip"}


def is_rosinality(tree) -> bool:
    """Whether the content of a file has a network in this layout."""
    return bool(_state_dicts(tree))


def read_rosinality(content: Content, which: str) -> Reading:
    """The network `which` ("G_ema", "G" or "D") of a file's content."""
    state = choose(_state_dicts(content.tree), which)
    if which == "D":
        return _read_discriminator(state)
    return _read_generator(state, content.tree.get("latent_avg") if which == "G_ema" else None)


def layer_name(index: int) -> str:
    """Our name of the index-th 3x3 convolution of a generator: one at 4 pixels, two at each larger resolution."""
    return "synthesis.b4.conv1" if index == 0 else f"synthesis.b{4 << (index + 1) // 2}.conv{(index + 1) % 2}"


def _state_dicts(tree):
    if not isinstance(tree, dict):
        return {}
    found = {name: tree[key] for key, name in NAMES.items() if key in tree} or {"G_ema": tree, "D": tree}
    found = {name: without_prefix(state) for name, state in found.items() if is_state_dict(state)}
    return {name: state for name, state in found.items() if _is_own(state, name)}


def _is_own(state, name):
    own = ("convs.0.0.weight", "final_linear.1.weight") if name == "D" else ("conv1.conv.weight", "input.input")
    return all(key in state for key in own)


def _read_generator(state, latent_avg):
    num_layers = count_blocks(state, r"convs\.(\d+)\.conv\.weight")
    resolutions = doublings(num_layers // 2 + 1)
    *_, style_dim = shape_of(state, "style.1.weight", 2)
    channels = {4: shape_of(state, "conv1.conv.weight", 5)[1]}
    channels |= {r: shape_of(state, f"convs.{2 * i + 1}.conv.weight", 5)[1] for i, r in enumerate(resolutions[1:])}
    config = {
        "resolution": resolutions[-1],
        "z_dim": style_dim,
        "w_dim": shape_of(state, "conv1.conv.modulation.weight", 2)[1],
        "image_channels": shape_of(state, "to_rgb1.conv.weight", 5)[1],
        "channels": channels,
        "resample_filter": _taps(state, "convs.0.conv.blur.kernel"),
        "mapping_layers": count_blocks(state, r"style\.(\d+)\.weight"),
        "mapping_hidden_dim": shape_of(state, "style.1.weight", 2)[0],
    }
    tensors = load_state({_generator_name(key): value for key, value in state.items() if not key.endswith(".kernel")})
    tensors = {key: _without_unit_dims(key, value) for key, value in tensors.items()}
    notes = []
    if latent_avg is not None:
        tensors["mapping.w_avg"] = load_state({"w": latent_avg})["w"].reshape(-1)
    else:
        tensors["mapping.w_avg"] = _mean_w(tensors, config["mapping_layers"])
        notes.append(f"the file holds no mean of w: it is taken over {NUM_MEAN_LATENTS} latents")
    missing = [i for i in range(num_layers + 1) if f"{layer_name(i)}.noise_const" not in tensors]
    for index in missing:
        size = resolutions[(index + 1) // 2]
        noise = torch.randn(size, size, generator=generator("noise", index))
        tensors[f"{layer_name(index)}.noise_const"] = noise
    if missing:
        notes.append("the file lacks noise images: they are drawn from a fixed seed")
    return Reading("stylegan2-generator", config, tensors, {"notes": notes})


def _generator_name(key):
    if match := re.fullmatch(r"style\.(\d{1,3})\.(weight|bias)", key):
        return f"mapping.fc{int(match[1]) - 1}.{match[2]}"
    if key == "input.input":
        return "synthesis.b4.const"
    if match := re.fullmatch(r"noises\.noise_(\d{1,2})", key):
        return f"{layer_name(int(match[1]))}.noise_const"
    match = re.fullmatch(r"(conv1|convs\.(\d{1,2})|to_rgb1|to_rgbs\.(\d{1,2}))\.(.+)", key)
    if not match or match[4] not in _LAYER:
        raise CheckpointError(f"the tensor {key[:80]!r} belongs to no StyleGAN2 generator; use another checkpoint")
    if match[1].startswith("to_rgb"):
        return f"synthesis.b{4 if match[3] is None else 8 << int(match[3])}.torgb.{_LAYER[match[4]]}"
    return f"{layer_name(0 if match[2] is None else int(match[2]) + 1)}.{_LAYER[match[4]]}"


def _without_unit_dims(key, tensor):
    """Drop the dimensions of size 1 of weights [1,O,I,k,k], biases [1,C,1,1] and noise [1,1,R,R]."""
    name = key.rpartition(".")[2]
    if name == "noise_strength":
        return tensor.reshape([])
    if name == "bias":
        return tensor.reshape(-1)
    num_dims = {"noise_const": 2, "const": 3}.get(name, 4 if tensor.ndim == 5 else tensor.ndim)
    return tensor.reshape(tensor.shape[tensor.ndim - num_dims :])


def _mean_w(tensors, num_layers, lr_multiplier=0.01):
    """The mean of w over latents of a fixed seed, by the mapping network's own formula (StyleGAN, section 2)."""
    widths = {size for i in range(num_layers) for size in tensors[f"mapping.fc{i}.weight"].shape}
    if max(widths) > MAX_WIDTH:
        raise CheckpointError(
            f"its mapping network is {max(widths)} wide, which no StyleGAN2 is; use another checkpoint"
        )
    x = torch.randn(NUM_MEAN_LATENTS, tensors["mapping.fc0.weight"].shape[1], generator=generator("w_avg"))
    x = x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
    for i in range(num_layers):
        weight, bias = (tensors[f"mapping.fc{i}.{name}"] * lr_multiplier for name in ("weight", "bias"))
        x = torch.nn.functional.leaky_relu(x @ weight.t() / weight.shape[1] ** 0.5 + bias, 0.2) * 2**0.5
    return x.mean(dim=0)


def _read_discriminator(state):
    num_blocks = count_blocks(state, r"convs\.(\d+)\.conv1\.0\.weight")
    resolution = doublings(num_blocks + 1)[-1]
    channels = {resolution: shape_of(state, "convs.0.0.weight", 4)[0]}
    for i in range(num_blocks):
        channels[resolution >> i + 1] = shape_of(state, f"convs.{i + 1}.conv2.1.weight", 4)[0]
    config = {
        "resolution": resolution,
        "image_channels": shape_of(state, "convs.0.0.weight", 4)[1],
        "channels": dict(sorted(channels.items())),
        "resample_filter": _taps(state, "convs.1.conv2.0.kernel"),
        "mbstd_num_channels": shape_of(state, "final_conv.0.weight", 4)[1] - channels[4],
    }
    names = {key: _discriminator_name(key, resolution) for key in state if not key.endswith(".kernel")}
    return Reading("stylegan2-discriminator", config, load_state({names[key]: state[key] for key in names}))


def _discriminator_name(key, resolution):
    if key in _D_TOP:
        return f"b{resolution}.{_D_TOP[key]}" if key.startswith("convs.") else _D_TOP[key]
    match = re.fullmatch(r"convs\.([1-9]\d?)\.(\w+\.\d)\.(weight|bias)", key)
    if not match or match[2] not in _D_BLOCK:
        raise CheckpointError(f"the tensor {key[:80]!r} belongs to no StyleGAN2 discriminator; use another checkpoint")
    return f"b{resolution >> int(match[1]) - 1}.{_D_BLOCK[match[2]]}.{match[3]}"


def _taps(state, key):
    return filter_taps(load_state({key: state[key]})[key]) if key in state else [1.0, 3.0, 3.0, 1.0]
