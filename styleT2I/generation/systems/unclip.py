"""unCLIP as a system: a caption, an image embedding by one of its priors, an image by its decoder and upsampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch

from styleT2I.attributes.prompt import Prompt, understand
from styleT2I.baselines.unclip.captions import CaptionEncoder
from styleT2I.baselines.unclip.diffusion import abar_table
from styleT2I.baselines.unclip.prior import Caption, best_of
from styleT2I.config import from_dict, override, suggestion
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.generation.model import Model
from styleT2I.generation.systems.interface import BATCH_SIZE, DrawsSentences
from styleT2I.torch_utils.batching import in_micro_batches
from styleT2I.torch_utils.seeding import SeedNoise

PRIORS = {  # by name: the role that draws the image embedding, None where none does
    "diffusion": "unclip_prior",
    "ar": "unclip_ar_prior",
    "none": None,  # the caption's embedding in the image embedding's place
    "text": None,  # no embedding: the decoder reads the caption alone
}
_BEST_OF = {"diffusion": 2, "ar": 1, "none": 1, "text": 1}


@dataclass(frozen=True)
class UnclipSettings:
    """How unCLIP draws; the prior's defaults are the paper's choice: the better of two, unguided."""

    prior: str = "diffusion"
    best_of: int | None = None  # embeddings drawn, of which the nearest to the caption's is decoded; None: 2, of "ar" 1
    prior_guidance: float = 1.0
    prior_steps: int = 16
    guidance: float = 2.0  # of the decoder
    steps: int = 20
    eta: float = 1.0  # noise of the decoder's steps: 0 none, 1 the posterior's
    upsampler_steps: int = 5

    def __post_init__(self):
        if self.prior not in PRIORS:
            raise ConfigError(f"unknown prior {self.prior!r}{suggestion(self.prior, PRIORS)}")
        if PRIORS[self.prior] is None and self.best_of not in (None, 1):
            raise ConfigError(f"prior {self.prior!r} draws no embeddings to choose from; leave best_of out")
        if self.num_candidates < 1 or min(self.prior_steps, self.steps, self.upsampler_steps) < 1:
            raise ConfigError("best_of and the numbers of steps start at 1")
        if not 0 <= self.eta <= 1 or min(self.guidance, self.prior_guidance) < 0:
            raise ConfigError("eta is from 0 to 1, guidance at least 0")

    @property
    def num_candidates(self) -> int:
        """How many embeddings are drawn for one image."""
        return _BEST_OF[self.prior] if self.best_of is None else self.best_of


def open_unclip(model: Model, changes: Mapping) -> UnclipSystem:
    """The model with its default prior, the diffusion prior where it has one, and the settings that `changes` names."""
    if "prior" in changes:
        return UnclipSystem(model, from_dict(UnclipSettings, changes))
    default = UnclipSystem(model)
    return default.with_settings(override(default.settings, **changes)) if changes else default


class UnclipSystem(DrawsSentences):
    """A model with a decoder ("unclip"), a CLIP, and where it has them priors and an upsampler.

    CheckpointError where the settings name a prior that the model lacks, or its networks do not fit each other.
    """

    role = "unclip"

    def __init__(self, model: Model, settings: UnclipSettings | None = None):
        self.model, self.name = model, model.name
        self.network = model.network("unclip")
        self.encoder = CaptionEncoder(model.network("clip"))
        self.upsampler = model.network("unclip_upsampler") if model.has("unclip_upsampler") else None
        self._check()
        self.null = self.encoder.encode([""])
        self.abar = abar_table(self.network.config.schedule)
        self.settings = self._usable(settings)
        role = PRIORS[self.settings.prior]
        self.prior = None if role is None else model.network(role)

    @property
    def resolution(self) -> int:
        """Side of the images, after the upsampler where there is one."""
        return (self.upsampler or self.network).resolution

    @property
    def device(self) -> torch.device:
        return self.model.device

    def with_settings(self, settings: UnclipSettings) -> UnclipSystem:
        """The same model drawing otherwise."""
        return UnclipSystem(self.model, settings)

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        return understand(text, self.encoder.clip, self.model.vocabulary, strict=strict)

    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> torch.Tensor:
        """Images [N, 3, R, R] in [-1, 1] on the CPU, one prompt and one seed per row."""
        caption = self.captions([prompt.text for prompt in prompts])

        def draw(rows, *parts):
            said = Caption(*parts)
            return self.decode(self.embeddings(said, rows), said, rows).cpu()

        return self._by_rows(draw, seeds, *caption)

    @torch.no_grad()
    def captions(self, texts: Sequence[str]) -> Caption:
        """What the networks read of sentences, each encoded alone."""
        encoded = {text: self.encoder.encode([text]) for text in dict.fromkeys(texts)}
        return Caption(*(torch.cat(parts) for parts in zip(*(encoded[text] for text in texts), strict=True)))

    @torch.no_grad()
    def embeddings(self, caption: Caption, seeds: Sequence[int]) -> torch.Tensor | None:
        """Image embeddings [N, D] of length 1 by the settings' prior; None for the decoder on the caption alone."""
        settings = self.settings
        if self.prior is None:
            return None if settings.prior == "text" else caption.embedding
        candidates = [
            self._draw_embeddings(caption, SeedNoise(seeds, f"prior {number}", self.device))
            for number in range(settings.num_candidates)
        ]
        return best_of(candidates, caption.embedding)

    @torch.no_grad()
    def redraw(self, images: torch.Tensor, texts: Sequence[str], seeds: Sequence[int]) -> torch.Tensor:
        """What the decoder makes of the true embeddings of images [N, 3, H, W] in [-1, 1] and their captions."""

        def draw(rows, image, *parts):
            return self.decode(self.encoder.clip.encode_image(image), Caption(*parts), rows).cpu()

        return self._by_rows(draw, seeds, images.to(self.device), *self.captions(texts))

    @torch.no_grad()
    def decode(
        self,
        embeddings: torch.Tensor | None,
        caption: Caption,
        seeds: Sequence[int],
        start: torch.Tensor | None = None,
        eta: float | None = None,
        guidance: float | None = None,
    ) -> torch.Tensor:
        """Images [N, 3, R, R] of image embeddings [N, D], or of the captions alone.

        start: the decoder's noise [N, 3, r, r], None: the seeds'. eta, guidance: in place of the settings'.
        """  # fmt: skip
        settings, side = self.settings, self.network.resolution
        noise = SeedNoise(seeds, "decoder", self.device)
        start = noise((3, side, side)) if start is None else start
        low = self.network.draw(
            start, embeddings, caption, self.null, self.abar, noise, settings.steps,
            settings.eta if eta is None else eta, settings.guidance if guidance is None else guidance,
        )  # fmt: skip
        return self.enlarge(low, seeds)

    @torch.no_grad()
    def enlarge(self, low: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
        """The decoder's images by the upsampler; as they are without one."""
        if self.upsampler is None:
            return low
        noise = SeedNoise(seeds, "upsampler", self.device)
        return self.upsampler.draw(
            low, abar_table(self.upsampler.config.schedule), noise, self.settings.upsampler_steps, 0.0
        )

    def describe(self) -> dict:
        """Name of the model, hashes of the components in use, and the settings."""
        return {**self.model.describe(), "settings": asdict(self.settings)}

    def _draw_embeddings(self, caption, noise):
        settings, prior = self.settings, self.prior
        if settings.prior == "ar":
            return prior.draw(caption, self.null, noise, settings.prior_guidance)
        abar = abar_table(prior.config.schedule)
        return prior.draw(
            caption, self.null, abar, noise, settings.prior_steps, eta=1.0, guidance=settings.prior_guidance
        )

    def _by_rows(self, draw, seeds, *rows):
        """draw(seeds, *rows) in batches of one size, deterministic on a GPU too."""
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            return in_micro_batches(
                lambda some, *parts: draw(some.tolist(), *parts), BATCH_SIZE, torch.tensor(list(seeds)), *rows
            )

    def _usable(self, settings):
        """The settings given; else the default prior, or the caption's embedding where the model has no prior."""
        if settings is None:
            has = [name for name, role in PRIORS.items() if role is not None and self.model.has(role)]
            if not has:
                raise CheckpointError(
                    f"{self.name}: has no prior; train one with python -m styleT2I.train_baseline --model unclip_prior "
                    "and name it with --prior when the decoder is trained, or draw with --prior none"
                )
            return UnclipSettings(prior=has[0])
        role = PRIORS[settings.prior]
        if role is not None and not self.model.has(role):
            raise CheckpointError(
                f"{self.name}: has no {role}; train it with python -m styleT2I.train_baseline --model {role}, or "
                "draw with --prior none"
            )
        return settings

    def _check(self):
        """CheckpointError unless CLIP, decoder and upsampler fit each other."""
        config = self.network.config
        if config.text_width != self.encoder.text_width:
            raise CheckpointError(
                f"{self.name}: its decoder reads token states of {config.text_width} numbers, its CLIP gives "
                f"{self.encoder.text_width}; use the CLIP that it was trained with"
            )
        if self.upsampler is not None and self.upsampler.config.low_resolution != config.resolution:
            raise CheckpointError(
                f"{self.name}: its upsampler enlarges {self.upsampler.config.low_resolution} px, its decoder draws "
                f"{config.resolution}; use the upsampler that was trained for it"
            )
