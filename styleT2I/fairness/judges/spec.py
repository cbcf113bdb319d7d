"""Specification of judges in a plan: which network judges, and how certain it must be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from styleT2I.config import to_dict
from styleT2I.errors import ConfigError

__all__ = ["JudgePlan", "OnnxInput", "check_judge", "check_onnx_input", "described"]


@dataclass(frozen=True)
class OnnxInput:
    """Input and output of an ONNX classifier: pixel format, and the attributes of its columns."""

    attributes: tuple[str, ...]  # of the output's columns; terms that the vocabulary does not know are ignored
    size: int = 224  # side of its input, px
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    channels: Literal["RGB", "BGR"] = "RGB"
    scale: float = 255.0  # colours 0 ... 255 are divided by it first
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # then this is subtracted,
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)  # and the rest divided by this; both in the order of the channels
    output: str | None = None  # name of the output; None: the first


@dataclass(frozen=True)
class JudgePlan:
    """One judge: a network of a model, CLIP between two opposite prompts, an ONNX file or a Python function."""

    kind: Literal["network", "clip", "onnx", "python"] = "network"
    role: Literal["judges.heldout", "judges.guide"] = "judges.heldout"  # of a network
    source: str | None = None  # a file or model name, or module:function; None: the audited model's own
    margin: float = 0.0  # scores nearer to the threshold are undetermined
    threshold: float = 0.0  # scores above it are yes: 0 for logits, 0.5 for probabilities
    onnx: OnnxInput | None = None  # None: read from FILE.json or FILE.yaml beside FILE.onnx


def described(plan: JudgePlan) -> dict:
    """The specification ready for JSON, without settings that have no meaning for its kind."""
    settings = {key: value for key, value in to_dict(plan).items() if value is not None}
    return {key: value for key, value in settings.items() if key != "role" or plan.kind == "network"}


def check_judge(plan: JudgePlan, where: str) -> None:
    """ConfigError for numbers out of range, and for a judge without the source that its kind needs."""
    if not 0 <= plan.margin < math.inf:
        raise ConfigError(f"{where}.margin is {plan.margin}; write 0 or more")
    if not math.isfinite(plan.threshold):
        raise ConfigError(f"{where}.threshold is {plan.threshold}; write a number such as 0 or 0.5")
    if plan.kind in ("onnx", "python") and not plan.source:
        what = "an ONNX file" if plan.kind == "onnx" else "module:function"
        raise ConfigError(f"{where}.source is not given; name {what}")
    if plan.onnx is not None:
        check_onnx_input(plan.onnx, f"{where}.onnx")
        if plan.kind != "onnx":
            raise ConfigError(f"{where}.onnx does not fit a judge of kind {plan.kind!r}; leave it out")


def check_onnx_input(spec: OnnxInput, where: str) -> None:
    """ConfigError for an input that cannot be made."""
    if not spec.attributes:
        raise ConfigError(f"{where}.attributes is empty; name the columns of the output")
    if not 1 <= spec.size <= 4096:
        raise ConfigError(f"{where}.size is {spec.size}; write 1 to 4096 pixels")
    if not all(0 < abs(value) < math.inf for value in (spec.scale, *spec.std)):
        raise ConfigError(
            f"{where} divides by scale {spec.scale} and std {spec.std}; write finite numbers other than 0"
        )
