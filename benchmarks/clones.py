"""Other people's StyleGAN2 from a clone on this disk, with the weights of one of our generators."""

import contextlib
import functools
import importlib
import importlib.util
import os
import sys
import types
from pathlib import Path
from unittest import mock

import torch
from torch.utils import cpp_extension

from styleT2I.config import to_dict
from styleT2I.errors import StyleT2IError
from styleT2I.formats.foreign.stylegan2 import export


class CloneError(StyleT2IError):
    """The folder is no clone that is known here, or its code does not run."""


def clone_synthesis(path, G, *, is_half=False):
    """Return the synthesis ws -> image of a clone of NVlabs/stylegan2-ada-pytorch or rosinality/stylegan2-pytorch.

    is_half: with NVIDIA's four highest resolutions in float16.
    """
    path = Path(path)
    known = {"training/networks.py": _nvidia, "model.py": _rosinality}
    build = next((build for name, build in known.items() if (path / name).exists()), None)
    if build is None:
        raise CloneError(f"{path} holds neither {' nor '.join(known)}; give the folder of a clone")
    sys.path.insert(0, str(path))  # before ours: both have a folder torch_utils
    try:
        return build(G, to_dict(G.config), is_half)
    except Exception as error:  # code of any age, for any torch
        raise CloneError(f"the code of {path} fails here: {type(error).__name__}: {_first_line(error)}") from error


def has_half(path):
    """Whether a clone computes in float16 too."""
    return (Path(path) / "training/networks.py").exists()


def compiled_ops():
    """Which of the CUDA ops of NVIDIA's clone have been compiled and are in use: name -> True or False."""
    modules = {name: sys.modules.get(f"torch_utils.ops.{name}") for name in ("bias_act", "upfirdn2d")}
    return {name: getattr(module, "_plugin", None) is not None for name, module in modules.items()}


def _nvidia(G, config, is_half):
    _let_its_ops_compile()
    half = {"num_fp16_res": 4, "conv_clamp": 256} if is_half else {}
    networks = importlib.import_module("training.networks")
    theirs = networks.Generator(
        config["z_dim"], config["c_dim"], config["w_dim"], config["resolution"], config["image_channels"],
        mapping_kwargs={"num_layers": config["mapping_layers"]},
        synthesis_kwargs={"channel_base": config["channel_base"], **half},
    )  # fmt: skip
    theirs = _loaded(theirs, export.lay_out_ada(config, G.state_dict())[0]["G_ema"], G)
    return lambda ws: theirs.synthesis(ws, noise_mode="const")


def _let_its_ops_compile():
    """Bring about what the clone's loader of CUDA ops needs of a torch and a CUDA newer than itself.

    It imports by name what torch has compiled, looks for CUDA's headers beside nvcc, where pip does not put them all,
    and imports requests, which only its downloads use.
    """
    if importlib.util.find_spec("requests") is None:
        sys.modules.setdefault("requests", types.ModuleType("requests"))
    headers = sorted(Path(torch.__file__).parents[1].glob("nvidia/*/include"))
    known = [folder for folder in os.environ.get("CPATH", "").split(os.pathsep) if folder]
    os.environ["CPATH"] = os.pathsep.join(dict.fromkeys([*known, *map(str, headers)]))
    if not hasattr(cpp_extension.load, "__wrapped__"):
        cpp_extension.load = _registering(cpp_extension.load)


def _registering(load):
    @functools.wraps(load)
    def load_and_register(name, *args, **kwargs):
        module = load(name, *args, **kwargs)
        if isinstance(module, types.ModuleType):
            sys.modules[name] = module
        return module

    return load_and_register


def _rosinality(G, config, is_half):
    if is_half:
        raise CloneError("rosinality's code computes in float32 alone")
    with _compiling_nothing():
        model = importlib.import_module("model")
    multiplier = config["channel_base"] // 16384
    theirs = model.Generator(
        config["resolution"], config["w_dim"], config["mapping_layers"], channel_multiplier=multiplier
    )
    theirs = _loaded(theirs, export.lay_out_rosinality(config, G.state_dict())[0]["g_ema"], G)
    return lambda ws: theirs([ws], input_is_latent=True, randomize_noise=False)[0]


def _compiling_nothing():
    """On a CPU: the code compiles CUDA sources when it is imported, of which nothing is called there."""
    if torch.cuda.is_available():
        return contextlib.nullcontext()
    return mock.patch("torch.utils.cpp_extension.load", lambda *args, **kwargs: None)


def _loaded(theirs, state, G):
    theirs.load_state_dict(state)
    return theirs.to(next(G.parameters()).device).eval().requires_grad_(False)


def _first_line(error):
    return next(iter(str(error).splitlines()), "")
