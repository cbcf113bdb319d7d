"""Suite "wordings": which of a vocabulary's words the guiding CLIP has learnt, since only those can steer."""

import torch

from styleT2I.attributes.wording.paraphrase import Paraphraser
from styleT2I.data.dataset import open_dataset
from styleT2I.evaluation.suites import Request
from styleT2I.torch_utils.images import from_uint8

_BATCH_SIZE = 64
WEAK = 0.9  # area under the curve below which a wording counts as weak


@torch.no_grad()
def evaluate_wordings(request: Request) -> dict:
    """Area under the ROC curve of every wording of every attribute value, by its cosine with labelled images.

    1: the wording ranks every image it is true of above every other; 0.5: it tells nothing.
    """
    model = request.model
    clip = model.network("clip")
    dataset = open_dataset(request.data, model.network("generator").resolution, with_masks=False)
    num = min(request.num, len(dataset))
    batches = [dataset.batch(range(i, min(i + _BATCH_SIZE, num))) for i in range(0, num, _BATCH_SIZE)]
    features = torch.cat([clip.encode_image(from_uint8(batch.images_u8).to(model.device)).cpu() for batch in batches])
    labels = torch.cat([batch.attributes for batch in batches])
    areas = {}
    for name, value, text in Paraphraser(model.vocabulary).wordings():
        if name in dataset.attribute_names:
            cosine = features @ clip.encode_text([text])[0].cpu()
            areas[f"{text} ({name}: {str(value).lower()})"] = area_under_the_curve(
                cosine, labels[:, list(dataset.attribute_names).index(name)] == value
            )
    weak = {text: area for text, area in sorted(areas.items(), key=lambda item: item[1]) if area < WEAK}
    values = torch.tensor(list(areas.values()))
    return {
        "num": num,
        "wordings": len(areas),
        "mean": values.mean().item(),
        "worst": values.min().item(),
        "weak_share": len(weak) / len(areas),
        "weak": weak,
    }


def area_under_the_curve(score, is_true) -> float:
    """P(score of a true one > score of another), ties counted half (Mann and Whitney 1947)."""
    values, inverse = torch.unique(score, return_inverse=True)
    counts = torch.bincount(inverse, minlength=len(values)).double()
    ranks = (counts.cumsum(0) - (counts - 1) / 2)[inverse]  # mean rank of ties, from 1
    positives, negatives = int(is_true.sum()), int((~is_true).sum())
    if not positives or not negatives:
        return float("nan")
    return ((ranks[is_true].sum() - positives * (positives + 1) / 2) / (positives * negatives)).item()
