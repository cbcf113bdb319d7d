"""bias_act against the formula written out, and its derivatives."""

import math

import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.ops.activations import ACTIVATIONS
from styleT2I.ops.bias_act import bias_act
from styleT2I.ops.kernels import default_impl, resolve_impl

SCALAR = {
    "linear": lambda v: v,
    "relu": lambda v: max(v, 0.0) * math.sqrt(2),
    "lrelu": lambda v: (v if v > 0 else 0.2 * v) * math.sqrt(2),
    "tanh": math.tanh,
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "elu": lambda v: v if v > 0 else math.expm1(v),
    "selu": lambda v: 1.0507009873554805 * (v if v > 0 else 1.6732632423543772 * math.expm1(v)),
    "softplus": lambda v: math.log1p(math.exp(v)),
    "swish": lambda v: v / (1 + math.exp(-v)) * math.sqrt(2),
}


def operands(dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    x, b = torch.randn(2, 3, 4, 5, generator=rng, dtype=dtype), torch.randn(3, generator=rng, dtype=dtype)
    scale, noise, next_styles = (torch.randn(*n, generator=rng, dtype=dtype) for n in [(2, 3), (2, 1, 4, 5), (2, 3)])
    return x, b, scale, noise, next_styles


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("clamp", [None, 0.4])
@pytest.mark.parametrize("impl", ["torch", "ref"])
def test_value_matches_the_formula(act, clamp, impl):
    x, b, scale, noise, next_styles = operands()
    result = bias_act(x, b, scale=scale, noise=noise, act=act, clamp=clamp, impl=impl)
    scaled = bias_act(x, b, scale=scale, noise=noise, next_styles=next_styles, act=act, clamp=clamp, impl=impl)
    for n, c, i, j in [(0, 0, 0, 0), (0, 2, 3, 4), (1, 1, 2, 0), (1, 2, 0, 3)]:
        value = SCALAR[act](float(x[n, c, i, j] * scale[n, c] + noise[n, 0, i, j] + b[c]))
        value = value if clamp is None else min(max(value, -clamp), clamp)
        assert float(result[n, c, i, j]) == pytest.approx(value, abs=1e-12)
        assert float(scaled[n, c, i, j]) == pytest.approx(value * float(next_styles[n, c]), abs=1e-12)


@pytest.mark.parametrize("act", ["linear", "lrelu", "swish"])
@pytest.mark.parametrize("gain", [0.3, -1.5, 1.0])
@pytest.mark.parametrize("has_scale", [False, True])
@pytest.mark.parametrize("has_bias", [False, True])
def test_gain_multiplies_whatever_else_is_given(act, gain, has_scale, has_bias):
    x, b, scale, _, next_styles = operands()
    arguments = {"scale": scale if has_scale else None, "next_styles": next_styles, "act": act}
    plain = bias_act(x, b if has_bias else None, gain=1, **arguments)
    result = bias_act(x, b if has_bias else None, gain=gain, **arguments)
    torch.testing.assert_close(result, plain * gain)


def test_operands_are_left_alone():
    operand_list = operands()
    before = [t.clone() for t in operand_list]
    x, b, scale, noise, next_styles = operand_list
    bias_act(x, b, scale=scale, noise=noise, next_styles=next_styles, act="lrelu")
    bias_act(x, act="lrelu")
    bias_act(x, act="relu", gain=1)
    assert all(torch.equal(t, old) for t, old in zip(operand_list, before, strict=True))


def test_channels_may_be_last():
    x, b, scale, _, next_styles = operands()
    arguments = {"scale": scale, "next_styles": next_styles, "act": "lrelu"}
    result = bias_act(x.movedim(1, 3), b, dim=3, **arguments)
    torch.testing.assert_close(result.movedim(3, 1), bias_act(x, b, **arguments))


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("impl", ["torch", "ref"])
def test_first_and_second_derivatives(act, impl):
    operand_list = [t.requires_grad_() for t in operands()]

    def function(x, b, scale, noise, next_styles):
        arguments = {"scale": scale, "noise": noise, "next_styles": next_styles}
        return bias_act(x, b, **arguments, act=act, gain=1.3, clamp=2.5, impl=impl)

    assert torch.autograd.gradcheck(function, operand_list)
    assert torch.autograd.gradgradcheck(function, operand_list)


def test_unknown_names_are_refused():
    x = torch.zeros(1, 1)
    with pytest.raises(ConfigError, match="unknown activation 'lrelo'"):
        bias_act(x, act="lrelo")
    with pytest.raises(ConfigError, match="unknown impl 'cuda2'"):
        bias_act(x, impl="cuda2")
    with pytest.raises(ConfigError, match="no impl 'cpp'; choose one of auto, ref, torch, cuda"):
        bias_act(x, impl="cpp")


def test_a_default_stands_for_auto_where_an_op_has_it():
    seen = []
    for default in ("ref", "cpp", "auto"):
        with default_impl(default):
            seen.append([resolve_impl("auto"), resolve_impl("ref"), resolve_impl("auto", ["cpp"])])
    with default_impl("torch"):
        assert resolve_impl("auto") == resolve_impl("auto", ["cpp"]) == "torch"
    assert seen == [["ref", "ref", "ref"], ["auto", "ref", "cpp"], ["auto", "ref", "auto"]]
    assert resolve_impl("auto") == "auto"
