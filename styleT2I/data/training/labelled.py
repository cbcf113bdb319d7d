"""Labelled images of one or more data sets, which must agree on what they label."""

from __future__ import annotations

import torch

from styleT2I.data.training.joined import JoinedData
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import from_uint8


class LabelledData(JoinedData):
    """Images with one kind of label, "attributes" or "masks", from the data sets of several specs.

    Raises DataError when a data set lacks the label or names its attributes or regions otherwise than the first.
    """

    def __init__(self, specs: tuple[str, ...], label: str, resolution: int):
        if not specs:
            raise DataError("no training data named; give for example --data minifaces:balanced/judge-train:40000")
        self.label = label
        super().__init__(specs, resolution, with_masks=label == "masks")
        names = {"attributes": "attribute_names", "masks": "region_names"}[label]
        self.names = tuple(getattr(self.parts[0], names))
        self.nuisance_names = tuple(getattr(self.parts[0], "nuisance_names", ()))
        for spec, part in zip(specs, self.parts, strict=True):
            if tuple(getattr(part, names)) != self.names or not self.names:
                raise DataError(self._why_not(spec, tuple(getattr(part, names)), specs[0], label))
            if tuple(getattr(part, "nuisance_names", ())) != self.nuisance_names:
                self.nuisance_names = ()  # only quantities that every part measures are regressed

    def _why_not(self, spec, names, first, label):
        """Why a data set cannot be joined: it lacks the label, or has others than the first."""
        if not names:
            kept = {"attributes": "attributes.csv", "masks": "masks/ with region names"}[label]
            return f"{spec}: has no {label}, which this training needs; add {kept}"
        return f"{spec}: its {label} ({', '.join(names)}) are not those of {first} ({', '.join(self.names)})"

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
        batches = self.batches(indices)
        image = from_uint8(torch.cat([batch.images_u8 for batch in batches]))
        labels = torch.cat([getattr(batch, self.label) for batch in batches])
        nuisances = torch.cat([batch.nuisances for batch in batches]) if self.nuisance_names else None
        return image, labels, nuisances
