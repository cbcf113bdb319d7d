"""Check the arguments of `StyleT2I.generate` and its like in Python as the commands check their options."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from styleT2I.attributes.prompt import Prompt
from styleT2I.errors import ConfigError
from styleT2I.generation.adjustment.compositional import METHODS, AdjustmentConfig

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
    is_number = isinstance(psi, (int, float, np.integer, np.floating)) and not isinstance(psi, bool)
    if not is_number or not 0 <= psi <= MAX_PSI:
        raise ConfigError(f"truncation_psi is {psi!r}; it is a number from 0 (the mean face) to {MAX_PSI:g}; 1 is off")
    return psi


def checked_noise_mode(noise_mode) -> str:
    """A noise mode; ConfigError."""
    if noise_mode not in NOISE_MODES:
        raise ConfigError(f"unknown noise mode {noise_mode!r}; choose one of {', '.join(NOISE_MODES)}")
    return noise_mode
