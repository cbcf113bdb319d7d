"""Choice of an op's implementation."""

from styleT2I.errors import ConfigError

IMPLEMENTATIONS = ("auto", "ref")


def check_impl(impl):
    """Return `impl` when it names an implementation; raise ConfigError otherwise."""
    if impl not in IMPLEMENTATIONS:
        raise ConfigError(f"unknown impl {impl!r} of an op; choose one of {', '.join(IMPLEMENTATIONS)}")
    return impl
