"""Small float32 operands beside large half-precision ones: their gradients, sums over many pixels, stay in float32."""

import torch

HALF_DTYPES = (torch.float16, torch.bfloat16)


def in_type_of(x, t):
    """Return t, which broadcasts to x, in x's type; where x is in half precision t's gradient is summed in float32."""
    if x.dtype not in HALF_DTYPES or t.dtype != torch.float32 or not (t.requires_grad and torch.is_grad_enabled()):
        return t.to(x.dtype)
    return _Spread.apply(t, x.dtype, x.shape)


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t, dtype, shape):
        ctx.shape = t.shape
        return t.to(dtype).expand(shape)

    @staticmethod
    def backward(ctx, grad):
        shape = (1,) * (grad.ndim - len(ctx.shape)) + tuple(ctx.shape)
        summed = [i for i, (n, total) in enumerate(zip(shape, grad.shape, strict=True)) if n != total]
        grad = grad.sum(summed, keepdim=True, dtype=torch.float32) if summed else grad.float()
        return grad.reshape(ctx.shape), None, None
