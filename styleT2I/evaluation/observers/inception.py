"""The Inception network of published FID, KID and inception scores, through torch-fidelity, from the user's file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch

from styleT2I.errors import CheckpointError, DependencyError
from styleT2I.formats.check_file import checked_weights
from styleT2I.formats.pickles.torch_files import read_torch_file

__all__ = ["InceptionObserver", "inception_path"]

FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
SHA256_START = "6726825d"  # which the file's name ends on, as all of torch's published weights do


def inception_path() -> Path:
    """The path where the weights are expected: torch's own cache, which torch-fidelity uses too."""
    return Path(torch.hub.get_dir()) / "checkpoints" / FILE


class InceptionObserver:
    """Inception-v3 of 2015: "features" [N, 2048] and "probabilities" [N, 1008] of its classes.

    Raises CheckpointError where the weights are missing or are not the standard ones, DependencyError without
    torch-fidelity. Downloads nothing, and executes nothing that the file holds.
    """

    classes = "1008 classes of ImageNet's kind"
    size = 299  # images of this size pass torch-fidelity's own resizing, which does not antialias, unchanged

    def __init__(self, device: torch.device | str = "cpu"):
        path = inception_path()
        self.name = f"Inception-v3 ({FILE})"
        self.sha256 = checked_weights(path, SHA256_START, f"fetch {URL} and save it there, or use --features judge")
        self._network = _build(read_torch_file(path), path).to(device)
        self._device = device

    @property
    def versions(self) -> Mapping[str, str]:
        import torch_fidelity

        return {"torch-fidelity": torch_fidelity.__version__}

    @torch.no_grad()
    def __call__(self, images_u8):
        features, logits = self._network(images_u8.to(self._device))
        return {"features": features.cpu(), "probabilities": logits.cpu().double().softmax(dim=1)}


def _build(state, path):
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise DependencyError(
            "Inception features need torch-fidelity; install it with: pip install 'styleT2I[metrics]'"
        ) from error
    # The package takes weights by torch.load alone, which would run what the file holds: it is given tensors that our
    # reader took out of it, saved again in memory.
    weights = io.BytesIO()
    torch.save(state, weights)
    weights.seek(0)
    try:
        return FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=weights
        )
    except (RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: does not fit torch-fidelity's Inception network; fetch it from {URL}"
        ) from error
