"""Every system that draws a sentence behind one interface: StyleT2I and the earlier text-to-image GANs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from styleT2I.adjustment import AdjustmentConfig
from styleT2I.attributes.prompt import Prompt, understand
from styleT2I.errors import CheckpointError, ConfigError, PromptError
from styleT2I.formats.embeddings import Embeddings, read_embeddings
from styleT2I.formats.foreign import read_network
from styleT2I.formats.model_folder import MANIFEST, ROLES, SYSTEMS, read_model_folder
from styleT2I.model import Model
from styleT2I.pipeline import StyleT2I
from styleT2I.results import GRID_FACE_SIZE, versions
from styleT2I.sources.resolve import MODEL, resolve
from styleT2I.torch_utils.batching import in_micro_batches
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, to_uint8
from styleT2I.torch_utils.seeding import latents_of_seeds

BATCH_SIZE = 8


class TextToImage(Protocol):
    """What generation and evaluation ask of a system, whatever it is made of."""

    name: str
    resolution: int

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """The sentence as the system takes it; PromptError when it cannot be drawn."""

    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> torch.Tensor:
        """Images [N, 3, R, R] in [-1, 1] on the CPU, one prompt and one seed a row; no row depends on another."""

    def describe(self) -> dict:
        """Name of the model and hashes of the components in use."""


class StyleT2ISystem:
    """A StyleT2I pipeline as a system; adjustment None is Text-to-Direction alone."""

    def __init__(self, pipeline: StyleT2I, adjustment: AdjustmentConfig | None = None, truncation_psi: float = 0.7):
        self.pipeline, self.adjustment, self.truncation_psi = pipeline, adjustment, truncation_psi
        self.name = pipeline.model.name
        self.resolution = pipeline.model.network("generator").resolution

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        return self.pipeline.understand(text, strict=strict)

    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> torch.Tensor:
        ws = self.pipeline.latents(seeds, self.truncation_psi)
        s = self.pipeline.directions(ws, prompts, self.adjustment).s_adjusted
        return from_uint8(self.pipeline.images_u8(ws + s, seeds))

    def describe(self) -> dict:
        return self.pipeline.model.describe()


@dataclass(frozen=True)
class Drawing:
    """Pictures of one sentence by a TextGAN, one a seed."""

    prompt: Prompt
    seeds: tuple[int, ...]
    images_u8: torch.Tensor  # [N, 3, R, R] uint8, on the CPU
    device: str
    model: dict  # name and hashes of the components

    def to_dict(self) -> dict:
        """Everything needed to make the pictures again, ready for JSON."""
        return {
            "text": self.prompt.text,
            "attributes": self.prompt.attributes,
            "warnings": list(self.prompt.warnings),
            "seeds": list(self.seeds),
            "images": [{"seed": seed} for seed in self.seeds],
            "device": self.device,
            "model": self.model,
            "versions": versions(),
        }

    def grid_u8(self, ncol: int = 8) -> torch.Tensor:
        """One picture [3, H, W] uint8: rows of `ncol` pictures, enlarged if small."""
        return make_grid_u8(self.images_u8, min(ncol, len(self.seeds)), scale=-(-GRID_FACE_SIZE // self.resolution))

    @property
    def resolution(self) -> int:
        return self.images_u8.shape[-1]


class TextGAN:
    """A network that draws noise and sentence features, with the CLIP or the file that the features come from."""

    def __init__(self, model: Model, role: str, embeddings: Embeddings | None = None):
        self.model, self.role, self.embeddings, self.name = model, role, embeddings, model.name
        self.network = model.network(role)
        self.resolution = self.network.resolution
        dim = embeddings.dim if embeddings else model.network("clip").embed_dim if model.has("clip") else None
        if dim not in (None, self.network.config.text_dim):
            raise CheckpointError(
                f"{model.name}: reads {self.network.config.text_dim} numbers a sentence, but is given {dim}; "
                "use the text encoder that it was trained with"
            )

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """The sentence, checked; PromptError also where the model has nothing that reads it."""
        if self.embeddings is None and self.model.has("clip"):
            return understand(text, self.model.network("clip"), self.model.vocabulary, strict=strict)
        if self.embeddings is None:
            raise PromptError(
                f"{self.name}: draws embeddings of a text encoder (char-CNN-RNN, DAMSM) that is not in its weights, so "
                "it cannot answer a free sentence; give a file of such embeddings with --embeddings"
            )
        self._row(text)
        return Prompt(text, {}, ())

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> torch.Tensor:
        """Features [N, text_dim] of sentences, on the model's device."""
        if self.embeddings is not None:
            return torch.stack([self._row(text) for text in texts]).to(self.model.device)
        features = torch.cat([self.model.network("clip").encode_text([text]) for text in texts])
        facts = self.model.info(self.role).get("text", {})
        if "mean" in facts:
            features = (features - features.new_tensor(facts["mean"])) / features.new_tensor(facts["std"])
        return features

    @torch.no_grad()
    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> torch.Tensor:
        """Images [N, 3, R, R] in [-1, 1] on the CPU, one prompt and one seed a row."""
        encoded = {text: self.encode_text([text]) for text in dict.fromkeys(prompt.text for prompt in prompts)}
        text = torch.cat([encoded[prompt.text] for prompt in prompts])
        noise = latents_of_seeds(seeds, self.network.noise_dim).to(self.model.device)
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            return in_micro_batches(lambda *rows: self.network(*rows).cpu(), BATCH_SIZE, noise, text)

    def generate(self, text: str | Prompt, seeds: Iterable[int] = range(8), *, strict: bool = False) -> Drawing:
        """Draw the sentence, one picture a seed; PromptError, CheckpointError."""
        prompt = text if isinstance(text, Prompt) else self.understand(text, strict=strict)
        seeds = tuple(seeds)
        if not seeds:
            raise ConfigError("no seeds given; pass for example seeds=range(8)")
        images_u8 = to_uint8(self.sample([prompt] * len(seeds), seeds))
        return Drawing(prompt, seeds, images_u8, str(self.model.device), self.describe())

    def describe(self) -> dict:
        return self.model.describe()

    def _row(self, text):
        """The features [text_dim] of a sentence in the file, or of row N by the text "#N"."""
        table = self.embeddings
        if text in table.texts:
            return table.rows(table.texts.index(text))[0]
        if text.startswith("#") and text[1:].isdecimal() and int(text[1:]) < len(table):
            return table.rows(int(text[1:]))[0]
        raise PromptError(
            f"{table.path}: has no embedding of {text[:60]!r}; write a sentence of the file, or #0 to #{len(table) - 1}"
        )


def open_text_gan(
    model: str | Path, *, device="auto", clip=None, embeddings: str | Path | None = None, offline=None
) -> TextGAN | None:
    """The text GAN of a model folder, a component or a file of its authors; None where `model` is none of these.

    clip: source of a CLIP that takes the folder's place. embeddings: a file of sentence features (formats.embeddings).
    """
    path = resolve(model, MODEL, offline=offline)
    table = None if embeddings is None else read_embeddings(embeddings)
    if path.name == MANIFEST or (path / MANIFEST).is_file():
        folder = read_model_folder(path)
        role = next((role for role in SYSTEMS if role in folder.files), None)
        if role is None or "generator" in folder.files:
            return None
        opened = Model.from_pretrained(path, device=device, offline=offline, clip=clip)
        return TextGAN(opened, role, table)
    kind = read_network(path).kind if path.is_file() else None
    role = next((role for role in SYSTEMS if ROLES[role] == kind), None)
    if role is None:
        return None
    return TextGAN(Model({role: path, "clip": clip}, device=device, name=path.stem, offline=offline), role, table)
