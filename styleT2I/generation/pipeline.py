"""The whole way from a sentence to faces: `StyleT2I.from_pretrained("minifaces").generate("he is wearing lipstick")`.

text -> Prompt -> text features -> s = T2D(w, text features) -> s' = adjust(s, a_i = A2D(w, attribute i of the Prompt))
seed -> z -> mapping -> w ----------------------------------> w + s' -> synthesis -> image
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from styleT2I.attributes.prompt import Prompt, understand
from styleT2I.attributes.wording.sentences import phrase
from styleT2I.errors import ConfigError
from styleT2I.formats.model_folder import SYSTEMS
from styleT2I.generation.adjustment import Adjusted, AdjustmentConfig, adjust
from styleT2I.generation.arguments import checked_adjustment, checked_noise_mode, checked_psi, prompt_of
from styleT2I.generation.clip_strengths import clip_strength
from styleT2I.generation.edit_arguments import calibrated_steps, given_latents, named_strengths
from styleT2I.generation.model import Model
from styleT2I.generation.observers import open_observer
from styleT2I.generation.results import EditResult, Result, attributes_found
from styleT2I.metrics.attributes import encode_requests
from styleT2I.sources.hub import upload
from styleT2I.torch_utils.batching import each_alone, rows_alone
from styleT2I.torch_utils.cuda_graphs import replayed
from styleT2I.torch_utils.images import to_uint8
from styleT2I.torch_utils.seeding import checked_seeds, generator, latents_of_seeds

BLOCK = 64  # latents adjusted and drawn at a time, which bounds the memory; one on a CPU, where rows are run alone


class StyleT2I:
    """Text to image on one model: a generator, a CLIP and a Text-to-Direction network that belong together."""

    def __init__(self, model: Model):
        self.model = model
        self._observers, self._encoded_phrases, self._steps = {}, {}, {}
        self._drawn = None  # images by (noise mode, bytes of ws) while a block is drawn on a CPU

    @classmethod
    def from_pretrained(
        cls, model: str | Path = "minifaces", *, device="auto", precision="fp32", **replacements
    ) -> StyleT2I:
        """Open a model: a folder, a name, https://HOST/FOLDER or hf://owner/name; as `Model.from_pretrained`.

        precision: on a CUDA device also "fp16" or "bf16", which the generator's highest resolutions then compute in.
        replacements: t2d= and other roles, each a network or any source of one. offline=True downloads nothing.
        """
        opened = Model.from_pretrained(model, device=device, precision=precision, **replacements)
        if not opened.has("generator") and any(opened.has(role) for role in SYSTEMS):
            raise ConfigError(
                f"{opened.name!r} is an earlier text-to-image GAN, without directions to edit or adjust; draw with "
                f"python -m styleT2I.generate --model {model}, or generation.systems.open_text_gan({str(model)!r})"
            )
        return cls(opened)

    def __repr__(self) -> str:
        model = self.model
        return f"<StyleT2I {model.name!r} on {model.device}: {', '.join(model.sources) or 'nothing'}>"

    @classmethod
    def from_components(
        cls, *, vocabulary=None, device="auto", name: str = "custom", offline=None, precision="fp32", **components
    ) -> StyleT2I:
        """Build from parts: generator=, clip=, t2d= and other roles of `Model`, each a network or any source of one."""
        settings = {"device": device, "name": name, "offline": offline, "precision": precision}
        return cls(Model(components, vocabulary=vocabulary, **settings))

    def save_pretrained(
        self, folder: str | Path, name: str | None = None, *, half: bool = False, licence: str | None = None
    ) -> Path:
        """Write the model, with a model card, as a folder that `from_pretrained` opens, as `Model.save`."""
        return self.model.save(folder, name, half=half, licence=licence)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        half: bool = False,
        licence: str | None = None,
        private: bool | None = None,
        revision: str | None = None,
        message: str | None = None,
        token: str | None = None,
    ) -> str:
        """Upload the model to the Hugging Face Hub as `repo_id` ("owner/name") and return the commit's address.

        The repository is made where there is none; `from_pretrained("hf://owner/name")` opens it. token: None is that
        of `hf auth login`. Raises DownloadError when the Hub refuses, otherwise as `save_pretrained`.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, repo_id.rpartition("/")[2], half=half, licence=licence)
            return upload(folder, repo_id, private=private, revision=revision, message=message, token=token)

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """What the model makes of a sentence, its attributes and warnings; PromptError as attributes.prompt has it."""
        text_encoder = self.model.network("t2d").text_encoder or self.model.network("clip")
        return understand(text, text_encoder, self.model.vocabulary, strict=strict)

    @torch.no_grad()
    def latents(self, seeds: Iterable[int], truncation_psi: float = 0.7) -> torch.Tensor:
        """ws [N, num_ws, w_dim] of seeds on the model's device, each from its seed alone."""
        G, seeds = self.model.network("generator"), checked_seeds(seeds)
        _check_generator(G, truncation_psi)
        z = latents_of_seeds(seeds, G.z_dim).to(self.model.device)
        with _exact_convolutions():
            return rows_alone(lambda z: replayed(G.mapping, z, truncation_psi=truncation_psi), self._batch_size, z)

    @torch.no_grad()
    def directions(
        self, ws: torch.Tensor, prompts: Sequence[Prompt], adjustment: AdjustmentConfig | None = None
    ) -> Adjusted:
        """The direction of each latent's sentence, adjusted or, with None, as Text-to-Direction has it.

        ws [N, num_ws, w_dim] on the model's device, one Prompt each (they may differ). What is drawn is
        `ws + result.s_adjusted`. A row does not depend on the others. CheckpointError where the model lacks a network.
        """
        for line in self._unadjusted(prompts, adjustment):
            warnings.warn(line, stacklevel=3)
        encoded = {text: self._encode("t2d", text) for text in dict.fromkeys(prompt.text for prompt in prompts)}
        return self._directions(ws, prompts, encoded, adjustment)

    def _directions(self, ws, prompts, encoded, adjustment):
        t2d = self.model.network("t2d")
        text_features = torch.cat([encoded[prompt.text] for prompt in prompts])  # [N, text_dim]
        with _exact_convolutions():
            s = rows_alone(t2d, self._batch_size, ws[:, 0], text_features)  # [N, num_ws, w_dim]
            names = self._adjustable(prompts, adjustment)
            if not names:
                return Adjusted.untouched(s)
            if s.device.type != "cpu":
                return self._adjusted(ws, s, prompts, names, adjustment)
            rows = zip(each_alone(ws, s), prompts, strict=True)
            return Adjusted.join([self._adjusted(*row, [prompt], names, adjustment) for row, prompt in rows])

    @torch.no_grad()
    def attribute_directions(self, w: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
        """a_i of every attribute's affirmative phrase: w [N, w_dim] -> [N, A, num_ws, w_dim].

        A latent's batch has a place for each attribute that A2D was trained on, filled or not, so that no direction
        depends on which others are asked for.
        """
        a2d = self.model.network("a2d")
        places, features = self._phrases(tuple(names))
        num = len(features)

        def directions(w):
            rows = a2d(w.repeat_interleave(num, dim=0), features.repeat(len(w), 1))
            return rows.unflatten(0, (len(w), num))[:, places]

        return rows_alone(directions, self._batch_size, w)

    @torch.no_grad()
    def images_u8(self, ws: torch.Tensor, seeds: Sequence[int], noise_mode: str = "const") -> torch.Tensor:
        """Pictures uint8 [N, 3, R, R] of ws [N, num_ws, w_dim] on the CPU; random noise follows from the seeds."""
        G = self.model.network("generator")

        def draw(ws, seeds):
            if noise_mode != "random":
                return to_uint8(self._synthesis(ws, noise_mode)).cpu()
            noise = [generator("noise", seed) for seed in seeds.tolist()]
            return to_uint8(G.synthesis(ws, noise_mode=noise_mode, generator=noise)).cpu()

        with _exact_convolutions():
            return rows_alone(draw, self._batch_size, ws, torch.tensor(seeds))

    @torch.no_grad()
    def generate(
        self,
        text: str | Prompt,
        seeds: Iterable[int] = range(8),
        *,
        truncation_psi: float = 0.7,
        noise_mode: str = "const",
        strict: bool = False,
        adjustment: AdjustmentConfig | str | None = "auto",
    ) -> Result:
        """Draw one face a seed that matches the text, and the face of the same seed without it.

        On a CPU the picture of a seed is the same byte for byte whatever the other seeds, as long as processor, torch
        and the number of threads are; elsewhere, and between these, it differs by rounding. strict makes words that
        the model does not know an error; else each is a Python warning, as is all that is doubtful in a text (of a
        Prompt, whoever made it has them). adjustment: "auto" adjusts by default where the model has an
        Attribute-to-Direction network; None is Text-to-Direction alone; a method's name or a configuration on a model
        without the network is a warning. truncation_psi: from 0 to 2. Raises PromptError, ConfigError or
        CheckpointError.
        """
        seeds, adjustment = checked_seeds(seeds), checked_adjustment(adjustment)
        checked_psi(truncation_psi), checked_noise_mode(noise_mode)
        prompt = prompt_of(self, text, strict)
        adjustment = self._possible(adjustment)
        unadjusted = self._unadjusted([prompt], adjustment)
        for line in unadjusted:
            warnings.warn(line, stacklevel=3)
        prompt = replace(prompt, warnings=(*prompt.warnings, *unadjusted))
        size = 1 if self.model.device.type == "cpu" else BLOCK
        blocks = [seeds[start : start + size] for start in range(0, len(seeds), size)]
        encoded = {prompt.text: self._encode("t2d", prompt.text)}
        parts = [self._draw(prompt, encoded, block, truncation_psi, noise_mode, adjustment) for block in blocks]
        adjusted = Adjusted.join([part.pop("adjusted") for part in parts])
        drawn = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        clip_margins = (drawn.pop("clip_before"), drawn.pop("clip_after")) if "clip_before" in drawn else None
        vocabulary = self.model.vocabulary
        found = attributes_found(adjusted, prompt, vocabulary, clip_margins) if vocabulary else ()
        settings = {"truncation_psi": truncation_psi, "noise_mode": noise_mode, **self._machine()}
        return Result(
            prompt, seeds, **drawn, adjustment=adjustment, attributes=found, settings=settings,
            model=self.model.describe(),
        )  # fmt: skip

    @torch.no_grad()
    def edit(
        self,
        latents: int | Iterable[int] | torch.Tensor,
        attributes: Mapping[str, float],
        *,
        truncation_psi: float = 0.7,
        noise_mode: str = "const",
    ) -> EditResult:
        """Move faces along attribute directions, say {"lipstick": 1, "smiling": -0.5}, all taken at the unmoved latent.

        latents: seeds, or w [w_dim], ws [num_ws, w_dim] or [N, num_ws, w_dim]. Strength 1 is the smallest step at which
        the guide judge saw the attribute on 95 % of latents, -1 that at which it saw it no more; A2D training measures
        both, and where it had no judge CLIP does now (clip_strengths); beyond 2 either way is a warning. Names are any
        terms of the vocabulary: {"young": 1} is {"old": -1}; of those that exclude each other one may be turned on.
        ConfigError, CheckpointError.
        """
        checked_psi(truncation_psi), checked_noise_mode(noise_mode)
        strengths = named_strengths(attributes, self.model)
        steps = calibrated_steps(strengths, self.model, self._clip_step if self.model.has("clip") else None)
        is_given = isinstance(latents, (torch.Tensor, np.ndarray))
        seeds = None if is_given else checked_seeds(latents)
        ws = given_latents(latents, self.model) if is_given else self.latents(seeds, truncation_psi)
        with _exact_convolutions():
            moved = rows_alone(lambda ws: self._moved(ws, steps), self._batch_size, ws)
        images, unedited = (
            self.images_u8(styles, seeds or range(len(ws)), noise_mode) for styles in (moved, ws)
        )  # fmt: skip
        psi = None if is_given else truncation_psi
        settings = {"truncation_psi": psi, "noise_mode": noise_mode, **self._machine()}
        return EditResult(seeds, images, unedited, moved.cpu(), strengths, steps, settings, self.model.describe())

    def _moved(self, ws, steps):
        directions = self.attribute_directions(ws.mean(dim=1), list(steps))  # [N, A, num_ws, w_dim]
        units = directions / directions.flatten(2).norm(dim=2)[:, :, None, None].clamp_min(1e-8)
        return ws + (torch.tensor(list(steps.values()), device=ws.device)[:, None, None] * units).sum(dim=1)

    def _clip_step(self, name, value):
        if (name, value) not in self._steps:
            self._steps[name, value] = clip_strength(self.model, name, value)
        return self._steps[name, value]

    def _machine(self):
        threads = torch.get_num_threads()
        return {"device": str(self.model.device), "threads": threads, "precision": self.model.precision}

    @property
    def _batch_size(self):
        resolution = self.model.network("generator").resolution
        if resolution >= 256 and self.model.device.type == "cpu":
            return 1  # a row costs as much alone as beside others, and a batch that is filled up costs all of it
        return max(1, min(8, 1024 // resolution))

    def _encode(self, role, text):
        network = self.model.network(role)
        return network.encode_text([text], None if network.text_encoder else self.model.network("clip"))

    def _possible(self, adjustment):
        """The adjustment that the model is able to, None for none."""
        can_adjust = self.model.has("a2d") and self.model.vocabulary is not None
        if adjustment == "auto":
            return AdjustmentConfig() if can_adjust else None
        if adjustment is not None and not can_adjust:
            reason = "Attribute-to-Direction network" if self.model.vocabulary is not None else "vocabulary"
            warnings.warn(f"model {self.model.name!r} has no {reason}, so nothing is adjusted", stacklevel=3)
            return None
        return adjustment

    def _unadjusted(self, prompts, adjustment) -> tuple[str, ...]:
        """A warning where prompts ask for attributes that the Attribute-to-Direction network was not trained on."""
        asked = set().union(*(prompt.attributes for prompt in prompts))
        if adjustment is None or adjustment.method == "none" or not asked:
            return ()
        trained = self._trained_attributes()
        unknown = [name for name in self.model.vocabulary.names if name in asked and name not in trained]
        if not unknown:
            return ()
        them = "it" if len(unknown) == 1 else "them"
        return (
            f"the Attribute-to-Direction network was not trained on {', '.join(unknown)}, so nothing is adjusted for "
            f"{them}: the sentence alone decides",
        )

    def _trained_attributes(self):
        return self.model.info("a2d").get("attributes", self.model.vocabulary.names)

    def _adjustable(self, prompts, adjustment):
        """The attributes to find directions of, in the vocabulary's order: all if pictures are looked at (what is clear
        there is measured by all), else those asked for."""
        asked = set().union(*(prompt.attributes for prompt in prompts))
        if adjustment is None or not asked or (adjustment.method == "none" and not self.model.has("a2d")):
            return ()
        trained = self._trained_attributes()
        needed = self.model.vocabulary.names if adjustment.looks else asked
        return tuple(name for name in self.model.vocabulary.names if name in trained and name in needed)

    def _phrases(self, names):
        """Places of the names in a batch, and that batch's text features [places, text_dim], zeros where nobody is."""
        if names not in self._encoded_phrases:
            known, vocabulary = self._trained_attributes(), self.model.vocabulary
            known = known if set(names) <= set(known) else vocabulary.names
            encoded = torch.cat([self._encode("a2d", phrase(name, True, vocabulary)) for name in names])
            places, features = [known.index(name) for name in names], encoded.new_zeros(len(known), encoded.shape[1])
            features[places] = encoded
            self._encoded_phrases[names] = (places, features)
        return self._encoded_phrases[names]

    def _adjusted(self, ws, s, prompts, names, adjustment):
        groups = [group.attributes for group in self.model.vocabulary.exclusive if group.exactly_one]
        requests = encode_requests(
            [{name: value for name, value in prompt.attributes.items() if name in names} for prompt in prompts],
            names,
            [group for group in groups if set(group) <= set(names)],
        )
        observer = self._observer(names, adjustment.by) if adjustment.looks else None
        return adjust(
            s,
            self.attribute_directions(ws[:, 0], names),
            (requests.asked * (2.0 * requests.values - 1)).to(s.device),
            adjustment,
            names,
            is_free=requests.free.to(s.device),
            margins=lambda s, rows: self._margins(observer, ws[rows] + s),
            observer=observer and observer.name,
        )

    def _observer(self, names, by):
        if (names, by) not in self._observers:
            self._observers[names, by] = open_observer(self.model, names, by)
        return self._observers[names, by]

    def _margins(self, observer, ws):
        """What an observer says of latents ws [N, num_ws, w_dim]: [N, A]."""
        return rows_alone(lambda ws: observer.margins(self._synthesis(ws).clamp(-1, 1)), self._batch_size, ws)

    def _synthesis(self, ws, noise_mode="const"):
        """The generator's image of ws; within `_draw` a latent that was looked at is not drawn a second time."""
        G = self.model.network("generator")
        if self._drawn is None or ws.device.type != "cpu":
            return replayed(G.synthesis, ws, noise_mode=noise_mode)
        key = (noise_mode, ws.numpy().tobytes())
        if key not in self._drawn:
            self._drawn[key] = G.synthesis(ws, noise_mode=noise_mode)
        return self._drawn[key]

    def _clip_margins(self, names, ws):
        """CLIP's margins of some attributes in latents, on the CPU, in a table of all: [N, A], NaN for the others."""
        vocabulary = self.model.vocabulary.names
        margins = self._margins(self._observer(tuple(names), "clip"), ws).cpu()
        table = margins.new_full((len(ws), len(vocabulary)), float("nan"))
        table[:, [vocabulary.index(name) for name in names]] = margins
        return table

    def _draw(self, prompt, encoded, seeds, truncation_psi, noise_mode, adjustment):
        """One block of the flow: "ws" edited, "unedited_u8", "images_u8" and CLIP's margins on the CPU, "adjusted"."""
        self._drawn = {}
        try:
            return self._draw_block(prompt, encoded, seeds, truncation_psi, noise_mode, adjustment)
        finally:
            self._drawn = None

    def _draw_block(self, prompt, encoded, seeds, truncation_psi, noise_mode, adjustment):
        ws = self.latents(seeds, truncation_psi)
        adjustment = adjustment or AdjustmentConfig("none")
        adjusted = self._directions(ws, [prompt] * len(seeds), encoded, adjustment)
        edited = ws + adjusted.s_adjusted
        drawn = {
            "images_u8": self.images_u8(edited, seeds, noise_mode),
            "unedited_u8": self.images_u8(ws, seeds, noise_mode),
            "ws": edited.cpu(),
            "adjusted": adjusted,
        }
        if prompt.attributes and self.model.has("clip"):
            stepped = {name for name, steps in zip(adjusted.names, adjusted.steps.t(), strict=True) if steps.any()}
            names = [name for name in self.model.vocabulary.names if name in prompt.attributes or name in stepped]
            with _exact_convolutions():
                drawn["clip_after"] = self._clip_margins(names, edited)
                is_same = torch.equal(adjusted.s, adjusted.s_adjusted)
                before = drawn["clip_after"] if is_same else self._clip_margins(names, ws + adjusted.s)
                drawn["clip_before"] = before
        return drawn


def _check_generator(G, truncation_psi) -> None:
    checked_psi(truncation_psi)
    if truncation_psi != 1 and not hasattr(G.mapping, "w_avg"):
        raise ConfigError(f"the generator has no mean of w to truncate to; use psi 1 in place of {truncation_psi}")


def _exact_convolutions():
    """cuDNN at full fp32 and with repeatable algorithms, so that devices agree and a seed keeps its picture."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
