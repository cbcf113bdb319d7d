"""When does the paper's adjustment act? The cosine it looks at, beside what came out.

Run `python benchmarks/paper_rule.py [--model portraits] [--num 20] [--json FILE]` in a checkout. The rule of StyleT2I
(Li et al., CVPR 2022) steps along the direction of an attribute that is asked for where the cosine of it and the
sentence's direction is not above 0. Every rare composition of the model's world is drawn by Text-to-Direction alone on
the latents of seeds 0 to num - 1, the held-out judge says of each attribute that is asked for whether it came out, and
the cosines of those that did and did not are printed: quantiles, the share that is not above 0, and how well the cosine
tells the two apart (area under the curve: 0.5 is chance, and at 1 some threshold would make the rule perfect).
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]


def cosines_and_verdicts(pipeline, num, psi=0.7):
    """(cosine, whether the judge sees it) of every attribute that a rare composition asks for, on every latent."""
    from styleT2I.data.worlds import world_of
    from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge
    from styleT2I.evaluation.suites.compositions.cells import composition_cells
    from styleT2I.torch_utils.images import from_uint8

    judge, rows = HeldOutJudge(pipeline.model), []
    for cell in composition_cells(world_of(pipeline.model.vocabulary), num):
        if cell.kind != "rare":
            continue
        result = pipeline.generate(cell.sentences[0], range(num), truncation_psi=psi, adjustment="none")
        verdicts = judge.observe([from_uint8(result.images_u8)]).verdict
        for found in result.attributes:
            if found.value is None or found.cosine is None:
                continue
            seen = verdicts[:, judge.attribute_names.index(found.name)] == int(found.value)
            rows += zip(found.cosine.tolist(), seen.tolist(), strict=True)
    return rows


def summary(rows):
    """Cosines of what came out and of what did not."""
    import numpy as np
    import torch

    from styleT2I.evaluation.suites.wordings import area_under_the_curve

    cosines, seen = zip(*rows, strict=True)
    area = area_under_the_curve(torch.tensor(cosines), torch.tensor(seen))  # NaN where all or none came out
    right, wrong = ([cosine for cosine, is_seen in rows if is_seen == value] for value in (True, False))
    told, shares = {"came out": right, "did not": wrong}, {"5 %": 0.05, "50 %": 0.5, "95 %": 0.95}
    return {
        "groups": {
            name: {
                "num": len(cosines),
                "quantiles": {label: float(np.quantile(cosines, share)) for label, share in shares.items()},
                "smallest": min(cosines),
                "not above 0": sum(cosine <= 0 for cosine in cosines) / len(cosines),
            }
            for name, cosines in told.items()
            if cosines
        },
        "area under the curve": None if np.isnan(area) else area,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="portraits")
    parser.add_argument("--num", type=int, default=20, help="latents of each composition")
    parser.add_argument("--json", help="write the figures to this file")
    arguments = parser.parse_args()
    from styleT2I.generation.pipeline import StyleT2I

    found = summary(cosines_and_verdicts(StyleT2I.from_pretrained(arguments.model, device="cpu"), arguments.num))
    for name, group in found["groups"].items():
        quantiles = ", ".join(f"{share} {cosine:+.2f}" for share, cosine in group["quantiles"].items())
        print(
            f"{name}: {group['num']} attributes; cosine {quantiles}, smallest {group['smallest']:+.2f}; not above 0: "
            f"{100 * group['not above 0']:.1f} %"
        )
    print(f"area under the curve: {found['area under the curve']}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
