"""The whole way from a sentence to faces: `StyleT2I.from_pretrained("minifaces").generate("he is wearing lipstick")`.

text -> Prompt (attributes, warnings) -> text features -> s = T2D(w, text features)
seed -> z -> mapping -> w ----------------> w + s -> synthesis -> image
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

import styleT2I
from styleT2I.attributes.prompt import Prompt, understand
from styleT2I.attributes.vocabulary import BUILT_IN, Vocabulary, load_vocabulary
from styleT2I.config import to_dict
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.formats.component import read_component, write_component
from styleT2I.formats.model_folder import (
    ROLES,
    check_agreement,
    facts_of,
    read_model_folder,
    write_model_manifest,
)
from styleT2I.networks.registry import load_network_component
from styleT2I.torch_utils.devices import resolve_device
from styleT2I.torch_utils.files import check_writable_dir, write_bytes_atomic
from styleT2I.torch_utils.images import make_grid_u8, to_uint8
from styleT2I.torch_utils.seeding import generator, latents_of_seeds

GRID_FACE_SIZE = 192  # pixels a face should take in a grid, so that 64 px pictures can be read


@dataclass(frozen=True)
class Result:
    """Pictures of one sentence, one a seed, beside what the same seeds show without it."""

    prompt: Prompt
    seeds: tuple[int, ...]
    images_u8: torch.Tensor  # [N, 3, R, R] uint8, on the CPU
    unedited_u8: torch.Tensor  # [N, 3, R, R] uint8: the same w without the direction
    ws: torch.Tensor  # [N, num_ws, w_dim], edited, on the CPU
    settings: dict  # truncation_psi, noise_mode, device
    model: dict  # name and hashes of the components

    def to_dict(self) -> dict:
        """Everything needed to make the pictures again, ready for JSON."""
        return {
            "text": self.prompt.text,
            "attributes": self.prompt.attributes,
            "warnings": list(self.prompt.warnings),
            "seeds": list(self.seeds),
            **self.settings,
            "model": self.model,
            "versions": {
                "styleT2I": styleT2I.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }

    def grid_u8(self, ncol: int = 8) -> torch.Tensor:
        """One picture [3, H, W] uint8: rows of `ncol` unedited faces, each row above its edits, enlarged if small."""
        ncol = min(ncol, len(self.seeds))
        rows = []
        for start in range(0, len(self.seeds), ncol):
            for images in (self.unedited_u8, self.images_u8):
                row = images[start : start + ncol]
                rows += [row, row.new_full((ncol - len(row), *row.shape[1:]), 255)]
        return make_grid_u8(torch.cat(rows), ncol, scale=-(-GRID_FACE_SIZE // self.images_u8.shape[-1]))


class StyleT2I:
    """A generator, a CLIP and a Text-to-Direction network that belong together, on one device.

    Networks load on first use. Build one with `from_pretrained` or `from_components`.
    """

    def __init__(self, sources: dict, *, vocabulary=None, device="auto", name: str = "custom"):
        """sources: role (formats.model_folder.ROLES) -> network, or the path of its component.

        vocabulary: a Vocabulary, an embedded one's name or the path of its file; None: attributes are not read.
        """
        self.name = name
        is_loaded = vocabulary is None or isinstance(vocabulary, Vocabulary)
        self.vocabulary = vocabulary if is_loaded else load_vocabulary(vocabulary)
        self._vocabulary_file = None if is_loaded else vocabulary
        self.device = resolve_device(device)
        self._sources = sources
        self._networks, self._hashes, self._infos = {}, {}, {}

    @classmethod
    def from_pretrained(cls, model: str | Path = "minifaces", *, device="auto", **replacements) -> StyleT2I:
        """Open a model folder or an embedded model by name; replacements as in `from_components`.

        A replaced generator leaves the model's direction networks behind: they steer another latent space.
        """
        folder = read_model_folder(model)
        files = dict(folder.files)
        if replacements.get("generator") is not None:
            files = {role: file for role, file in files.items() if role not in ("t2d", "a2d")}
        vocabulary = replacements.pop("vocabulary", None) or folder.vocabulary
        sources = files | _given(replacements)
        return cls(sources, vocabulary=vocabulary, device=device, name=folder.name)

    @classmethod
    def from_components(cls, *, vocabulary=None, device="auto", name: str = "custom", **components) -> StyleT2I:
        """Build from parts: generator=, clip=, t2d= and others of ROLES, each a network or a component's path."""
        return cls(_given(components), vocabulary=vocabulary, device=device, name=name)

    def network(self, role: str) -> torch.nn.Module:
        """The network of a role, loaded and checked against those loaded before; CheckpointError when there is none."""
        if role not in self._networks:
            if role not in self._sources:
                raise CheckpointError(self._missing(role))
            network, self._hashes[role], info = self._load(role, self._sources[role])
            facts = {self._where(r): facts_of(r, to_dict(n.config), self._infos[r]) for r, n in self._networks.items()}
            check_agreement({**facts, self._where(role): facts_of(role, to_dict(network.config), info)})
            self._networks[role], self._infos[role] = network, info
        return self._networks[role]

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """What the model makes of a sentence, its attributes and warnings; PromptError as attributes.prompt has it."""
        t2d = self.network("t2d")
        clip = None if t2d.text_encoder is not None else self.network("clip")
        return understand(text, t2d.text_encoder or clip, self.vocabulary, strict=strict)

    @torch.no_grad()
    def generate(
        self,
        text: str,
        seeds: Iterable[int] = range(8),
        *,
        truncation_psi: float = 0.7,
        noise_mode: str = "const",
        strict: bool = False,
    ) -> Result:
        """Draw one face a seed that matches the text, and the face of the same seed without it.

        The picture of a seed is the same, byte for byte on one machine, whatever the other seeds. strict makes words
        that the model does not know an error. Raises PromptError, ConfigError or CheckpointError.
        """
        prompt = text if isinstance(text, Prompt) else self.understand(text, strict=strict)
        seeds = _checked_seeds(seeds)
        _check_latents(self.network("generator"), truncation_psi)
        t2d = self.network("t2d")
        text_features = t2d.encode_text([prompt.text], None if t2d.text_encoder else self.network("clip"))
        drawn = [self._draw(batch, text_features, truncation_psi, noise_mode) for batch in self._batches(seeds)]
        ws, unedited, images = (torch.cat(parts)[: len(seeds)] for parts in zip(*drawn, strict=True))
        settings = {"truncation_psi": truncation_psi, "noise_mode": noise_mode, "device": str(self.device)}
        return Result(prompt, seeds, images, unedited, ws, settings, self.describe())

    def _draw(self, seeds, text_features, truncation_psi, noise_mode):
        """One micro-batch of the flow: edited ws, unedited and edited image_u8, on the CPU."""
        G, t2d = self.network("generator"), self.network("t2d")
        with _exact_convolutions():
            z = latents_of_seeds(seeds, G.z_dim).to(self.device)
            ws = G.mapping(z, truncation_psi=truncation_psi)  # [N, num_ws, w_dim]
            s = t2d(ws[:, 0], text_features.expand(len(seeds), -1))  # [N, num_ws, w_dim]
            images = [
                G.synthesis(styles, noise_mode=noise_mode, generator=[generator("noise", seed) for seed in seeds])
                for styles in (ws, ws + s)
            ]
        return (ws + s).cpu(), *(to_uint8(image).cpu() for image in images)

    def _batches(self, seeds):
        """Micro-batches of one fixed size, the last one filled up: a batch's size may change the last bits of a sum."""
        size = max(1, min(8, 1024 // self.network("generator").resolution))
        padded = [*seeds, *[seeds[-1]] * (-len(seeds) % size)]
        return [padded[i : i + size] for i in range(0, len(padded), size)]

    def describe(self) -> dict:
        """Name of the model and, for every network in use, the hash of its component (None for one built in memory)."""
        return {"name": self.name, "components": dict(self._hashes)}

    def save_pretrained(self, folder: str | Path, name: str | None = None, *, half: bool = False) -> Path:
        """Write every component and a model.json into `folder`, which `from_pretrained` then opens.

        half stores the weights as fp16. Raises OutputError, or CheckpointError where components do not fit.
        """
        folder = check_writable_dir(folder)
        files = {}
        for role in self._sources:
            network, stem = self.network(role), role.replace(".", "_")
            config, info = to_dict(network.config), self._infos[role]
            write_component(folder, stem, network.kind, config, network.state_dict(), half=half, info=info)
            files[role] = f"{stem}.json"
        return write_model_manifest(folder, name or self.name, files, self._saved_vocabulary(folder))

    def _saved_vocabulary(self, folder):
        if self.vocabulary is None or self.vocabulary.name in BUILT_IN:
            return self.vocabulary and self.vocabulary.name
        if self._vocabulary_file is None:
            raise ConfigError(
                "a vocabulary built in memory cannot be saved; give from_components the path of its JSON file"
            )
        write_bytes_atomic(folder / "vocabulary.json", Path(self._vocabulary_file).read_bytes())
        return "vocabulary.json"

    def _load(self, role, source):
        if isinstance(source, torch.nn.Module):
            return source.to(self.device).eval(), None, {}
        component = read_component(source)
        if component.kind != ROLES[role]:
            raise CheckpointError(
                f"{component.path}: is a {component.kind!r}, but the {role} must be a {ROLES[role]!r}"
            )
        return load_network_component(component, self.device), component.sha256, component.info

    def _where(self, role):
        source = self._sources[role]
        return f"the {role} given" if isinstance(source, torch.nn.Module) else str(source)

    def _missing(self, role):
        if role == "t2d":
            parts = " ".join(f"--{r} {self._where(r) if r in self._sources else 'FILE'}" for r in ("generator", "clip"))
            return (
                f"model {self.name!r} has no Text-to-Direction network; train one with: "
                f"python -m styleT2I.train_t2d {parts} --data DATA --outdir DIR"
            )
        return f"model {self.name!r} has no {role}; it has {', '.join(self._sources) or 'nothing'}"


def _given(components: dict) -> dict:
    for role in components:
        if role not in ROLES:
            raise ConfigError(f"unknown component {role!r}; a model has {', '.join(ROLES)} and a vocabulary")
    return {role: source for role, source in components.items() if source is not None}


def _checked_seeds(seeds) -> tuple[int, ...]:
    seeds = (seeds,) if isinstance(seeds, int) else tuple(seeds)
    if not seeds:
        raise ConfigError("no seeds given; pass for example seeds=range(8)")
    for seed in seeds:
        if not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise ConfigError(f"a seed is an integer from 0 to 2^63 - 1, not {seed!r}")
    return seeds


def _check_latents(G, truncation_psi) -> None:
    if G.c_dim:
        raise ConfigError(f"the generator takes labels (c_dim {G.c_dim}); StyleT2I needs an unconditional one")
    if truncation_psi != 1 and not hasattr(G.mapping, "w_avg"):
        raise ConfigError(f"the generator has no mean of w to truncate to; use psi 1 in place of {truncation_psi}")


def _exact_convolutions():
    """cuDNN at full fp32 and with repeatable algorithms, so that devices agree and a seed keeps its picture."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
