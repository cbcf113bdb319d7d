"""StyleGAN2 as NVIDIA's TensorFlow repositories pickle it: a tuple (G, D, Gs) of dnnlib.tflib.network.Network.

Each network holds the arguments it was built with, its components and its variables by name. Kernels lie as [kh, kw,
in, out], dense weights as [in, out]; style biases are stored less 1.
"""

from __future__ import annotations

import re

import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.imported import Reading, check_doublings, choose, count_blocks, load_state, shape_of
from styleT2I.formats.pickles.names import TF_NETWORK
from styleT2I.formats.pickles.records import Record
from styleT2I.formats.pickles.torch_files import Content

_ORDER = ("G", "D", "G_ema")  # how the tuple is ordered; the third is called Gs there
_LAYERS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb", "Skip": "skip"}
_D_LAYERS = {
    "FromRGB": "fromrgb",
    "Conv0": "conv0",
    "Conv1_down": "conv1",
    "Skip": "skip",
    "Conv": "conv",
    "Dense0": "fc",
}
_PARTS = {"mod_weight": "affine.weight", "mod_bias": "affine.bias"}
# What these networks have unless an argument says otherwise.
_DLATENT_AVG_BETA = 0.995
_G_MAPPING_LRMUL, _D_MAPPING_LRMUL = 0.01, 0.1


def is_tensorflow(tree) -> bool:
    """Whether the content of a file is such a network or a tuple of them."""
    return bool(_networks(tree))


def read_tensorflow(content: Content, which: str) -> Reading:
    """The network `which` ("G_ema", "G" or "D") of a file's content."""
    network = choose(_networks(content.tree), which)
    arguments, variables = network.state.get("static_kwargs"), {}
    _collect(network, "", variables)
    if not isinstance(arguments, dict):
        raise CheckpointError("damaged: a network without its arguments; fetch it again")
    _check_arguments(arguments)
    if which == "D":
        return _read_discriminator(arguments, variables)
    return _read_generator(arguments, variables)


def _networks(tree):
    found = tree if isinstance(tree, (tuple, list)) else ()
    named = dict(zip(_ORDER, found, strict=True)) if len(found) == len(_ORDER) else {"G_ema": tree}
    return {
        k: n for k, n in named.items() if isinstance(n, Record) and n.name == TF_NETWORK and isinstance(n.state, dict)
    }


def _collect(network, path, variables):
    """Fill `variables` (name -> TensorRef or number) with those of `network` and of its components."""
    for name, value in network.state.get("variables") or ():
        variables[path + name] = value if hasattr(value, "shape") else torch.tensor(float(value))
    for name, component in (network.state.get("components") or {}).items():
        _collect(component, f"{path}{name}/", variables)


def _check_arguments(arguments):
    if arguments.get("normalize_latents", True) is not True or arguments.get("fmap_final") is not None:
        raise CheckpointError("is built in a way that is not supported here; use another checkpoint")


def _read_generator(arguments, variables):
    if "synthesis/4x4/Conv/mod_weight" not in variables:
        raise CheckpointError(
            "its generator is not a StyleGAN2 (StyleGAN and ProGAN are not supported); use another checkpoint"
        )
    if "mapping/LabelConcat/weight" in variables:
        raise CheckpointError(
            "is conditional in StyleGAN2's first way (LabelConcat), which is not supported; use another checkpoint"
        )
    resolutions = _resolutions(variables, "synthesis/")
    num_layers = count_blocks(variables, r"mapping/Dense(\d+)/weight")
    c_dim, embed_dim = shape_of(variables, "mapping/LabelEmbed/weight", 2) if _has_labels(variables) else (0, 0)
    num_in, hidden_dim = shape_of(variables, "mapping/Dense0/weight", 2)
    config = {
        "resolution": resolutions[-1],
        "z_dim": num_in - embed_dim,
        "c_dim": c_dim,
        "w_dim": shape_of(variables, "synthesis/4x4/Conv/mod_weight", 2)[0],
        "image_channels": shape_of(variables, f"synthesis/{_size(resolutions[-1])}/ToRGB/weight", 4)[3],
        "channels": {
            r: _width(variables, f"synthesis/{_size(r)}/Conv{'1' if r > 4 else ''}/weight") for r in resolutions
        },
        "architecture": _architecture(variables, "synthesis/", "ToRGB"),
        "use_noise": "synthesis/noise0" in variables,
        "mapping_layers": num_layers,
        "mapping_hidden_dim": hidden_dim,
        "mapping_embed_dim": embed_dim or None,
        "mapping_lr_multiplier": float(arguments.get("mapping_lrmul", _G_MAPPING_LRMUL)),
        "mapping_activation": arguments.get("mapping_nonlinearity", "lrelu"),
        "w_avg_beta": float(arguments.get("dlatent_avg_beta") or _DLATENT_AVG_BETA),
        **_common(arguments),
    }
    tensors = {_generator_name(key): (key, value) for key, value in variables.items() if key != "lod"}
    return Reading("stylegan2-generator", config, _converted(tensors))


