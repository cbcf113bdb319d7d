"""One or more labelled data sets behind one index, checked to agree with each other."""

from __future__ import annotations

import torch

from styleT2I.data.dataset import index_order, open_dataset
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import from_uint8


class LabelledData:
    """Pictures with one kind of label, "attributes" or "masks", out of the data sets of several specs.

    Raises DataError when a data set lacks the label or names its attributes or regions otherwise than the first.
    """

    def __init__(self, specs: tuple[str, ...], label: str, resolution: int):
        if not specs:
            raise DataError("no training data named; give --data SPEC, say minifaces:balanced/judge-train:40000")
        self.label = label
        self.parts = [open_dataset(spec, resolution, with_masks=label == "masks") for spec in specs]
        names = {"attributes": "attribute_names", "masks": "region_names"}[label]
        self.names = tuple(getattr(self.parts[0], names))
        self.nuisance_names = tuple(getattr(self.parts[0], "nuisance_names", ()))
        self.starts = [0]
        for spec, part in zip(specs, self.parts, strict=True):
            if tuple(getattr(part, names)) != self.names or not self.names:
                raise DataError(self._why_not(spec, tuple(getattr(part, names)), specs[0], label))
            if tuple(getattr(part, "nuisance_names", ())) != self.nuisance_names:
                self.nuisance_names = ()  # only quantities that every part measures are regressed
            self.starts.append(self.starts[-1] + len(part))

    def _why_not(self, spec, names, first, label):
        """Why a data set cannot be joined: it has no such label, or others than the first."""
        if not names:
            kept = {"attributes": "attributes.csv", "masks": "masks/ with region names"}[label]
            return f"{spec}: has no {label}, which this training needs; add {kept}"
        return f"{spec}: its {label} ({', '.join(names)}) are not those of {first} ({', '.join(self.names)})"

    def __len__(self) -> int:
        return self.starts[-1]

    def check_same_names(self, other: LabelledData) -> None:
        """Raise DataError unless the other data names the same attributes or regions in the same order."""
        if other.names != self.names:
            raise DataError(
                f"the evaluation data's {self.label} ({', '.join(other.names)}) are not the training data's "
                f"({', '.join(self.names)}); name matching data with --eval-data"
            )

    def batch(self, indices) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """The samples of the given indices: image, labels, nuisances.

        image [N, 3, H, W] in [-1, 1]; labels bool, attributes [N, A] or masks [N, R, H, W]; nuisances [N, K] or None.
        Samples come grouped by data set, which a loss that averages over them does not notice.
        """
        images, labels, nuisances = [], [], []
        for part, start, end in zip(self.parts, self.starts, self.starts[1:], strict=False):
            rows = [index - start for index in indices if start <= index < end]
            if not rows:
                continue
            batch = part.batch(rows)
            images.append(batch.images_u8)
            labels.append(getattr(batch, self.label))
            nuisances.append(batch.nuisances)
        image = from_uint8(torch.cat(images))
        return image, torch.cat(labels), torch.cat(nuisances) if self.nuisance_names else None

    def training_batch(self, seed: int, batch_size: int, step: int):
        """`batch` of the samples that a step of a run with this seed trains on."""
        return self.batch(index_order(seed, len(self), batch_size, step))

    def in_order(self, batch_size: int, num: int | None = None):
        """Yield `batch` of the first `num` samples (all by default) in order."""
        num = len(self) if num is None else min(num, len(self))
        for start in range(0, num, batch_size):
            yield self.batch(range(start, min(start + batch_size, num)))
