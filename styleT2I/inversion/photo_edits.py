"""A photo edited: its face inverted, moved along directions, and put back where the edit may touch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from styleT2I.attributes.prompt import Prompt
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.editing.moves import AttributeDirections
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.results import GRID_FACE_SIZE
from styleT2I.inversion.cache import cached_inversion, inverted_alone
from styleT2I.inversion.inverter import Inverter
from styleT2I.inversion.result import Inversion
from styleT2I.networks.faces.regions import RegionFinder
from styleT2I.photos.photo import Photo
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, save_png

__all__ = ["PhotoEdit", "PhotoEditor"]


@dataclass(frozen=True)
class PhotoEdit:
    """An edited photo [3, H, W] uint8, and the way to it."""

    image_u8: Tensor
    before_u8: Tensor  # [3, R, R], the face as the generator draws it
    after_u8: Tensor  # the same, edited
    mask_u8: Tensor  # [1, R, R], how much of the photo is from the edit
    record: dict  # ready for JSON


class PhotoEditor:
    """Edits one photo with a pipeline; its face is inverted once, or found in the cache."""

    def __init__(
        self, pipeline: StyleT2I, photo: Photo, inverter: Inverter, method: str = "auto", *, use_cache: bool = True
    ):
        """As `Inverter.invert` raises; inverter: of the pipeline's own model. use_cache: else nothing is written."""
        self.pipeline, self.photo = pipeline, photo
        self.inversion: Inversion
        if use_cache:
            self.inversion, self.was_cached = cached_inversion(inverter, photo.aligned_u8, method, photo.weight)
        else:
            self.inversion, self.was_cached = inverted_alone(inverter, photo.aligned_u8, method, photo.weight), False
        self.generator = inverter.generator

    @property
    def ws(self) -> Tensor:
        """The face's latent [1, num_ws, w_dim] on the model's device."""
        return self.inversion.ws.unsqueeze(0).to(self.pipeline.model.device)

    def edit(
        self, strengths: Mapping[str, float], directions: AttributeDirections | None = None, noise_mode: str = "const"
    ) -> PhotoEdit:
        """Move the face along attributes' directions, as `StyleT2I.edit`, whose errors it has."""
        with self.inversion.drawing(self.generator):
            result = self.pipeline.edit(self.inversion.ws, strengths, noise_mode=noise_mode, directions=directions)
        images = result.unedited_u8[0], result.images_u8[0]
        return self._finished(*images, list(result.strengths), {"strengths": result.strengths, "steps": result.steps})

    @torch.no_grad()
    def draw(
        self, prompt: Prompt, adjustment: AdjustmentConfig | str | None = "auto", noise_mode: str = "const"
    ) -> PhotoEdit:
        """Move the face by a sentence, as `StyleT2I.generate` moves those of seeds; arguments and errors are its."""
        model = self.pipeline.model
        if isinstance(adjustment, str):
            adjustment = AdjustmentConfig() if model.has("a2d") and model.vocabulary is not None else None
        with self.inversion.drawing(self.generator):
            adjusted = self.pipeline.directions(self.ws, [prompt], adjustment)
            images = [
                self.pipeline.images_u8(ws, [0], noise_mode)[0] for ws in (self.ws, self.ws + adjusted.s_adjusted)
            ]
        return self._finished(*images, list(prompt.attributes), {"text": prompt.text, "attributes": prompt.attributes})

    def while_drawing(self, function: Callable[[], Tensor]) -> Tensor:
        """What a function returns that draws with the generator as this photo needs it."""
        with self.inversion.drawing(self.generator):
            return function()

    def _finished(self, before_u8, after_u8, names, asked) -> PhotoEdit:
        regions = self._regions(names)
        allowed = None if regions is None else self._allowed(regions, before_u8, after_u8)
        image_u8, mask_u8 = self.photo.with_face(before_u8, after_u8, allowed)
        record = {
            **asked,
            "photo": self.photo.describe(),
            "inversion": self.inversion.record,
            "regions": regions,  # None: all of the face
            "changed": round(float((mask_u8 > 0).float().mean()), 4),
        }
        return PhotoEdit(image_u8, before_u8, after_u8, mask_u8, record)

    def _regions(self, names: Sequence[str]) -> list[str] | None:
        """The regions that attributes show in; None where one shows everywhere, or nothing finds regions."""
        model = self.pipeline.model
        if not (names and model.vocabulary and model.has("segmenter")):
            return None
        regions = [model.vocabulary[name].region for name in names]
        return None if None in regions else sorted(set(regions))

    @torch.no_grad()
    def _allowed(self, regions, before_u8, after_u8):
        """bool [R, R], where the regions lie before the edit or after it; None where they are not found."""
        finder = RegionFinder(self.pipeline.model.network("segmenter"))
        finder.check(regions)
        images = from_uint8(torch.stack([before_u8, after_u8])).to(self.pipeline.model.device)
        masks = [finder(images, [region] * 2)[0] > 0 for region in regions]
        allowed = torch.stack(masks).flatten(0, 1).any(dim=0).cpu()
        return allowed if allowed.any() else None


def write_edit(folder: Path, photo: Photo, edit: PhotoEdit) -> None:
    """Write photo.png, the edited photo, with face.png, inverted.png, edited.png, mask.png and grid.png of the three;
    OutputError where the disk refuses."""
    faces = torch.stack([photo.aligned_u8, edit.before_u8, edit.after_u8])
    for name, image_u8 in zip(("face", "inverted", "edited"), faces, strict=True):
        save_png(folder / f"{name}.png", image_u8)
    save_png(folder / "photo.png", edit.image_u8)
    save_png(folder / "mask.png", edit.mask_u8)
    save_png(folder / "grid.png", make_grid_u8(faces, ncol=3, scale=-(-GRID_FACE_SIZE // faces.shape[-1])))
