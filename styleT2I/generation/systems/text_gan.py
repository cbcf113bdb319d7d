"""TextGAN: an earlier text-to-image GAN (GAN-INT-CLS, StackGAN, AttnGAN, DF-GAN) as a system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from styleT2I.attributes.prompt import Prompt
from styleT2I.baselines.attention_maps import attention_picture_u8
from styleT2I.baselines.attngan import AttnGANOutput
from styleT2I.errors import CheckpointError, ConfigError, PromptError
from styleT2I.formats.foreign.attngan import with_dictionary
from styleT2I.formats.foreign.registry import read_network
from styleT2I.formats.texts.embeddings import Embeddings, read_embeddings
from styleT2I.generation.model import Model
from styleT2I.generation.systems.interface import BATCH_SIZE, Drawing, DrawsSentences
from styleT2I.generation.systems.sentence_encoders import (
    ClipEncoder,
    DamsmEncoder,
    DamsmWordEncoder,
    FileEncoder,
    SentenceEncoder,
)
from styleT2I.sources.resolve import resolve
from styleT2I.torch_utils.batching import in_micro_batches, rows_alone
from styleT2I.torch_utils.seeding import latents_of_seeds


class TextGAN(DrawsSentences):
    """An earlier text-to-image GAN: a network that draws noise and a sentence's features, with its sentence encoder."""

    def __init__(self, model: Model, role: str, embeddings: Embeddings | None = None):
        self.model, self.role, self.name = model, role, model.name
        self.network = model.network(role)
        self.resolution = self.network.resolution
        self.encoder = _sentence_encoder(model, role, embeddings)
        text_dim = self.network.config.text_dim
        if self.encoder is not None and self.encoder.dim != text_dim:
            raise CheckpointError(
                f"{model.name}: reads {text_dim} numbers per sentence, but is given {self.encoder.dim}; "
                "use the text encoder that it was trained with"
            )

    @property
    def accepts(self) -> frozenset[str]:
        return frozenset({"explain"} if self.role == "attngan" else ())

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """The sentence, checked; PromptError also where the model has nothing that reads it."""
        if self.encoder is None:
            encoder, remedy = _LACKING[self.role]
            raise PromptError(
                f"{self.name}: draws features of a text encoder ({encoder}) that is not in its weights, so it cannot "
                f"answer a free sentence; give {remedy}"
            )
        return self.encoder.understand(text, strict=strict)

    @torch.no_grad()
    def features(self, texts: Sequence[str]) -> tuple[torch.Tensor, ...]:
        """What the network's forward takes after the noise, one row per text, on the model's device."""
        assert self.encoder is not None, "understand() refuses every sentence"
        encoded = {text: self.encoder.inputs(text) for text in dict.fromkeys(texts)}  # each alone
        kinds = zip(*(encoded[text] for text in texts), strict=True)
        return tuple(torch.cat(rows).to(self.model.device) for rows in kinds)

    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> torch.Tensor:
        """Images [N, 3, R, R] in [-1, 1] on the CPU, one prompt and one seed per row.

        An AttnGAN configured with `legacy_mask` draws all rows as one batch, and they depend on each other.
        """
        if getattr(self.network.config, "legacy_mask", False):
            return self.sample_together(prompts, seeds, len(seeds))
        return self._sample(rows_alone, prompts, seeds, BATCH_SIZE)

    def sample_together(self, prompts: Sequence[Prompt], seeds: Sequence[int], size: int = BATCH_SIZE) -> torch.Tensor:
        """As `sample`, but in batches of `size` rows: for networks that take a batch as a whole."""
        return self._sample(in_micro_batches, prompts, seeds, size)

    @torch.no_grad()
    def _sample(self, run, prompts, seeds, size):
        noise = latents_of_seeds(seeds, self.network.noise_dim).to(self.model.device)
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            features = self.features([prompt.text for prompt in prompts])
            return run(lambda *rows: _image(self.network(*rows)).cpu(), size, noise, *features)

    def explain_u8(self, result: Drawing) -> torch.Tensor:
        """Where in the first image each word was read: one image [3, H, W] uint8; ConfigError without attention."""
        return self.attention_u8(result.prompt, result.seeds[0])

    @torch.no_grad()
    def attention_u8(self, prompt: Prompt, seed: int) -> torch.Tensor:
        """The image of a seed and where in it each word was read by the last stage: one image [3, H, W] uint8."""
        noise = latents_of_seeds([seed], self.network.noise_dim).to(self.model.device)
        made = self.network(noise, *self.features([prompt.text]))
        if not isinstance(made, AttnGANOutput) or not made.attention:
            raise ConfigError(f"{self.name}: does not attend to words, so there are no attention maps to draw")
        assert isinstance(self.encoder, DamsmEncoder)
        words = self.encoder.known_words(prompt.text)
        return attention_picture_u8(made.images[-1][0], made.attention[-1][0], words)


_FILE = "a file of such embeddings with --embeddings"
_DAMSM = "DAMSM's with --text-encoder"
_LACKING = {  # role -> the encoder that published weights were trained with, and what to give
    "gan_int_cls": ("char-CNN-RNN", _FILE),
    "stackgan": ("char-CNN-RNN", _FILE),
    "attngan": ("DAMSM", _DAMSM),
    "dfgan": ("DAMSM", f"{_DAMSM}, or {_FILE}"),
}


def open_text_gan(
    model_with: Callable[[dict], Model],
    role: str,
    *,
    clip=None,
    text_encoder=None,
    captions: str | Path | None = None,
    embeddings: str | Path | None = None,
    offline: bool | None = None,
) -> TextGAN:
    """The system of the network `role` of the model that model_with(replacements by role) opens.

    The other options are those of `systems.open_system`. ConfigError for an encoder that the system does not use.
    """
    table = None if embeddings is None else read_embeddings(embeddings)
    given = {"clip": clip, "text_encoder": text_encoder}
    if captions is not None:
        read = read_network(resolve(text_encoder, "text_encoder", offline=offline))
        given["text_encoder"] = with_dictionary(read, Path(captions))
    gan = TextGAN(model_with(given), role, table)
    for option, encoder in (("clip", ClipEncoder), ("text_encoder", DamsmEncoder)):
        if given[option] is not None and not isinstance(gan.encoder, encoder):
            raise ConfigError(f"{gan.name}: does not read its sentences by the {option} given; leave it out")
    return gan


def _sentence_encoder(model, role, embeddings) -> SentenceEncoder | None:
    """What encodes a text GAN's sentences; None where the model has nothing that does."""
    if embeddings is not None:
        if role == "attngan":
            raise CheckpointError(f"{model.name}: reads features of every word, {embeddings.path} has sentences alone; "
                                  f"give {_DAMSM}")  # fmt: skip
        return FileEncoder(embeddings)
    facts = model.info(role).get("text", {})
    if model.has("text_encoder") and facts.get("encoder") != "clip":
        encoder = DamsmWordEncoder if role == "attngan" else DamsmEncoder
        return encoder(model.network("text_encoder"), facts, model.vocabulary)
    if role == "attngan" and model.has("clip_words"):
        return DamsmWordEncoder(model.network("clip_words"), facts, model.vocabulary)
    if model.has("clip") and facts.get("encoder") != "damsm" and role != "attngan":
        return ClipEncoder(model.network("clip"), facts, model.vocabulary)
    return None


def _image(made):
    """The image that a network made, of several stages the last one's."""
    return made.images[-1] if isinstance(made, AttnGANOutput) else made
