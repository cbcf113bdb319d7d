"""Weights in half the space where that changes no number."""

from __future__ import annotations

import numpy as np

MIN_SIZE = 256  # numbers; of fewer, the cast costs more than it saves


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
