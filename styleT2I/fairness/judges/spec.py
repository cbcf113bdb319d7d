"""What a plan says of its judges: who looks, and how sure it must be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from styleT2I.config import to_dict
from styleT2I.errors import ConfigError

__all__ = ["JudgePlan", "OnnxInput", "check_judge", "check_onnx_input", "described"]


@dataclass(frozen=True)
class OnnxInput:
    """How pictures enter an ONNX classifier, and what its numbers are about."""

    attributes: tuple[str, ...]  # of the output's columns, any terms of the vocabulary; others are not read
    size: int = 224  # side of its pictures, px
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    channels: Literal["RGB", "BGR"] = "RGB"
    scale: float = 255.0  # what colours 0 ... 255 are divided by, before
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # this is taken away and what is left is
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)  # divided by this; both in the order of the channels
    output: str | None = None  # its name; None: the first


@dataclass(frozen=True)
class JudgePlan:
    """One judge: a network of a model, CLIP between two opposite prompts, an ONNX file or a Python function."""

    kind: Literal["network", "clip", "onnx", "python"] = "network"
    role: Literal["judges.heldout", "judges.guide"] = "judges.heldout"  # of a network
    source: str | None = None  # its file (or what sources.resolve takes), or module:function; None: the model's own
    margin: float = 0.0  # a score nearer to the threshold than this is undetermined
    threshold: float = 0.0  # a score above this is yes: 0 of logits, 0.5 of probabilities
    onnx: OnnxInput | None = None  # None: FILE.json or FILE.yaml beside FILE.onnx says it


def described(plan: JudgePlan) -> dict:
    """What a plan says of its judge, ready for JSON, without what is of no meaning for its kind."""
    said = {key: value for key, value in to_dict(plan).items() if value is not None}
    return {key: value for key, value in said.items() if key != "role" or plan.kind == "network"}


def check_judge(plan: JudgePlan, where: str) -> None:
    """ConfigError for numbers out of range, and for a judge that cannot be found by what is said of it."""
    if not 0 <= plan.margin < math.inf:
        raise ConfigError(f"{where}.margin is {plan.margin}; it is 0 or more")
    if not math.isfinite(plan.threshold):
        raise ConfigError(f"{where}.threshold is {plan.threshold}; it is a number such as 0 or 0.5")
    if plan.kind in ("onnx", "python") and not plan.source:
        what = "an ONNX file" if plan.kind == "onnx" else "module:function"
        raise ConfigError(f"{where}.source is not given; name {what}")
    if plan.onnx is not None:
        check_onnx_input(plan.onnx, f"{where}.onnx")
        if plan.kind != "onnx":
            raise ConfigError(f"{where}.onnx does not go with a judge of kind {plan.kind!r}; leave it out")


def check_onnx_input(spec: OnnxInput, where: str) -> None:
    """ConfigError for pictures that cannot be made so."""
    if not spec.attributes:
        raise ConfigError(f"{where}.attributes is empty; name the columns of the output")
    if not 1 <= spec.size <= 4096:
        raise ConfigError(f"{where}.size is {spec.size}; it is from 1 to 4096 pixels")
    if not all(0 < abs(value) < math.inf for value in (spec.scale, *spec.std)):
        raise ConfigError(f"{where} divides by scale {spec.scale} and std {spec.std}; they are finite and not 0")
