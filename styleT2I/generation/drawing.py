"""One sentence drawn on many seeds: the flow from seeds to images, a block at a time, which bounds the memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from styleT2I.attributes.prompt import Prompt
from styleT2I.generation.adjustment import Adjusted
from styleT2I.generation.arguments import AdjustmentConfig
from styleT2I.generation.directions import Directions

BLOCK = 64  # latents adjusted and drawn at a time; one on a CPU, where rows are run alone


@dataclass(frozen=True)
class Drawn:
    """What a sentence became on N seeds, on the CPU, and how its directions were adjusted."""

    images_u8: torch.Tensor  # [N, 3, R, R] uint8
    unedited_u8: torch.Tensor  # of the same seeds without the sentence
    ws: torch.Tensor  # latents of `images_u8` [N, num_ws, w_dim]
    adjusted: Adjusted
    clip_margins: tuple[torch.Tensor, torch.Tensor] | None  # before and after the adjustment; Directions.clip_margins

    @classmethod
    def join(cls, blocks: Sequence[Drawn]) -> Drawn:
        """The rows of several as one."""
        images, unedited, ws = (
            torch.cat([getattr(block, name) for block in blocks]) for name in ("images_u8", "unedited_u8", "ws")
        )
        margins = [block.clip_margins for block in blocks if block.clip_margins is not None]
        before, after = ([pair[side] for pair in margins] for side in (0, 1))
        joined = (torch.cat(before), torch.cat(after)) if margins else None
        return cls(images, unedited, ws, Adjusted.join([block.adjusted for block in blocks]), joined)


def draw(
    directions: Directions,
    prompt: Prompt,
    seeds: Sequence[int],
    truncation_psi: float,
    noise_mode: str,
    adjustment: AdjustmentConfig | None,
) -> Drawn:
    """Draw a sentence on seeds with the generator that `directions` steers; adjustment: None for Text-to-Direction's
    direction as it is. The sentence is encoded once; on a CPU a latent that was observed is not drawn a second time.
    """
    synthesis, text_features = directions.synthesis, directions.text_features([prompt.text])
    size = 1 if directions.model.device.type == "cpu" else BLOCK
    blocks = []
    for start in range(0, len(seeds), size):
        block = seeds[start : start + size]
        with synthesis.remembering():
            ws = synthesis.latents(block, truncation_psi)
            features = text_features.repeat(len(block), 1)
            adjusted = directions.of_sentences(
                ws, [prompt] * len(block), features, adjustment or AdjustmentConfig("none")
            )
            edited = ws + adjusted.s_adjusted
            images, unedited = (synthesis.images_u8(styles, block, noise_mode) for styles in (edited, ws))
            margins = _clip_margins(directions, prompt, ws, adjusted)
        blocks.append(Drawn(images, unedited, edited.cpu(), adjusted, margins))
    return Drawn.join(blocks)


def _clip_margins(directions, prompt, ws, adjusted):
    """CLIP's margins before and after the adjustment, of the attributes asked for or stepped; None without a CLIP."""
    model = directions.model
    if not (prompt.attributes and model.has("clip")):
        return None
    stepped = {name for name, steps in zip(adjusted.names, adjusted.steps.t(), strict=True) if steps.any()}
    names = [name for name in model.vocabulary.names if name in prompt.attributes or name in stepped]
    after = directions.clip_margins(names, ws + adjusted.s_adjusted)
    if torch.equal(adjusted.s, adjusted.s_adjusted):
        return after, after
    return directions.clip_margins(names, ws + adjusted.s), after
