"""An optimised latent in the place of a direction: attributes become a sentence, and each face is optimised."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import torch

from styleT2I.attributes.wording.sentences import sentence
from styleT2I.generation.editing.moves import Move
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.rivals.optimisation import OPTIMISATIONS, optimised

TITLES = {"optimize": "StyleCLIP, optimisation", "tedigan": "after TediGAN, optimisation"}


class SentenceMoves:
    """What an optimisation does for attributes, as `generation.editing.moves.AttributeDirections`.

    An optimisation knows words and no steps, so every strength is 1 and only the sign of a step counts: it says whether
    the sentence asserts or denies the attribute.
    """

    def __init__(self, pipeline: StyleT2I, method: str, names: Sequence[str]):
        """method: of `generation.arguments.OPTIMISED`; names: attributes of the model's vocabulary."""
        self.model, self.method, self.config = pipeline.model, method, OPTIMISATIONS[method]
        self.strengths = {name: {"true": 1.0, "false": 1.0} for name in names}
        self._seconds, self._num = 0.0, 0

    @property
    def seconds(self) -> float:
        """What one face took on average: there is no direction to find that other faces could share."""
        return self._seconds / max(self._num, 1)

    def move(self, ws: torch.Tensor, steps: Mapping[str, float]) -> Move:
        """Latents [N, num_ws, w_dim], each optimised for the sentence that the signs of the steps state.

        CheckpointError where the model lacks a CLIP.
        """
        clip, start = self.model.network("clip"), time.perf_counter()
        text = sentence({name: step > 0 for name, step in steps.items()}, self.model.vocabulary)
        with torch.no_grad():
            features = clip.encode_text([text])
        moved = optimised(self.model.network("generator"), clip, features, ws, self.config)
        self._seconds, self._num = self._seconds + time.perf_counter() - start, self._num + len(ws)
        return Move(moved, {})
