"""Our own networks written as foreign files are, for tests and benchmarks of their readers.

Objects are pickled under the names that the foreign code has, by stand-ins that exist only while writing. The source
text that such files carry is a tripwire: whoever runs it leaves.
"""

import argparse
import contextlib
import pickle
import re
import sys
import types
from collections import OrderedDict

import numpy as np
import torch

TRIPWIRE = 'raise SystemExit("executed embedded source")\n'
NVIDIA_ATTRIBUTES = ("z_dim", "c_dim", "w_dim", "num_ws", "num_layers", "w_avg_beta", "conv_clamp", "use_noise", "up",
                     "bias_gain", "group_size")  # fmt: skip


@contextlib.contextmanager
def foreign_modules():
    """Put stand-ins for the foreign modules where pickle looks for the names that it writes."""

    def _reconstruct_persistent_obj(meta):
        raise SystemExit("a reader has called a function that a file names")

    members = {"torch_utils.persistence": _reconstruct_persistent_obj, "dnnlib.util": type("EasyDict", (dict,), {}),
               "dnnlib.tflib.network": type("Network", (), {})}  # fmt: skip
    modules = {}
    for path, member in members.items():
        member.__module__, member.__qualname__ = path, member.__name__
        for end, _ in enumerate(path.split("."), start=1):
            name = ".".join(path.split(".")[:end])
            modules.setdefault(name, types.ModuleType(name))
        setattr(modules[path], member.__name__, member)
    kept = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield types.SimpleNamespace(**{member.__name__: member for member in members.values()})
    finally:
        for name, module in kept.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


class Persistent:
    """An object that pickles as the persistent classes of stylegan2-ada-pytorch do."""

    def __init__(self, class_name, state):
        self.class_name, self.state = class_name, state

    def __reduce__(self):
        meta = {"type": "class", "version": 6, "module_src": TRIPWIRE, "class_name": self.class_name}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, ({**meta, "state": self.state},)


def write_nvidia(path, protocol=4, **networks):
    """Write networks by name ("G_ema", "G", "D") as stylegan2-ada-pytorch does."""
    with foreign_modules() as foreign, open(path, "wb") as file:
        options = foreign.EasyDict(class_name="training.dataset.ImageFolderDataset", path="dummy.zip")
        modules = {name: nvidia_module(network, network.config) for name, network in networks.items()}
        pickle.dump({"training_set_kwargs": options, **modules, "augment_pipe": None}, file, protocol=protocol)


def nvidia_module(module, config):
    """One of our modules with its parameters, buffers and the attributes that the format keeps, and those in it."""
    buffers = dict(module._buffers)
    if "resample_filter" in buffers and module.resample_filter.ndim == 1:
        buffers["resample_filter"] = torch.outer(module.resample_filter, module.resample_filter)
    children = {name: nvidia_module(child, config) for name, child in module.named_children()}
    for name, child in children.items():
        if match := re.fullmatch(r"b(\d+)", name):
            child.state["use_fp16"] = int(match[1]) >= max(8, 2 * config.resolution >> config.num_fp16_res)
    if getattr(module, "num_std_channels", 0):
        children["mbstd"] = Persistent("MinibatchStdLayer", {"_parameters": {}, "_buffers": {}, "_modules": {},
                                                             "group_size": module.group_size})  # fmt: skip
    state = {"training": False, "_parameters": dict(module._parameters), "_buffers": buffers, "_modules": children,
             "_non_persistent_buffers_set": set(), "_forward_hooks": OrderedDict(), "_init_kwargs": {}}  # fmt: skip
    state |= {name: getattr(module, name) for name in NVIDIA_ATTRIBUTES if hasattr(module, name)}
    return Persistent(type(module).__name__, state | ({"activation": module.act} if hasattr(module, "act") else {}))


