"""Suite "unclip": its priors by what their embeddings say, its decoder on true embeddings, and its edits of images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from styleT2I.attributes.wording.sentences import sentence
from styleT2I.baselines.unclip.prior import Caption
from styleT2I.config import override
from styleT2I.evaluation.measures.embedded_data import EmbeddedData
from styleT2I.evaluation.measures.embeddings import BATCH_SIZE, EmbeddingEvaluation
from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.compositions.cells import composition_cells
from styleT2I.generation.systems.unclip import PRIORS, UnclipSettings, UnclipSystem
from styleT2I.generation.systems.unclip_edits import ImageEdits, Latent
from styleT2I.metrics.attributes import encode_requests, success, verdicts
from styleT2I.metrics.linear_probe import LinearProbe, fit_linear_probe, variance_explained
from styleT2I.statistics.intervals import bootstrap_interval, wilson_interval
from styleT2I.torch_utils.images import from_uint8, to_uint8
from styleT2I.torch_utils.seeding import generator

NUM_PROBED = 4000  # images of balanced/train, whose labels and embeddings the linear reading is fitted to
NUM_LATENTS = 32  # seeds of a composition
NUM_DECODED, NUM_EDITED = 128, 16  # at most: decoding is what costs
GUIDANCES, NUM_CANDIDATES = (1.5, 2.0, 3.0, 4.0), (2, 4)
ETAS, THETAS = (0.0, 0.5, 1.0), (0.25, 0.5)
DIFFS = ("smiling", "glasses", "hat", "old", "gray_hair", "beard")  # terms of every world that text diffs turn true


def prior_settings(system: UnclipSystem) -> dict[str, UnclipSettings]:
    """Ways of drawing an embedding by name: the priors that the model has, guided and as the best of several."""
    base = system.settings
    ways = {"the caption's embedding": override(base, prior="none", best_of=None)}
    for prior, title in (("diffusion", "diffusion prior"), ("ar", "autoregressive prior")):
        if not system.model.has(PRIORS[prior]):
            continue
        plain = override(base, prior=prior, best_of=1, prior_guidance=1.0)
        ways[title] = plain
        ways |= {f"{title}, best of {num}": override(plain, best_of=num) for num in NUM_CANDIDATES}
        ways |= {f"{title}, guidance {by:g}": override(plain, prior_guidance=by) for by in GUIDANCES}
        if prior == "diffusion":
            ways[f"{title}, 1 step"] = override(plain, prior_steps=1)
    return ways


def open_requested(request: Request) -> dict:
    """The unCLIP that a request names, as its option "system"."""
    source = (request.options["systems"] or ["unclip"])[0]
    return {"system": ImageEdits.open(source, str(request.model.device)).system}


@torch.no_grad()
def evaluate_unclip(request: Request) -> dict:
    """The unCLIP of options["system"] on captions and images of unseen scenes; the model lends the held-out judge.

    "explained_by_labels": rate of the embeddings' variance that follows linearly from the labels.
    "priors": by way of drawing, metrics as EmbeddingEvaluation's with the rates of requests on rare compositions and
    their frequent twins, read off the embeddings. "decoder": images of the true embeddings, which bounds every prior.
    "edits": what inversions, variations and text diffs keep. Intervals are 95 %.
    """
    system, num, world = request.options["system"], request.num, request.needed_world()
    probed = world.spec("balanced/train", NUM_PROBED)
    dataset = EmbeddedData(request.data, system.encoder, system.device, keep_images=True)
    known = EmbeddedData(probed, system.encoder, system.device)
    probe = fit_linear_probe(known.embeddings, known.labels)
    evaluation = EmbeddingEvaluation(dataset, num, probe, world.name)
    cells = composition_cells(world, NUM_LATENTS)
    priors = {"true embeddings": evaluation.measure(lambda caption, seeds: dataset.embeddings[list(seeds)])}
    for name, settings in prior_settings(system).items():
        variant = system.with_settings(settings)
        priors[name] = {**evaluation.measure(variant.embeddings), **_composed(variant, cells, probe, dataset.names)}
    judge = HeldOutJudge(request.model)
    return {
        "num": evaluation.num,
        "num_latents": NUM_LATENTS,
        "probe": probed,
        "explained_by_labels": variance_explained(known.embeddings, known.labels),
        "priors": priors,
        "decoder": _decoded(system, dataset, judge, min(num, NUM_DECODED)),
        "edits": _edited(system, dataset, judge, min(num, NUM_EDITED)),
        "model_drawn": system.describe(),
    }


def _composed(system, cells, probe: LinearProbe, names) -> dict:
    """Rates of every request being read off the embeddings, over compositions, with intervals over seeds."""
    rates = {"rare": [], "frequent": []}
    for cell in cells:
        caption = system.captions(cell.sentences)
        z = torch.cat([
            system.embeddings(Caption(*(part[start : start + BATCH_SIZE] for part in caption)),
                              range(start, min(start + BATCH_SIZE, NUM_LATENTS)))
            for start in range(0, NUM_LATENTS, BATCH_SIZE)
        ]).cpu()  # fmt: skip
        rates[cell.kind].append(success(verdicts(probe(z)), encode_requests(cell.requests, names)).double())
    metrics = {}
    for kind, columns in rates.items():
        values = torch.stack(columns, dim=1)
        metrics[kind] = values.mean().item()
        metrics[f"{kind}_interval"] = bootstrap_interval(values, generator("evaluate", "unclip", kind))
    return metrics


def _decoded(system, dataset, judge, num):
    """The decoder on true embeddings with their captions: requests right, and all labels of the scene."""
    prompts = [captions[0] for captions in dataset.captions[:num]]
    given = from_uint8(dataset.images_u8[:num])
    images = system.redraw(given, prompts, range(num))
    verdict, truth = _verdict(judge, images), _labels(dataset, judge, range(num))
    renders = _verdict(judge, given)
    requests = judge.requests([system.understand(text).attributes for text in prompts])
    right = success(verdict, requests)
    return {
        "num": num,
        "success": right.double().mean().item(),
        "success_interval": wilson_interval(int(right.sum()), num),
        **_agreement(verdict, truth),
        "labels_of_renders": _agreement(renders, truth)["labels"],
    }


def _edited(system, dataset, judge, num):
    edits = ImageEdits(system)
    images = from_uint8(dataset.images_u8[:num])
    latent, truth = edits.encode(images), _labels(dataset, judge, range(num))
    variations = {}
    for eta in ETAS:
        made = edits.decode(latent, range(num), eta)
        variations[f"eta {eta:g}"] = {"psnr": _psnr(made, images), **_agreement(_verdict(judge, made), truth)}
    return {"num": num, "variations": variations, "text_diffs": _diffs(edits, latent, truth, judge, system)}


def _diffs(edits, latent: Latent, truth, judge, system):
    """Text diffs to each of DIFFS on the images without it: how often it then shows, how many other labels change."""
    metrics = {}
    before = _verdict(judge, edits.decode(latent, range(len(truth))))
    vocabulary = system.model.vocabulary
    for theta in THETAS:
        turned, changed = [], []
        for name, wanted in map(vocabulary.resolve, DIFFS):
            column = judge.attribute_names.index(name)
            for row in torch.nonzero(truth[:, column] != wanted).flatten().tolist():
                own = Latent(*(part[row : row + 1] for part in latent))
                texts = (sentence({name: value}, vocabulary) for value in (wanted, not wanted))
                after = _verdict(judge, edits.text_diff(own, *texts, [theta]))[0]
                turned.append(float(after[column] == int(wanted)))
                others = [k for k in range(len(after)) if k != column]
                changed.append((after[others] != before[row, others]).double().mean().item())
        draw = generator("evaluate", "unclip", "diffs")
        metrics[f"theta {theta:g}"] = {
            "num": len(turned),
            "turned": sum(turned) / max(len(turned), 1),
            "turned_interval": wilson_interval(int(sum(turned)), len(turned)),
            "others_changed": sum(changed) / max(len(changed), 1),
            "others_changed_interval": bootstrap_interval(torch.tensor(changed, dtype=torch.float64), draw),
        }
    return metrics


def _verdict(judge, images):
    """int8 [N, A] of images rounded to 8 bits."""
    device = next(judge.network.parameters()).device
    return judge.observe(from_uint8(to_uint8(part)).to(device) for part in images.split(BATCH_SIZE)).verdict


def _labels(dataset, judge, rows: Sequence[int]):
    """What the scenes show, bool [N, A] over the judge's attributes."""
    columns = [dataset.names.index(name) for name in judge.attribute_names]
    return dataset.labels[list(rows)][:, columns]


def _agreement(verdict, truth):
    """Rate of labels that the judge sees as they are in the scene, mean over images, with its interval."""
    values = (verdict == truth).double().mean(dim=1)
    interval = bootstrap_interval(values, generator("evaluate", "unclip", "labels"))
    return {"labels": values.mean().item(), "labels_interval": interval}


def _psnr(made, images):
    """Of images in [-1, 1] against those they stand for at the same side, decibels, mean."""
    side = made.shape[-1]
    given = F.interpolate(images, size=(side, side), mode="area") if side < images.shape[-1] else images
    errors = ((made - given).square().mean(dim=(1, 2, 3)) / 4).clamp_min(1e-10)
    return (-10 * errors.log10()).mean().item()
