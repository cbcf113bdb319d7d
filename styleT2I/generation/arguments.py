"""What `StyleT2I.generate` and its like are told, checked in Python as the commands check their options; no torch."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from styleT2I.attributes.prompt import Prompt
from styleT2I.errors import ConfigError

METHODS = ("none", "paper", "calibrated", "recheck", "hold")
LOOKING_METHODS = ("calibrated", "recheck", "hold")  # those that observe images on the way
DEFAULT_METHOD = "hold"
CLARITY = 0.6  # of a verdict, where neither the adjustment nor the model says another

# Of `--method`, which steers a generator by other means than Text-to-Direction (`rivals`).
A2D = "a2d"  # the model's own Attribute-to-Direction network; nothing else here needs a training
FOUND = ("interfacegan", "interfacegan-conditional", "ganspace", "sefa", "stylespace", "styleclip")
OPTIMISED = ("optimize", "tedigan")  # a latent for a sentence
DIRECTION_METHODS = (A2D, *FOUND)  # a direction for an attribute
SYSTEM_METHODS = (*OPTIMISED, *FOUND)  # what draws a sentence without Text-to-Direction
NUM_SAMPLES = 1000  # faces that directions are found on unless told

VIDEO_FORMATS = ("webp", "gif", "mp4")
EASINGS = ("linear", "smooth")  # of a video's way from stop to stop

INVERSIONS = {  # of `--inversion`: how the latent of an image is found (`inversion`)
    "w": "one w for all layers, by optimisation",
    "w+": "a w for each layer, kept near one another and near the mean, by optimisation",
    "encoder": "the model's encoder",
    "encoder+": "the encoder's latent, then optimisation",
    "pivotal": "the best latent of the above as pivot, then the generator is bent a little to the image",
}
DISTANCES = ("auto", "lpips", "judge", "clip", "pixels")  # what compares images there


@dataclass(frozen=True)
class AdjustmentConfig:
    """Which attributes are adjusted, and how far. A denied attribute enters as -a; an attribute is asked for if the
    sentence asserts or denies it; norms and cosines are over the flattened num_ws * w_dim numbers.

    "none": no step.
    "paper": a step of `strength` along every a_i asked for with cos(a_i, s) <= threshold.
    "calibrated": for the same attributes the smallest step at which the margin in the image is right, times strength.
    "recheck": the same for every attribute asked for whose margin in the image is not right, whatever its cosine;
        observed again after every step, because steps disturb each other.
    "hold": as "recheck", and what the sentence leaves open keeps the verdict it has without the sentence: such an
        attribute is stepped back along its own direction. Attributes that another one asked for decides (the other
        hair colours) are not open. Where the A2D component has a null space, what would move the pose, the background
        or the clothes is first taken from s and from every a_i; without that only where what is asked for is not
        reached so, or keep_surroundings is off.

    A margin is right when it has its sign and `clarity` times the size that margins have in that image on average;
    None: what the model's A2D component names, else CLARITY.
    """

    method: str = DEFAULT_METHOD
    threshold: float = 0.0  # of "paper" and "calibrated": the largest cosine that still calls for adjustment
    strength: float = 1.0  # of "paper" in units of W; elsewhere a factor on the steps found
    by: str = "auto"  # the observer: "judge" (the guide judge), "clip", or "auto": the judge if the model has one
    clarity: float | None = None
    max_step: float = 2.0  # longest step of the methods that look, in units of ||a_i||
    num_looks: int = 10  # most images observed per latent, after the first; few need more than five
    keep_surroundings: bool = True  # of "hold"

    def __post_init__(self):
        if self.method not in METHODS:
            raise ConfigError(f"unknown adjustment method {self.method!r}; choose one of {', '.join(METHODS)}")
        numbers = (
            "threshold",
            "strength",
            "max_step",
            "num_looks",
            *(("clarity",) if self.clarity is not None else ()),
        )
        for name in numbers:
            if isinstance(getattr(self, name), bool) or not isinstance(getattr(self, name), (int, float)):
                raise ConfigError(f"{name} of the adjustment is {getattr(self, name)!r}; it is a number")
        if not isinstance(self.keep_surroundings, bool):
            raise ConfigError(f"keep_surroundings of the adjustment is {self.keep_surroundings!r}; it is True or False")
        if not -1 <= self.threshold <= 1:
            raise ConfigError(f"the adjustment's threshold is a cosine, from -1 to 1, not {self.threshold}")
        for name in numbers[1:]:
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} of the adjustment cannot be {getattr(self, name)}; it is 0 or more")

    @property
    def looks(self) -> bool:
        """Whether the method observes images, so that `adjust` needs margins."""
        return self.method in LOOKING_METHODS

    @property
    def keeps(self) -> bool:
        """Whether directions are projected onto the null space of the surroundings."""
        return self.method == "hold" and self.keep_surroundings


MAX_PSI = 2.0
NOISE_MODES = ("const", "random", "none")


def prompt_of(system, text: str | Prompt, strict: bool, stacklevel: int = 4) -> Prompt:
    """The sentence as a system understands it; what is doubtful in a text is a warning at the user's line.

    A Prompt is taken as it is: whoever made it has its warnings. PromptError as `system.understand`.
    """
    if isinstance(text, Prompt):
        return text
    prompt = system.understand(text, strict=strict)
    for line in prompt.warnings:
        warnings.warn(line, stacklevel=stacklevel)
    return prompt


def checked_adjustment(adjustment) -> AdjustmentConfig | str | None:
    """A configuration, "auto" or None, of these or a method's name; ConfigError."""
    if adjustment is None or adjustment == "auto" or isinstance(adjustment, AdjustmentConfig):
        return adjustment
    if isinstance(adjustment, str):
        return AdjustmentConfig(adjustment)
    raise ConfigError(
        f"adjustment is {adjustment!r}; give auto, None, one of {', '.join(METHODS)}, or an AdjustmentConfig"
    )


def checked_psi(psi: Any) -> float:
    """A truncation psi; ConfigError unless it is a number from 0 to 2."""
    import numpy as np

    is_number = isinstance(psi, (int, float, np.integer, np.floating)) and not isinstance(psi, bool)
    if not is_number or not 0 <= psi <= MAX_PSI:
        raise ConfigError(f"truncation_psi is {psi!r}; it is a number from 0 (the mean face) to {MAX_PSI:g}; 1 is off")
    return psi


def checked_noise_mode(noise_mode) -> str:
    """A noise mode; ConfigError."""
    if noise_mode not in NOISE_MODES:
        raise ConfigError(f"unknown noise mode {noise_mode!r}; choose one of {', '.join(NOISE_MODES)}")
    return noise_mode
