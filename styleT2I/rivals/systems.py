"""Rivals as systems that draw a sentence: by directions of its attributes, or by optimising a latent for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch

from styleT2I.attributes.prompt import Prompt, understand
from styleT2I.errors import ConfigError, PromptError
from styleT2I.generation.arguments import NUM_SAMPLES, checked_psi, prompt_of
from styleT2I.generation.editing.moves import AttributeDirections, steps_along
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.systems.interface import Drawing, DrawsSentences
from styleT2I.networks.stylegan2.styles import shifted_styles
from styleT2I.rivals.methods import Finder, check_method
from styleT2I.rivals.optimisation import OPTIMISATIONS, optimised
from styleT2I.rivals.samples import PSI
from styleT2I.torch_utils.images import from_uint8
from styleT2I.torch_utils.seeding import checked_seeds


class _AnyWords:
    """In place of a text encoder where none reads the sentence: all that matters is what the parser finds."""

    def unknown_words(self, text):
        return []

    def overlong(self, text):
        return 0


class RivalSystem(DrawsSentences):
    """What all rivals share: seeds are latents of the model's generator, moved for the sentence and drawn."""

    role = "rival"
    accepts = frozenset({"truncation_psi"})

    def __init__(self, pipeline: StyleT2I, method: str):
        self.pipeline, self.model, self.method = pipeline, pipeline.model, method
        self.name = f"{self.model.name} by {method}"

    @property
    def resolution(self) -> int:
        return self.model.network("generator").resolution

    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int], truncation_psi: float = PSI) -> torch.Tensor:
        """Images [N, 3, R, R] in [-1, 1] on the CPU, one prompt and one seed per row."""
        return from_uint8(self._drawn_u8(prompts, list(seeds), truncation_psi))

    def generate(
        self, text: str | Prompt, seeds: Iterable[int] = range(8), *, truncation_psi: float = PSI, strict: bool = False
    ) -> Drawing:
        """Draw the sentence, one image per seed; PromptError, ConfigError, CheckpointError."""
        prompt, numbers = prompt_of(self, text, strict, stacklevel=3), checked_seeds(seeds)
        images_u8 = self._drawn_u8([prompt] * len(numbers), list(numbers), checked_psi(truncation_psi))
        return Drawing(prompt, numbers, images_u8, str(self.model.device), self.describe())

    def describe(self) -> dict:
        """The model's name with the method, and the hashes of the components in use."""
        return {**self.model.describe(), "name": self.name}

    def _drawn_u8(self, prompts, seeds, psi):
        raise NotImplementedError


class DirectionsSystem(RivalSystem):
    """Moves every latent by strength 1 or -1 along the direction of each attribute that the sentence states."""

    def __init__(self, pipeline: StyleT2I, method: str, num_samples: int | None = None):
        super().__init__(pipeline, method)
        self.finder = Finder(pipeline, method, num_samples=num_samples or NUM_SAMPLES)

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """The sentence with the attributes that it states; PromptError where it states none."""
        encoder = self.model.network("clip") if self.model.has("clip") else _AnyWords()
        prompt = understand(text, encoder, self.model.vocabulary, strict=strict)
        if not prompt.attributes:
            raise PromptError(
                f'"{prompt.text}" states no attribute of the vocabulary {self.finder.vocabulary.name}, and '
                f"{self.method} has directions of those alone; --method optimize takes any words"
            )
        return prompt

    def _drawn_u8(self, prompts, seeds, psi):
        directions: AttributeDirections = self.finder.of({name for prompt in prompts for name in prompt.attributes})
        ws, images = self.pipeline.latents(seeds, psi), []
        for row, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
            strengths = {name: 1.0 if value else -1.0 for name, value in prompt.attributes.items()}
            move = directions.move(ws[row : row + 1].clone(), steps_along(strengths, directions))
            with shifted_styles(self.model.network("generator").synthesis, move.styles):
                images.append(self.pipeline.images_u8(move.ws, [seed]))
        return torch.cat(images)


class OptimisedSystem(RivalSystem):
    """Optimises every latent until its image agrees with the sentence to the CLIP; attributes play no part."""

    def __init__(self, pipeline: StyleT2I, method: str = "optimize", steps: int | None = None):
        super().__init__(pipeline, method)
        config = OPTIMISATIONS[method]
        self.config = config if steps is None else replace(config, steps=steps)

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """The sentence as its CLIP reads it."""
        return understand(text, self.model.network("clip"), self.model.vocabulary, strict=strict)

    def _drawn_u8(self, prompts, seeds, psi):
        G, clip = self.model.network("generator"), self.model.network("clip")
        with torch.no_grad():
            encoded = {text: clip.encode_text([text]) for text in dict.fromkeys(prompt.text for prompt in prompts)}
        features = torch.cat([encoded[prompt.text] for prompt in prompts])
        ws = optimised(G, clip, features, self.pipeline.latents(seeds, psi), self.config)
        return self.pipeline.images_u8(ws, seeds)


def open_rival(
    pipeline: StyleT2I, method: str, *, num_samples: int | None = None, steps: int | None = None
) -> RivalSystem:
    """The system of a method: one of `generation.arguments.SYSTEM_METHODS`, or "a2d".

    Args:
        pipeline: Of `methods.open_pipeline`.
        method: "optimize" and "tedigan" optimise a latent; the others move it along directions of attributes.
        num_samples: Faces that directions are found on; None: `generation.arguments.NUM_SAMPLES`.
        steps: Of an optimisation; None: its own.

    Raises:
        ConfigError: The method is unknown, or takes no steps.
    """
    if method in OPTIMISATIONS:
        return OptimisedSystem(pipeline, method, steps)
    check_method(method)
    if steps is not None:
        raise ConfigError(f"{method} takes no steps; leave --steps out")
    return DirectionsSystem(pipeline, method, num_samples)
