"""A model as ONNX files that run without PyTorch: mapping, synthesis, the text side, T2D and A2D.

Every file is run in onnxruntime on the CPU and compared with PyTorch before it counts as written.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import warnings
from pathlib import Path

import numpy as np
import torch

from styleT2I.errors import DependencyError, OutputError
from styleT2I.exports.graphs import stored_in_half, traceable_graphs
from styleT2I.exports.words import described_words
from styleT2I.formats.onnx_files import open_onnx
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.results import versions
from styleT2I.ops.kernels import default_impl
from styleT2I.torch_utils.files import write_bytes_atomic
from styleT2I.torch_utils.folders import result_folder

OPSET = 17
MANIFEST = "onnx.json"
FORMAT_VERSION = 1
TOLERANCE = 1e-5  # of a result against PyTorch's, as a proportion of the largest absolute value there, at least 1
_NUM_ROWS = (1, 3)  # batches that are compared


def export_onnx(pipeline: StyleT2I, folder: str | Path, *, overwrite: bool = False) -> dict:
    """Write what a pipeline draws with as ONNX files into a folder, and their manifest onnx.json, all or none.

    Args:
        pipeline: A StyleT2I on the CPU; what it lacks of t2d, a2d and clip is left out.
        folder: It is made if need be. One that holds another model's export is refused, unless overwrite.
        overwrite: Remove another result's files.

    Returns:
        The manifest (docs/onnx.md): graphs with their inputs, SHA-256 and measured error; sizes; words.

    Raises:
        ConfigError: A direction network reads sentences by an encoder of its own, or the generator wants labels.
        DependencyError: onnx or onnxruntime is not installed.
        OutputError: onnxruntime gives another result than PyTorch, or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(export_onnx(pipeline, folder)["graphs"])
        ['a2d', 'mapping', 'synthesis', 't2d', 'text']
    """
    check_installed()
    graphs = traceable_graphs(pipeline.model)
    request = {"name": pipeline.model.name, "model": pipeline.model.describe()}
    names = [f"{name}.onnx" for name in graphs]
    with result_folder(folder, MANIFEST, request, names=names, overwrite=overwrite) as staging:
        manifest = write_graphs(pipeline, graphs, staging)
        staging.write_record(manifest)
    return manifest


def check_installed() -> None:
    """DependencyError without onnx and onnxruntime."""
    if importlib.util.find_spec("onnx") is None or importlib.util.find_spec("onnxruntime") is None:
        raise DependencyError("ONNX export needs onnx and onnxruntime: pip install 'styleT2I[onnx]'")


@torch.no_grad()
def write_graphs(pipeline: StyleT2I, graphs: dict, folder) -> dict:
    """Write graphs (`traceable_graphs`) as folder / NAME.onnx; the manifest, which is not written."""
    model = pipeline.model
    G = model.network("generator")
    with default_impl("torch"), _exportable():
        files = {name: _write(folder / f"{name}.onnx", module, inputs) for name, (module, inputs) in graphs.items()}
    sizes = {"resolution": G.resolution, "num_ws": G.num_ws, "z_dim": G.z_dim, "w_dim": G.w_dim}
    return {"format_version": FORMAT_VERSION, "name": model.name, "opset": OPSET, **sizes, "graphs": files,
            "model": model.describe(), "versions": versions(), **described_words(model)}  # fmt: skip


def _write(path, module, inputs):
    """Write one graph, compare it at several batch sizes, and describe it."""
    module = module.eval()
    batched = [name for name in inputs if name != "psi"]
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sizes that the tracer takes for constants: the comparison below would tell
        torch.onnx.export(
            module, tuple(inputs.values()), buffer, input_names=list(inputs), output_names=["result"],
            opset_version=OPSET, dynamo=False, do_constant_folding=False,
            dynamic_axes={name: {0: "N"} for name in (*batched, "result")},
        )  # fmt: skip
    data = stored_in_half(buffer.getvalue())
    write_bytes_atomic(path, data)
    error = max(_error(path, module, inputs, num) for num in _NUM_ROWS)
    if not error <= TOLERANCE:
        raise OutputError(f"{path.name}: onnxruntime's result is {error:.1e} from PyTorch's, more than {TOLERANCE:g}")
    return {"file": path.name, "sha256": hashlib.sha256(data).hexdigest(), "inputs": list(inputs), "error": error}


def _error(path, module, inputs, num):
    """Largest difference of onnxruntime's result from PyTorch's on `num` rows, relative to the largest value."""
    given = {name: t if name == "psi" else t[torch.arange(num) % len(t)] for name, t in inputs.items()}
    expected = module(*given.values()).numpy()
    found = open_onnx(path, "the comparison of the export").run(None, {k: t.numpy() for k, t in given.items()})[0]
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


@contextlib.contextmanager
def _exportable():
    """Attention as single operations, which ONNX has, in place of the fused one."""
    is_fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(is_fused)
