"""Python functions (prompt, seed) -> image as subjects of an audit, such as one around a diffusers pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import PIL.Image
import torch

from styleT2I.errors import DataError
from styleT2I.fairness.subjects.user_functions import EntryPoint, call, in_one_line, load_entry_point
from styleT2I.torch_utils.images import centre_crop_resize

__all__ = ["CallableSubject"]

_WANTED = "return a PIL image, a numpy array uint8 [H, W, 3] or a torch tensor uint8 [3, H, W]"


class CallableSubject:
    """A function of a sentence and a seed. Pairs start from the same seed; what it decides is up to the function."""

    kind, model, has_settings, is_paired, block, is_slow = "callable", None, False, True, 8, True

    def __init__(self, entry: EntryPoint | str, timeout: float | None = None):
        """A function by its name. Raises ConfigError where it cannot be imported.

        entry: "module:function", or an `EntryPoint`. timeout: seconds per image; None: any.
        """
        self.entry, self.timeout = load_entry_point(entry) if isinstance(entry, str) else entry, timeout

    @classmethod
    def of(cls, function: Callable, timeout: float | None = None) -> CallableSubject:
        """The subject for a function, or another callable object. timeout: seconds per image; None: any."""
        return cls(EntryPoint.of(function), timeout)

    def prepare(self, plan, vocabulary) -> None:
        """Nothing to check: a function takes any sentence."""

    def describe(self) -> dict:
        return {"name": self.entry.name, "components": {"callable": self.entry.sha256}}

    def seeds(self, name: str, first_seed: int, num: int) -> Sequence[int]:
        return range(first_seed, first_seed + num)

    def images(self, cell, seeds: Sequence[int]) -> list[torch.Tensor]:
        """As `Subject.images`; DataError, one line, for an error inside the function or a result that is no image."""
        return [self._image(cell.sentence, seed) for seed in seeds]

    def plain(self, setting, seeds: Sequence[int]) -> None:
        return None

    def _image(self, sentence, seed):
        try:
            result = call(self.entry.function, sentence, seed, timeout=self.timeout)
        except Exception as error:  # whatever the user's function raises
            raise DataError(
                f"{self.entry.name}: failed on {sentence!r} with seed {seed}: {in_one_line(error)}"
            ) from error
        array, problem = _pixels(result)
        if array is None:
            raise DataError(f"{self.entry.name}: {problem} for {sentence!r} with seed {seed}; {_WANTED}")
        return torch.from_numpy(centre_crop_resize(array, min(array.shape[:2])).copy()).permute(2, 0, 1)


def _pixels(result: Any) -> tuple[np.ndarray | None, str]:
    """RGB uint8 [H, W, 3] and "", or None and what is wrong with it."""
    if isinstance(result, PIL.Image.Image):
        array = np.asarray(result.convert("RGB"))
    elif isinstance(result, torch.Tensor):
        array = result.detach().cpu().numpy().transpose(1, 2, 0) if result.ndim == 3 else result.detach().cpu().numpy()
    elif isinstance(result, np.ndarray):
        array = result
    else:
        return None, f"returned a {type(result).__name__}"
    if array.dtype != np.uint8:
        return None, f"returned {type(result).__name__} of {array.dtype}, not of colours 0 ... 255"
    if array.ndim != 3 or array.shape[2] != 3 or not array.size:
        return None, f"returned {type(result).__name__} of shape {list(result.shape)}"
    return array, ""
