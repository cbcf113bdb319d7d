"""The whole way from a sentence to faces: `StyleT2I.from_pretrained().generate("he is wearing lipstick")`.

text -> Prompt -> text features -> s = T2D(w, text features) -> s' = adjust(s, a_i = A2D(w, attribute i of the Prompt))
seed -> z -> mapping -> w ----------------------------------> w + s' -> synthesis -> image
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from styleT2I.attributes.prompt import Prompt, understand
from styleT2I.config import DEFAULT_MODEL
from styleT2I.errors import ConfigError
from styleT2I.formats.model_folder import SYSTEMS
from styleT2I.generation.adjustment import Adjusted, AdjustmentConfig
from styleT2I.generation.arguments import checked_adjustment, checked_noise_mode, checked_psi, prompt_of
from styleT2I.generation.directions import Directions, draw
from styleT2I.generation.model import Model
from styleT2I.generation.results import AttributesFound, EditResult, Result, attributes_found
from styleT2I.generation.synthesis import Synthesis
from styleT2I.torch_utils.seeding import checked_seeds

if TYPE_CHECKING:
    from styleT2I.generation.editing.moves import AttributeDirections


class StyleT2I:
    """Text to image on one model: a generator, a CLIP and a Text-to-Direction network that belong together."""

    def __init__(self, model: Model):
        self.model = model
        self._synthesis = Synthesis(model)
        self._directions = Directions(model, self._synthesis)

    @classmethod
    def from_pretrained(
        cls, model: str | Path = DEFAULT_MODEL, *, device="auto", precision="fp32", **replacements
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
            device, precision: As in `from_pretrained`.
            name: Of the model, for records and model cards.
            offline: True downloads nothing; None asks the environment.
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
        return self._synthesis.latents(seeds, truncation_psi)

    @torch.no_grad()
    def latents_of_z(self, z: torch.Tensor, truncation_psi: float = 0.7) -> torch.Tensor:
        """Latents ws [N, num_ws, w_dim] of z [N, z_dim], standard normal as a rule; see `latents`."""
        return self._synthesis.latents_of_z(z, truncation_psi)

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
        for line in self._directions.unadjusted(prompts, adjustment):
            warnings.warn(line, stacklevel=3)
        features = self._directions.text_features([prompt.text for prompt in prompts])
        return self._directions.of_sentences(ws, prompts, features, adjustment)

    @torch.no_grad()
    def attribute_directions(self, w: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
        """The directions of attributes, each that of the attribute's affirmative phrase, whatever others are asked for.

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
        return self._directions.of_attributes(w, names)

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
        return self._synthesis.images_u8(ws, seeds, noise_mode)

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
        adjustment = self._directions.possible(asked)
        unadjusted = self._directions.unadjusted([prompt], adjustment)
        for line in unadjusted:
            warnings.warn(line, stacklevel=3)
        prompt = replace(prompt, warnings=(*prompt.warnings, *unadjusted))
        drawn = draw(self._directions, prompt, numbers, truncation_psi, noise_mode, adjustment)
        vocabulary = self.model.vocabulary
        found = AttributesFound()
        if vocabulary is not None:
            found = attributes_found(drawn.adjusted, prompt, vocabulary, drawn.clip_margins)
        settings = {"truncation_psi": truncation_psi, "noise_mode": noise_mode, **self.model.machine()}
        images = (drawn.images_u8, drawn.unedited_u8, drawn.ws)
        return Result(prompt, numbers, *images, adjustment, found, settings, self.model.describe())

    @torch.no_grad()
    def edit(
        self,
        latents: int | Iterable[int] | torch.Tensor,
        attributes: Mapping[str, float],
        *,
        truncation_psi: float = 0.7,
        noise_mode: str = "const",
        directions: AttributeDirections | None = None,
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
        from styleT2I.generation.editing.moves import edited

        checked_psi(truncation_psi), checked_noise_mode(noise_mode)
        return edited(self._directions, latents, attributes, truncation_psi, noise_mode, directions)
