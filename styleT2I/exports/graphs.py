"""The networks that a pipeline draws with as modules of tensors only, which exporters trace, and weights in half."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.errors import ConfigError
from styleT2I.generation.model import Model
from styleT2I.networks.clip.model import encode_causal
from styleT2I.networks.small import SmallCLIP
from styleT2I.torch_utils.seeding import generator, latents_of_seeds

MIN_SIZE = 256  # numbers; fewer stay fp32, as the cast costs more than it saves


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


@torch.no_grad()
def traceable_graphs(model: Model) -> dict[str, tuple[nn.Module, dict[str, torch.Tensor]]]:
    """name -> module and example inputs by name, of two rows each (psi [1] aside), for what a model has.

    Names are mapping and synthesis, and text, t2d and a2d where the model has them. ConfigError for a generator that
    wants labels or has no mean of w, and for sentences read by an encoder that cannot be traced.
    """
    G = model.network("generator")
    if G.c_dim:
        raise ConfigError(f"model {model.name!r}: its generator wants labels, which ONNX export does not pass on")
    if not hasattr(G.mapping, "w_avg"):
        raise ConfigError(f"model {model.name!r}: its generator has no mean of w, which ONNX export truncates to")
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


def stored_in_half(data: bytes) -> bytes:
    """An ONNX model with every large fp32 weight that fp16 holds exactly stored as fp16, and cast where it is used.

    Runtimes undo the cast once, when they open the file; results are the same to the last bit. Weights of models that
    were packaged with `--half`, as the embedded ones, are all of that kind.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(data)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        exact = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = exact.astype(np.float16)
        if exact.size < MIN_SIZE or not np.array_equal(half.astype(np.float32), exact):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()
