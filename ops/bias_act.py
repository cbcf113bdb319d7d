"""Bias, noise, activation, gain, clamp and the next styles in one call: the epilogue of every StyleGAN2 layer."""

import torch
import torch.nn.functional as F

from styleT2I.errors import ConfigError
from styleT2I.ops.activations import activation
from styleT2I.ops.kernels import resolve_impl, takes_cuda

HALF_DTYPES = (torch.float16, torch.bfloat16)
FUNCTIONS = {  # of (x, alpha, may x be overwritten), by a key of ACTIVATIONS
    "linear": lambda x, alpha, inplace: x,
    "relu": lambda x, alpha, inplace: F.relu(x, inplace),
    "lrelu": F.leaky_relu,
    "tanh": lambda x, alpha, inplace: torch.tanh(x),
    "sigmoid": lambda x, alpha, inplace: torch.sigmoid(x),
    "elu": lambda x, alpha, inplace: F.elu(x),
    "selu": lambda x, alpha, inplace: F.selu(x),
    "softplus": lambda x, alpha, inplace: F.softplus(x),
    "swish": lambda x, alpha, inplace: F.silu(x),
}


def is_one_pass(x, impl="auto"):
    """Whether bias_act of x [N,C,H,W] reads and writes it once, so that next_styles cost nothing: with CUDA kernels."""
    return takes_cuda(x, resolve_impl(impl, ["cuda"]))


def bias_act(
    x,
    b=None,
    *,
    scale=None,
    noise=None,
    next_styles=None,
    dim=1,
    act="linear",
    alpha=None,
    gain=None,
    clamp=None,
    impl="auto",
):
    """Compute clamp(gain * act(x * scale + noise + b)) * next_styles, in x's type.

    x: [N,C] or [N,C,...] with its channels in dimension `dim`. b: [C] or None. scale: [N,C] (demodulation) or None.
    noise: broadcastable to x, [1 or N,1,H,W] or [H,W] for images, or None. act: a key of ACTIVATIONS.
    next_styles: [N,C], by which the layer that reads the result scales its activations, or None.
    alpha, gain: None means the activation's own; for lrelu alpha is the slope below zero.
    clamp: what next_styles multiply is limited to [-clamp, clamp]; None means no limit.
    """
    impl = resolve_impl(impl, ["cuda"])
    spec = activation(act)
    alpha = spec.alpha if alpha is None else alpha
    gain = spec.gain if gain is None else gain
    if dim == 1 and x.ndim in (2, 4) and takes_cuda(x, impl):
        from styleT2I.ops.cuda_ops import bias_act_cuda

        return bias_act_cuda(x, b, scale, noise, next_styles, act, alpha, gain, clamp)
    if impl == "cuda":
        raise ConfigError(f"impl 'cuda' of bias_act takes [N,C] or [N,C,H,W], got {list(x.shape)} with dim {dim}")
    if b is not None:
        b = b.reshape([-1 if i == dim else 1 for i in range(x.ndim)])
    shape = [n if i in (0, dim) else 1 for i, n in enumerate(x.shape)]
    scale, next_styles = (None if t is None else t.reshape(shape) for t in (scale, next_styles))
    terms = [t for t in (noise, b) if t is not None]
    if impl == "ref":
        return _by_definition(x, scale, terms, next_styles, FUNCTIONS[act], alpha, gain, clamp).to(x.dtype)
    if spec.is_homogeneous and gain > 0 and (scale is not None or terms):
        # act(gain * x) = gain * act(x): the small operands take the gain, which saves a pass over x.
        scale = gain if scale is None else scale * gain
        terms = [t * gain for t in terms]
        gain = 1
    terms = [in_type_of(x, t) for t in terms]
    is_own = False  # x is a tensor of this call, so it may be overwritten: passes that allocate cost several times more
    if scale is not None:
        x, is_own = x * (in_type_of(x, scale) if torch.is_tensor(scale) else scale), True
    for t in terms:
        x, is_own = x.add_(t) if is_own else x + t, True
    x = FUNCTIONS[act](x, alpha, is_own)
    if gain != 1:
        x = x * gain
    if clamp is not None:
        x = x.clamp(-clamp, clamp)
    return x if next_styles is None else x * in_type_of(x, next_styles)


def _by_definition(x, scale, terms, next_styles, function, alpha, gain, clamp):
    x = x if scale is None else x * scale
    for t in terms:
        x = x + t
    x = function(x, alpha, False) * gain
    x = x if clamp is None else x.clamp(-clamp, clamp)
    return x if next_styles is None else x * next_styles


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
