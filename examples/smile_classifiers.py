"""Audit a classifier of smiles, put yours in its place: does its answer flip when only the skin of a face changes?

`scores` is the embedded guide judge. `biased` misses about half of the smiles on dark skin: what an audit must find.
Twelve faces keep the example short; docs/audit/classifier.yaml is an audit of the same with a hundred.
"""

import functools
import sys
from pathlib import Path

import numpy as np
import torch

from styleT2I import StyleT2I, load_vocabulary
from styleT2I.fairness.classifier.spec import ClassifierPlan
from styleT2I.fairness.plan import AuditPlan, Comparison
from styleT2I.fairness.report.page import write_report
from styleT2I.fairness.report.sections.summary import gap_sentence
from styleT2I.fairness.run import Audit
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


def main(folder: str = "example-audit", num: str = "12", classifier: str = "biased") -> None:
    plan = AuditPlan(
        name="does a smile count as one on dark skin?",
        num=int(num),
        classifier=ClassifierPlan(source=f"{Path(__file__).stem}:{classifier}", target="smiling"),
        compositions=("pale_skin", "dark_skin"),
        comparisons=(Comparison(name="skin", first="pale_skin", second="dark_skin"),),
    )
    audit = Audit(plan, load_vocabulary("minifaces"), StyleT2I.from_pretrained("minifaces"))
    audit.run(folder)
    result = audit.result(folder)
    page = write_report(result, folder, [folder])
    for compared in result.comparisons:
        print(f"{compared.name}: {gap_sentence(result, compared)}")
    print(f"open {page}")


if __name__ == "__main__":
    main(*sys.argv[1:])
