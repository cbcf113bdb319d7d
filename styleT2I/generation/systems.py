"""Every system that draws a sentence behind one interface: StyleT2I, the earlier text-to-image GANs, unCLIP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from styleT2I.attributes.prompt import Prompt
from styleT2I.baselines.attention_maps import attention_picture_u8
from styleT2I.baselines.attngan import AttnGANOutput
from styleT2I.errors import CheckpointError, ConfigError, PromptError
from styleT2I.formats.embeddings import Embeddings, read_embeddings
from styleT2I.formats.foreign.attngan import with_dictionary
from styleT2I.formats.foreign.registry import read_network
from styleT2I.formats.model_folder import MANIFEST, ROLES, SYSTEMS, read_model_folder
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.arguments import prompt_of
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.results import GRID_FACE_SIZE, Images, versions
from styleT2I.generation.sentence_encoders import ClipReader, DamsmReader, FileReader, WordReader
from styleT2I.sources.resolve import MODEL, resolve
from styleT2I.torch_utils.batching import in_micro_batches, rows_alone
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, to_uint8
from styleT2I.torch_utils.seeding import checked_seeds, latents_of_seeds

BATCH_SIZE = 8


class TextToImage(Protocol):
    """What generation and evaluation ask of a system, whatever it is made of."""

    name: str
    resolution: int

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """The sentence as the system takes it; PromptError when it cannot be drawn."""

    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> torch.Tensor:
        """Images [N, 3, R, R] in [-1, 1] on the CPU, one prompt and one seed a row; no row depends on another.

        On one CPU with one number of threads a row is the same to the bit in any company; on a GPU up to rounding.
        """

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


@dataclass(frozen=True, repr=False)
class Drawing(Images):
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
            "threads": torch.get_num_threads(),
            "model": self.model,
            "versions": versions(),
        }

    def grid_u8(self, ncol: int = 8) -> torch.Tensor:
        """One picture [3, H, W] uint8: rows of `ncol` pictures, enlarged if small."""
        return make_grid_u8(self.images_u8, min(ncol, len(self.seeds)), scale=-(-GRID_FACE_SIZE // self.resolution))

    @property
    def resolution(self) -> int:
        return self.images_u8.shape[-1]

    def _title(self):
        return repr(self.prompt.text)


class DrawsSentences:
    """What a system of one model does with `understand` and `sample`, its `model` and `resolution`."""

    def generate(self, text: str | Prompt, seeds: Iterable[int] = range(8), *, strict: bool = False) -> Drawing:
        """Draw the sentence, one picture a seed; PromptError, CheckpointError."""
        prompt, seeds = prompt_of(self, text, strict, stacklevel=3), checked_seeds(seeds)
        images_u8 = to_uint8(self.sample([prompt] * len(seeds), seeds))
        return Drawing(prompt, seeds, images_u8, str(self.model.device), self.describe())

    def describe(self) -> dict:
        return self.model.describe()


class TextGAN(DrawsSentences):
    """A network that draws noise and the features of a sentence, and the reader that makes these (sentence_readers)."""

    def __init__(self, model: Model, role: str, embeddings: Embeddings | None = None):
        self.model, self.role, self.name = model, role, model.name
        self.network = model.network(role)
        self.resolution = self.network.resolution
        self.reader = _reader(model, role, embeddings)
        text_dim = self.network.config.text_dim
        if self.reader is not None and self.reader.dim != text_dim:
            raise CheckpointError(
                f"{model.name}: reads {text_dim} numbers a sentence, but is given {self.reader.dim}; "
                "use the text encoder that it was trained with"
            )

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """The sentence, checked; PromptError also where the model has nothing that reads it."""
        if self.reader is None:
            encoder, remedy = _LACKING[self.role]
            raise PromptError(
                f"{self.name}: draws features of a text encoder ({encoder}) that is not in its weights, so it cannot "
                f"answer a free sentence; give {remedy}"
            )
        return self.reader.understand(text, strict=strict)

    @torch.no_grad()
    def features(self, texts: Sequence[str]) -> tuple[torch.Tensor, ...]:
        """What the network's forward takes after the noise, a row a text, on the model's device."""
        encoded = {text: self.reader.encode(text) for text in dict.fromkeys(texts)}  # each alone, whatever the others
        kinds = zip(*(encoded[text] for text in texts), strict=True)
        return tuple(torch.cat(rows).to(self.model.device) for rows in kinds)

    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> torch.Tensor:
        """Images [N, 3, R, R] in [-1, 1] on the CPU, one prompt and one seed a row.

        An AttnGAN configured with `legacy_mask` draws all rows as one batch, and they depend on each other.
        """
        if getattr(self.network.config, "legacy_mask", False):
            return self.sample_together(prompts, seeds, len(seeds))
        return self._sample(rows_alone, prompts, seeds, BATCH_SIZE)

    def sample_together(self, prompts: Sequence[Prompt], seeds: Sequence[int], size: int = BATCH_SIZE) -> torch.Tensor:
        """As `sample`, but in batches of `size` rows: for networks that look at a batch as a whole."""
        return self._sample(in_micro_batches, prompts, seeds, size)

    @torch.no_grad()
    def _sample(self, run, prompts, seeds, size):
        noise = latents_of_seeds(seeds, self.network.noise_dim).to(self.model.device)
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            features = self.features([prompt.text for prompt in prompts])
            return run(lambda *rows: _image(self.network(*rows)).cpu(), size, noise, *features)

    @torch.no_grad()
    def attention_u8(self, prompt: Prompt, seed: int) -> torch.Tensor:
        """The picture of a seed and where in it each word was read by the last stage: one picture [3, H, W] uint8."""
        noise = latents_of_seeds([seed], self.network.noise_dim).to(self.model.device)
        made = self.network(noise, *self.features([prompt.text]))
        if not isinstance(made, AttnGANOutput) or not made.attention:
            raise ConfigError(f"{self.name}: does not attend to words, so there are no attention maps to draw")
        words = self.reader.known_words(prompt.text)
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
    model: str | Path,
    *,
    device="auto",
    clip=None,
    text_encoder=None,
    captions: str | Path | None = None,
    embeddings: str | Path | None = None,
    unclip: Mapping | None = None,
    offline=None,
) -> DrawsSentences | None:
    """The text GAN or unCLIP of a model folder, a component or a file of its authors; None where it is none of these.

    clip, text_encoder: sources of a CLIP or of DAMSM's text encoder, which take the folder's place. captions: the word
    dictionary of a text encoder of its authors, captions.pickle. embeddings: a file of sentence features
    (formats.embeddings). unclip: settings of an unCLIP that are not its defaults (unclip_system.UnclipSettings).
    """
    path = resolve(model, MODEL, offline=offline)
    table = None if embeddings is None else read_embeddings(embeddings)
    given = {"clip": clip, "text_encoder": text_encoder}
    if captions is not None:
        if text_encoder is None:
            raise ConfigError("--dictionary has the words of a text encoder; name that too, with --text-encoder")
        read = read_network(resolve(text_encoder, "text_encoder", offline=offline))
        given["text_encoder"] = with_dictionary(read, Path(captions))
    settings = {"device": device, "offline": offline}
    if (karlo := _open_karlo(path, device, {**given, "embeddings": embeddings}, unclip)) is not None:
        return karlo
    if path.name == MANIFEST or (path / MANIFEST).is_file():
        files = read_model_folder(path).files
        role = next((role for role in SYSTEMS if role in files and "generator" not in files), None)
        opened = role and Model.from_pretrained(path, **settings, **given)
    else:
        component = read_network(path) if path.is_file() else None
        role = next((role for role in SYSTEMS if component and ROLES[role] == component.kind), None)
        opened = role and Model({role: component, **given}, name=path.stem, **settings)
    if role is None:
        return None
    if role == "unclip":
        return _open_unclip(opened, {"text_encoder": text_encoder, "embeddings": embeddings}, unclip)
    if unclip:
        raise ConfigError(f"{opened.name}: is no unCLIP, whose {next(iter(unclip))} is asked for; drop it")
    gan = TextGAN(opened, role, table)
    for option, reader in (("clip", ClipReader), ("text_encoder", DamsmReader)):
        if given[option] is not None and not isinstance(gan.reader, reader):
            raise ConfigError(f"{gan.name}: does not read its sentences by the {option} given; leave it out")
    return gan


def _open_karlo(path, device, readers, settings):
    """The system of a whole Karlo folder; None for any other path."""
    from styleT2I.generation.karlo_system import KarloSystem, is_karlo_folder

    if not is_karlo_folder(path):
        return None
    for option, value in {**readers, **(settings or {})}.items():
        if value is not None:
            raise ConfigError(f"{path}: is a whole Karlo and takes no {option}; drop it")
    return KarloSystem(path, device)


def _open_unclip(model, readers, settings):
    from styleT2I.generation.unclip_system import open_unclip

    for option, given in readers.items():
        if given is not None:
            raise ConfigError(f"{model.name}: does not read its sentences by the {option} given; drop it")
    return open_unclip(model, settings or {})


def _reader(model, role, embeddings):
    """What reads a text GAN's sentences; None where it has nothing that does."""
    if embeddings is not None:
        if role == "attngan":
            raise CheckpointError(f"{model.name}: reads features of every word, {embeddings.path} has sentences alone; "
                                  f"give {_DAMSM}")  # fmt: skip
        return FileReader(embeddings)
    facts = model.info(role).get("text", {})
    if model.has("text_encoder") and facts.get("encoder") != "clip":
        reader = WordReader if role == "attngan" else DamsmReader
        return reader(model.network("text_encoder"), facts, model.vocabulary)
    if role == "attngan" and model.has("clip_words"):
        return WordReader(model.network("clip_words"), facts, model.vocabulary)
    if model.has("clip") and facts.get("encoder") != "damsm" and role != "attngan":
        return ClipReader(model.network("clip"), facts, model.vocabulary)
    return None


def _image(made):
    """The picture that a network made, of several stages the last one's."""
    return made.images[-1] if isinstance(made, AttnGANOutput) else made
