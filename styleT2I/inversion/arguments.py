"""What an inversion is told: its settings; no torch, so that commands refuse them early."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.generation.arguments import DISTANCES, INVERSIONS


@dataclass(frozen=True)
class InversionConfig:
    """How an image is inverted."""

    method: str = "auto"  # one of INVERSIONS; "auto": encoder+ where the model has an encoder, else w+
    steps: int | None = None  # of the optimisation of the latent; None: STEPS of the method
    tune_steps: int = 80  # of the generator, for "pivotal"
    lr: float = 0.1  # of Adam, in units of the spread of w
    distance: str = "auto"  # one of DISTANCES
    near_mean: float = 0.005  # weight of the mean square distance of w from its mean, in units of its spread
    near_w: float = 0.02  # weight of the mean square distance of the layers' w from their mean, in the same units
    noise: float = 1e5  # weight of the noise maps' regulariser
    restarts: int = 1  # starts of "w" and "w+", of which the best is taken
    seed: int = 0

    def __post_init__(self):
        if self.method not in ("auto", *INVERSIONS):
            raise ConfigError(f"unknown inversion method {self.method!r}{suggestion(self.method, INVERSIONS)}")
        if self.distance not in DISTANCES:
            raise ConfigError(f"unknown distance {self.distance!r}{suggestion(self.distance, DISTANCES)}")
        if self.steps is not None and not 1 <= self.steps <= MAX_STEPS:
            raise ConfigError(f"an inversion takes 1 to {MAX_STEPS} steps, not {self.steps}")
        if not 1 <= self.tune_steps <= MAX_STEPS:
            raise ConfigError(f"a generator is bent in 1 to {MAX_STEPS} steps, not {self.tune_steps}")
        if self.lr <= 0 or min(self.near_mean, self.near_w, self.noise) < 0 or self.restarts < 1:
            raise ConfigError("lr is above 0, restarts start at 1, and weights of an inversion are not below 0")


MAX_STEPS = 100_000
STEPS = {"w": 200, "w+": 200, "encoder": 0, "encoder+": 80}
