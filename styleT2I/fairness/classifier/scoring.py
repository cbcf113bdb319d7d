"""A user's classifier or embedding model, asked one question about each face."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional as F

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.fairness.analysis.outcomes import FAILURE, SUCCESS, UNSURE
from styleT2I.fairness.classifier.spec import ClassifierPlan
from styleT2I.fairness.judges.custom import onnx_input, onnx_scores, python_scores
from styleT2I.fairness.subjects.user_functions import EntryPoint, call, in_one_line, load_entry_point
from styleT2I.metrics.attributes import NO, UNDETERMINED, YES, verdicts

__all__ = ["Classifier", "open_classifier"]

_LETTERS = {YES: SUCCESS, NO: FAILURE, UNDETERMINED: UNSURE}


class Classifier:
    """The audited classifier.

    sha256: of its file or source; None: nothing identifies it, and no cell of it is used again.
    """

    def __init__(self, plan: ClassifierPlan, score: Callable[..., torch.Tensor], sha256: str | None):
        self.plan, self.sha256, self._score = plan, sha256, score

    @torch.no_grad()
    def letters(self, images_u8: torch.Tensor, unedited_u8: torch.Tensor) -> str:
        """Its answers, SUCCESS, FAILURE or UNSURE, one character per face.

        Args:
            images_u8: Edited faces, uint8 [N, 3, H, W].
            unedited_u8: The same faces before the edit, for an embedding.
        """
        scores = self._score(images_u8, unedited_u8).reshape(-1, 1).float() - self.plan.threshold
        return "".join(_LETTERS[verdict] for verdict in verdicts(scores, self.plan.margin)[:, 0].tolist())


def open_classifier(plan: ClassifierPlan) -> Classifier:
    """Open the classifier of a plan.

    Raises:
        ConfigError: It cannot be opened, fails, or has no column of the target; one line.
        CheckpointError: The ONNX file cannot be run as specified.
        DependencyError: onnxruntime is not installed.
    """
    if plan.kind == "embedding":
        entry = load_entry_point(plan.source)
        embed = _embedding(entry)
        embed(torch.full((2, 3, 64, 64), 128, dtype=torch.uint8))
        return Classifier(
            plan, lambda images, unedited: F.cosine_similarity(embed(images), embed(unedited)), entry.sha256
        )
    if plan.kind == "onnx":
        spec = onnx_input(plan.source, plan.onnx, "classifier")
        names, scores, sha256 = onnx_scores(plan.source, spec, "classifier")
        scores(
            torch.full((2, 3, 64, 64), 128, dtype=torch.uint8)
        )  # a file that does not fit is refused before any face
    else:
        names, scores, sha256 = python_scores(load_entry_point(plan.source), "classifier")
    if plan.target not in names:
        raise ConfigError(
            f"classifier {plan.source}: has no column {plan.target!r}{suggestion(plan.target, names)}; it has "
            f"{', '.join(names)}"
        )
    column = list(names).index(plan.target)
    return Classifier(plan, lambda images, _: scores(images)[:, column], sha256)


def _embedding(entry: EntryPoint):
    """The embedding function on torch images, float [N, D]; ConfigError, one line, for anything else."""

    def embed(images_u8: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
        images = np.ascontiguousarray(torch.as_tensor(images_u8).cpu().permute(0, 2, 3, 1).numpy())
        try:
            result = call(entry.function, images)
            found = torch.as_tensor(np.asarray(result), dtype=torch.float32)
        except Exception as error:  # whatever the user's model raises
            raise ConfigError(
                f"classifier {entry.name}: failed on uint8 {list(images.shape)}: {in_one_line(error)}"
            ) from error
        if found.ndim != 2 or len(found) != len(images):
            raise ConfigError(
                f"classifier {entry.name}: returned {list(found.shape)} numbers for {len(images)} faces; return [N, D]"
            )
        return found

    return embed
