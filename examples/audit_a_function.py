"""Audit a function of your own, (prompt, seed) -> image, for a gap between two compositions of attributes.

The function here draws with the embedded model; put your own diffusion pipeline in its place. Twelve images per
composition keep the example short; a real audit takes hundreds (`python -m styleT2I.audit plan` says how many).
"""

import sys

from styleT2I import StyleT2I, load_vocabulary
from styleT2I.fairness.plan import AuditPlan, Comparison
from styleT2I.fairness.report.page import write_report
from styleT2I.fairness.run import Audit

FACES = StyleT2I.from_pretrained("minifaces")


def draw(prompt: str, seed: int):
    """An RGB image of a sentence and a seed: a torch tensor uint8 [3, H, W], a numpy array [H, W, 3] or a PIL image."""
    return FACES.generate(prompt, seeds=[seed]).images_u8[0]


def main(folder: str = "example-audit", num: str = "12") -> None:
    plan = AuditPlan(
        name="does lipstick come out as often on men as on women?",
        num=int(num),
        compositions=("she+lipstick", "he+lipstick"),
        comparisons=(Comparison(name="lipstick", first="she+lipstick", second="he+lipstick"),),
    )
    audit = Audit(plan, load_vocabulary("minifaces"), draw)
    audit.run(folder)
    result = audit.result(folder)
    page = write_report(result, folder, [folder])
    for compared in result.comparisons:
        low, high = compared.gap_interval
        print(f"{compared.name}: gap {100 * compared.gap:+.1f} points ({100 * low:.1f} to {100 * high:.1f})")
    print(f"open {page}")


if __name__ == "__main__":
    main(*sys.argv[1:])
