"""Suite "compositions": do rare compositions come out as well as their frequent twins, and what else changes."""

from __future__ import annotations

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
    Finished cells are cached in cells_dir and not measured again. Raises ConfigError for methods given twice, or a
    model whose vocabulary is not MiniFaces', CheckpointError where it lacks a network.
    """
    model, num, psi, adjustments = request.model, request.num, request.psi, request.adjustments
    _check(model, adjustments)
    pipeline = StyleT2I(model)
    measure = CellMeasure(pipeline, num, psi)
    cache = CachedCells(request.cells_dir, model, num, psi) if request.cells_dir else None
    work = [(cell, config) for cell in (*composition_cells(num), *count_cells(num)) for config in adjustments]
    cells = []
    for cell, config in tqdm(shard_of(work, request.shard), "compositions", unit="cell", disable=None):
        metrics = cache.read(cell, config) if cache else None
        if metrics is None:
            metrics = measure.measure(cell, config)
            if cache:
                cache.write(cell, config, metrics)
        cells.append(metrics)
    if request.shard.count > 1:
        return {}
    add_comparisons(cells)
    methods = {config.method: {"settings": asdict(config), **summarise(cells, config.method)} for config in adjustments}
    summary = {"method": adjustments[-1].method, **methods[adjustments[-1].method]}
    return {
        "num": num,
        "truncation_psi": psi,
        "features": judge_basis(
            model,
            fake=f"model {model.name}, psi {psi:g}, each cell's sentences",
            num_fake=num,
            seeds=f"0-{num - 1}",
            real="each cell's own pictures: minifaces:composition=CELL/test, of counts biased/test",
            num_real=num,
        ),
        "readable_nuisances": measure.judge.readability,
        "summary": summary,
        "methods": methods,
        "cells": cells,
    }


@torch.no_grad()
def compositions_grid(request: Request) -> torch.Tensor:
    """One image [3, H, W] uint8, a row per cell: some unedited faces, then the same faces under each method."""
    measure = CellMeasure(StyleT2I(request.model), _GRID_FACES, request.psi)
    G = measure.generator
    scale = max(1, _GRID_FACE_SIZE // G.resolution)
    plain = G.synthesis(measure.ws).clamp(-1, 1)
    methods = ["T2D alone" if config.method == BASELINE else config.method for config in request.adjustments]
    titles = " | ".join(["unedited", *methods])
    rows = []
    for cell in composition_cells(_GRID_FACES):
        images = [plain]
        images += [image for config in request.adjustments for image, _ in measure.edits(cell, config)]
        row = torch.cat([make_grid_u8(to_uint8(image), _GRID_FACES, scale=scale) for image in images], dim=2)
        rows += [text_strip_u8(f"{cell.sentences[0]} ({cell.kind}): {titles}", row.shape[2]), row]
    return torch.cat(rows, dim=1)


def _check(model, adjustments):
    methods = [config.method for config in adjustments]
    if len(set(methods)) < len(methods):
        raise ConfigError(f"each method of adjustment can be measured once in a run, got {', '.join(methods)}")
    if model.vocabulary is None or model.vocabulary.name != "minifaces":
        raise ConfigError("the suite compositions needs a model whose vocabulary is minifaces")
    if any(method != BASELINE for method in methods):
        model.network("a2d")  # a missing one should not show after minutes
