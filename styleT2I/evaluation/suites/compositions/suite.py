"""Suite "compositions": do rare compositions come out as well as their frequent twins, and what else changes."""

from __future__ import annotations

import warnings
from dataclasses import asdict

import torch
from tqdm import tqdm

from styleT2I.errors import ConfigError
from styleT2I.evaluation.cache import CachedCells
from styleT2I.evaluation.measurement import judge_basis
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.compositions.cells import composition_cells, count_cells
from styleT2I.evaluation.suites.compositions.measure import CellMeasure
from styleT2I.evaluation.suites.compositions.summary import BASELINE, add_comparisons, summarise
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.torch_utils.images import make_grid_u8, text_strip_u8, to_uint8
from styleT2I.torch_utils.launch import shard_of

_GRID_FACES = 4  # latents of a cell that the grid shows
_GRID_FACE_SIZE = 96  # pixels


def evaluate_compositions(request: Request) -> dict:
    """Every cell under every method of adjustment, on the latents of seeds 0 ... num - 1, by the held-out judge.

    The last of `adjustments` is the one that "summary" speaks of; "methods" has every one's settings and summary.
    Finished cells are cached in cells_dir and not measured again. "left_out" says why distances are missing, where
    a world's images of the compositions are not rendered. Raises ConfigError for methods given twice, or a model of no
    world, CheckpointError where it lacks a network.
    """
    model, num, psi, adjustments = request.model, request.num, request.psi, request.adjustments
    world = request.needed_world()
    _check(model, adjustments)
    pipeline = StyleT2I(model)
    measure = CellMeasure(pipeline, world, num, psi)
    cache = CachedCells(request.cells_dir, model, num, psi) if request.cells_dir else None
    asked = (*composition_cells(world, num), *count_cells(world, num, request.data))
    missing = {cell.name for cell in asked if world.why_missing(cell.data)}
    left_out = _left_out(world, missing, num)
    work = [(cell, config) for cell in asked for config in adjustments]
    cells = []
    for cell, config in tqdm(shard_of(work, request.shard), "compositions", unit="cell", disable=None):
        metrics = cache.read(cell, config) if cache else None
        if metrics is None or (metrics["frechet"] is None and cell.name not in missing):  # rendered since
            metrics = measure.measure(cell, config)
            if cache:
                cache.write(cell, config, metrics)
        cells.append(metrics)
    if request.shard.count > 1:
        return {}
    add_comparisons(cells)
    groups = world.nuisance_groups
    methods = {
        config.method: {"settings": asdict(config), **summarise(cells, config.method, groups)} for config in adjustments
    }
    summary = {"method": adjustments[-1].method, **methods[adjustments[-1].method]}
    return {
        "num": num,
        "truncation_psi": psi,
        "features": judge_basis(
            model,
            fake=f"model {model.name}, psi {psi:g}, each cell's sentences",
            num_fake=num,
            seeds=f"0-{num - 1}",
            real=f"each cell's own images: {world.name}:composition=CELL/test, of counts biased/test",
            num_real=num,
        ),
        **({"left_out": {"frechet": left_out}} if left_out else {}),
        "readable_nuisances": measure.judge.readability,
        "summary": summary,
        "methods": methods,
        "cells": cells,
    }


@torch.no_grad()
def compositions_grid(request: Request) -> torch.Tensor:
    """One image [3, H, W] uint8, a row per cell: some unedited faces, then the same faces under each method."""
    world = request.needed_world()
    measure = CellMeasure(StyleT2I(request.model), world, _GRID_FACES, request.psi)
    G = measure.generator
    scale = max(1, _GRID_FACE_SIZE // G.resolution)
    plain = G.synthesis(measure.ws).clamp(-1, 1)
    methods = ["T2D alone" if config.method == BASELINE else config.method for config in request.adjustments]
    titles = " | ".join(["unedited", *methods])
    rows = []
    for cell in composition_cells(world, _GRID_FACES):
        images = [plain]
        images += [image for config in request.adjustments for image, _ in measure.edits(cell, config)]
        row = torch.cat([make_grid_u8(to_uint8(image), _GRID_FACES, scale=scale) for image in images], dim=2)
        rows += [text_strip_u8(f"{cell.sentences[0]} ({cell.kind}): {titles}", row.shape[2]), row]
    return torch.cat(rows, dim=1)


def _left_out(world, missing, num):
    """Why distances of compositions are left out, said as a warning too; "" where none is."""
    if not missing:
        return ""
    text = (
        f"Frechet distances of {len(missing)} compositions are left out: their images are not rendered; render them: "
        f"python -m styleT2I.data.{world.name} compositions/test:{num}"
    )
    warnings.warn(text, stacklevel=3)
    return text


def _check(model, adjustments):
    methods = [config.method for config in adjustments]
    if len(set(methods)) < len(methods):
        raise ConfigError(f"each method of adjustment can be measured once in a run, got {', '.join(methods)}")
    if any(method != BASELINE for method in methods):
        model.network("a2d")  # a missing one should not show after minutes
