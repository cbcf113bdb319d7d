"""Suite "t2d": do faces made from unseen captions show what the captions say, and do they stay faces."""

import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.prompt import Prompt
from styleT2I.data.dataset import open_dataset
from styleT2I.evaluation.measurement import judge_basis
from styleT2I.evaluation.measures.clip import encode_texts
from styleT2I.evaluation.measures.ranking import Ranking, agreeing_captions
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.generator import data_features, plain_samples
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.metrics.attributes import attribute_rates, drift_rates, encode_requests, success, verdicts
from styleT2I.metrics.frechet import frechet_distance
from styleT2I.statistics.intervals import wilson_interval
from styleT2I.torch_utils.images import from_uint8
from styleT2I.torch_utils.seeding import generator

_BATCH_SIZE = 64


@torch.no_grad()
def evaluate_captions(request: Request) -> dict:
    """Caption i of the data on the latent of seed i, judged by the held-out judge and the second CLIP.

    "success": rate of images with every requested attribute right (with a 95 % Wilson interval), "unedited": the same
    rate before the edit, "success_real": that of the captions' own images, which the judge's errors alone keep below 1,
    "attributes": by attribute, "drift": changed although nobody asked; "r_precision" (1 in 100,
    against captions that contradict the own one, for those that at least 99 do) beside what real images of the same
    captions get; "frechet" to those images beside the plain samples' distance
    to the same number of training images, both in the held-out judge's features.
    """
    model, data, psi = request.model, request.data, request.psi
    dataset = open_dataset(data, model.network("generator").resolution, with_masks=False)
    num = min(request.num, len(dataset))
    captions = [dataset.captions_of(i)[0] for i in range(num)]
    judge, clip_eval = model.network("judges.heldout"), model.network("clip_eval")
    groups = [group.attributes for group in model.vocabulary.exclusive if group.exactly_one]
    asked = [parse(caption, model.vocabulary).attributes for caption in captions]
    requests = encode_requests(asked, judge.attribute_names, groups)
    before, _, _ = observe_with_clip(judge, clip_eval, plain_samples(model, num, psi))
    prompts = [Prompt(caption, attributes, ()) for caption, attributes in zip(captions, asked, strict=True)]
    after, features, clip_edited = observe_with_clip(judge, clip_eval, _edits(model, prompts, psi))
    right = success(after, requests)
    meanings = [frozenset(request.items()) for request in asked]
    ranking = Ranking(meanings, generator("evaluate", "t2d"), agreeing_captions(requests))
    texts = encode_texts(clip_eval, captions)
    seen, _, clip_real = observe_with_clip(judge, clip_eval, dataset_images(dataset, range(num), model.device))
    real, _ = data_features(judge, data, num, dataset.resolution)
    plain = torch.cat([judge.features(image) for image in plain_samples(model, num, psi)])
    training, _ = data_features(judge, data.replace("/test", "/train"), num, dataset.resolution)
    names = judge.attribute_names
    metrics = {
        "num": num,
        "truncation_psi": psi,
        "success": float(right.double().mean()),
        "success_interval": wilson_interval(int(right.sum()), num),
        "unedited": float(success(before, requests).double().mean()),
        "success_real": float(success(seen, requests).double().mean()),
        "attributes": dict(zip(names, attribute_rates(after, requests).tolist(), strict=True)),
        "drift": dict(zip(names, drift_rates(before, after, requests).tolist(), strict=True)),
        "r_precision": float(ranking.found(clip_edited, texts).mean()),
        "r_precision_real": float(ranking.found(clip_real, texts).mean()),
        "r_precision_num": len(ranking),
        "frechet": frechet_distance(features, real),
        "frechet_plain": frechet_distance(plain, training),
        "features": judge_basis(
            model,
            fake=f"model {model.name}, psi {psi:g}, a caption each, adjustment none",
            num_fake=num,
            seeds=f"0-{num - 1}",
            real=data,
            num_real=num,
        ),
    }
    metrics["r_precision_ratio"] = metrics["r_precision"] / metrics["r_precision_real"]
    metrics["frechet_ratio"] = metrics["frechet"] / metrics["frechet_plain"]
    return metrics


def observe_with_clip(judge, clip_eval, images):
    """Verdicts int8 [N, A] on the CPU, judge features [N, F], CLIP image features [N, D] on the CPU."""
    verdict, features, clip = [], [], []
    for image in images:
        rows = judge.features(image)
        features.append(rows)
        verdict.append(verdicts(judge.logits_of(rows)).cpu())
        clip.append(clip_eval.encode_image(image).cpu())
    return torch.cat(verdict), torch.cat(features), torch.cat(clip)


def _edits(model, prompts, psi):
    """Prompt i on the latent of seed i, by Text-to-Direction alone."""
    pipeline, G = StyleT2I(model), model.network("generator")
    for start in range(0, len(prompts), _BATCH_SIZE):
        batch = prompts[start : start + _BATCH_SIZE]
        ws = pipeline.latents(range(start, start + len(batch)), psi)
        yield G.synthesis(ws + pipeline.directions(ws, batch, adjustment=None).s_adjusted).clamp(-1, 1)


def dataset_images(dataset, rows, device):
    """Yield the given images of a data set as image batches in [-1, 1] on the device."""
    for start in range(0, len(rows), _BATCH_SIZE):
        yield from_uint8(dataset.batch(rows[start : start + _BATCH_SIZE]).images_u8).to(device)
