"""What the audit's metrics of image quality measure: drawings, spoilt drawings, and images of the embedded model.

Run `python benchmarks/picture_quality.py` in a checkout: mean and standard deviation of realism (held-out judge),
naturalness and sharpness over 128 images per row, the reference being 1,000 drawings of the balanced test split.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

NUM = 128


def image_sets(model):
    """Yield name and uint8 [NUM, 3, H, W] of every row."""
    import torch
    from torch.nn import functional as F

    from styleT2I import StyleT2I
    from styleT2I.data.dataset import open_dataset
    from styleT2I.torch_utils.seeding import generator

    drawn = open_dataset(f"minifaces:balanced/val:{NUM}", with_masks=False).batch(range(NUM)).images_u8
    yield "other drawings", drawn
    rare = open_dataset(f"minifaces:composition=she+beard/val:{NUM}", with_masks=False)
    yield "drawings of she+beard", rare.batch(range(NUM)).images_u8
    for deviation in (3, 8, 24):
        noise = deviation * torch.randn(drawn.shape, generator=generator("noise", deviation))
        yield f"noise, deviation {deviation}", (drawn + noise).clamp(0, 255).to(torch.uint8)
    yield "blur, 3 x 3", F.avg_pool2d(drawn.float(), 3, 1, 1).to(torch.uint8)
    yield "negatives", 255 - drawn
    pipeline = StyleT2I(model)
    for psi in (1.0, 0.7):
        yield f"the model, psi {psi:g}", pipeline.images_u8(pipeline.latents(range(NUM), psi), range(NUM))


def main():
    import torch

    from styleT2I.data.dataset import open_dataset
    from styleT2I.fairness.analysis.image_quality import ImageQuality
    from styleT2I.generation.model import Model
    from styleT2I.torch_utils.images import from_uint8

    model = Model.from_pretrained("minifaces", device="cpu")
    judge = model.network("judges.heldout")
    reference = open_dataset("minifaces:balanced/test:1000", with_masks=False)
    quality = ImageQuality(lambda images_u8: judge.features(from_uint8(images_u8)), reference)
    names = ("realism", "naturalness", "sharpness")
    print("| images | " + " | ".join(names) + " |\n| --- | --- | --- | --- |")
    with torch.no_grad():
        for name, images_u8 in image_sets(model):
            found = {figure: torch.tensor(values) for figure, values in quality.measure(images_u8).items()}
            cells = [f"{found[figure].mean():.2f} ({found[figure].std():.2f})" for figure in names]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
