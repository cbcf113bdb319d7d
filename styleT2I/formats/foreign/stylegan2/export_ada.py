"""Our generator in the layout of NVIDIA's stylegan2-ada-pytorch: {"G_ema": state dict}.

Our names are that layout's own; it also keeps the resampling filter of every layer among the weights.
"""

from __future__ import annotations

import re

import torch


def lay_out(config: dict, state: dict) -> tuple[dict, list[str]]:
    """The tree to write for a generator's configuration and tensors, and how to load it there."""
    kernel = filter_kernel(config["resample_filter"])
    tensors = dict(state)
    for name in state:
        match = re.fullmatch(r"(synthesis\.b\d+)\.(conv0|conv1|skip)\.weight", name)
        if match:
            tensors[f"{match[1]}.resample_filter"] = kernel.clone()
            tensors[f"{match[1]}.{match[2]}.resample_filter"] = kernel.clone()
    return {"G_ema": tensors}, [f"G = {_constructor(config)}; G.load_state_dict(torch.load(FILE)['G_ema'])"]


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


def _constructor(config):
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
