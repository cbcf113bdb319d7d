"""Bias, noise, activation, gain and clamp in one call: the epilogue of every StyleGAN2 layer."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from styleT2I.errors import ConfigError
from styleT2I.ops.impl import check_impl

SQRT2 = 2.0**0.5


@dataclass(frozen=True)
class Activation:
    """One activation: its function of (x, alpha), the default alpha and the gain that keeps unit variance."""

    function: Callable
    alpha: float = 0.0
    gain: float = 1.0


ACTIVATIONS = {
    "linear": Activation(lambda x, alpha: x),
    "relu": Activation(lambda x, alpha: F.relu(x), gain=SQRT2),
    "lrelu": Activation(F.leaky_relu, alpha=0.2, gain=SQRT2),
    "tanh": Activation(lambda x, alpha: torch.tanh(x)),
    "sigmoid": Activation(lambda x, alpha: torch.sigmoid(x)),
    "elu": Activation(lambda x, alpha: F.elu(x)),
    "selu": Activation(lambda x, alpha: F.selu(x)),
    "softplus": Activation(lambda x, alpha: F.softplus(x)),
    "swish": Activation(lambda x, alpha: F.silu(x), gain=SQRT2),
}


def activation(name):
    """Return the Activation called `name`; raise ConfigError naming the known ones otherwise."""
    if name not in ACTIVATIONS:
        raise ConfigError(f"unknown activation {name!r}; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def bias_act(x, b=None, *, noise=None, dim=1, act="linear", alpha=None, gain=None, clamp=None, impl="auto"):
    """Compute clamp(gain * act(x + noise + b)).

    x: any shape. b: [x.shape[dim]] or None. noise: broadcastable to x ([N,1,H,W] for images) or None.
    act: a key of ACTIVATIONS. alpha, gain: None means the activation's own; for lrelu alpha is the slope below zero.
    clamp: the result is limited to [-clamp, clamp]; None means no limit.
    """
    check_impl(impl)
    spec = activation(act)
    alpha = spec.alpha if alpha is None else alpha
    gain = spec.gain if gain is None else gain
    if noise is not None:
        x = x + noise
    if b is not None:
        x = x + b.reshape([-1 if i == dim else 1 for i in range(x.ndim)])
    x = spec.function(x, alpha)
    if gain != 1:
        x = x * gain
    if clamp is not None:
        x = x.clamp(-clamp, clamp)
    return x
