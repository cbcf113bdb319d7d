"""Are rare faces inverted worse than frequent ones? An audit of reconstructions in place of sentences.

The function takes a drawn face of which all is known (he with lipstick, or her twin: the same face but that), inverts
it as `edit --image` does, and returns what the generator then draws. The judge says whether the composition is still
there. Twelve pairs and the encoder alone keep the example short; `evaluate --suite inversion` measures more per image.
"""

import sys

import torch

from styleT2I import StyleT2I, load_vocabulary
from styleT2I.data.dataset import open_dataset
from styleT2I.fairness.plan import AuditPlan, Comparison
from styleT2I.fairness.report.page import write_report
from styleT2I.fairness.run import Audit
from styleT2I.inversion.arguments import InversionConfig
from styleT2I.inversion.inverter import Inverter
from styleT2I.torch_utils.images import to_uint8

PAIRS = {"lipstick": ("she+lipstick", "he+lipstick"), "beard": ("he+beard", "she+beard")}  # frequent, rare


def main(folder: str = "example-inversion", num: str = "12", method: str = "encoder") -> None:
    vocabulary = load_vocabulary("minifaces")
    faces = StyleT2I.from_pretrained("minifaces")
    generator, inverter = faces.model.network("generator"), Inverter(faces.model, InversionConfig())
    plan = AuditPlan(
        name=f"are rare faces inverted worse? ({method})",
        num=int(num),
        compositions=tuple(name for pair in PAIRS.values() for name in pair),
        comparisons=tuple(Comparison(name=name, first=pair[0], second=pair[1]) for name, pair in PAIRS.items()),
    )
    told = {sentence: name for name, sentence in plan.sentences_of(vocabulary).items()}
    known = {name: open_dataset(f"minifaces:composition={name}/test:{num}", 64) for name in told.values()}

    def reconstruct(prompt: str, seed: int):
        (found,) = inverter.invert(known[told[prompt]].batch([seed]).images_u8, [method])
        with found[method].drawing(generator), torch.no_grad():
            return to_uint8(generator.synthesis(found[method].ws.unsqueeze(0).to(faces.model.device)))[0]

    audit = Audit(plan, vocabulary, reconstruct)
    audit.run(folder)
    result = audit.result(folder)
    page = write_report(result, folder, [folder])
    for compared in result.comparisons:
        low, high = compared.gap_interval
        print(f"{compared.name}: gap {100 * compared.gap:+.1f} points ({100 * low:.1f} to {100 * high:.1f})")
    print(f"open {page}")


if __name__ == "__main__":
    main(*sys.argv[1:])