def write_tensorflow(path, protocol=3, **networks):
    """Write (G, D, Gs) as NVIDIA's TensorFlow code does; a network that is not given is a copy of another."""
    G_ema, D = networks["G_ema"], networks.get("D")
    with foreign_modules() as foreign, open(path, "wb") as file:
        made = [tensorflow_network(foreign, network) for network in (networks.get("G", G_ema), D, G_ema) if network]
        pickle.dump(tuple(made) if D else made[-1], file, protocol=protocol)


def tensorflow_network(foreign, network):
    """A Network of the TensorFlow code with the variables of one of ours."""
    c = network.config
    arguments = {"resolution": c.resolution, "label_size": c.c_dim, "architecture": c.architecture,
                 "nonlinearity": c.activation, "resample_kernel": [int(tap) for tap in c.resample_filter],
                 "mapping_lrmul": c.mapping_lr_multiplier, "conv_clamp": c.conv_clamp}  # fmt: skip
    arguments |= {"mbstd_group_size": c.mbstd_group_size} if hasattr(c, "mbstd_group_size") else {}
    variables = {"lod": np.float32(0)}
    for key, tensor in network.state_dict().items():
        name, value = _tensorflow_variable(key, tensor, hasattr(network, "synthesis"))
        variables[name] = np.ascontiguousarray(value.numpy()) if value.ndim else np.float32(value)

    def made(name, prefix, components):
        own = [(key.removeprefix(prefix), value) for key, value in variables.items() if key.startswith(prefix)]
        own = [pair for pair in own if prefix or not pair[0].startswith(("synthesis/", "mapping/"))]
        result = foreign.Network()
        vars(result).update(version=4, name=name, static_kwargs=foreign.EasyDict(arguments), components=components,
                            build_module_src=TRIPWIRE, build_func_name=name, variables=own)  # fmt: skip
        return result

    is_generator = any(name.startswith("synthesis/") for name in variables)
    parts = ("synthesis", "mapping") if is_generator else ()
    return made("G" if is_generator else "D", "", {part: made(part, f"{part}/", {}) for part in parts})


def _tensorflow_variable(key, tensor, is_generator):
    *path, layer, name = ["", *key.split(".")]
    if key == "mapping.w_avg":
        return "dlatent_avg", tensor
    if name == "const":
        return "synthesis/4x4/Const/const", tensor[None]
    resolution = next((int(part[1:]) for part in path + [layer] if re.fullmatch(r"b\d+", part)), None)
    if name == "noise_const":
        index = 0 if resolution == 4 else 2 * resolution.bit_length() - 7 - (layer == "conv0")
        return f"synthesis/noise{index + (resolution > 4)}", tensor[None, None]
    if tensor.ndim == 4:
        tensor = tensor.flip([2, 3]) if layer == "conv0" and is_generator else tensor
        tensor = tensor.permute(2, 3, 1, 0)
    tensor = tensor.t() if tensor.ndim == 2 else tensor
    if layer == "affine":
        layer, tensor, name = path[-1], tensor - 1 if name == "bias" else tensor, f"mod_{name}"
    if resolution is None:
        layer = re.sub(r"fc(\d+)", r"Dense\1" if is_generator else r"Mapping\1", layer).replace("embed", "LabelEmbed")
        return f"{'mapping/' if is_generator else ''}{layer}/{name}", tensor
    names = {"torgb": "ToRGB", "fromrgb": "FromRGB", "skip": "Skip", "fc": "Dense0", "conv": "Conv",
             "conv0": "Conv0_up" if is_generator else "Conv0",
             "conv1": "Conv1_down" if not is_generator else "Conv1" if resolution > 4 else "Conv"}  # fmt: skip
    if layer == "out":
        return f"Output/{name}", tensor
    return f"{'synthesis/' if is_generator else ''}{resolution}x{resolution}/{names[layer]}/{name}", tensor


