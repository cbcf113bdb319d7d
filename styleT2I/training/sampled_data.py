"""A generator's own samples as labelled, captioned data: a CLIP that has seen them is harder to fool by them."""

from collections.abc import Iterator

import torch

from styleT2I.attributes.captions import captions
from styleT2I.torch_utils.images import to_uint8
from styleT2I.torch_utils.seeding import generator as seeded

_BATCH_SIZE = 64
_NUM_CAPTIONS = 5
_MARGIN = 1.0  # in logits: samples that the judge is not sure about are left out


@torch.no_grad()
def labelled_samples(generator, judge, num: int, seed: int, min_psi: float) -> Iterator[tuple]:
    """Yield `num` samples (name, image_u8 [3, R, R], captions, attributes, mask bits None, nuisances None).

    Truncation psi is uniform in [min_psi, 1]; labels are the judge's, with the likeliest of the hair colours; samples
    on which any logit is within the margin are skipped.
    """
    device = next(generator.parameters()).device
    count = batch = 0
    while count < num:
        rng = seeded("labelled samples", seed, batch)
        batch += 1
        z = torch.randn(_BATCH_SIZE, generator.z_dim, generator=rng).to(device)
        psi = min_psi + (1 - min_psi) * torch.rand(_BATCH_SIZE, 1, generator=rng).to(device)
        ws = generator.mapping.w_avg.lerp(generator.mapping(z)[:, 0], psi)
        image = generator.synthesis(ws)
        logits = judge(image.clamp(-1, 1)).cpu()
        for row in torch.nonzero((logits.abs() > _MARGIN).all(dim=1)).flatten().tolist():
            if count == num:
                return
            attributes = (logits[row] > 0).tolist()
            texts = captions(dict(zip(judge.attribute_names, attributes, strict=True)), rng, _NUM_CAPTIONS)
            yield f"{count:06d}", to_uint8(image[row]).cpu(), texts, attributes, None, None
            count += 1
