"""Every system that draws a sentence behind one interface: StyleT2I, the earlier text-to-image GANs, unCLIP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from styleT2I.attributes.prompt import Prompt
from styleT2I.errors import ConfigError
from styleT2I.formats.component import Component
from styleT2I.formats.model_folder import MANIFEST, ROLES, SYSTEMS, ModelFolder, read_model_folder
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.arguments import prompt_of
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.results import GRID_FACE_SIZE, Images, versions
from styleT2I.sources.resolve import MODEL, resolve
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, to_uint8
from styleT2I.torch_utils.seeding import checked_seeds

BATCH_SIZE = 8
KARLO_INDEX = "model_index.json"  # in a folder that diffusers draws from


class TextToImage(Protocol):
    """What generation, evaluation and audit ask of a system, whatever it is made of."""

    name: str
    role: str  # "stylet2i", "karlo" or the role of the network that draws (formats.model_folder.SYSTEMS)

    @property
    def resolution(self) -> int:
        """Side of the images in pixels."""

    @property
    def accepts(self) -> frozenset[str]:
        """Names of the settings of `generate`; "explain" where `explain_u8` has something to show."""

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """The sentence as the system takes it; PromptError when it cannot be drawn."""

    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> torch.Tensor:
        """Images [N, 3, R, R] in [-1, 1] on the CPU, one prompt and one seed per row; no row depends on another.

        On one CPU with one number of threads a row is the same to the bit whatever the others; on a GPU up to rounding.
        """

    @property
    def generate(self) -> Callable[..., Any]:
        """generate(text or Prompt, seeds, **settings): one image per seed, as `images_u8` and for JSON as `to_dict`."""

    def explain_u8(self, result: Any) -> torch.Tensor:
        """One image [3, H, W] uint8 that explains a result of `generate`; ConfigError where there is no explanation."""

    def describe(self) -> dict:
        """Name of the model and hashes of the components in use."""


class StyleT2ISystem:
    """A StyleT2I pipeline as a system; `sample` draws with `adjustment`, None is Text-to-Direction alone."""

    role = "stylet2i"
    accepts = frozenset({"truncation_psi", "noise_mode", "adjustment", "explain"})

    def __init__(self, pipeline: StyleT2I, adjustment: AdjustmentConfig | None = None, truncation_psi: float = 0.7):
        self.pipeline, self.adjustment, self.truncation_psi = pipeline, adjustment, truncation_psi
        self.name = pipeline.model.name

    @property
    def resolution(self) -> int:
        return self.pipeline.model.network("generator").resolution

    @property
    def generate(self) -> Callable[..., Any]:
        """`StyleT2I.generate`."""
        return self.pipeline.generate

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        return self.pipeline.understand(text, strict=strict)

    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> torch.Tensor:
        ws = self.pipeline.latents(seeds, self.truncation_psi)
        s = self.pipeline.directions(ws, prompts, self.adjustment).s_adjusted
        return from_uint8(self.pipeline.images_u8(ws + s, seeds))

    def explain_u8(self, result: Any) -> torch.Tensor:
        """What each attribute's step did to the first faces: `generation.explain.explain_u8`."""
        from styleT2I.generation.explain import explain_u8

        return explain_u8(self.pipeline, result)

    def describe(self) -> dict:
        return self.pipeline.model.describe()


