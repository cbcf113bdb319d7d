"""The whole way from a sentence to faces: `StyleT2I.from_pretrained("minifaces").generate("he is wearing lipstick")`.

text -> Prompt -> text features -> s = T2D(w, text features) -> s' = adjust(s, a_i = A2D(w, attribute i of the Prompt))
seed -> z -> mapping -> w ----------------------------------> w + s' -> synthesis -> image
"""

from __future__ import annotations

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
from styleT2I.generation.adjustment.compositional import Adjusted, AdjustmentConfig, adjust
from styleT2I.generation.arguments import checked_adjustment, checked_noise_mode, checked_psi, prompt_of
from styleT2I.generation.editing.directions import Directions
from styleT2I.generation.model import Model
from styleT2I.generation.observers import Observer, open_observer
from styleT2I.generation.results import EditResult, Result, attributes_found
from styleT2I.metrics.attributes import encode_requests
from styleT2I.torch_utils.batching import each_alone, rows_alone
from styleT2I.torch_utils.devices import replayed
from styleT2I.torch_utils.images import to_uint8
from styleT2I.torch_utils.seeding import checked_seeds, generator, latents_of_seeds

BLOCK = 64  # latents adjusted and drawn at a time, which bounds the memory; one on a CPU, where rows are run alone


class StyleT2I:
    """Text to image on one model: a generator, a CLIP and a Text-to-Direction network that belong together."""

    def __init__(self, model: Model):
        self.model = model
        self._observers: dict[tuple, Observer] = {}
        self._encoded_phrases: dict[tuple, tuple] = {}
        self._steps: dict[tuple[str, bool], float] = {}
        self._drawn: dict[tuple, torch.Tensor] | None = (
            None  # images by (noise mode, bytes of ws) while a block is drawn on a CPU
        )

    @classmethod
    def from_pretrained(
        cls, model: str | Path = "minifaces", *, device="auto", precision="fp32", **replacements
    ) -> StyleT2I:
        """Open a model.

        Args:
            model: A folder, a name, https://HOST/FOLDER or hf://owner/name.
            device: "auto", "cpu", "cuda" or "cuda:N".
            precision: Of the generator's highest resolutions: "fp32", on a CUDA device also "fp16" or "bf16".
            **replacements: `t2d=` and other roles, each a network or any source of one; `vocabulary=`; `offline=True`
                downloads nothing.

        Returns:
            The pipeline. Its networks are loaded when they are first used.

        Raises:
            CheckpointError: The model is not there, damaged, or its parts do not fit each other.
            ConfigError: It is not a StyleT2I model, or an option is wrong.

        Example:
            >>> from styleT2I import StyleT2I
            >>> StyleT2I.from_pretrained("minifaces", device="cpu").model.name
            'minifaces'
        """
        opened = Model.from_pretrained(model, device=device, precision=precision, **replacements)
        if not opened.has("generator") and any(opened.has(role) for role in SYSTEMS):
            raise ConfigError(
                f"{opened.name!r} is an earlier text-to-image GAN, without directions to edit or adjust; draw with "
                f"python -m styleT2I.generate --model {model}, or styleT2I.open_system({str(model)!r})"
            )
        return cls(opened)

    def __repr__(self) -> str:
        model = self.model
        return f"<StyleT2I {model.name!r} on {model.device}: {', '.join(model.sources) or 'nothing'}>"

    @classmethod
    def from_components(
        cls, *, vocabulary=None, device="auto", name: str = "custom", offline=None, precision="fp32", **components
    ) -> StyleT2I:
        """Build a pipeline from parts.

        Args:
            vocabulary: A Vocabulary, the name of an embedded one or a path; None: attributes are not read.
            device: As in `from_pretrained`.
            name: Of the model, for records and model cards.
            offline: True downloads nothing; None asks the environment.
            precision: As in `from_pretrained`.
            **components: `generator=`, `clip=`, `t2d=` and other roles, each a network or any source of one.

        Raises:
            CheckpointError: A component cannot be read, or contradicts another.
            ConfigError: A role, the vocabulary or an option is unknown.

        Example:
            >>> parts = {role: pipeline.model.network(role) for role in ("generator", "clip", "t2d")}
            >>> StyleT2I.from_components(**parts, device="cpu", name="mine").model.name
            'mine'
        """
        settings = {"device": device, "name": name, "offline": offline, "precision": precision}
        return cls(Model(components, vocabulary=vocabulary, **settings))

    def save_pretrained(
        self, folder: str | Path, name: str | None = None, *, half: bool = False, licence: str | None = None
    ) -> Path:
        """Write the model, with a model card, as a folder that `from_pretrained` opens.

        Args:
            folder: Where; it is made if need be.
            name: Of the model; None: as it is.
            half: Store the weights as fp16, half the size.
            licence: Of the model, for its card.

        Returns:
            The path of the manifest, model.json.

        Raises:
            OutputError: The folder cannot be written.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     pipeline.save_pretrained(folder, "copy").name
            'model.json'
        """
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
        import tempfile

        from styleT2I.sources.hub import upload

        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, repo_id.rpartition("/")[2], half=half, licence=licence)
            return upload(folder, repo_id, private=private, revision=revision, message=message, token=token)

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """Read a sentence: the attributes it asks for, and warnings of what is not understood.

        Args:
            text: One English sentence, at most 1,000 characters.
            strict: Make words that the model does not know an error.

        Raises:
            PromptError: The text is empty, too long, or nothing in it is understood.

        Example:
            >>> pipeline.understand("he is wearing lipstick").attributes
            {'he': True, 'lipstick': True}
        """
        text_encoder = self.model.network("t2d").text_encoder or self.model.network("clip")
        return understand(text, text_encoder, self.model.vocabulary, strict=strict)

    @torch.no_grad()
    def latents(self, seeds: Iterable[int], truncation_psi: float = 0.7) -> torch.Tensor:
        """Latents of seeds, each from its seed alone.

        Args:
            seeds: N integers from 0 to 2**63 - 1.
            truncation_psi: From 0 (the mean face) to 2; 1 is no truncation.

        Returns:
            ws [N, num_ws, w_dim] on the model's device.

        Raises:
            ConfigError: There are no seeds, or a value is out of range.

        Example:
            >>> pipeline.latents([0, 1]).shape
            torch.Size([2, 10, 128])
        """
        G, seeds = self.model.network("generator"), checked_seeds(seeds)
        _check_generator(G, truncation_psi)
        z = latents_of_seeds(seeds, G.z_dim).to(self.model.device)
        with _exact_convolutions():
            return rows_alone(lambda z: replayed(G.mapping, z, truncation_psi=truncation_psi), self._batch_size, z)

    @torch.no_grad()
    def directions(
        self, ws: torch.Tensor, prompts: Sequence[Prompt], adjustment: AdjustmentConfig | None = None
    ) -> Adjusted:
        """The direction of each latent's sentence; `images_u8(ws + result.s_adjusted, seeds)` draws it.

        Args:
            ws: Latents [N, num_ws, w_dim] on the model's device.
            prompts: N Prompts, one per latent; they may differ. No row depends on another.
            adjustment: How attributes are adjusted; None leaves the directions as Text-to-Direction has them.

        Raises:
            CheckpointError: The model lacks a network.

        Example:
            >>> ws, prompt = pipeline.latents([0]), pipeline.understand("she is smiling")
            >>> pipeline.directions(ws, [prompt]).s_adjusted.shape
            torch.Size([1, 10, 128])
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
        """The directions of attributes, each that of the attribute's affirmative phrase.

        A latent's batch has a place for each attribute that A2D was trained on, filled or not, so that no direction
        depends on which others are asked for.

        Args:
            w: Latents [N, w_dim].
            names: A names of the vocabulary.

        Returns:
            Directions [N, A, num_ws, w_dim], not normalised.

        Raises:
            CheckpointError: The model has no Attribute-to-Direction network.

        Example:
            >>> pipeline.attribute_directions(pipeline.latents([0])[:, 0], ["smiling", "lipstick"]).shape
            torch.Size([1, 2, 10, 128])
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
        """Draw latents.

        Args:
            ws: Latents [N, num_ws, w_dim] on the model's device.
            seeds: N seeds, from which random noise follows.
            noise_mode: "const", "random" or "none".

        Returns:
            Images [N, 3, R, R], uint8, on the CPU.

        Example:
            >>> pipeline.images_u8(pipeline.latents([0]), [0]).shape
            torch.Size([1, 3, 64, 64])
        """
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
        """Draw one face per seed that matches the text, and the face of the same seed without it.

        On one CPU, with one version of torch and one number of threads, the image of a seed is the same byte for byte
        whatever the other seeds; elsewhere it differs by rounding.

        Args:
            text: A sentence, or the Prompt of one (`understand`). What is doubtful in a text is a Python warning.
            seeds: N integers from 0 to 2**63 - 1.
            truncation_psi: From 0 (the mean face) to 2; 1 is no truncation.
            noise_mode: "const", "random" or "none".
            strict: Make words that the model does not know an error.
            adjustment: "auto" (adjust where the model has an Attribute-to-Direction network), None (Text-to-Direction
                alone), a method's name or an AdjustmentConfig; a warning where the model lacks the network.

        Returns:
            The Result: `images_u8` and `unedited_u8` [N, 3, R, R], the latents, and what each attribute's step did.

        Raises:
            PromptError: The text cannot be drawn.
            ConfigError: An argument is out of range.
            CheckpointError: The model lacks a network, or its weights are damaged.

        Example:
            >>> result = pipeline.generate("he is wearing lipstick", seeds=[0])
            >>> result.images_u8.shape, result.names
            (torch.Size([1, 3, 64, 64]), ['seed0000'])
        """
        numbers, asked = checked_seeds(seeds), checked_adjustment(adjustment)
        checked_psi(truncation_psi), checked_noise_mode(noise_mode)
        prompt = prompt_of(self, text, strict)
        adjustment = self._possible(asked)
        unadjusted = self._unadjusted([prompt], adjustment)
        for line in unadjusted:
            warnings.warn(line, stacklevel=3)
        prompt = replace(prompt, warnings=(*prompt.warnings, *unadjusted))
        size = 1 if self.model.device.type == "cpu" else BLOCK
        blocks = [numbers[start : start + size] for start in range(0, len(numbers), size)]
        encoded = {prompt.text: self._encode("t2d", prompt.text)}
        parts = [self._draw(prompt, encoded, block, truncation_psi, noise_mode, adjustment) for block in blocks]
        adjusted = Adjusted.join([part.pop("adjusted") for part in parts])
        drawn = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        clip_margins = (drawn.pop("clip_before"), drawn.pop("clip_after")) if "clip_before" in drawn else None
        vocabulary = self.model.vocabulary
        found = attributes_found(adjusted, prompt, vocabulary, clip_margins) if vocabulary else ()
        settings = {"truncation_psi": truncation_psi, "noise_mode": noise_mode, **self._machine()}
        return Result(
            prompt, numbers, **drawn, adjustment=adjustment, attributes=found, settings=settings,
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
        directions: Directions | None = None,
    ) -> EditResult:
        """Move faces along attribute directions, all taken at the unmoved latent.

        Args:
            latents: Seeds, or latents: w [w_dim], ws [num_ws, w_dim] or [N, num_ws, w_dim].
            attributes: Strengths by name. 1 is the smallest step at which the guide judge observed the attribute on
                95 % of latents, -1 that at which it no longer did; beyond 2 either way is a warning. The training of
                A2D measures both steps; where it had no judge, CLIP does now (`clip_strengths`). Names are any terms
                of the vocabulary: {"young": 1} is {"old": -1}.
            truncation_psi: Of the seeds' latents, from 0 to 2.
            noise_mode: "const", "random" or "none".
            directions: Found by another method (`rivals.methods.find_directions`); None: those of the model's
                Attribute-to-Direction network.

        Returns:
            The EditResult: `images_u8` and `unedited_u8` [N, 3, R, R], and the moved latents.

        Raises:
            ConfigError: A name is unknown, two attributes exclude each other, or a value is out of range.
            CheckpointError: The model has no Attribute-to-Direction network.

        Example:
            >>> pipeline.edit([0], {"lipstick": 1, "smiling": -0.5}).images_u8.shape
            torch.Size([1, 3, 64, 64])
        """
        from styleT2I.generation.editing.arguments import calibrated_steps, given_latents, named_strengths, steps_along
        from styleT2I.networks.stylegan2.styles import shifted_styles

        checked_psi(truncation_psi), checked_noise_mode(noise_mode)
        strengths = named_strengths(attributes, self.model)
        if directions is None:
            steps = calibrated_steps(strengths, self.model, self._clip_step if self.model.has("clip") else None)
        else:
            steps = steps_along(strengths, directions)
        seeds: tuple[int, ...] | None
        if isinstance(latents, (torch.Tensor, np.ndarray)):
            seeds, ws = None, given_latents(latents, self.model)
        else:
            seeds = checked_seeds(latents)
            ws = self.latents(seeds, truncation_psi)
        with _exact_convolutions():
            if directions is None:
                moved, styles = rows_alone(lambda ws: self.moved(ws, steps), self._batch_size, ws), {}
            else:
                moved, styles = directions.move(ws, steps)
        drawn = seeds or range(len(ws))
        unedited = self.images_u8(ws, drawn, noise_mode)
        with shifted_styles(self.model.network("generator").synthesis, styles):
            images = self.images_u8(moved, drawn, noise_mode)
        psi = None if seeds is None else truncation_psi
        settings = {"truncation_psi": psi, "noise_mode": noise_mode, **self._machine()}
        if directions is not None:
            settings["method"] = directions.method
        return EditResult(seeds, images, unedited, moved.cpu(), strengths, steps, settings, self.model.describe())

    def moved(self, ws: torch.Tensor, steps: Mapping[str, float]) -> torch.Tensor:
        """Latents [N, num_ws, w_dim] after a signed step along a / ||a|| of each attribute, in units of W+."""
        directions = self.attribute_directions(ws.mean(dim=1), list(steps))  # [N, A, num_ws, w_dim]
        units = directions / directions.flatten(2).norm(dim=2)[:, :, None, None].clamp_min(1e-8)
        return ws + (torch.tensor(list(steps.values()), device=ws.device)[:, None, None] * units).sum(dim=1)

    def _clip_step(self, name, value):
        from styleT2I.generation.editing.strengths import clip_strength

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

    def _possible(self, adjustment: AdjustmentConfig | str | None) -> AdjustmentConfig | None:
        """The adjustment that the model is able to, None for none."""
        can_adjust = self.model.has("a2d") and self.model.vocabulary is not None
        if isinstance(adjustment, str):  # "auto", the only name that is left
            return AdjustmentConfig() if can_adjust else None
        if adjustment is not None and not can_adjust:
            reason = "Attribute-to-Direction network" if self.model.vocabulary is not None else "vocabulary"
            warnings.warn(f"model {self.model.name!r} has no {reason}, so nothing is adjusted", stacklevel=3)
            return None
        return adjustment

    def _unadjusted(self, prompts, adjustment) -> tuple[str, ...]:
        """A warning where prompts ask for attributes that the Attribute-to-Direction network was not trained on."""
        asked = set().union(*(prompt.attributes for prompt in prompts))
        if adjustment is None or adjustment.method == "none" or not asked or self.model.vocabulary is None:
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
        """The attributes to find directions of, in the vocabulary's order: all if images are observed (what is clear
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
    """cuDNN at full fp32 and with repeatable algorithms, so that devices agree and a seed keeps its image."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
