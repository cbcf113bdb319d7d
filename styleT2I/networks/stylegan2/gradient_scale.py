"""Gradient scaling for float16 layers: the backward pass through them neither overflows nor vanishes.

A gradient is linear in what comes in from above. So that is multiplied by a power of two, which brings its norm near 1,
before it enters the half-precision layers, and what leaves them is divided by it in float32, which is exact. Where the
layers' parameters are frozen each sample has its own power; a parameter's gradient is a sum over samples and takes one.
"""

import torch

LEAST, MOST = 2.0**-100, 2.0**100  # norms that are scaled exactly; those beyond as if they were these


def scaled_way_back(run, samples, parameters=()):
    """Compute run(*samples) so that gradients through its float16 layers are scaled; differentiable twice.

    run: a function of tensors [N, ...] in float32, some of them None, to a tuple of such tensors. parameters: all that
    it reads beside them and that may need a gradient. Third derivatives do not exist.
    """
    parameters = [p for p in parameters if p.requires_grad] if torch.is_grad_enabled() else []
    if not torch.is_grad_enabled() or not any(t is not None and t.requires_grad for t in (*samples, *parameters)):
        return run(*samples)
    return _ScaledWayBack.apply(run, len(samples), *samples, *parameters)


class _ScaledWayBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, run, num_samples, *operands):
        needed = ctx.needs_input_grad[2:]
        leaves = [
            t.detach().requires_grad_(is_needed) if t is not None and i < num_samples else t
            for i, (t, is_needed) in enumerate(zip(operands, needed, strict=True))
        ]
        with torch.enable_grad():
            results = run(*leaves[:num_samples])
        wanted = [i for i, is_needed in enumerate(needed) if is_needed]
        ctx.inner = _Inner(results, leaves, wanted, is_per_sample=len(operands) == num_samples)
        ctx.save_for_backward(*operands)
        return tuple(t.detach() for t in results)

    @staticmethod
    def backward(ctx, *grads):
        inner, gradients = ctx.inner, [None] * len(ctx.saved_tensors)
        if torch.is_grad_enabled():  # these gradients will be differentiated
            found = _Gradient.apply(inner, len(grads), *grads, *(ctx.saved_tensors[i] for i in inner.wanted))
        else:
            found = inner.gradients(grads)
        for i, gradient in zip(inner.wanted, found, strict=True):
            gradients[i] = gradient
        return None, None, *gradients


class _Gradient(torch.autograd.Function):
    """The gradients of the wanted operands; its own derivatives are the second ones, scaled in the same way."""

    @staticmethod
    def forward(ctx, inner, num_grads, *operands):
        factor = inner.factor(operands[:num_grads])
        ctx.scaled = [(_times(t, factor)).requires_grad_() for t in operands[:num_grads]]
        with torch.enable_grad():
            ctx.results = inner.plain_gradients(ctx.scaled, create_graph=True)
        ctx.inner, ctx.factor_of_grads = inner, factor
        return tuple(inner.restored([None if t is None else t.detach() for t in ctx.results], factor))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *grads):
        inner, given = ctx.inner, [(t, g) for t, g in zip(ctx.results, grads, strict=True) if t is not None]
        factor = inner.factor([g for _, g in given])
        sources = [*ctx.scaled, *(inner.leaves[i] for i in inner.wanted)]
        found = torch.autograd.grad(
            [t for t, _ in given], sources, [_times(g, factor).to(t.dtype) for t, g in given],
            retain_graph=True, allow_unused=True,
        )  # fmt: skip
        num = len(ctx.scaled)
        of_grads = [None if t is None else _divided(t, factor) for t in found[:num]]
        return None, None, *of_grads, *inner.restored(found[num:], factor, ctx.factor_of_grads)


class _Inner:
    """One run of the layers under its own autograd graph: its inputs and results, and which gradients are wanted."""

    def __init__(self, results, leaves, wanted, *, is_per_sample):
        self.results, self.leaves, self.wanted, self.is_per_sample = results, leaves, wanted, is_per_sample

    def factor(self, grads):
        """The power of two that brings the norm of grads near 1: [N], or [] for all samples together."""
        rows = [t.float().flatten(1) if self.is_per_sample else t.float().reshape(1, -1) for t in grads]
        rows = [row if row.shape[1] else row.new_zeros(len(row), 1) for row in rows]
        peak = torch.stack([row.abs().amax(dim=1) for row in rows]).amax(dim=0)
        peak = torch.where((peak > 0) & peak.isfinite(), peak, 1).clamp(LEAST, MOST)
        # Squares of what is divided by the peak stay in range.
        relative = torch.stack([(row / peak[:, None]).norm(dim=1) for row in rows]).norm(dim=0)
        relative = torch.where(relative.isfinite(), relative, 1).clamp_min(2.0**-20)
        # A number divided by its mantissa is a power of two, exactly.
        factor = peak.frexp().mantissa / peak * (relative.frexp().mantissa / relative)
        return factor if self.is_per_sample else factor[0]

    def gradients(self, grads):
        """The gradients of the wanted leaves from those of the results."""
        factor = self.factor(grads)
        return self.restored(self.plain_gradients([_times(t, factor) for t in grads]), factor)

    def plain_gradients(self, grads, create_graph=False):
        """The same without a scale."""
        results, grads = zip(
            *[(t, g) for t, g in zip(self.results, grads, strict=True) if t.requires_grad], strict=True
        )
        wanted = [self.leaves[i] for i in self.wanted]
        return torch.autograd.grad(
            results, wanted, grads, retain_graph=True, create_graph=create_graph, allow_unused=True
        )

    def restored(self, gradients, *factors):
        """Gradients of the wanted leaves divided by each factor in turn."""
        for factor in factors:
            gradients = [None if t is None else _divided(t, factor) for t in gradients]
        return gradients


def _times(t, factor):
    return t.float() * _beside(factor, t)


def _divided(t, factor):
    return t / _beside(factor, t)


def _beside(factor, t):
    """factor [N] or [] in a shape that multiplies t [N, ...]."""
    return factor.reshape(-1, *[1] * (t.ndim - 1)) if factor.ndim else factor
