"""Weights that fp16 holds exactly take half the space and give the same results bit for bit; others stay."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from styleT2I.exports.graphs import stored_in_half


def product(weight):
    """An ONNX file that multiplies x [N, 32] with a weight [32, 32]."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 32]) for name in "xy")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "product", [x], [y], [numpy_helper.from_array(weight, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def run(data, x):
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def weights():
    return np.random.default_rng(0).standard_normal((32, 32)).astype(np.float32)


def test_exact_weights_are_halved_without_a_bit_of_difference():
    full = product(weights().astype(np.float16).astype(np.float32))
    half = stored_in_half(full)
    x = weights()[:3]
    assert np.array_equal(run(full, x), run(half, x))
    assert len(half) < 0.6 * len(full)


@pytest.mark.parametrize("weight", [weights(), weights() * 1e6, np.full((32, 32), np.inf, np.float32) * weights()])
def test_weights_that_fp16_would_round_stay_as_they_are(weight):
    half = onnx.load_from_string(stored_in_half(product(weight)))
    kept = [numpy_helper.to_array(one) for one in half.graph.initializer]
    assert np.array_equal(kept[0].astype(np.float32), weight)
