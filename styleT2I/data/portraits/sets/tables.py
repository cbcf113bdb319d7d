"""The tables of a rendered set, made from its records: the layout that `data.folder` reads, and scenes.npz."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from styleT2I.data.portraits.dataset import captions_of
from styleT2I.data.portraits.parts import PARTS
from styleT2I.data.portraits.scenes.attributes import ATTRIBUTES
from styleT2I.data.portraits.scenes.recipe import Recipe
from styleT2I.data.portraits.scenes.vector import VECTOR_NAMES, scene_vector
from styleT2I.data.portraits.sets.records import Record
from styleT2I.data.writer import FORMAT
from styleT2I.torch_utils.files import atomic_path, write_json_atomic, write_text_atomic


def write_tables(folder: Path, recipe: Recipe, records: Mapping[int, Record]) -> None:
    """Write attributes.csv, captions.json, masks/regions.json, scenes.npz and dataset.json; each whole or not at all.

    scenes.npz holds names [N], vectors [N, VECTOR_SIZE] float32 with vector_names, landmarks [N, 68, 2] float32.
    """
    records = [records[k] for k in sorted(records)]
    write_text_atomic(folder / "attributes.csv", _attributes(records))
    captions = {r.name: captions_of(recipe, r.index, r.labels()) for r in records}
    write_text_atomic(folder / "captions.json", json.dumps(captions, indent=1, ensure_ascii=False) + "\n")
    write_json_atomic(folder / "masks" / "regions.json", {"encoding": "index", "regions": list(PARTS)})
    with atomic_path(folder / "scenes.npz") as path, open(path, "wb") as f:
        np.savez_compressed(
            f,
            names=np.array([r.name for r in records]),
            vectors=np.stack([scene_vector(recipe.scene(r.index, r.attempt)) for r in records]),
            vector_names=np.array(VECTOR_NAMES),
            landmarks=np.array([r.landmarks for r in records], np.float32),
        )
    about = {"format": FORMAT, "format_version": 1, "num": len(records), **recipe.info()}
    write_json_atomic(folder / "dataset.json", about)


def _attributes(records: list[Record]) -> str:
    text = io.StringIO()
    rows = [[r.name, *(int(value) for value in r.labels().values())] for r in records]
    csv.writer(text, lineterminator="\n").writerows([["file", *ATTRIBUTES], *rows])
    return text.getvalue()