def _read_discriminator(arguments, variables):
    if "4x4/Dense0/weight" not in variables or "Output/weight" not in variables:
        raise CheckpointError("its discriminator is not a StyleGAN2 discriminator; use another checkpoint")
    resolutions = _resolutions(variables, "")
    top = _size(resolutions[-1])
    channels = {r // 2: _width(variables, f"{_size(r)}/Conv1_down/weight") for r in resolutions[1:]}
    channels[resolutions[-1]] = _width(variables, f"{top}/FromRGB/weight")
    config = {
        "resolution": resolutions[-1],
        "image_channels": shape_of(variables, f"{top}/FromRGB/weight", 4)[2],
        "channels": dict(sorted(channels.items())),
        "architecture": _architecture(variables, "", "FromRGB"),
        "mbstd_group_size": arguments.get("mbstd_group_size", 4),
        "mbstd_num_channels": shape_of(variables, "4x4/Conv/weight", 4)[2] - channels[4],
        **_common(arguments),
    }
    num_out = shape_of(variables, "Output/weight", 2)[1]
    if "LabelEmbed/weight" in variables:
        c_dim, embed_dim = shape_of(variables, "LabelEmbed/weight", 2)
        num_layers = count_blocks(variables, r"Mapping(\d+)/weight")
        config |= {"c_dim": c_dim, "cmap_dim": num_out, "mapping_layers": num_layers, "mapping_embed_dim": embed_dim}
        config["mapping_lr_multiplier"] = float(arguments.get("mapping_lrmul", _D_MAPPING_LRMUL))
        if num_layers:
            config["mapping_hidden_dim"] = _width(variables, "Mapping0/weight")
            config["mapping_activation"] = arguments.get("mapping_nonlinearity", "lrelu")
    elif num_out != 1:
        raise CheckpointError(
            "is conditional in StyleGAN2's first way (a logit for each label), which is not supported; use another"
        )
    tensors = {_discriminator_name(key): (key, value) for key, value in variables.items() if key != "lod"}
    return Reading("stylegan2-discriminator", config, _converted(tensors))


def _common(arguments):
    clamp = arguments.get("conv_clamp")
    return {
        "activation": arguments.get("nonlinearity", "lrelu"),
        "resample_filter": arguments.get("resample_kernel") or [1, 3, 3, 1],
        "conv_clamp": None if clamp is None else float(clamp),
        "num_fp16_res": arguments.get("num_fp16_res", 0),
    }


def _resolutions(variables, prefix):
    return check_doublings({int(m[1]) for m in (re.match(rf"{prefix}(\d{{1,4}})x\1/", key) for key in variables) if m})


def _size(resolution):
    return f"{resolution}x{resolution}"


def _width(variables, key):
    return tuple(variables[key].shape)[-1]


def _has_labels(variables):
    return "mapping/LabelEmbed/weight" in variables


def _architecture(variables, prefix, rgb):
    if any(key.endswith("/Skip/weight") for key in variables):
        return "resnet"
    return "skip" if count_blocks(variables, rf"{prefix}(\d+x\d+)/{rgb}/weight") > 1 else "orig"


def _generator_name(key):
    if key == "dlatent_avg":
        return "mapping.w_avg"
    if key == "synthesis/4x4/Const/const":
        return "synthesis.b4.const"
    if match := re.fullmatch(r"synthesis/noise(\d{1,2})", key):
        index = int(match[1])  # noise0 is at 4 pixels, then two for each resolution
        return f"synthesis.b{4 << (index + 1) // 2}.conv{1 if index == 0 else (index + 1) % 2}.noise_const"
    if match := re.fullmatch(r"mapping/(?:Dense(\d+)|LabelEmbed)/(weight|bias)", key):
        return f"mapping.{'embed' if match[1] is None else 'fc' + match[1]}.{match[2]}"
    if match := re.fullmatch(r"synthesis/(\d+)x\1/(\w+)/(\w+)", key):
        if match[2] in _LAYERS:
            return f"synthesis.b{match[1]}.{_LAYERS[match[2]]}.{_PARTS.get(match[3], match[3])}"
    raise CheckpointError(f"the variable {key[:80]!r} belongs to no StyleGAN2 generator; use another checkpoint")


def _discriminator_name(key):
    if match := re.fullmatch(r"(\d+)x\1/(\w+)/(weight|bias)", key):
        if match[2] in _D_LAYERS:
            return f"b{match[1]}.{_D_LAYERS[match[2]]}.{match[3]}"
    if match := re.fullmatch(r"(?:Mapping(\d+)|(LabelEmbed)|Output)/(weight|bias)", key):
        layer = f"mapping.fc{match[1]}" if match[1] else "mapping.embed" if match[2] else "b4.out"
        return f"{layer}.{match[3]}"
    raise CheckpointError(f"the variable {key[:80]!r} belongs to no StyleGAN2 discriminator; use another checkpoint")


def _converted(variables):
    """Load {our name: (their name, variable)} and bring each into our layout, one after the other."""
    return {name: _convert(key, load_state({key: value})[key]) for name, (key, value) in variables.items()}


def _convert(key, tensor):
    if key.endswith("mod_bias"):
        return tensor + 1
    if re.search(r"noise\d+$", key):
        return tensor.reshape(tensor.shape[-2:])
    if key.endswith("Const/const"):
        return tensor.reshape(tensor.shape[-3:])
    if tensor.ndim == 4:
        tensor = tensor.permute(3, 2, 0, 1)
        # Their upsampling correlates where a transposed convolution spreads the kernel.
        return (tensor.flip([2, 3]) if "Conv0_up" in key else tensor).contiguous()
    return tensor.t().contiguous() if tensor.ndim == 2 else tensor
