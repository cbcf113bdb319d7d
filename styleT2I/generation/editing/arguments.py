"""Validate the arguments of `StyleT2I.edit`: strengths by attribute name, calibrated step lengths, explicit latents."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping

import numpy as np
import torch

from styleT2I.errors import ConfigError, guarded
from styleT2I.generation.model import Model

MAX_STRENGTH = 2.0  # beyond it, either way, edits often leave no face


def named_strengths(attributes: Mapping[str, float], model: Model) -> dict[str, float]:
    """Strengths by the vocabulary's own names: {"young": 1} -> {"old": -1}; a warning for any beyond MAX_STRENGTH.

    ConfigError for a model without a vocabulary, an unknown or repeated name, a strength that is not a number, and two
    attributes turned on that exclude each other.
    """
    if model.vocabulary is None:
        raise ConfigError(f"model {model.name!r} has no vocabulary, so attributes have no names")
    if not isinstance(attributes, Mapping):
        raise ConfigError(f'attributes are {attributes!r}; give each its strength, for example {{"lipstick": 1}}')
    strengths = {}
    for term, strength in attributes.items():
        name, is_positive = model.vocabulary.resolve(term)
        if name in strengths:
            raise ConfigError(f"{term!r} sets {name!r} a second time; give each attribute once")
        number = _number(term, strength)
        strengths[name] = number if is_positive else -number
    if not strengths:
        raise ConfigError('no attribute to edit; give for example {"lipstick": 1}')
    for group in model.vocabulary.exclusive:
        both = [name for name in group.attributes if strengths.get(name, 0) > 0]
        if len(both) > 1:
            raise ConfigError(f"{' and '.join(both)} exclude each other ({group.name}); turn on one of them")
    if beyond := [name for name, strength in strengths.items() if abs(strength) > MAX_STRENGTH]:
        warnings.warn(
            f"the strength of {', '.join(beyond)} is beyond {MAX_STRENGTH:g}, where faces fall apart; 1 turns an "
            "attribute on, -1 off",
            stacklevel=5,
        )
    return strengths


def _number(term, strength) -> float:
    try:
        number = float(strength)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"the strength of {term!r} is {strength!r}; it is a number such as 1 or -0.5")
    return number


def calibrated_steps(
    strengths: Mapping[str, float], model: Model, measure: Callable[[str, bool], float] | None = None
) -> dict[str, float]:
    """The signed steps along a / ||a||, in units of W, that strengths stand for; a way on may be longer than back.

    Reads info["strengths"] = {name: {"true": step, "false": step}} of the a2d component, which its training measured.
    measure: name and value -> step, asked for what is not there. ConfigError where neither tells, or the a2d was not
    trained on an attribute; CheckpointError where the model has no a2d.
    """
    info = model.info("a2d")
    known, steps = info.get("strengths") or {}, {}
    for name, value in strengths.items():
        if name not in info.get("attributes", strengths if model.vocabulary is None else model.vocabulary.names):
            raise ConfigError(f"the a2d of model {model.name!r} was not trained on {name!r}; train it again with it")
        if name not in known and measure is None:
            raise ConfigError(
                f"the a2d of model {model.name!r} has no calibrated strength of {name!r}, and the model has no clip to "
                "measure one: add a clip, or train the a2d again with --judge (python -m styleT2I.train_a2d)"
            )
        damage = "damaged, its strengths are not numbers; fetch or train it again"
        with guarded(f"the a2d of model {model.name!r}", damage):
            label = "true" if value > 0 else "false"
            if name in known:
                step = float(known[name][label])
            else:
                step = measure(name, value > 0) if measure is not None and value else 0.0
        steps[name] = value * step
    return steps


def given_latents(latents: torch.Tensor | np.ndarray, model: Model) -> torch.Tensor:
    """ws [N, num_ws, w_dim] on the model's device, of w [w_dim] or ws [num_ws, w_dim] or many ws; ConfigError."""
    G, ws = model.network("generator"), torch.as_tensor(latents, dtype=torch.float32)
    full = (G.num_ws, G.w_dim)
    if tuple(ws.shape) == (G.w_dim,):
        ws = ws.expand(1, *full)
    elif tuple(ws.shape) == full:
        ws = ws.unsqueeze(0)
    elif tuple(ws.shape[1:]) != full or not len(ws):
        shape = list(ws.shape)
        raise ConfigError(f"latents of shape {shape} do not fit: w has shape [{G.w_dim}], ws [{G.num_ws}, {G.w_dim}]")
    return ws.to(model.device)
