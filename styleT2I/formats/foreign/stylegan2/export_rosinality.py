"""Our generator in the layout of rosinality's stylegan2-pytorch: {"g_ema": state dict, "latent_avg": mean of w}.

The names are those that rosinality.py reads. That code's class has one width for z, w and the
mapping network, so that others are refused, and a fixed table of channels: others load there only into a changed class.
"""

from __future__ import annotations

import re

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.stylegan2.export_ada import channels_of, filter_kernel

_LAYER = {
    "weight": "conv.weight", "affine.weight": "conv.modulation.weight", "affine.bias": "conv.modulation.bias",
    "noise_strength": "noise.weight", "bias": "activate.bias",
}  # fmt: skip
_FIXED = {  # what the layout cannot hold
    "c_dim": 0, "architecture": "skip", "activation": "lrelu", "use_noise": True, "mapping_lr_multiplier": 0.01,
    "mapping_activation": "lrelu",
}  # fmt: skip
_UP_GAIN = 4  # its upsampling filters hold the square of the factor


def lay_out(config: dict, state: dict) -> tuple[dict, list[str]]:
    """The tree to write for a generator's configuration and tensors, and how to load it there.

    Raises CheckpointError when the layout has no place for something the generator has.
    """
    lacking = [f"{name} {config[name]!r}" for name, value in _FIXED.items() if config[name] != value]
    lacking += ["a generator without mean of w"] if config["w_avg_beta"] is None else []
    w_dim = config["w_dim"]
    if config["z_dim"] != w_dim or config["mapping_hidden_dim"] not in (None, w_dim):  # its one style_dim
        lacking.append(f"z and mapping layers of another width than w (z_dim {config['z_dim']}, w_dim {w_dim})")
    if lacking:
        raise CheckpointError(f"rosinality's layout has no place for {', '.join(lacking)}; try --to ada")
    tensors, tree = {}, {}
    for name, tensor in state.items():
        if name == "mapping.w_avg":
            tree["latent_avg"] = tensor
        else:
            tensors[_name(name)] = _with_unit_dims(name, tensor)
    kernel = filter_kernel(config["resample_filter"]) * _UP_GAIN
    for index in range(len(channels_of(config)) - 1):
        tensors[f"convs.{2 * index}.conv.blur.kernel"] = kernel.clone()
        tensors[f"to_rgbs.{index}.upsample.kernel"] = kernel.clone()
    return {"g_ema": tensors, **tree}, _notes(config)


def _name(name):
    """Their name of one of our tensors."""
    if match := re.fullmatch(r"mapping\.fc(\d+)\.(weight|bias)", name):
        return f"style.{int(match[1]) + 1}.{match[2]}"  # style.0 normalises z
    if name == "synthesis.b4.const":
        return "input.input"
    resolution, layer, rest = re.fullmatch(r"synthesis\.b(\d+)\.(conv0|conv1|torgb)\.(.+)", name).groups()
    block = int(resolution).bit_length() - 3  # 4 pixels: 0
    if layer == "torgb":
        prefix = f"to_rgbs.{block - 1}" if block else "to_rgb1"
        return f"{prefix}.bias" if rest == "bias" else f"{prefix}.{_LAYER[rest]}"
    index = 2 * block - (layer == "conv0")
    if rest == "noise_const":
        return f"noises.noise_{index}"
    return f"convs.{index - 1}.{_LAYER[rest]}" if index else f"conv1.{_LAYER[rest]}"


def _with_unit_dims(name, tensor):
    """Weights [1,O,I,k,k], RGB biases [1,C,1,1], noise [1,1,R,R], the constant [1,C,4,4], noise strength [1]."""
    if name.endswith("noise_strength"):
        return tensor.reshape(1)
    if name.endswith("torgb.bias"):
        return tensor.reshape(1, -1, 1, 1)
    if name.endswith("noise_const"):
        return tensor[None, None]
    return tensor[None] if name.endswith(".const") or tensor.ndim == 4 else tensor


def _notes(config):
    notes = []
    if config["conv_clamp"] is not None:
        notes.append(f"that code has no clamp, this generator {config['conv_clamp']:g}: its images may differ there")
    w_dim, channels = config["w_dim"], channels_of(config)
    fitting = [m for m in (2, 1) if all(num == min(512, m * 16384 // r) for r, num in channels.items())]
    if not (fitting and config["image_channels"] == 3):
        return ["that code's Generator has other widths; change its table of channels to load this file", *notes]
    call = f"Generator({config['resolution']}, {w_dim}, {config['mapping_layers']}, channel_multiplier={fitting[0]})"
    return [f"G = {call}; G.load_state_dict(torch.load(FILE)['g_ema'])", *notes]
