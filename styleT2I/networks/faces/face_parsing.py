"""Face-parsing networks of the transformers library (SegFormer and its like) as a source of parts."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.errors import CheckpointError, ConfigError, DependencyError
from styleT2I.networks.faces.layout import PARTS

HUB = "hf://"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for a model that states none
_SIZE = 512


class FaceParser(nn.Module):
    """A RegionSegmenter around a semantic segmentation model, whose labels are its parts.

    image [N, 3, H, W] in [-1, 1] -> [N, R, H, W]: by how much each label exceeds the best of the others, so that above
    0 is inside and every pixel has one label.
    """

    def __init__(self, model: nn.Module, region_names: tuple[str, ...], size=(_SIZE, _SIZE), mean=_MEAN, std=_STD):
        """model: called with `pixel_values`, returns an object with `logits` [N, R, h, w]; size: (height, width)."""
        super().__init__()
        self.model, self.region_names, self.size = model, region_names, size
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        pixels = (image + 1) / 2
        if pixels.shape[-2:] != self.size:
            pixels = F.interpolate(pixels, size=self.size, mode="bilinear", align_corners=False, antialias=True)
        logits = self.model(pixel_values=(pixels - self.mean) / self.std).logits
        logits = F.interpolate(logits, size=image.shape[-2:], mode="bilinear", align_corners=False)
        best, second = logits.topk(2, dim=1).values.unbind(dim=1)
        rival = torch.where(logits == best[:, None], second[:, None], best[:, None])
        return logits - rival


def open_face_parser(source: str, device="cpu") -> FaceParser:
    """Open a semantic segmentation model of transformers: a folder, or hf://OWNER/NAME[@REVISION] on the Hub.

    Only safetensors weights are read and no code of the repository is run. Raises DependencyError without transformers,
    CheckpointError when the model cannot be loaded, ConfigError when its labels name no parts of a face.
    """
    try:
        import transformers
    except ImportError as error:
        raise DependencyError(
            f"the face-parsing model {source} needs transformers; install it with: pip install 'styleT2I[parsing]'"
        ) from error
    transformers.utils.logging.disable_progress_bar()
    name, options = source, {}
    if source.startswith(HUB):
        name, _, revision = source.removeprefix(HUB).partition("@")
        options = {"revision": revision or "main"}
    try:
        cls = transformers.AutoModelForSemanticSegmentation
        model = cls.from_pretrained(name, use_safetensors=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise CheckpointError(f"{source}: not a segmentation model that transformers can load: {reason}") from error
    try:
        settings, _ = transformers.ImageProcessingMixin.get_image_processor_dict(name, **options)
    except OSError:
        settings = {}
    mean, std = settings.get("image_mean", _MEAN), settings.get("image_std", _STD)
    parser = FaceParser(
        model, _label_names(model.config.id2label, source), _input_size(settings.get("size")), mean, std
    )
    return parser.to(device).eval().requires_grad_(False)


def _label_names(id2label, source) -> tuple[str, ...]:
    """Labels in the order of the channels, as FaceLayout spells them: "Left Eye" is left_eye."""
    labels = tuple(id2label[k] for k in sorted(id2label))
    names = tuple(label.lower().replace(" ", "_").replace("-", "_") for label in labels)
    if not any(alias in names for part in ("eyes", "mouth", "skin") for alias in PARTS[part]):
        shown = ", ".join(labels[:4])
        raise ConfigError(
            f"{source}: its labels ({shown}, ...) name no eyes, mouth or skin; set id2label in its config.json"
        )
    return names


def _input_size(size) -> tuple[int, int]:
    """(height, width) from the forms in which image processors state it."""
    if isinstance(size, dict):
        height = size.get("height") or size.get("shortest_edge") or _SIZE
        return height, size.get("width") or height
    return (size, size) if size else (_SIZE, _SIZE)
