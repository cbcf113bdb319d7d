"""A generator of ours in the layouts of other code: the one case in which a torch file is written, tensors alone.

"ada", NVIDIA's stylegan2-ada-pytorch: {"G_ema": state dict}. Our names are that layout's own; it also keeps the
resampling filter of every layer among the weights.

"rosinality", its stylegan2-pytorch: {"g_ema": state dict, "latent_avg": mean of w}, with the names that rosinality.py
reads. That code's class has one width for z, w and the mapping network, so that others are refused, and a fixed table
of channels: others load there only into a changed class.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.written_config import KEY, config_tensor
from styleT2I.torch_utils.files import atomic_path

GENERATOR = "stylegan2-generator"
LAYOUTS = ("rosinality", "ada")


def export_generator(path: str | Path, layout: str, kind: str, config: dict, state_dict: dict) -> list[str]:
    """Write a generator in a layout of LAYOUTS to `path` and return notes: how to load it there, what may differ.

    config: every field of the generator's configuration; it is kept in the file as well, so that reading the file here
    gives the same network bit for bit. Raises CheckpointError for what the layout cannot hold, or OutputError.
    """
    if kind != GENERATOR:
        raise CheckpointError(f"cannot write a {kind!r} in the {layout} layout; it is one of StyleGAN2 generators")
    lay_out = {"rosinality": lay_out_rosinality, "ada": lay_out_ada}[layout]
    tree, notes = lay_out(config, {name: t.detach().cpu() for name, t in state_dict.items()})
    tree[KEY] = config_tensor(kind, config)
    path = Path(path)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        try:
            torch.save(
                tree, file
            )  # to a file object: the archive then names no path, and the same network the same bytes
        except RuntimeError as error:  # of torch's own writer, on a full disk
            raise OSError(str(error)) from error
    return notes


def lay_out_ada(config: dict, state: dict) -> tuple[dict, list[str]]:
    """The tree to write in the layout "ada" for a generator's configuration and tensors, and how to load it there."""
    kernel = filter_kernel(config["resample_filter"])
    tensors = dict(state)
    for name in state:
        match = re.fullmatch(r"(synthesis\.b\d+)\.(conv0|conv1|skip)\.weight", name)
        if match:
            tensors[f"{match[1]}.resample_filter"] = kernel.clone()
            tensors[f"{match[1]}.{match[2]}.resample_filter"] = kernel.clone()
    return {"G_ema": tensors}, [f"G = {_ada_constructor(config)}; G.load_state_dict(torch.load(FILE)['G_ema'])"]


def filter_kernel(taps) -> torch.Tensor:
    """The filter of sum 1 as that code keeps it: [k,k], or [k] where k is 8 or more."""
    kernel = torch.as_tensor(taps, dtype=torch.float32)
    if kernel.ndim == 1 and len(kernel) < 8:
        kernel = torch.outer(kernel, kernel)
    return kernel / kernel.sum()


def channels_of(config: dict) -> dict[int, int]:
    """The channels of a generator's every resolution."""
    resolutions = [4 << i for i in range(config["resolution"].bit_length() - 2)]
    if config["channels"] is None:
        return {r: max(min(config["channel_base"] // r, config["channel_max"]), 1) for r in resolutions}
    return {int(r): num for r, num in config["channels"].items()}


def _ada_constructor(config):
    """The call that makes a network of this shape there."""
    mapping = {"num_layers": config["mapping_layers"], "w_avg_beta": config["w_avg_beta"]}
    optional = {
        "layer_features": ("mapping_hidden_dim", None, config["w_dim"]),
        "embed_features": ("mapping_embed_dim", None, config["w_dim"]),
        "activation": ("mapping_activation", "lrelu"), "lr_multiplier": ("mapping_lr_multiplier", 0.01),
    }  # fmt: skip
    mapping |= {theirs: config[ours] for theirs, (ours, *default) in optional.items() if config[ours] not in default}
    channels = channels_of(config)
    most = max(channels.values())
    base = max(r * num for r, num in channels.items() if num < most or r == config["resolution"])
    is_regular = all(min(base // r, most) == num for r, num in channels.items())
    synthesis = {"channel_base": base, "channel_max": most} if is_regular else {}
    synthesis |= {"num_fp16_res": config["num_fp16_res"], "conv_clamp": config["conv_clamp"]}
    plain = {"architecture": "skip", "activation": "lrelu", "use_noise": True, "resample_filter": [1, 3, 3, 1]}
    given = {**config, "resample_filter": list(config["resample_filter"])}
    synthesis |= {name: given[name] for name, default in plain.items() if given[name] != default}
    first = f"z_dim={config['z_dim']}, c_dim={config['c_dim']}, w_dim={config['w_dim']}, "
    first += f"img_resolution={config['resolution']}, img_channels={config['image_channels']}"
    text = f"Generator({first}, mapping_kwargs={mapping}, synthesis_kwargs={synthesis})"
    return text if is_regular else f"{text} with its channels set to {channels}"


_LAYER = {
    "weight": "conv.weight", "affine.weight": "conv.modulation.weight", "affine.bias": "conv.modulation.bias",
    "noise_strength": "noise.weight", "bias": "activate.bias",
}  # fmt: skip
_NO_PLACE = {  # what the layout has no place for
    "c_dim": 0, "architecture": "skip", "activation": "lrelu", "use_noise": True, "mapping_lr_multiplier": 0.01,
    "mapping_activation": "lrelu",
}  # fmt: skip
_UP_GAIN = 4  # its upsampling filters hold the square of the factor


def lay_out_rosinality(config: dict, state: dict) -> tuple[dict, list[str]]:
    """The tree to write in rosinality's layout for a generator's configuration and tensors, and how to load it there.

    Raises CheckpointError when the layout has no place for something the generator has.
    """
    lacking = [f"{name} {config[name]!r}" for name, value in _NO_PLACE.items() if config[name] != value]
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
            tensors[_rosinality_name(name)] = _with_unit_dims(name, tensor)
    kernel = filter_kernel(config["resample_filter"]) * _UP_GAIN
    for index in range(len(channels_of(config)) - 1):
        tensors[f"convs.{2 * index}.conv.blur.kernel"] = kernel.clone()
        tensors[f"to_rgbs.{index}.upsample.kernel"] = kernel.clone()
    return {"g_ema": tensors, **tree}, _rosinality_notes(config)


def _rosinality_name(name):
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


def _rosinality_notes(config):
    notes = []
    if config["conv_clamp"] is not None:
        notes.append(f"that code has no clamp, this generator {config['conv_clamp']:g}: its images may differ there")
    w_dim, channels = config["w_dim"], channels_of(config)
    fitting = [m for m in (2, 1) if all(num == min(512, m * 16384 // r) for r, num in channels.items())]
    if not (fitting and config["image_channels"] == 3):
        return ["that code's Generator has other widths; change its table of channels to load this file", *notes]
    call = f"Generator({config['resolution']}, {w_dim}, {config['mapping_layers']}, channel_multiplier={fitting[0]})"
    return [f"G = {call}; G.load_state_dict(torch.load(FILE)['g_ema'])", *notes]
