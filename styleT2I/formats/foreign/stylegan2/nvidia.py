"""StyleGAN2 networks as NVIDIA's stylegan2-ada-pytorch and stylegan3 repositories pickle them.

The file holds every module's attributes. The architecture is read from these and from the shapes, never from the
arguments it was built with, which leave out what was default at the time.
"""

from __future__ import annotations

import re

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.imported import (
    Reading,
    agreed,
    check_doublings,
    choose,
    count_blocks,
    filter_taps,
    is_state_dict,
    load_state,
    shape_of,
    without_prefix,
)
from styleT2I.formats.pickles.names import PERSISTENT
from styleT2I.formats.pickles.records import Record
from styleT2I.formats.pickles.torch_files import Content

NETWORKS = ("G_ema", "G", "D")
MAX_MODULES = 1000
_FILTER = "resample_filter"


def is_nvidia(tree) -> bool:
    """Whether the content of a file is a network of NVIDIA's, or a dict of such by name."""
    return bool(_networks(tree))


def read_nvidia(content: Content, which: str) -> Reading:
    """The network `which` ("G_ema", "G" or "D") of a file's content."""
    module = choose(_networks(content.tree), which)
    modules, tensors = {}, {}
    _collect(module, "", modules, tensors)
    if "synthesis" in modules:
        if "synthesis.b4" not in modules:
            raise CheckpointError(
                f"its {which} is not a StyleGAN2 generator (StyleGAN3 is not supported); use another checkpoint"
            )
        return Reading("stylegan2-generator", _generator(modules, tensors), _state(tensors))
    if "b4" not in modules:
        raise CheckpointError(
            f"its {which} is neither a generator nor a discriminator of StyleGAN2; use another checkpoint"
        )
    return Reading("stylegan2-discriminator", _discriminator(modules, tensors), _state(tensors))


def is_nvidia_state(tree) -> bool:
    """Whether the content of a file is a bare state dict with the names of NVIDIA's modules, or a dict of such."""
    return bool(_state_dicts(tree))


def read_nvidia_state(content: Content, which: str) -> Reading:
    """The network `which` of a file of bare state dicts: settings that no tensor shows get StyleGAN2-ADA's defaults."""
    tensors = choose(_state_dicts(content.tree), which)
    note = {"notes": ["a bare state dict: clamp, activation and learning rates are StyleGAN2-ADA's defaults"]}
    if any(key.startswith("synthesis.") for key in tensors):
        return Reading("stylegan2-generator", _generator({}, tensors), _state(tensors), note)
    return Reading("stylegan2-discriminator", _discriminator({}, tensors), _state(tensors), note)


def _networks(tree):
    found = tree if isinstance(tree, dict) else {"G_ema": tree}
    return {name: m for name, m in found.items() if isinstance(m, Record) and m.name == PERSISTENT and name in NETWORKS}


def _state_dicts(tree):
    found = {name: tree[name] for name in NETWORKS if name in tree} if isinstance(tree, dict) else {}
    found = found or {"G_ema": tree, "D": tree}
    found = {name: without_prefix(state) for name, state in found.items() if is_state_dict(state)}
    own = {"D": "b4.fc.weight", "G": "synthesis.b4.const", "G_ema": "synthesis.b4.const"}
    return {name: state for name, state in found.items() if own[name] in state}


def _collect(module, path, modules, tensors):
    """Fill `modules` (path -> attributes) and `tensors` (dotted name -> TensorRef) with `module` and those in it."""
    state = module.state.get("state") if isinstance(module.state, dict) else None
    if not isinstance(state, dict) or not all(isinstance(state.get(k), dict) for k in ("_parameters", "_buffers")):
        raise CheckpointError(f"damaged: the module {path or 'at the top'!r} has no parameters; fetch it again")
    modules[path] = state
    if len(modules) > MAX_MODULES:
        raise CheckpointError(f"has over {MAX_MODULES} modules; it is not a StyleGAN2, use another checkpoint")
    prefix = f"{path}." if path else ""
    for name, tensor in {**state["_parameters"], **state["_buffers"]}.items():
        if tensor is not None:
            tensors[prefix + name] = tensor
    for name, child in (state.get("_modules") or {}).items():
        if isinstance(child, Record) and child.name == PERSISTENT:
            _collect(child, prefix + name, modules, tensors)
        elif child is not None:
            raise CheckpointError(f"the module {prefix + name!r} is not one of StyleGAN2's; use another checkpoint")


def _state(tensors):
    return load_state({key: value for key, value in tensors.items() if key.rpartition(".")[2] != _FILTER})


