"""What generating and editing return: images, latents, and everything needed to make them again."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import styleT2I
from styleT2I.attributes.prompt import Prompt
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.generation.adjustment import Adjusted, AdjustmentConfig
from styleT2I.torch_utils.images import encode_png, make_grid_u8, save_png

_SHOWN = ("clip", "judge")  # observers, as margins name them
_REQUEST = ("text", "strengths", "seeds", "truncation_psi", "noise_mode", "adjustment")  # what a result answers

MAX_SHOWN = 2400  # rows of pixels of a grid that Jupyter shows: six rows of faces
GRID_FACE_SIZE = 192  # pixels a face should take in a grid, so that 64 px images can be read


class Images:
    """What every result offers over its `images_u8` [N, 3, R, R], `seeds`, `grid_u8()` and `to_dict()`."""

    record = "generate.json"  # the file of what `to_dict` returns
    images_u8: torch.Tensor  # [N, 3, R, R] uint8, on the CPU
    seeds: tuple[int, ...] | None  # None: of latents that were given

    def to_dict(self) -> dict:
        """Everything needed to make the images again, ready for JSON."""
        raise NotImplementedError

    def grid_u8(self, ncol: int = 8) -> torch.Tensor:
        """One image [3, H, W] uint8 of all images, in rows of `ncol`."""
        raise NotImplementedError

    def _title(self) -> str:
        """What the images show, in a few words."""
        raise NotImplementedError

    @property
    def images(self) -> list:
        """The images as PIL has them."""
        from PIL import Image

        return [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in self.images_u8]

    @property
    def names(self) -> list[str]:
        """Names of the images' files, without their ending: seed0007, or 0000, 0001 ... of latents that were given."""
        if self.seeds is None:
            return [f"{row:04d}" for row in range(len(self.images_u8))]
        return [f"seed{seed:04d}" for seed in self.seeds]

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write a PNG per image, grid.png and what `to_dict` returns, all or none; the folder, or OutputError.

        A folder that holds another result is refused unless overwrite, which removes that one's own files.
        """
        record = self.to_dict()
        request = {key: record[key] for key in _REQUEST if key in record}
        names = ["grid.png", *(f"{name}.png" for name in self.names)]
        from styleT2I.torch_utils.folders import result_folder

        with result_folder(folder, self.record, request, names=names, overwrite=overwrite) as staging:
            for name, image in zip(self.names, self.images_u8, strict=True):
                save_png(staging / f"{name}.png", image)
            save_png(staging / "grid.png", self.grid_u8())
            staging.write_record(record)
        return Path(folder)

    def _repr_png_(self) -> bytes:
        """The grid, as Jupyter shows a result; the first rows of a long one."""
        return encode_png(self.grid_u8()[:, :MAX_SHOWN].permute(1, 2, 0).numpy())

    def __repr__(self) -> str:
        num, _, height, width = self.images_u8.shape
        what = f"{num} image{'s' * (num != 1)} of {width}x{height}"
        return f"<{type(self).__name__} of {self._title()}: {what}>"


@dataclass(frozen=True)
class AttributeFound:
    """One attribute that a sentence asks for, or leaves open and is held (value None), on every latent of a result."""

    name: str
    value: bool | None
    phrase: str  # of the value; of the affirmative side where it is None
    region: str | None  # where it shows, by the vocabulary
    cosine: torch.Tensor | None  # [N] of its direction (of the opposite, if denied) and the sentence's; None: has none
    step: torch.Tensor  # [N] along a / ||a||, in units of W; 0: not adjusted
    margins: dict[str, tuple[torch.Tensor, torch.Tensor]]  # "clip", "judge" -> [N] before and after the adjustment

    def to_dict(self, row: int) -> dict:
        """What happened to it on one latent; margins are log-odds, above 0 the attribute is seen."""
        return {
            "cosine": None if self.cosine is None else self.cosine[row].item(),
            "adjusted": self.step[row].item() != 0,
            "step": self.step[row].item(),
            **{
                f"{observer}_margin": {"before": before[row].item(), "after": after[row].item()}
                for observer, (before, after) in self.margins.items()
            },
        }


class AttributesFound(tuple[AttributeFound, ...]):
    """The attributes of a result; Jupyter shows them as a table."""

    def _repr_html_(self) -> str:
        rows = [
            (one.phrase, "held" if one.value is None else "asked for", _mean(one.cosine), int((one.step != 0).sum()),
             *(margin for name in _SHOWN for margin in map(_mean, one.margins.get(name, (None, None)))))
            for one in self
        ]  # fmt: skip
        columns = ["attribute", "why", "cosine", "faces stepped"]
        columns += [f"{name}'s margin {when}" for name in _SHOWN for when in ("before", "after")]
        from styleT2I.torch_utils.markup import table

        return table("Attributes, means over the faces; above a margin of 0 the attribute is seen", columns, rows)


def _mean(values):
    return "" if values is None else f"{values.mean().item():.2f}"


@dataclass(frozen=True, repr=False)
class Result(Images):
    """Images of one sentence, one per seed, beside what the same seeds show without it."""

    prompt: Prompt
    seeds: tuple[int, ...]
    images_u8: torch.Tensor  # [N, 3, R, R] uint8, on the CPU
    unedited_u8: torch.Tensor  # [N, 3, R, R] uint8: the same w without the direction
    ws: torch.Tensor  # [N, num_ws, w_dim], edited, on the CPU
    adjustment: AdjustmentConfig | None  # None: Text-to-Direction alone
    attributes: AttributesFound  # those asked for, in the vocabulary's order, then those held
    settings: dict  # truncation_psi, noise_mode, device, threads, precision
    model: dict  # name and hashes of the components

    def to_dict(self) -> dict:
        """Everything needed to make the images again, ready for JSON."""
        asked = [found for found in self.attributes if found.value is not None]
        held = [found for found in self.attributes if found.value is None]
        return {
            "text": self.prompt.text,
            "attributes": self.prompt.attributes,
            "found": [{key: getattr(one, key) for key in ("name", "value", "phrase", "region")} for one in asked],
            "warnings": list(self.prompt.warnings),
            "adjustment": self.adjustment and asdict(self.adjustment),
            "seeds": list(self.seeds),
            "images": [
                {
                    "seed": seed,
                    "attributes": {found.name: found.to_dict(row) for found in asked},
                    "held": {found.name: found.to_dict(row) for found in held if found.step[row] != 0},
                }
                for row, seed in enumerate(self.seeds)
            ],
            **self.settings,
            "model": self.model,
            "versions": versions(),
        }

    def grid_u8(self, ncol: int = 8) -> torch.Tensor:
        """One image [3, H, W] uint8: rows of `ncol` unedited faces, each row above its edits, enlarged if small."""
        return before_after_grid_u8(self.unedited_u8, self.images_u8, ncol)

    def _title(self):
        return repr(self.prompt.text)


@dataclass(frozen=True, repr=False)
class EditResult(Images):
    """Images of latents moved along attribute directions, beside the same latents unmoved."""

    seeds: tuple[int, ...] | None  # None: the latents were given
    images_u8: torch.Tensor  # [N, 3, R, R] uint8, on the CPU
    unedited_u8: torch.Tensor  # [N, 3, R, R] uint8
    ws: torch.Tensor  # [N, num_ws, w_dim], moved, on the CPU
    strengths: dict[str, float]  # by attribute as the vocabulary names it: 1 turns it on, -1 off, on most faces
    steps: dict[str, float]  # the same along a / ||a||, in units of W
    settings: dict
    model: dict
    record = "edit.json"

    def to_dict(self) -> dict:
        """Everything needed to make the images again, ready for JSON (of latents given, all but the latents)."""
        return {
            "seeds": self.seeds and list(self.seeds),
            "strengths": self.strengths,
            "steps": self.steps,
            **self.settings,
            "model": self.model,
            "versions": versions(),
        }

    def grid_u8(self, ncol: int = 8, num: int | None = None) -> torch.Tensor:
        """One image [3, H, W] uint8 of the first `num`, as `Result.grid_u8`."""
        return before_after_grid_u8(self.unedited_u8[:num], self.images_u8[:num], ncol)

    def _title(self):
        return ", ".join(f"{name} {strength:+g}" for name, strength in self.strengths.items())


def attributes_found(
    adjusted: Adjusted, prompt: Prompt, vocabulary: Vocabulary, clip_margins: tuple[torch.Tensor, torch.Tensor] | None
) -> AttributesFound:
    """What N latents got for one sentence: the attributes asked for, then those left open that were stepped anywhere.

    clip_margins: [N, all of the vocabulary] before and after.
    """
    num, columns = len(adjusted.s), {name: column for column, name in enumerate(adjusted.names)}
    stepped = [name for name, column in columns.items() if adjusted.steps[:, column].any()]
    asked = [name for name in vocabulary.names if name in prompt.attributes]
    found = []
    for name in [*asked, *(name for name in stepped if name not in asked)]:
        value, column = prompt.attributes.get(name), columns.get(name)
        margins: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        if clip_margins is not None:
            margins["clip"] = _column(*clip_margins, vocabulary.index(name))
        if column is not None and adjusted.observer not in (None, "clip"):
            margins[str(adjusted.observer)] = _column(adjusted.before, adjusted.after, column)
        cosine = None if column is None else adjusted.cosines[:, column].cpu()
        step = torch.zeros(num) if column is None else adjusted.steps[:, column].cpu()
        attribute = vocabulary[name]
        phrase = attribute.side(value is not False).phrase
        found.append(AttributeFound(name, value, phrase, attribute.region, cosine, step, margins))
    return AttributesFound(found)


def _column(before, after, column) -> tuple[torch.Tensor, torch.Tensor]:
    return before[:, column].cpu(), after[:, column].cpu()


def before_after_grid_u8(before_u8: torch.Tensor, after_u8: torch.Tensor, ncol: int) -> torch.Tensor:
    """Two sets of images [N, 3, R, R] as one [3, H, W]: rows of `ncol` from the first, each above the second's."""
    ncol = min(ncol, len(before_u8))
    rows = []
    for start in range(0, len(before_u8), ncol):
        for images in (before_u8, after_u8):
            row = images[start : start + ncol]
            rows += [row, row.new_full((ncol - len(row), *row.shape[1:]), 255)]
    return make_grid_u8(torch.cat(rows), ncol, scale=-(-GRID_FACE_SIZE // after_u8.shape[-1]))


def versions() -> dict[str, str]:
    """The versions that a record of images names."""
    return {"styleT2I": styleT2I.__version__, "torch": torch.__version__, "python": platform.python_version()}
