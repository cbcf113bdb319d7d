"""Rows of the comparison: systems opened by name or folder, each with an untrained twin of its own architecture."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from styleT2I.config import override, to_dict
from styleT2I.data.worlds import World
from styleT2I.errors import ConfigError
from styleT2I.evaluation.suites import Request
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.systems.interface import StyleT2ISystem, TextToImage, open_system
from styleT2I.generation.systems.karlo import KarloSystem
from styleT2I.generation.systems.unclip import PRIORS, UnclipSystem
from styleT2I.networks.registry import build_network
from styleT2I.torch_utils.seeding import derive_seed

UNADJUSTED = "none"
_DRAWING = ("generator", "t2d", "clip", "a2d", "judges.guide")  # roles that a StyleT2I image may depend on
_PRIOR_TITLES = {
    "diffusion": "diffusion prior", "ar": "autoregressive prior", "none": "no prior", "text": "decoder on the caption",
}  # fmt: skip
_NUM_SETTLING = 64  # images that an untrained twin's batch norms take their statistics from


@dataclass(frozen=True)
class Row:
    """A system in the comparison."""

    name: str
    system: TextToImage
    untrained: Callable[[Sequence[str]], TextToImage] | None = None  # given sentences; None: no such control
    facts: dict = field(default_factory=dict)  # what it is, ready for JSON
    redraw: Callable | None = None  # images, texts and seeds -> images: what bounds it, from the data's own images


def open_requested(request: Request) -> dict:
    """The rows of the systems that a request names, as its option "rows"; else those of its world."""
    sources = request.options["systems"] or systems_of(request.needed_world())
    return {"rows": open_rows(sources, request.adjustments, request.psi, str(request.model.device))}


def systems_of(world: World) -> tuple[str, ...]:
    """The systems of a world that the package has: the earlier ones, then the world's own model."""
    return (*world.baselines, world.name)


def open_rows(
    sources: Sequence[str], adjustments: Sequence[AdjustmentConfig], psi: float, device: str = "auto"
) -> list[Row]:
    """A row for every earlier GAN, every prior of an unCLIP and every method of adjustment of a StyleT2I model.

    Sources are as `systems` opens them. A StyleT2I model without an Attribute-to-Direction network has the row without
    adjustment alone. ConfigError for a name given twice; CheckpointError where one does not open.
    """
    rows = []
    for source in sources:
        name = Path(source).name
        system = open_system(source, device=device)
        if isinstance(system, UnclipSystem):
            rows += _rows_of_unclip(name, system)
            continue
        if isinstance(system, KarloSystem):
            raise ConfigError(f"{source}: is a whole Karlo, which the comparison does not draw; leave it out")
        if not isinstance(system, StyleT2ISystem):
            rows.append(_row_of_gan(name, system))
            continue
        pipeline = system.pipeline
        for role in filter(pipeline.model.has, _DRAWING):
            pipeline.model.network(role)  # so that `describe` names it
        used = [config for config in adjustments if config.method == UNADJUSTED or pipeline.model.has("a2d")]
        rows += _rows_of_pipeline(name, pipeline, used, psi)
    names = [row.name for row in rows]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ConfigError(f"two systems are named {twice!r}; rename a folder")
    return rows


def _row_of_gan(name, gan):
    training = gan.model.info(gan.role).get("training", {})
    is_control = bool(training.get("shuffle_captions"))
    facts = {"kind": gan.role, "trained_on_shuffled_captions": is_control}
    title = f"{name} (captions shuffled in training)" if is_control else name
    return Row(title, gan, functools.partial(untrained_gan, gan), facts)


def _rows_of_unclip(name, system):
    """A row per prior that the model has, one without a prior and one of the decoder on the caption alone."""
    training = [system.model.info(role).get("training", {}) for role in ("unclip", *filter(None, PRIORS.values()))
                if system.model.has(role)]  # fmt: skip
    is_control = any(settings.get("shuffle_captions") for settings in training)
    control = " (captions shuffled in training)" if is_control else ""
    untrained = functools.partial(untrained_gan, system)
    for prior, role in PRIORS.items():
        if role is not None and not system.model.has(role):
            continue
        variant = system.with_settings(override(system.settings, prior=prior, best_of=None))
        facts = {"kind": f"unclip {prior}", "trained_on_shuffled_captions": is_control}
        redraw = variant.redraw if prior == "none" else None
        yield Row(f"{name}, {_PRIOR_TITLES[prior]}{control}", variant, untrained, facts, redraw)


def _rows_of_pipeline(name, pipeline, adjustments, psi):
    twin = functools.cache(lambda: untrained_pipeline(pipeline, psi))

    def untrained(sentences):
        return twin()

    for config in adjustments:
        method = "T2D alone" if config.method == UNADJUSTED else config.method
        system = StyleT2ISystem(pipeline, None if config.method == UNADJUSTED else config, psi)
        facts = {"kind": "stylet2i", "adjustment": asdict(config), "truncation_psi": psi}
        yield Row(f"StyleT2I {name}, {method}", system, untrained, facts)


def untrained_gan(gan, sentences: Sequence[str]):
    """The system with its generator's weights as a seed draws them; its text encoder stays.

    Batch norms, where there are any, take their statistics from images of the sentences, as in the first step of a
    training: left as built, they would let through almost nothing of noise and text.
    """
    twin = copy.copy(gan)
    twin.network = _new_network(gan.network)
    norms = [module for module in twin.network.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    if norms:
        for norm in norms:
            norm.train()
            norm.momentum = None  # the mean of all that it meets
        sentences = (list(sentences) * _NUM_SETTLING)[:_NUM_SETTLING]
        twin.sample_together([twin.understand(text) for text in sentences], range(len(sentences)))
        twin.network.eval()
    return twin


def untrained_pipeline(pipeline: StyleT2I, psi: float) -> StyleT2ISystem:
    """The trained generator and CLIP with a Text-to-Direction network as a seed draws it, without adjustment."""
    model = pipeline.model
    parts = {role: model.network(role) for role in ("generator", "clip") if model.has(role)}
    parts["t2d"] = _new_network(model.network("t2d"))
    twin = Model(parts, vocabulary=model.vocabulary, device=model.device, name=model.name)
    return StyleT2ISystem(StyleT2I(twin), None, psi)


def _new_network(network):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("untrained", network.kind))
        return build_network(network.kind, to_dict(network.config)).to(next(network.parameters()).device)
