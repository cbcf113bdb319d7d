"""What a plan says about the classifier that it audits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from styleT2I.errors import ConfigError
from styleT2I.fairness.judges.spec import OnnxInput, check_onnx_input

__all__ = ["ClassifierPlan", "check_classifier", "check_pairs"]


@dataclass(frozen=True)
class ClassifierPlan:
    """A user's classifier or embedding model, and the edits of the faces that it is shown.

    kind: "python", a function uint8 [N, H, W, 3] -> name -> N scores; "onnx", a file with one column per name;
    "embedding", a function uint8 [N, H, W, 3] -> [N, D], whose answer is yes where the edited face and the face before
    the edit have a cosine above the threshold.
    """

    source: str  # module:function, or an ONNX file
    target: str = "same face"  # the column that is asked about; for an embedding only a name
    kind: Literal["python", "onnx", "embedding"] = "python"
    threshold: float = 0.0  # scores above it are yes: 0 for logits, 0.5 for probabilities
    margin: float = 0.0  # scores nearer to the threshold are undetermined
    onnx: OnnxInput | None = None  # None: read from FILE.json or FILE.yaml beside FILE.onnx
    strength: float = 1.0  # of the edits, above 0 to 2: 1 turns an attribute on, or off, on 95 % of faces
    truncation_psi: float = 0.7  # of the faces that are edited, from 0 to 2


def check_classifier(plan: ClassifierPlan) -> None:
    """ConfigError for numbers out of range, and for what does not fit its kind."""
    if not plan.source or not plan.target.strip():
        raise ConfigError("classifier needs a source, module:function or an ONNX file, and a target, what is asked")
    if not (math.isfinite(plan.threshold) and 0 <= plan.margin < math.inf):
        raise ConfigError("classifier.threshold and margin are numbers, the margin 0 or more")
    for name, low in (("strength", "above 0"), ("truncation_psi", "0")):
        value = getattr(plan, name)
        if not 0 <= value <= 2 or (name == "strength" and value == 0):
            raise ConfigError(f"classifier.{name} is {value}; write a number from {low} to 2")
    if plan.onnx is not None:
        check_onnx_input(plan.onnx, "classifier.onnx")
        if plan.kind != "onnx":
            raise ConfigError(f"classifier.onnx does not fit kind {plan.kind!r}; leave it out")


def check_pairs(compared: Sequence[tuple[str, str, str]], cells: Mapping[str, Mapping[str, bool]]) -> None:
    """ConfigError unless each comparison (name, first, second) edits one attribute both ways; each cell is in one."""
    used: list[str] = []
    for name, first, second in compared:
        one, other = cells[first], cells[second]
        changed = {attribute for attribute in {**one, **other} if one.get(attribute) != other.get(attribute)}
        if one.keys() != other.keys() or len(changed) != 1:
            raise ConfigError(
                f"comparison {name!r} changes more than one attribute, or names it on one side only; with a classifier "
                "write both values of one, such as eyeglasses and 'without eyeglasses'"
            )
        used += [first, second]
    for cell in cells:
        if used.count(cell) != 1:
            times = "no comparison" if cell not in used else "two comparisons"
            raise ConfigError(f"{cell!r} is in {times}; with a classifier every composition is in one")
