"""Judges and classifiers of the user: an ONNX file, or a Python function."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from styleT2I.config import load_config
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.fairness.judges.spec import OnnxInput, check_onnx_input
from styleT2I.fairness.subjects.user_functions import EntryPoint, call, in_one_line
from styleT2I.formats.onnx_files import open_onnx
from styleT2I.torch_utils.batching import in_micro_batches
from styleT2I.torch_utils.files import sha256_file

__all__ = ["onnx_input", "onnx_scores", "python_scores"]

_NUMPY = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


def python_scores(entry: EntryPoint, role: str = "judge"):
    """Attribute names, scoring function and hash of a Python function.

    Args:
        entry: A function of uint8 [N, H, W, 3] RGB that returns name -> N scores; NaN means undetermined. Its names are
            those that it returns for two grey images.
        role: What it is, for messages.

    Raises:
        ConfigError: The function fails or returns something else; one line.
    """

    def called(images_u8):
        images = np.ascontiguousarray(images_u8.cpu().permute(0, 2, 3, 1).numpy())
        try:
            result = call(entry.function, images)
        except Exception as error:  # whatever the user's classifier raises
            raise ConfigError(
                f"{role} {entry.name}: failed on uint8 {list(images.shape)}: {in_one_line(error)}"
            ) from error
        if not isinstance(result, Mapping) or not result:
            raise ConfigError(f"{role} {entry.name}: returned {_kind(result)}; return a dict of attribute -> N scores")
        return {
            str(name): _column(f"{role} {entry.name}", name, values, len(images)) for name, values in result.items()
        }

    names = tuple(called(torch.full((2, 3, 64, 64), 128, dtype=torch.uint8)))

    def scores(images_u8):
        columns = called(images_u8)
        if missing := [name for name in names if name not in columns]:
            raise ConfigError(
                f"{role} {entry.name}: returned no scores of {missing[0]!r} this time; return NaN for undetermined"
            )
        return torch.stack([columns[name] for name in names], dim=1)

    return names, scores, entry.sha256


def onnx_input(source: str, given: OnnxInput | None, role: str = "judge") -> OnnxInput:
    """Input and output of an ONNX file, as given, or else from the file beside it; ConfigError without either."""
    if given is not None:
        return given
    path = Path(source).expanduser()
    for suffix in (".json", ".yaml", ".yml"):
        beside = path.with_suffix(suffix)
        if beside.is_file():
            spec = load_config(OnnxInput, beside)
            check_onnx_input(spec, str(beside))
            return spec
    raise ConfigError(
        f"{path}: the attributes of its output are not given; write {role}.onnx in the plan, or "
        f"{path.with_suffix('.yaml').name} beside it, with its attributes"
    )


def onnx_scores(source: str, spec: OnnxInput, role: str = "judge"):
    """Attribute names, scoring function and hash of an ONNX classifier, run on the CPU. role: for messages.

    Raises:
        CheckpointError, ConfigError, DependencyError: The file cannot be run as specified.
    """
    path = Path(source).expanduser()
    session = open_onnx(path, f"a {role} of kind onnx")
    entrance = session.get_inputs()[0]
    outputs = [output.name for output in session.get_outputs()]
    if len(session.get_inputs()) != 1 or entrance.type not in _NUMPY or len(entrance.shape) != 4:
        raise CheckpointError(f"{path}: its input is not one batch of images [N, 3, H, W]; export it with one")
    if spec.output is not None and spec.output not in outputs:
        raise ConfigError(f"{path}: has no output {spec.output!r}; it has {', '.join(outputs)}")

    def run(pixels):
        pixels = (pixels.permute(0, 2, 3, 1) if spec.layout == "NHWC" else pixels).contiguous()
        try:
            (output,) = session.run([spec.output or outputs[0]], {entrance.name: _as_input(pixels, entrance.type)})
        except Exception as error:  # onnxruntime raises kinds of its own
            raise CheckpointError(
                f"{path}: does not take {list(pixels.shape)}, as its size and layout are given: {in_one_line(error)}"
            ) from error
        result = torch.from_numpy(np.asarray(output, dtype=np.float32))
        if result.ndim < 2 or result.flatten(1).shape != (len(pixels), len(spec.attributes)):
            wanted = [len(pixels), len(spec.attributes)]
            raise CheckpointError(
                f"{path}: returned {list(result.shape)} numbers instead of {wanted}, one per attribute"
            )
        return result.flatten(1)

    def scores(images_u8):
        pixels = _pixels(images_u8, spec)
        size = entrance.shape[0]
        return in_micro_batches(run, size, pixels) if isinstance(size, int) else run(pixels)

    return spec.attributes, scores, sha256_file(path)


def _pixels(images_u8, spec):
    """Images in the input format of the classifier, float32 [N, 3, size, size]."""
    pixels = images_u8.cpu().float()
    if pixels.shape[-2:] != (spec.size, spec.size):
        size = (spec.size, spec.size)
        pixels = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False, antialias=True)
    pixels = pixels.flip(1) if spec.channels == "BGR" else pixels
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (spec.mean, spec.std))
    return (pixels / spec.scale - mean) / std


def _as_input(pixels, kind):
    array = pixels.numpy()
    return array.round().clip(0, 255).astype(np.uint8) if kind == "tensor(uint8)" else array.astype(_NUMPY[kind])


def _column(who, name, values, num):
    try:
        values = torch.as_tensor(values).detach().double().cpu().reshape(-1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{who}: the scores of {name!r} are {_kind(values)}, not numbers") from error
    if len(values) != num:
        raise ConfigError(f"{who}: returned {len(values)} scores of {name!r} for {num} images")
    return values


def _kind(value):
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + (f" {list(shape)}" if shape is not None else "")
