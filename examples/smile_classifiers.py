"""Two classifiers of smiles for `audit run docs/audit/classifier.yaml`: the embedded judge, and one that is biased.

The second takes every other smile for none where the skin is dark: what an audit of a classifier must find.

    python -m styleT2I.audit run docs/audit/classifier.yaml --outdir audit
"""

import functools

import numpy as np
import torch

from styleT2I.generation.model import Model
from styleT2I.torch_utils.images import from_uint8


@functools.cache
def judge():
    """The embedded guide judge; the audit checks its edits with another one, the held-out judge."""
    return Model({"judges.guide": "minifaces"}, device="cpu").network("judges.guide")


def scores(images):
    """Logits by attribute of faces uint8 [N, H, W, 3]."""
    with torch.no_grad():
        logits = judge()(from_uint8(torch.from_numpy(images).permute(0, 3, 1, 2)))
    return {name: logits[:, column].numpy() for column, name in enumerate(judge().attribute_names)}


def biased(images):
    """The same, but a smile on dark skin is missed where the face's pixels add up to an even number."""
    found = scores(images)
    is_even = images.astype(np.int64).sum(axis=(1, 2, 3)) % 2 == 0
    return {"smiling": np.where((found["dark_skin"] > 0) & is_even, -1.0, found["smiling"])}
