"""What the tests of the CUDA kernels share: operands, derivatives, and how far results lie from those of the twins."""

import torch

TOLERANCE = {torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def relative_error(ours, exact):
    return ((ours.double() - exact.double()).abs().max() / exact.double().abs().max().clamp(min=1e-30)).item()


def image(device, channels, dtype, memory_format="contiguous", size=(6, 10)):
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(3, channels, *size, generator=rng).to(dtype)
    return x.to(device).contiguous(memory_format=FORMATS[memory_format])


def derivatives(function, operands):
    """The function's value, its gradients for a fixed cotangent, and the gradients of these."""
    rng = torch.Generator().manual_seed(1)

    def like(t):
        return torch.randn(t.shape, generator=rng, dtype=torch.float64).to(t)

    operands = [t.detach().requires_grad_() for t in operands]
    y = function(*operands)
    cotangent = like(y).requires_grad_()
    grads = torch.autograd.grad(y, operands, cotangent, create_graph=True)
    second = torch.autograd.grad(grads, [cotangent, *operands], [like(g) for g in grads], allow_unused=True)
    second = [torch.zeros_like(t) if g is None else g for g, t in zip(second, [cotangent, *operands], strict=True)]
    return y, grads, second
