"""bias_act and upfirdn2d on the compiled CUDA kernels, with derivatives of first and second order."""

import torch

from styleT2I.errors import ExtensionError
from styleT2I.ops.kernels import cuda_kernels

WRONG_OPERANDS = -1  # as in csrc/cuda/operators.cpp
PIECEWISE_LINEAR = ("linear", "relu", "lrelu")  # whose second derivative is zero
ACTS = ("linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish")  # as in csrc/cuda/kernels.h


def bias_act_cuda(x, b, scale, noise, next_styles, act, alpha, gain, clamp):
    """Compute bias_act for x [N,C] or [N,C,H,W] on a GPU.

    b: [C]. scale, next_styles: [N,C]. noise: [H,W] or [N,1,H,W]. Each may be None. ConfigError for other shapes.
    """
    if x.ndim == 2:
        return bias_act_cuda(x[:, :, None, None], b, scale, noise, next_styles, act, alpha, gain, clamp).flatten(1)
    from styleT2I.ops.cuda_operands import check_bias_act

    check_bias_act(x, b, scale, noise, next_styles)
    if noise is not None:
        noise = noise.expand(len(noise) if noise.ndim == 4 else 1, 1, *x.shape[2:])
    settings = (ACTS.index(act), float(alpha), float(gain), None if clamp is None else float(clamp))
    return _BiasAct.apply(x.contiguous(memory_format=_format(x)), b, scale, noise, next_styles, settings)


def upfirdn2d_cuda(x, correlation, up, down, padding):
    """Correlate zero-inserted, padded x [N,C,H,W] with float32 [kh,kw] and decimate; up and down are (y, x).

    correlation: [kh,kw], or [k] for the outer product of it with itself, which is faster in one pass of four taps.
    padding: (left, right, top, bottom). ConfigError for operands that do not fit each other.
    """
    from styleT2I.ops.cuda_operands import check_upfirdn2d

    check_upfirdn2d(x, correlation, up, down, padding)
    return _Upfirdn2d.apply(x, correlation, up, down, padding)


class _BiasAct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, b, scale, noise, next_styles, settings):
        ctx.settings = settings
        ctx.save_for_backward(x, b, scale, noise, next_styles)
        return _run(x, b, scale, noise, next_styles, None, None, 0, settings)

    @staticmethod
    def backward(ctx, grad):
        x, b, scale, noise, next_styles = ctx.saved_tensors
        operands, d_next_styles = (None,) * 4, None
        if any(ctx.needs_input_grad[:4]):
            dv = _BiasActGradient.apply(grad, x, b, scale, noise, next_styles, ctx.settings)
            operands = _spread(dv, ctx.needs_input_grad, x, b, scale, noise)
        if ctx.needs_input_grad[4]:
            d_next_styles = _sum_of_products(grad, _BiasAct.apply(x, b, scale, noise, None, ctx.settings), next_styles)
        return *operands, d_next_styles, None


class _BiasActGradient(torch.autograd.Function):
    """Gradient of the activation's input v = x * scale + noise + b; its own derivatives are the second ones."""

    @staticmethod
    def forward(ctx, grad, x, b, scale, noise, next_styles, settings):
        ctx.settings = settings
        ctx.save_for_backward(grad, x, b, scale, noise, next_styles)
        return _run(x, b, scale, noise, next_styles, grad, None, 1, settings)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad2):
        grad, x, b, scale, noise, next_styles = ctx.saved_tensors
        operands, d_grad, d_next_styles = (None,) * 4, None, None
        if ctx.needs_input_grad[0]:
            d_grad = _run(x, b, scale, noise, next_styles, grad2, None, 1, ctx.settings)
        if any(ctx.needs_input_grad[1:5]) and ACTS[ctx.settings[0]] not in PIECEWISE_LINEAR:
            dv = _run(x, b, scale, noise, next_styles, grad, grad2, 2, ctx.settings)
            operands = _spread(dv, ctx.needs_input_grad[1:], x, b, scale, noise)
        if ctx.needs_input_grad[5]:
            unscaled = _run(x, b, scale, noise, None, grad, None, 1, ctx.settings)
            d_next_styles = _sum_of_products(grad2, unscaled, next_styles)
        return d_grad, *operands, d_next_styles, None


def _run(x, b, scale, noise, next_styles, grad, grad2, order, settings):
    operands = [None if t is None else t.float().contiguous() for t in (b, scale, noise, next_styles)]
    grads = [None if t is None else t.to(x.dtype).contiguous(memory_format=_format(x)) for t in (grad, grad2)]
    y = torch.empty_like(x)
    _must_start(cuda_kernels().bias_act(x, y, *operands, *grads, order, *settings), "bias_act")
    return y


def _sum_of_products(grad, unscaled, next_styles):
    """Gradient of next_styles [N,C], which multiply `unscaled` [N,C,H,W]; in float32, whatever x is in."""
    return (grad.float() * unscaled).sum([2, 3]).to(next_styles.dtype)


def _spread(dv, needs_input_grad, x, b, scale, noise):
    """Gradients of x, b, scale and noise, where needed, from that of v."""
    needs_x, needs_b, needs_scale, needs_noise = needs_input_grad[:4]
    dx = db = d_scale = d_noise = None
    if needs_x:
        dx = dv if scale is None else dv * scale.to(dv.dtype)[:, :, None, None]
    if needs_b:
        db = dv.sum([0, 2, 3], dtype=torch.float32).to(b.dtype)
    if needs_scale:
        d_scale = (dv * x).sum([2, 3], dtype=torch.float32).to(scale.dtype)
    if needs_noise:
        d_noise = dv.sum(1, keepdim=True, dtype=torch.float32)
        d_noise = (d_noise.sum(0, keepdim=True) if len(noise) == 1 else d_noise).to(noise.dtype)
    return dx, db, d_scale, d_noise


class _Upfirdn2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, correlation, up, down, padding):
        x = x.contiguous(memory_format=_format(x))
        from styleT2I.ops.cuda_operands import size_after_upfirdn2d

        height, width = size_after_upfirdn2d(x, correlation, up, down, padding)
        shape = *x.shape[:2], height, width
        y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_format(x))
        before = padding[2], padding[0]
        _must_start(cuda_kernels().upfirdn2d(x, y, correlation.contiguous(), up, down, before), "upfirdn2d")
        ctx.arguments = correlation, up, down, _padding_of_gradient(x, y, correlation, up, down, padding)
        return y

    @staticmethod
    def backward(ctx, grad):
        correlation, up, down, padding = ctx.arguments
        flipped = correlation.flip([*range(correlation.ndim)])
        return _Upfirdn2d.apply(grad, flipped, down, up, padding), None, None, None, None


def _padding_of_gradient(x, y, correlation, up, down, padding):
    """Padding with which the gradient's pass, from y's size, ends at x's size."""
    from styleT2I.ops.cuda_operands import taps_of

    result = []
    for axis, before in ((1, padding[0]), (0, padding[2])):
        taps = taps_of(correlation)[axis]
        before = taps - 1 - before
        wanted = (x.shape[2 + axis] - 1) * up[axis] + taps
        result += [before, wanted - y.shape[2 + axis] * down[axis] - before]
    return tuple(result)


def _must_start(answer, name):
    """Raise for an operator's answer but 0, which says that its kernel was started."""
    if answer == WRONG_OPERANDS:
        raise ExtensionError(f"the CUDA operator {name} refuses its operands; build it anew with doctor --build")
    if answer:
        raise torch.cuda.CudaError(answer)


def _format(x):
    return torch.contiguous_format if x.is_contiguous() else torch.channels_last
