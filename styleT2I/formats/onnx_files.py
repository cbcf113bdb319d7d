"""ONNX files as sessions of onnxruntime on the CPU; such a file holds arithmetic and tensors, and no code."""

from __future__ import annotations

from pathlib import Path

import torch

from styleT2I.errors import CheckpointError, DependencyError

__all__ = ["open_onnx"]


def open_onnx(path: str | Path, what: str):
    """Open an ONNX file for inference on the CPU, with as many threads as torch has.

    Args:
        path: The file.
        what: What needs it, as an error names it: "a face embedder".

    Returns:
        An onnxruntime.InferenceSession.

    Raises:
        CheckpointError: The file is missing, or cannot be run.
        DependencyError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError(f"{what} needs onnxruntime: pip install styleT2I[onnx]") from error
    if not Path(path).is_file():
        raise CheckpointError(f"{path}: no such file; {what} is an ONNX file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises kinds of its own
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path}: not an ONNX file that can be run: {reason}") from error
