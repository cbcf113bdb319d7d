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
from torch import nn
from torch.nn import functional as F

from styleT2I.attributes.wording.sentences import phrase
from styleT2I.config import to_dict
from styleT2I.errors import ConfigError, DependencyError, OutputError
from styleT2I.formats.onnx_files import open_onnx
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.networks.clip.model import encode_causal
from styleT2I.networks.clip.small import SmallCLIP
from styleT2I.ops.kernels import default_impl
from styleT2I.torch_utils.files import write_bytes_atomic, write_json_atomic
from styleT2I.torch_utils.seeding import generator, latents_of_seeds

OPSET = 17
MANIFEST = "onnx.json"
TOLERANCE = 1e-5  # of a result against PyTorch's, as a share of the largest absolute value there, at least 1
_NUM_ROWS = (1, 3)  # batches that are compared


class _Mapping(nn.Module):
    """z [N, z_dim], psi [1] -> ws [N, num_ws, w_dim], truncated."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, z, psi):
        ws = self.network(z)
        return self.network.w_avg + psi * (ws - self.network.w_avg)


class _Synthesis(nn.Module):
    """ws [N, num_ws, w_dim] -> images [N, 3, R, R] around [-1, 1], with the stored noise."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, ws):
        return self.network(ws, noise_mode="const")


class _Text(nn.Module):
    """Token ids int64 [N, L] -> CLIP's features [N, D] of length 1."""

    def __init__(self, clip):
        super().__init__()
        self.model = clip.model

    def forward(self, ids):
        return F.normalize(encode_causal(self.model, ids, ids.argmax(dim=-1)), dim=-1)


def export_onnx(pipeline: StyleT2I, folder: str | Path) -> dict:
    """Write what a pipeline draws with as ONNX files into a folder, and their manifest onnx.json.

    Args:
        pipeline: A StyleT2I; what it lacks of t2d, a2d and clip is left out.
        folder: An existing folder.

    Returns:
        The manifest: files with their inputs, SHA-256 and measured error; sizes; the tokenizer; attributes with their
        phrases' features and the steps that strengths stand for. Batches are free in every file.

    Raises:
        ConfigError: A direction network reads sentences by an encoder of its own, or the generator wants labels.
        DependencyError: onnx or onnxruntime is not installed.
        OutputError: onnxruntime gives another result than PyTorch.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(export_onnx(pipeline, folder)["files"])
        ['a2d', 'mapping', 'synthesis', 't2d', 'text']
    """
    _check_installed()
    folder, model = Path(folder), pipeline.model
    G = model.network("generator")
    if G.c_dim:
        raise ConfigError(f"model {model.name!r}: its generator wants labels, which ONNX export does not pass on")
    files = {}
    with torch.no_grad(), default_impl("torch"), _exportable():
        for name, (module, inputs) in _graphs(model, G).items():
            files[name] = _write(folder / f"{name}.onnx", module, inputs)
    manifest = {"format_version": 1, "name": model.name, "opset": OPSET, "resolution": G.resolution,
                "num_ws": G.num_ws, "z_dim": G.z_dim, "w_dim": G.w_dim, "files": files, "model": model.describe(),
                **_words(model)}  # fmt: skip
    write_json_atomic(folder / MANIFEST, manifest)
    return manifest


def _check_installed():
    if importlib.util.find_spec("onnx") is None or importlib.util.find_spec("onnxruntime") is None:
        raise DependencyError("ONNX export needs onnx and onnxruntime: pip install 'styleT2I[onnx]'")


def _graphs(model, G):
    """name -> module and its example inputs by name, for what the model has."""
    z = latents_of_seeds(range(2), G.z_dim)
    ws = G.mapping(z)
    graphs = {
        "mapping": (_Mapping(G.mapping), {"z": z, "psi": torch.tensor([0.7])}),
        "synthesis": (_Synthesis(G.synthesis), {"ws": ws}),
    }
    if model.has("clip"):
        clip = model.network("clip")
        if not (clip.is_causal or isinstance(clip.model, SmallCLIP)):
            raise ConfigError(f"model {model.name!r}: its CLIP reads sentences in a way that ONNX export lacks yet")
        graphs["text"] = (_Text(clip), {"ids": _ids(clip)})
    for role in ("t2d", "a2d"):
        if model.has(role):
            network = model.network(role)
            if network.text_encoder is not None:
                raise ConfigError(f"model {model.name!r}: its {role} reads words by a GRU, which ONNX export lacks yet")
            features = F.normalize(torch.randn(2, network.config.text_dim, generator=generator("onnx")), dim=1)
            graphs[role] = (network, {"w": ws[:, 0], "features": features})
    return graphs


def _ids(clip):
    """Token ids int64 [2, L] of two sentences, whatever the tokenizer."""
    return clip.tokenize(["she is smiling", "he is wearing a hat"])


def _write(path, module, inputs):
    """Write one graph, compare it at several batch sizes, and describe it."""
    module = module.eval()
    batched = [name for name in inputs if name != "psi"]
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of the tracer, about sizes that it takes as constants, which is compared below
        torch.onnx.export(
            module, tuple(inputs.values()), buffer, input_names=list(inputs), output_names=["result"],
            opset_version=OPSET, dynamo=False, dynamic_axes={name: {0: "N"} for name in (*batched, "result")},
        )  # fmt: skip
    data = buffer.getvalue()
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


def _words(model):
    """What a page needs beside the files: the tokenizer, and the attributes that A2D moves."""
    if not model.has("clip"):
        return {}
    clip = model.network("clip")
    told = {"tokenizer": {**clip.config.tokenizer, "context_length": clip.context_length}}
    if model.has("a2d") and model.vocabulary is not None:
        info = model.info("a2d")
        names = info.get("attributes", model.vocabulary.names)
        phrases = [phrase(name, True, model.vocabulary) for name in names]
        features = clip.encode_text(phrases)
        told["attributes"] = {
            name: {"phrase": text, "features": row.tolist(), "strengths": (info.get("strengths") or {}).get(name)}
            for name, text, row in zip(names, phrases, features, strict=True)
        }
        told["exclusive"] = [to_dict(group) for group in model.vocabulary.exclusive]
    return told
