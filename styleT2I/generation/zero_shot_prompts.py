"""Features of the fixed prompts of zero-shot verdicts: encoded once for a large CLIP, then cached.

The 160 prompts of CelebA's 40 attributes take a ViT-B/32 seconds, in every process that observes an image.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence

import torch

from styleT2I.errors import CheckpointError, OutputError
from styleT2I.formats.model_folder import cache_dir
from styleT2I.formats.weights import read_safetensors
from styleT2I.networks.clip.model import CLIP
from styleT2I.torch_utils.files import check_writable_dir, save_safetensors_atomic

LARGE = 20_000_000  # weights from which on a CLIP's features are cached


def encode_prompts(clip: CLIP, prompts: Sequence[Sequence[str]], sha256: str | None = None) -> torch.Tensor:
    """Features [A, P, D] of P wordings of each of A prompts.

    sha256: of the file that the CLIP was read from; None: nothing is cached. What is cached belongs to that file, the
    words, the kind of device and the version of torch. Each prompt is encoded alone, so that no other matters.
    """
    if sha256 is None or sum(p.numel() for p in clip.parameters()) < LARGE:
        return torch.stack([clip.encode_text(list(wordings)) for wordings in prompts])
    texts = list(dict.fromkeys(text for wordings in prompts for text in wordings))
    table = _Table(clip, sha256)
    features = table.read()
    missing = [text for text in texts if text not in features]
    if missing:
        features |= {text: clip.encode_text([text])[0] for text in missing}
        table.write(features)
    return torch.stack([torch.stack([features[text] for text in wordings]) for wordings in prompts])


class _Table:
    """The prompts of one CLIP that were encoded on this kind of device: a file of features by their text."""

    def __init__(self, clip, sha256):
        self.device = clip.image_mean.device
        key = json.dumps([sha256, clip.config.tokenizer, self.device.type, torch.__version__])
        self.path = cache_dir() / "prompts" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"

    def read(self):
        """Features by text; {} where there are none, or a file that is damaged, which is nobody's loss."""
        try:
            held = read_safetensors(self.path) if self.path.is_file() else None
            if held is None or not torch.equal(held["digest"], _digest(held["texts"], held["features"])):
                return {}
            texts = json.loads(bytes(held["texts"].tolist()).decode())
            return dict(zip(texts, held["features"].to(self.device), strict=True))
        except (CheckpointError, KeyError, ValueError, TypeError):
            return {}

    def write(self, features):
        """Keep the features of all texts; a warning where that is not possible."""
        texts = torch.tensor(list(json.dumps(list(features)).encode()), dtype=torch.uint8)
        rows = torch.stack(list(features.values())).cpu()
        try:
            check_writable_dir(self.path.parent)
            tensors = {"texts": texts, "features": rows, "digest": _digest(texts, rows)}
            save_safetensors_atomic(self.path, tensors)
        except OutputError as error:
            warnings.warn(f"CLIP's prompts are encoded again each time: {error}", stacklevel=4)


def _digest(texts, features):
    """[32] uint8: the SHA-256 of what is cached."""
    content = hashlib.sha256(texts.numpy().tobytes() + features.numpy().tobytes())
    return torch.tensor(list(content.digest()), dtype=torch.uint8)
