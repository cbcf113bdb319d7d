"""StyleGAN2's activations by name: what is known of each without computing it; `bias_act` computes it. No torch."""

from dataclasses import dataclass

from styleT2I.errors import ConfigError

SQRT2 = 2.0**0.5


@dataclass(frozen=True)
class Activation:
    """One activation: its default alpha, the gain that keeps variance."""

    alpha: float = 0.0  # of lrelu the slope below zero; the others have none
    gain: float = 1.0
    is_homogeneous: bool = False  # function(c * x) = c * function(x) for every c > 0


ACTIVATIONS = {
    "linear": Activation(is_homogeneous=True),
    "relu": Activation(gain=SQRT2, is_homogeneous=True),
    "lrelu": Activation(alpha=0.2, gain=SQRT2, is_homogeneous=True),
    "tanh": Activation(),
    "sigmoid": Activation(),
    "elu": Activation(),
    "selu": Activation(),
    "softplus": Activation(),
    "swish": Activation(gain=SQRT2),
}


def activation(name):
    """Return the Activation called `name`; raise ConfigError naming the known ones otherwise.

    Example:
        >>> activation("lrelu").alpha
        0.2
    """
    if name not in ACTIVATIONS:
        raise ConfigError(f"unknown activation {name!r}; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
