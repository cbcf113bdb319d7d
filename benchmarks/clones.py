"""Other people's StyleGAN2 from a clone on this disk, with the weights of one of our generators."""

import contextlib
import importlib
import sys
from pathlib import Path
from unittest import mock

import torch

from styleT2I.config import to_dict
from styleT2I.errors import StyleT2IError
from styleT2I.formats.foreign import export_ada, export_rosinality


class CloneError(StyleT2IError):
    """The folder is no clone that is known here, or its code does not run."""


def clone_synthesis(path, G):
    """Return the synthesis ws -> image of a clone of NVlabs/stylegan2-ada-pytorch or rosinality/stylegan2-pytorch."""
    path = Path(path)
    known = {"training/networks.py": _nvidia, "model.py": _rosinality}
    build = next((build for name, build in known.items() if (path / name).exists()), None)
    if build is None:
        raise CloneError(f"{path} holds neither {' nor '.join(known)}; give the folder of a clone")
    sys.path.insert(0, str(path))  # before ours: both have a folder torch_utils
    try:
        return build(G, to_dict(G.config))
    except Exception as error:  # code of any age, for any torch
        raise CloneError(f"the code of {path} fails here: {type(error).__name__}: {_first_line(error)}") from error


def _nvidia(G, config):
    networks = importlib.import_module("training.networks")
    theirs = networks.Generator(
        config["z_dim"], config["c_dim"], config["w_dim"], config["resolution"], config["image_channels"],
        mapping_kwargs={"num_layers": config["mapping_layers"]},
        synthesis_kwargs={"channel_base": config["channel_base"]},
    )  # fmt: skip
    theirs = _loaded(theirs, export_ada.lay_out(config, G.state_dict())[0]["G_ema"], G)
    return lambda ws: theirs.synthesis(ws, noise_mode="const")


def _rosinality(G, config):
    with _compiling_nothing():
        model = importlib.import_module("model")
    multiplier = config["channel_base"] // 16384
    theirs = model.Generator(
        config["resolution"], config["w_dim"], config["mapping_layers"], channel_multiplier=multiplier
    )
    theirs = _loaded(theirs, export_rosinality.lay_out(config, G.state_dict())[0]["g_ema"], G)
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
