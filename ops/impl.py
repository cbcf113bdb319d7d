"""Choice of an op's implementation: the argument `impl`, or what `default_impl` sets for a stretch of code."""

import contextlib
import contextvars

from styleT2I.errors import ConfigError

IMPLEMENTATIONS = ("auto", "ref", "torch", "cpp", "cuda")
_DEFAULT = contextvars.ContextVar("impl", default="auto")


@contextlib.contextmanager
def default_impl(impl):
    """Make `impl` what "auto" means within the block, for every op that has it: a whole network runs as 'ref', say."""
    token = _DEFAULT.set(_checked(impl))
    try:
        yield
    finally:
        _DEFAULT.reset(token)


def resolve_impl(impl, kernels=()):
    """Return "auto", "ref", "torch" or one of `kernels`, the compiled forms of an op; ConfigError for another name."""
    if _checked(impl) == "auto":
        impl = _DEFAULT.get()
        return impl if impl in ("ref", "torch", *kernels) else "auto"
    if impl not in ("ref", "torch", *kernels):
        raise ConfigError(
            f"this op has no impl {impl!r}; choose one of {', '.join(('auto', 'ref', 'torch', *kernels))}"
        )
    return impl


def _checked(impl):
    if impl not in IMPLEMENTATIONS:
        raise ConfigError(f"unknown impl {impl!r} of an op; choose one of {', '.join(IMPLEMENTATIONS)}")
    return impl
