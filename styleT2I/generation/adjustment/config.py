"""Settings of the Compositional Attribute Adjustment (adjustment.py), read and checked without torch."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.errors import ConfigError

METHODS = ("none", "paper", "calibrated", "recheck", "hold")
LOOKING_METHODS = ("calibrated", "recheck", "hold")  # those that observe images on the way
DEFAULT_METHOD = "hold"


@dataclass(frozen=True)
class AdjustmentConfig:
    """Which attributes are adjusted, and how far. A denied attribute enters as -a; an attribute is asked for if the
    sentence asserts or denies it; norms and cosines are over the flattened num_ws * w_dim numbers.

    "none": no step.
    "paper": a step of `strength` along every a_i asked for with cos(a_i, s) <= threshold.
    "calibrated": for the same attributes the smallest step at which the margin in the image is right, times strength.
    "recheck": the same for every attribute asked for whose margin in the picture is not right, whatever its cosine;
        looked at again after every step, because steps disturb each other.
    "hold": as "recheck", and what the sentence leaves open keeps the verdict it has without the sentence: such an
        attribute is stepped back along its own direction. Attributes that another one asked for decides (the other
        hair colours) are not open.

    A margin is right when it has its sign and `clarity` times the size that margins have in that image on average.
    """

    method: str = DEFAULT_METHOD
    threshold: float = 0.0  # of "paper" and "calibrated": the largest cosine that still calls for adjustment
    strength: float = 1.0  # of "paper" in units of W; elsewhere a factor on the steps found
    by: str = "auto"  # the observer: "judge" (the guide judge), "clip", or "auto": the judge if the model has one
    clarity: float = 0.6
    max_step: float = 2.0  # longest step of the methods that look, in units of ||a_i||
    num_looks: int = 10  # most images observed per latent, after the first; few need more than five

    def __post_init__(self):
        if self.method not in METHODS:
            raise ConfigError(f"unknown adjustment method {self.method!r}; choose one of {', '.join(METHODS)}")
        for name in ("threshold", "strength", "clarity", "max_step", "num_looks"):
            if isinstance(getattr(self, name), bool) or not isinstance(getattr(self, name), (int, float)):
                raise ConfigError(f"{name} of the adjustment is {getattr(self, name)!r}; it is a number")
        if not -1 <= self.threshold <= 1:
            raise ConfigError(f"the adjustment's threshold is a cosine, from -1 to 1, not {self.threshold}")
        for name in ("strength", "clarity", "max_step", "num_looks"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} of the adjustment cannot be {getattr(self, name)}; it is 0 or more")

    @property
    def looks(self) -> bool:
        """Whether the method observes images, so that `adjust` needs margins."""
        return self.method in LOOKING_METHODS
