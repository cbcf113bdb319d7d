"""Attribute-to-Direction behind the same interface as the methods that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from styleT2I.errors import ConfigError
from styleT2I.generation.directions import Directions
from styleT2I.generation.editing.moves import Move
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.synthesis import Synthesis


class A2DDirections:
    """A model's own directions, which depend on the latent, as `generation.editing.moves.AttributeDirections`."""

    method = "a2d"

    def __init__(self, pipeline: StyleT2I, names: Sequence[str]):
        """ConfigError for an attribute without a calibrated strength, CheckpointError for a model without an A2D."""
        self._directions = Directions(pipeline.model, Synthesis(pipeline.model))
        known = pipeline.model.info("a2d").get("strengths") or {}
        if missing := [name for name in names if name not in known]:
            raise ConfigError(f"the a2d component has no calibrated strength of {missing[0]!r}; train it with --judge")
        self.strengths = {name: {label: float(known[name][label]) for label in ("true", "false")} for name in names}

    def move(self, ws: torch.Tensor, steps: Mapping[str, float]) -> Move:
        """Latents [N, num_ws, w_dim] after a signed step along each attribute's direction there, of length 1."""
        return Move(self._directions.moved(ws, steps), {})
