"""The whole way from a sentence to faces: `StyleT2I.from_pretrained("minifaces").generate("he is wearing lipstick")`.

text -> Prompt -> text features -> s = T2D(w, text features) -> s' = adjust(s, a_i = A2D(w, attribute i of the Prompt))
seed -> z -> mapping -> w ----------------------------------> w + s' -> synthesis -> image
"""

from __future__ import annotations

import operator
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import styleT2I
from styleT2I.adjustment import Adjusted, AdjustmentConfig, adjust
from styleT2I.attributes.prompt import Prompt, understand
from styleT2I.attributes.sentences import phrase
from styleT2I.errors import ConfigError
from styleT2I.margins import open_observer
from styleT2I.metrics.attributes import encode_requests
from styleT2I.model import Model
from styleT2I.torch_utils.batching import in_micro_batches
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
        versions = {"styleT2I": styleT2I.__version__, "torch": torch.__version__, "python": platform.python_version()}
        return {
            "text": self.prompt.text,
            "attributes": self.prompt.attributes,
            "warnings": list(self.prompt.warnings),
            "seeds": list(self.seeds),
            **self.settings,
            "model": self.model,
            "versions": versions,
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
    """Text to image on one model: a generator, a CLIP and a Text-to-Direction network that belong together."""

    def __init__(self, model: Model):
        self.model = model

    @classmethod
    def from_pretrained(cls, model: str | Path = "minifaces", *, device="auto", **replacements) -> StyleT2I:
        """Open a model folder, or a model by name; replacements, say t2d=PATH, as in `Model.from_pretrained`."""
        return cls(Model.from_pretrained(model, device=device, **replacements))

    @classmethod
    def from_components(cls, *, vocabulary=None, device="auto", name: str = "custom", **components) -> StyleT2I:
        """Build from parts: generator=, clip=, t2d= and other roles of `Model`, each a network or its path."""
        return cls(Model(components, vocabulary=vocabulary, device=device, name=name))

    def save_pretrained(self, folder: str | Path, name: str | None = None, *, half: bool = False) -> Path:
        """Write the model as a folder that `from_pretrained` opens, as `Model.save`."""
        return self.model.save(folder, name, half=half)

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """What the model makes of a sentence, its attributes and warnings; PromptError as attributes.prompt has it."""
        text_encoder = self.model.network("t2d").text_encoder or self.model.network("clip")
        return understand(text, text_encoder, self.model.vocabulary, strict=strict)

    @torch.no_grad()
    def directions(
        self, ws: torch.Tensor, prompts: Sequence[Prompt], adjustment: AdjustmentConfig | None = None
    ) -> Adjusted:
        """The direction of each latent's sentence, adjusted or, with None, as Text-to-Direction has it.

        ws [N, num_ws, w_dim] on the model's device, one Prompt each (they may differ). What is drawn is
        `ws + result.s_adjusted`. A row does not depend on the others. CheckpointError where the model lacks a network.
        """
        t2d = self.model.network("t2d")
        encoded = {text: self._encode("t2d", text) for text in dict.fromkeys(prompt.text for prompt in prompts)}
        text_features = torch.cat([encoded[prompt.text] for prompt in prompts])  # [N, text_dim]
        with _exact_convolutions():
            s = in_micro_batches(t2d, self._batch_size, ws[:, 0], text_features)  # [N, num_ws, w_dim]
            names = self._adjustable(prompts, adjustment)
            return self._adjusted(ws, s, prompts, names, adjustment) if names else Adjusted.untouched(s)

    @torch.no_grad()
    def generate(
        self,
        text: str | Prompt,
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
        _check_generator(self.model.network("generator"), truncation_psi)
        text_features = self._encode("t2d", prompt.text)  # [1, text_dim]
        drawn = [self._draw(batch, text_features, truncation_psi, noise_mode) for batch in self._batches(seeds)]
        ws, unedited, images = (torch.cat(parts)[: len(seeds)] for parts in zip(*drawn, strict=True))
        settings = {"truncation_psi": truncation_psi, "noise_mode": noise_mode, "device": str(self.model.device)}
        return Result(prompt, seeds, images, unedited, ws, settings, self.model.describe())

    @property
    def _batch_size(self):
        return max(1, min(8, 1024 // self.model.network("generator").resolution))

    def _encode(self, role, text):
        network = self.model.network(role)
        return network.encode_text([text], None if network.text_encoder else self.model.network("clip"))

    def _adjustable(self, prompts, adjustment):
        """The attributes to find directions of, in the vocabulary's order: all if pictures are looked at (what is clear
        there is measured by all), else those asked for."""
        if adjustment is None or adjustment.method == "none" or self.model.vocabulary is None:
            return ()
        asked = set().union(*(prompt.attributes for prompt in prompts))
        trained = self.model.info("a2d").get("attributes", self.model.vocabulary.names)
        return tuple(
            name
            for name in self.model.vocabulary.names
            if name in trained and (name in asked or (adjustment.looks and asked))
        )

    def _adjusted(self, ws, s, prompts, names, adjustment):
        groups = [group.attributes for group in self.model.vocabulary.exclusive if group.exactly_one]
        requests = encode_requests(
            [{name: value for name, value in prompt.attributes.items() if name in names} for prompt in prompts],
            names,
            [group for group in groups if set(group) <= set(names)],
        )
        observer = open_observer(self.model, names, adjustment.by) if adjustment.looks else None

        def margins(s, rows):  # [M, num_ws, w_dim], [M] -> [M, A]
            return in_micro_batches(lambda ws: observer.margins(self._synthesis(ws)), self._batch_size, ws[rows] + s)

        return adjust(
            s,
            self.attribute_directions(ws[:, 0], names),
            (requests.asked * (2.0 * requests.values - 1)).to(s.device),
            adjustment,
            names,
            is_free=requests.free.to(s.device),
            margins=margins,
            observer=observer and observer.name,
        )

    def _synthesis(self, ws):
        return self.model.network("generator").synthesis(ws, noise_mode="const").clamp(-1, 1)

    @torch.no_grad()
    def attribute_directions(self, w: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
        """a_i of every attribute's affirmative phrase: w [N, w_dim] -> [N, A, num_ws, w_dim]."""
        a2d = self.model.network("a2d")
        phrases = [phrase(name, True, self.model.vocabulary) for name in names]
        features = torch.cat([self._encode("a2d", one) for one in phrases])  # [A, text_dim]

        def directions(w):
            rows = a2d(w.repeat_interleave(len(names), dim=0), features.repeat(len(w), 1))
            return rows.unflatten(0, (len(w), len(names)))

        return in_micro_batches(directions, self._batch_size, w)

    def _draw(self, seeds, text_features, truncation_psi, noise_mode):
        """One micro-batch of the flow: edited ws, unedited and edited image_u8, on the CPU."""
        G, t2d = self.model.network("generator"), self.model.network("t2d")
        with _exact_convolutions():
            z = latents_of_seeds(seeds, G.z_dim).to(self.model.device)
            ws = G.mapping(z, truncation_psi=truncation_psi)  # [N, num_ws, w_dim]
            s = t2d(ws[:, 0], text_features.expand(len(seeds), -1))  # [N, num_ws, w_dim]
            unedited, image = (
                G.synthesis(styles, noise_mode=noise_mode, generator=[generator("noise", seed) for seed in seeds])
                for styles in (ws, ws + s)
            )
        return (ws + s).cpu(), to_uint8(unedited).cpu(), to_uint8(image).cpu()

    def _batches(self, seeds):
        """Micro-batches of one fixed size, the last one filled up: a batch's size may change the last bits of a sum."""
        size = self._batch_size
        padded = [*seeds, *[seeds[-1]] * (-len(seeds) % size)]
        return [padded[i : i + size] for i in range(0, len(padded), size)]


def _checked_seeds(seeds) -> tuple[int, ...]:
    try:
        seeds = tuple(operator.index(seed) for seed in (seeds if isinstance(seeds, Iterable) else (seeds,)))
    except TypeError as error:
        raise ConfigError(f"seeds are integers from 0 to 2^63 - 1: {error}") from error
    if not seeds:
        raise ConfigError("no seeds given; pass for example seeds=range(8)")
    for seed in seeds:
        if not 0 <= seed < 2**63:
            raise ConfigError(f"a seed is an integer from 0 to 2^63 - 1, not {seed}")
    return seeds


def _check_generator(G, truncation_psi) -> None:
    if G.c_dim:
        raise ConfigError(f"the generator takes labels (c_dim {G.c_dim}); StyleT2I needs an unconditional one")
    if truncation_psi != 1 and not hasattr(G.mapping, "w_avg"):
        raise ConfigError(f"the generator has no mean of w to truncate to; use psi 1 in place of {truncation_psi}")


def _exact_convolutions():
    """cuDNN at full fp32 and with repeatable algorithms, so that devices agree and a seed keeps its picture."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
