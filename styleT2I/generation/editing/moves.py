"""Faces moved along directions of attributes: what a way to find directions gives, and the edit that it is used for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import torch

from styleT2I.errors import ConfigError
from styleT2I.generation.directions import Directions
from styleT2I.generation.editing.arguments import calibrated_steps, given_latents, named_strengths
from styleT2I.generation.results import EditResult
from styleT2I.networks.stylegan2.styles import shifted_styles
from styleT2I.torch_utils.seeding import checked_seeds


class Move(NamedTuple):
    """Where latents go: over W+, and by a shift of styles (`networks.stylegan2.styles`) that all of them share."""

    ws: torch.Tensor  # [N, num_ws, w_dim]
    styles: Mapping[str, torch.Tensor]  # layer -> [channels]; {} where nothing is shifted


class AttributeDirections(Protocol):
    """A direction for each attribute, in one generator's latents, and what strength 1 means along it."""

    @property
    def method(self) -> str:
        """How it was found, as `--method` names it."""

    @property
    def strengths(self) -> Mapping[str, Mapping[str, float]]:
        """The step of strength 1 ("true") and of -1 ("false", positive too) by attribute."""

    def move(self, ws: torch.Tensor, steps: Mapping[str, float]) -> Move:
        """Latents [N, num_ws, w_dim] after a signed step along each attribute's direction."""


def steps_along(strengths: Mapping[str, float], directions: AttributeDirections) -> dict[str, float]:
    """The signed steps that strengths stand for along directions of any method; ConfigError where it has none."""
    steps = {}
    for name, value in strengths.items():
        if name not in directions.strengths:
            raise ConfigError(f"{directions.method} has no direction of {name!r}")
        steps[name] = value * directions.strengths[name]["true" if value > 0 else "false"]
    return steps


def edited(
    directions: Directions,
    latents: int | Iterable[int] | torch.Tensor | np.ndarray,
    attributes: Mapping[str, float],
    truncation_psi: float,
    noise_mode: str,
    along: AttributeDirections | None,
) -> EditResult:
    """Move faces as `StyleT2I.edit` says, with the generator that `directions` steers.

    along: Directions found by another method; None: those of the model's Attribute-to-Direction network.
    """
    model, synthesis = directions.model, directions.synthesis
    strengths = named_strengths(attributes, model)
    if along is None:
        measure = directions.clip_strength if model.has("clip") else None
        steps = calibrated_steps(strengths, model, measure)
    else:
        steps = steps_along(strengths, along)
    seeds: tuple[int, ...] | None
    if isinstance(latents, (torch.Tensor, np.ndarray)):
        seeds, ws = None, given_latents(latents, model)
    else:
        seeds = checked_seeds(latents)
        ws = synthesis.latents(seeds, truncation_psi)
    move = Move(directions.moved(ws, steps), {}) if along is None else along.move(ws, steps)
    drawn = seeds or range(len(ws))
    unedited = synthesis.images_u8(ws, drawn, noise_mode)
    with shifted_styles(model.network("generator").synthesis, move.styles):
        images = synthesis.images_u8(move.ws, drawn, noise_mode)
    psi = None if seeds is None else truncation_psi
    settings = {"truncation_psi": psi, "noise_mode": noise_mode, **model.machine()}
    if along is not None:
        settings["method"] = along.method
    return EditResult(seeds, images, unedited, move.ws.cpu(), strengths, steps, settings, model.describe())