@dataclass(frozen=True, repr=False)
class Drawing(Images):
    """Images of one sentence by another system than StyleT2I, one per seed."""

    prompt: Prompt
    seeds: tuple[int, ...]
    images_u8: torch.Tensor  # [N, 3, R, R] uint8, on the CPU
    device: str
    model: dict  # name and hashes of the components

    def to_dict(self) -> dict:
        """Everything needed to make the images again, ready for JSON."""
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
        """One image [3, H, W] uint8: rows of `ncol` images, enlarged if small."""
        return make_grid_u8(self.images_u8, min(ncol, len(self.seeds)), scale=-(-GRID_FACE_SIZE // self.resolution))

    @property
    def resolution(self) -> int:
        return self.images_u8.shape[-1]

    def _title(self):
        return repr(self.prompt.text)


class DrawsSentences:
    """What a system of one model does with its own `understand`, `sample` and `model`. It accepts no settings."""

    model: Any
    name: str
    role: str

    @property
    def accepts(self) -> frozenset[str]:
        return frozenset()

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """The sentence as the system takes it; PromptError when it cannot be drawn."""
        raise NotImplementedError

    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> torch.Tensor:
        """Images [N, 3, R, R] in [-1, 1] on the CPU, one prompt and one seed per row."""
        raise NotImplementedError

    def generate(self, text: str | Prompt, seeds: Iterable[int] = range(8), *, strict: bool = False) -> Drawing:
        """Draw the sentence, one image per seed; PromptError, CheckpointError."""
        prompt, numbers = prompt_of(self, text, strict, stacklevel=3), checked_seeds(seeds)
        images_u8 = to_uint8(self.sample([prompt] * len(numbers), numbers))
        return Drawing(prompt, numbers, images_u8, str(self.model.device), self.describe())

    def explain_u8(self, result: Drawing) -> torch.Tensor:
        """No explanation: ConfigError."""
        raise ConfigError(f"{self.name}: does not show how it came to an image; leave the explanation out")

    def describe(self) -> dict:
        return self.model.describe()


def open_system(
    source: str | Path | ModelFolder,
    *,
    device="auto",
    precision: str = "fp32",
    offline: bool | None = None,
    text_encoder=None,
    captions: str | Path | None = None,
    embeddings: str | Path | None = None,
    unclip: Mapping | None = None,
    **replacements,
) -> TextToImage:
    """Open a system that draws sentences: a StyleT2I model, an earlier text-to-image GAN, an unCLIP or a whole Karlo.

    Args:
        source: A model's name or folder, a file of a text GAN (a component of ours or its authors' own), an address,
            `hf://owner/name`, or a folder that has been read.
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: Of a StyleT2I generator's highest resolutions on a CUDA device, also "fp16" or "bf16".
        offline: True downloads nothing; None asks the environment.
        text_encoder: Source of DAMSM's text encoder, which takes the folder's place.
        captions: The word dictionary of a text encoder of DAMSM's authors, captions.pickle.
        embeddings: A file of sentence features, for a text GAN without an encoder (`formats.texts.embeddings`).
        unclip: Settings of an unCLIP that differ from its defaults (`unclip.UnclipSettings`).
        **replacements: Networks, or sources of them, that take the places of the model's own, by role: `clip=`, and of
            a StyleT2I model also `generator=`, `t2d=` and the others.

    Returns:
        The system. `system.generate(text, seeds)` draws; `system.accepts` names the settings it takes.

    Raises:
        CheckpointError: The source cannot be opened, or its parts do not fit each other.
        ConfigError: The system does not take an option that is given.
        DownloadError: The source is elsewhere and cannot be fetched.

    Example:
        >>> from styleT2I import open_system
        >>> system = open_system("minifaces", device="cpu")
        >>> system.generate("she is smiling", seeds=[0]).images_u8.shape
        torch.Size([1, 3, 64, 64])
        >>> "truncation_psi" in system.accepts
        True
    """
    encoders = _given(text_encoder=text_encoder, captions=captions, embeddings=embeddings)
    networks, settings = _given(**replacements), {"device": device, "offline": offline}
    if "captions" in encoders and "text_encoder" not in encoders:
        raise ConfigError("--dictionary has the words of a text encoder; name that too, with --text-encoder")
    path = source.path if isinstance(source, ModelFolder) else resolve(source, MODEL, offline=offline)
    if (path / KARLO_INDEX).is_file() and (
        karlo := _open_karlo(path, device, {**networks, **encoders, **(unclip or {})})
    ):
        return karlo
    opened = source if isinstance(source, ModelFolder) else _read(path)
    role = _role_of(opened)
    if role is None:
        assert isinstance(opened, ModelFolder)
        _refuse(opened.name, encoders, "reads its sentences itself and does not take the {} given")
        _refuse(opened.name, unclip, "is not an unCLIP, whose {} is asked for")
        where = str(path if isinstance(source, ModelFolder) else source)
        model = Model.from_folder(opened, where, precision=precision, **settings, **networks)
        return StyleT2ISystem(StyleT2I(model))
    clip = networks.pop("clip", None)
    name = opened.name if isinstance(opened, ModelFolder) else path.stem
    _refuse(name, networks, "is not a StyleT2I model, whose {} is given")
    _refuse(
        name,
        _given(precision=None if precision == "fp32" else precision),
        "draws in fp32 and does not take the {} given",
    )
    if role == "unclip":
        _refuse(name, encoders, "does not read its sentences by the {} given")
        from styleT2I.generation.systems.unclip import open_unclip

        return open_unclip(_model(opened, role, path, {"clip": clip}, settings), unclip or {})
    _refuse(name, unclip, "is not an unCLIP, whose {} is asked for")
    from styleT2I.generation.systems.text_gan import open_text_gan

    return open_text_gan(
        lambda parts: _model(opened, role, path, parts, settings), role, clip=clip, offline=offline, **encoders
    )


def _read(path: Path) -> ModelFolder | Component:
    """A model folder, or the network of a text GAN alone; CheckpointError for anything else."""
    if path.is_file() and path.name != MANIFEST:
        from styleT2I.formats.foreign.registry import read_network

        component = read_network(path)
        if component.kind in {ROLES[role] for role in SYSTEMS}:
            return component
    return read_model_folder(path)


def _role_of(opened: ModelFolder | Component) -> str | None:
    """The role of the network that draws by itself; None of a StyleT2I model."""
    if isinstance(opened, Component):
        return next(role for role in SYSTEMS if ROLES[role] == opened.kind)
    return next((role for role in SYSTEMS if role in opened.files and "generator" not in opened.files), None)


def _model(opened: ModelFolder | Component, role: str, path: Path, parts: Mapping, settings: Mapping) -> Model:
    """The model of a text GAN's folder or of its network alone, with other `parts` in its parts' places."""
    if isinstance(opened, ModelFolder):
        return Model.from_folder(opened, str(path), **settings, **parts)
    return Model({role: opened, **parts}, name=path.stem, **settings)


def _open_karlo(path, device, given) -> TextToImage | None:
    """The system of a whole Karlo folder; None for another folder of diffusers'."""
    from styleT2I.generation.systems.karlo import KarloSystem, is_karlo_folder

    if not is_karlo_folder(path):
        return None
    _refuse(path, given, "is a whole Karlo and takes no {}")
    return KarloSystem(path, device)


def _given(**options) -> dict[str, Any]:
    return {option: value for option, value in options.items() if value is not None}


def _refuse(name: object, options: Mapping | None, reason: str) -> None:
    """ConfigError that names the first of the options, if there is one."""
    if options:
        raise ConfigError(f"{name}: {reason.format(next(iter(options)))}; leave it out")