def _generator(modules, tensors):
    blocks = _blocks(tensors, "synthesis.")
    last = f"synthesis.b{blocks[-1]}"
    convs = [m for path, m in modules.items() if re.fullmatch(r"synthesis\.b\d+\.conv\d", path)]
    w_dim = shape_of(tensors, "synthesis.b4.conv1.affine.weight", 2)[1]
    channels = {r: shape_of(tensors, f"synthesis.b{r}.conv1.weight", 4)[0] for r in blocks}
    mapping = _mapping(modules, tensors, "mapping")
    embed_dim = mapping.pop("embed_dim")
    return {
        "resolution": blocks[-1],
        "z_dim": shape_of(tensors, "mapping.fc0.weight", 2)[1] - (embed_dim or 0),
        "c_dim": mapping.pop("c_dim"),
        "w_dim": w_dim,
        "image_channels": shape_of(tensors, f"{last}.torgb.weight", 4)[0],
        "channels": channels,
        "architecture": _architecture(tensors, "synthesis.", "torgb"),
        "activation": agreed((m["activation"] for m in convs), "activation") or "lrelu",
        "resample_filter": _filter(tensors, f"{last}.{_FILTER}"),
        "conv_clamp": agreed(_clamps(modules), "clamp"),
        "use_noise": f"{last}.conv1.noise_const" in tensors,
        "num_fp16_res": _num_fp16_res(modules),
        "mapping_embed_dim": embed_dim,
        **{f"mapping_{key}": value for key, value in mapping.items()},
        "w_avg_beta": modules["mapping"].get("w_avg_beta")
        if modules
        else 0.998
        if "mapping.w_avg" in tensors
        else None,
    }


def _discriminator(modules, tensors):
    blocks = _blocks(tensors, "")
    channels = {r // 2: shape_of(tensors, f"b{r}.conv1.weight", 4)[0] for r in blocks if r > 4}
    channels[blocks[-1]] = shape_of(tensors, f"b{blocks[-1]}.conv0.weight", 4)[1]
    num_std = shape_of(tensors, "b4.conv.weight", 4)[1] - channels[4]
    config = {
        "resolution": blocks[-1],
        "image_channels": shape_of(tensors, f"b{blocks[-1]}.fromrgb.weight", 4)[1],
        "channels": dict(sorted(channels.items())),
        "architecture": _architecture(tensors, "", "fromrgb"),
        "activation": agreed(_activations(modules), "activation") or "lrelu",
        "resample_filter": _filter(tensors, f"b{blocks[-1]}.{_FILTER}"),
        "conv_clamp": agreed(_clamps(modules), "clamp"),
        "num_fp16_res": _num_fp16_res(modules),
        "mbstd_group_size": modules.get("b4.mbstd", {}).get("group_size", 4),
        "mbstd_num_channels": num_std,
    }
    if "mapping.embed.weight" in tensors:
        mapping = _mapping(modules, tensors, "mapping")
        config |= {"c_dim": mapping.pop("c_dim"), "cmap_dim": shape_of(tensors, "b4.out.weight", 2)[0]}
        config |= {f"mapping_{key}": value for key, value in mapping.items()}
    return config


def _mapping(modules, tensors, path):
    num_layers = count_blocks(tensors, rf"{path}\.fc(\d+)\.weight")
    layers = [modules[f"{path}.fc{i}"] for i in range(num_layers)] if modules else []
    conditional = f"{path}.embed.weight" in tensors
    embed_dim, c_dim = shape_of(tensors, f"{path}.embed.weight", 2) if conditional else (None, 0)
    config = {"layers": num_layers, "c_dim": c_dim, "embed_dim": embed_dim}
    if num_layers:
        config["hidden_dim"] = shape_of(tensors, f"{path}.fc0.weight", 2)[0]
    config["lr_multiplier"] = float(agreed((m["bias_gain"] for m in layers), "learning rate") or 0.01)
    config["activation"] = agreed((m["activation"] for m in layers), "activation") or "lrelu"
    return config


def _blocks(tensors, prefix):
    """The resolutions of the blocks, in order."""
    found = (re.match(rf"{re.escape(prefix)}b(\d{{1,4}})\.", key) for key in tensors)
    return check_doublings({int(match[1]) for match in found if match})


def _architecture(tensors, prefix, rgb):
    """ "skip" has RGB layers at several resolutions, "resnet" shortcuts, "orig" neither."""
    if any(key.startswith(prefix) and key.endswith(".skip.weight") for key in tensors):
        return "resnet"
    num_rgb = count_blocks(tensors, rf"{re.escape(prefix)}b(\d+)\.{rgb}\.weight")
    return "skip" if num_rgb > 1 else "orig"


def _activations(modules):
    return [m["activation"] for path, m in modules.items() if path.endswith((".conv0", ".conv1", ".conv", ".fc"))]


def _clamps(modules):
    """The clamp of every layer that can have one; in no network have shortcuts, nor the RGB input at 4 pixels."""
    without = re.compile(r"(.*\.skip|b4\.fromrgb)")
    return [m["conv_clamp"] for path, m in modules.items() if "conv_clamp" in m and not without.fullmatch(path)]


def _filter(tensors, key):
    return filter_taps(load_state({key: tensors[key]})[key]) if key in tensors else [1.0, 3.0, 3.0, 1.0]


def _num_fp16_res(modules):
    return sum(bool(m.get("use_fp16")) for m in modules.values())
