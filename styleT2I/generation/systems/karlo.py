"""A whole Karlo folder of diffusers', drawn by diffusers itself; only safetensors are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import torch

from styleT2I.attributes.prompt import MAX_CHARACTERS, Prompt
from styleT2I.errors import CheckpointError, PromptError
from styleT2I.generation.systems.interface import KARLO_INDEX, DrawsSentences
from styleT2I.torch_utils.hardware.devices import resolve_device

PIPELINE = "UnCLIPPipeline"
REMEDY = "pip install 'styleT2I[karlo]'"


def is_karlo_folder(path: Path) -> bool:
    """Whether a folder is an unCLIP of diffusers'."""
    try:
        index = json.loads((path / KARLO_INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(index, dict) and index.get("_class_name") == PIPELINE


class KarloSystem(DrawsSentences):
    """diffusers' UnCLIPPipeline of a folder, in half precision on a GPU; CheckpointError where it cannot be opened."""

    role = "karlo"

    def __init__(self, folder: Path, device: str = "auto"):
        self.name, self.folder = folder.name, folder
        self.model = SimpleNamespace(name=self.name, device=resolve_device(device), vocabulary=None)
        self.pipeline = _opened(folder, self.model.device)
        last = getattr(self.pipeline, "super_res_last", None)
        self.resolution = last.config.sample_size if last is not None else self.pipeline.decoder.config.sample_size

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """The sentence with single spaces; its words are all known to the byte-pair encoding of its CLIP."""
        text = " ".join(text.split())
        if not any(letter.isalnum() for letter in text):
            raise PromptError("the text is empty; describe what to draw")
        if len(text) > MAX_CHARACTERS:
            raise PromptError(f"the text has {len(text)} characters, more than {MAX_CHARACTERS}; shorten it")
        num = len(self.pipeline.tokenizer(text).input_ids) - self.pipeline.tokenizer.model_max_length
        if num > 0:
            raise PromptError(f'the text "{text[:57]}..." is {num} tokens too long for this model; shorten it')
        return Prompt(text, {}, ())

    @torch.no_grad()
    def sample(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> torch.Tensor:
        """Images [N, 3, R, R] in [-1, 1] on the CPU, drawn one by one: no row depends on another."""
        drawn = []
        for prompt, seed in zip(prompts, seeds, strict=True):
            generator = torch.Generator(self.model.device).manual_seed(seed)
            images = self.pipeline(prompt.text, generator=generator, output_type="pt").images
            drawn.append(images.float().cpu() * 2 - 1)
        return torch.cat(drawn).clamp(-1, 1)

    def describe(self) -> dict:
        """Its name; diffusers' folders carry no hashes."""
        return {"name": self.name, "components": {"karlo": None}}


def _opened(folder, device):
    """The pipeline; CheckpointError, one line, without diffusers or transformers, or where files are missing."""
    for module in ("diffusers", "transformers"):
        try:
            __import__(module)
        except ImportError as error:
            raise CheckpointError(
                f"{folder}: is a whole Karlo, which {module} draws, and that is not installed; {REMEDY}"
            ) from error
    import diffusers

    for part in ("prior", "decoder", "super_res_first", "super_res_last", "text_encoder", "text_proj"):
        if not list((folder / part).glob("*.safetensors")):
            raise CheckpointError(f"{folder / part}: holds no .safetensors, the only weights read here; fetch them")
    try:
        pipeline = diffusers.UnCLIPPipeline.from_pretrained(
            str(folder), use_safetensors=True, local_files_only=True,
            torch_dtype=torch.float16 if device.type == "cuda" else torch.float32,
        )  # fmt: skip
    except Exception as error:  # whatever the library says of a folder that does not fit it
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{folder}: diffusers cannot open it: {reason[:160]}; fetch it again") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)
