"""Suite "edits": one attribute turned on or off by Attribute-to-Direction, and what moves along with it."""

from __future__ import annotations

import torch

from styleT2I.errors import ConfigError
from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge
from styleT2I.evaluation.suites import Request
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.metrics.attributes import drift_rates, success
from styleT2I.metrics.fidelity import structural_similarity
from styleT2I.statistics.intervals import wilson_interval
from styleT2I.torch_utils.seeding import latents_of_seeds

_BATCH_SIZE = 64


@torch.no_grad()
def evaluate_edits(request: Request) -> dict:
    """Every attribute stepped by strength 1 towards "true" and "false" on the latents of seeds 0 ... num - 1.

    Strength 1 is what the component's calibration found (the guide judge agreed on 95 %); the held-out judge says here
    on how many faces the attribute then has the value ("turned"), on how many each other attribute changed ("drift"),
    and how far nuisances moved, in units of their spread. "similarity" is the mean structural similarity of the edited
    and the unedited image: 1 where nothing moves. ConfigError for a component without calibrated strengths.
    """
    model, num, psi = request.model, request.num, request.psi
    strengths = model.info("a2d").get("strengths")
    if not strengths:
        raise ConfigError("the a2d component has no calibrated strengths; train it with --judge")
    G, pipeline, judge = model.network("generator"), StyleT2I(model), HeldOutJudge(model)
    names = tuple(name for name in strengths if name in judge.attribute_names)
    ws = G.mapping(latents_of_seeds(range(num), G.z_dim).to(model.device), truncation_psi=psi)
    unedited = torch.cat(list(_images(G, ws)))
    plain = judge.observe(unedited.split(_BATCH_SIZE))
    metrics = {}
    for name in names:
        a = pipeline.attribute_directions(ws[:, 0], (name,))[:, 0]  # [N, num_ws, w_dim]
        unit = a / a.flatten(1).norm(dim=1)[:, None, None].clamp_min(1e-8)
        metrics[name] = {}
        for side, value in (("true", True), ("false", False)):
            step = strengths[name][side] * (1 if value else -1)
            edited = torch.cat(list(_images(G, ws + step * unit)))
            after = judge.observe(edited.split(_BATCH_SIZE))
            requests = judge.requests([{name: value}] * num)
            right = int(success(after.verdict, requests).sum())
            drift = judge.by_name(drift_rates(plain.verdict, after.verdict, requests))
            metrics[name][side] = {
                "strength": strengths[name][side],
                "turned": right / num,
                "turned_interval": wilson_interval(right, num),
                "drift_mean": sum(drift.values()) / len(drift),
                "drift_worst": max(drift.values()),
                "drift": drift,
                "similarity": structural_similarity(unedited, edited).mean().item(),
                "nuisances": judge.changes(plain, after),
            }
    sides = [side for sides_of in metrics.values() for side in sides_of.values()]
    moved = [value for side in sides for value in side["nuisances"].values()]
    return {
        "num": num,
        "truncation_psi": psi,
        "turned": sum(side["turned"] for side in sides) / len(sides),
        "turned_worst": min(side["turned"] for side in sides),
        "drift_mean": sum(side["drift_mean"] for side in sides) / len(sides),
        "drift_worst": max(side["drift_worst"] for side in sides),
        "nuisances_mean": sum(moved) / max(len(moved), 1),
        "similarity_mean": sum(side["similarity"] for side in sides) / len(sides),
        "attributes": metrics,
    }


def _images(G, ws):
    return (G.synthesis(part).clamp(-1, 1) for part in ws.split(_BATCH_SIZE))
