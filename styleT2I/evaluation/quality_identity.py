"""Whose face is it: the features of a face embedder that the user brings as an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from styleT2I.errors import CheckpointError, DependencyError
from styleT2I.torch_utils.files import sha256_file

__all__ = ["EmbedderEyes"]

_DEFAULT_SIZE = 112  # of ArcFace and most after it


class EmbedderEyes:
    """A face embedder: one input [N, 3, S, S], RGB in [-1, 1] as ArcFace has it; "features" are its first output.

    It is given the picture's central square; faces that it wants aligned must be so already. Raises CheckpointError
    for a file that is no such network, DependencyError without onnxruntime.
    """

    def __init__(self, path: str | Path):
        try:
            import onnxruntime
        except ImportError as error:
            raise DependencyError(
                f"the face embedder {path} needs onnxruntime; install it with: pip install 'styleT2I[metrics]'"
            ) from error
        if not Path(path).is_file():
            raise CheckpointError(f"{path}: no such file; name a face embedder as an ONNX file")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is said below, in one line
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common class of their own
            raise CheckpointError(f"{path}: not an ONNX network that onnxruntime can run") from error
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if inputs else ()
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3]:
            raise CheckpointError(f"{path}: takes {[one.shape for one in inputs]}, not one input [N, 3, S, S]")
        self._input, self._batch = inputs[0].name, shape[0] if isinstance(shape[0], int) else None
        self.size = shape[2] if isinstance(shape[2], int) else _DEFAULT_SIZE
        self.name, self.sha256 = f"face embedder {Path(path).name}", sha256_file(path)
        self.versions: Mapping[str, str] = {"onnxruntime": onnxruntime.__version__}
        self._path = path

    def __call__(self, images_u8):
        pixels = images_u8.numpy().astype(np.float32) / 127.5 - 1
        num, step = len(pixels), self._batch or len(pixels)
        pixels = np.concatenate([pixels, pixels[-1:].repeat(-num % step, axis=0)])  # whole batches
        try:
            parts = [
                self._session.run(None, {self._input: pixels[start : start + step]})[0] for start in range(0, num, step)
            ]
        except Exception as error:
            raise CheckpointError(f"{self._path}: fails on pictures of {self.size} pixels") from error
        return {"features": torch.from_numpy(np.concatenate(parts)[:num]).flatten(1).float()}
