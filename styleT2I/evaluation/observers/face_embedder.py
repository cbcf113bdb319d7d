"""Identity features of a face embedder that the user brings as an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.onnx_files import open_onnx
from styleT2I.torch_utils.batching import in_micro_batches
from styleT2I.torch_utils.files import sha256_file
from styleT2I.torch_utils.images import from_uint8

__all__ = ["EmbedderObserver"]

_DEFAULT_SIZE = 112  # of ArcFace and most after it


class EmbedderObserver:
    """A face embedder: one input [N, 3, S, S], RGB in [-1, 1] as ArcFace has it; "features" are its first output.

    It is given the image's central square; faces that it wants aligned must be so already. Raises CheckpointError
    for a file that is no such network, DependencyError without onnxruntime.
    """

    def __init__(self, path: str | Path):
        self._session, self._path = open_onnx(path, "a face embedder"), path
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if inputs else ()
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3]:
            raise CheckpointError(f"{path}: takes {[tensor.shape for tensor in inputs]}, not one input [N, 3, S, S]")
        self._input, self._batch_size = inputs[0].name, shape[0] if isinstance(shape[0], int) else None
        self.size = shape[2] if isinstance(shape[2], int) else _DEFAULT_SIZE
        self.name, self.sha256 = f"face embedder {Path(path).name}", sha256_file(path)
        self.versions: Mapping[str, str] = {"onnxruntime": version("onnxruntime")}

    def __call__(self, images_u8):
        pixels = from_uint8(images_u8)
        if self._batch_size is None:
            return {"features": self._run(pixels)}
        return {"features": in_micro_batches(self._run, self._batch_size, pixels)}

    def _run(self, pixels):
        try:
            features = self._session.run(None, {self._input: pixels.contiguous().numpy()})[0]
        except Exception as error:  # onnxruntime raises kinds of its own
            raise CheckpointError(f"{self._path}: fails on images of {self.size} pixels in float32") from error
        return torch.from_numpy(features).flatten(1).float()