def rosinality_state(network):
    """The state dict of one of our networks in rosinality's layout."""
    resolution, kernel = network.config.resolution, torch.tensor(network.config.resample_filter)
    kernel = torch.outer(kernel, kernel) / kernel.sum() ** 2
    is_generator = hasattr(network, "synthesis")
    state = {}
    for key, tensor in network.state_dict().items():
        if key != "mapping.w_avg":
            name = (_rosinality_generator if is_generator else _rosinality_discriminator)(key, resolution)
            state[name] = _with_unit_dims(key, tensor) if is_generator else tensor
    if is_generator:
        state["convs.0.conv.blur.kernel"] = kernel * 4
    else:
        state["convs.1.conv2.0.kernel"] = kernel
    return state


def _rosinality_generator(key, _resolution):
    if match := re.fullmatch(r"mapping\.fc(\d+)\.(\w+)", key):
        return f"style.{int(match[1]) + 1}.{match[2]}"
    if key == "synthesis.b4.const":
        return "input.input"
    r, layer, name = re.fullmatch(r"synthesis\.b(\d+)\.(\w+)\.(.+)", key).groups()
    level = int(r).bit_length() - 3  # 0 at 4 pixels
    index = 2 * level - (layer == "conv0")
    if name == "noise_const":
        return f"noises.noise_{index}"
    part = {"weight": "conv.weight", "affine.weight": "conv.modulation.weight", "noise_strength": "noise.weight",
            "affine.bias": "conv.modulation.bias",
            "bias": "bias" if layer == "torgb" else "activate.bias"}[name]  # fmt: skip
    if layer == "torgb":
        return f"to_rgb1.{part}" if level == 0 else f"to_rgbs.{level - 1}.{part}"
    return f"conv1.{part}" if level == 0 else f"convs.{index - 1}.{part}"


def _with_unit_dims(key, tensor):
    name = key.rpartition(".")[2]
    if "affine" in key or "mapping" in key:
        return tensor
    if name == "noise_strength":
        return tensor.reshape(1)
    if name == "bias":
        return tensor.reshape(1, -1, 1, 1) if ".torgb." in key else tensor
    return tensor[None, None] if name == "noise_const" else tensor[None]


def _rosinality_discriminator(key, resolution):
    block, layer, name = key.split(".")
    if block == "b4":
        return {"conv": f"final_conv.{int(name == 'bias')}", "fc": "final_linear.0", "out": "final_linear.1"}[layer] + (
            f".{name}"
        )
    if layer == "fromrgb":
        return f"convs.0.{int(name == 'bias')}.{name}"
    index = (resolution // int(block[1:])).bit_length()
    part = {"conv0": "conv1.{}", "conv1": "conv2.{}", "skip": "skip.{}"}[layer]
    return f"convs.{index}.{part.format((name == 'bias') + (layer != 'conv0'))}.{name}"


def write_rosinality(path, legacy=False, training=False, prefix="", **networks):
    """Write networks as rosinality's converter does, or its training script (`training`)."""
    keys = {"G_ema": "g_ema", "G": "g", "D": "d"}
    content = {keys[name]: {prefix + key: t for key, t in rosinality_state(n).items()} for name, n in networks.items()}
    if training:
        content["args"] = argparse.Namespace(size=64, path="data", lr=0.002)
        content["g_optim"] = {"state": {0: {"step": 3, "exp_avg": torch.zeros(4)}}, "param_groups": [{"lr": 0.002}]}
    else:
        content["latent_avg"] = networks["G_ema"].mapping.w_avg
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)


def save_damsm_text(folder, words, text_dim=6):
    """A text encoder and its dictionary as AttnGAN's authors lay them down."""
    torch.manual_seed(4)
    encoder, lstm = torch.nn.Embedding(len(words), 4), torch.nn.LSTM(4, text_dim // 2, bidirectional=True)
    state = {"encoder.weight": encoder.weight, **{f"rnn.{key}": value for key, value in lstm.state_dict().items()}}
    torch.save({key: value.detach() for key, value in state.items()}, folder / "text_encoder.pth")
    by_id = dict(enumerate(words))
    content = [[[1, 2]], [[2]], by_id, {word: index for index, word in by_id.items()}]
    (folder / "captions.pickle").write_bytes(pickle.dumps(content, protocol=2))
    return folder / "text_encoder.pth"
