"""A model as a folder of static files: a page that draws in the browser, from a file server or from the disk itself.

Browsers let a page that was opened from the disk load scripts, and nothing else. So weights and runtime are scripts
that hold compressed files as text.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import tempfile
from importlib.resources import files
from pathlib import Path

from styleT2I.errors import CheckpointError
from styleT2I.exports.graphs import traceable_graphs
from styleT2I.exports.onnx import check_installed, write_graphs
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.torch_utils.files import one_line_os_errors, write_bytes_atomic, write_text_atomic
from styleT2I.torch_utils.folders import result_folder

RECORD = "web.json"
PAGE = ("index.html", "style.css", "app.js", "model.js", "words.js", "random.js", "LICENSE-onnxruntime.txt")
WEIGHTS, RUNTIME = "weights.js", "runtime.js"
_RUNTIME_FILES = {"ort.mjs": "ort.wasm.bundle.min.mjs", "ort.wasm": "ort-wasm-simd-threaded.wasm"}
_PLACES = ("", "dist", "onnxruntime-web/dist", "node_modules/onnxruntime-web/dist")


def export_web(pipeline: StyleT2I, folder: str | Path, runtime: str | Path, *, overwrite: bool = False) -> dict:
    """Write a page that runs a pipeline's model in a browser, all or nothing.

    Args:
        pipeline: A StyleT2I on the CPU. Without t2d and clip the page has no sentence, without a2d no sliders.
        folder: It is made if need be. One that holds another result is refused, unless overwrite.
        runtime: Folder of the npm package onnxruntime-web (`npm install onnxruntime-web`), or one that it lies in.
        overwrite: Remove another result's files.

    Returns:
        What web.json says: the model, the graphs with their errors against PyTorch, the runtime's version.

    Raises:
        ConfigError: ONNX export does not know the model's kind (`export_onnx`).
        CheckpointError: The runtime is not there, or not one that the page can use.
        DependencyError: onnx or onnxruntime is not installed.
        OutputError: onnxruntime gives another result than PyTorch, or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export_web(pipeline, folder, folder)
        Traceback (most recent call last):
        ...
        styleT2I.errors.CheckpointError: ...: no onnxruntime-web here; npm install onnxruntime-web, then name its folder
    """
    check_installed()
    engine, version = read_runtime(runtime)
    graphs = traceable_graphs(pipeline.model)
    request = {"name": pipeline.model.name, "model": pipeline.model.describe(), "runtime": version}
    with result_folder(folder, RECORD, request, names=(*PAGE, WEIGHTS, RUNTIME), overwrite=overwrite) as staging:
        with tempfile.TemporaryDirectory() as work:
            manifest = write_graphs(pipeline, graphs, Path(work))
            weights = {path.name: path.read_bytes() for path in sorted(Path(work).iterdir())}
        model = f"window.STYLET2I_MODEL = {json.dumps(manifest, separators=(',', ':'))};\n"
        write_text_atomic(staging / WEIGHTS, model + packed_script(weights))
        write_text_atomic(staging / RUNTIME, packed_script(engine))
        for name in PAGE:
            write_bytes_atomic(staging / name, (files(__package__) / "web" / name).read_bytes())
        described = {key: manifest[key] for key in ("format_version", "opset", "resolution", "graphs", "versions")}
        staging.write_record({**request, **described})
    return {**request, **described}


def read_runtime(folder: str | Path) -> tuple[dict[str, bytes], str]:
    """The files of onnxruntime-web that the page needs, by the names it knows them by, and their version.

    CheckpointError where they are not in the folder (nor in its dist or node_modules), or are not what they should be.
    """
    places = [Path(folder) / place for place in _PLACES]
    found = [place for place in places if all((place / name).is_file() for name in _RUNTIME_FILES.values())]
    if not found:
        raise CheckpointError(f"{folder}: no onnxruntime-web here; npm install onnxruntime-web, then name its folder")
    with one_line_os_errors(found[0]):
        engine = {known: (found[0] / name).read_bytes() for known, name in _RUNTIME_FILES.items()}
    version = re.search(rb"ONNX Runtime Web v([0-9.]+)", engine["ort.mjs"][:1000])
    if version is None or not engine["ort.wasm"].startswith(b"\0asm"):
        raise CheckpointError(f"{found[0]}: damaged, not the files of onnxruntime-web; install it again with npm")
    return engine, version[1].decode()


def packed_script(contents: dict[str, bytes]) -> str:
    """A script that adds files to window.STYLET2I_FILES, each as the base64 of its gzip; the same text every time."""
    lines = [
        f'"{name}": "{base64.b64encode(gzip.compress(data, mtime=0)).decode()}"' for name, data in contents.items()
    ]
    return "window.STYLET2I_FILES = Object.assign(window.STYLET2I_FILES || {}, {\n" + ",\n".join(lines) + "\n});\n"
