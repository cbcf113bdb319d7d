"""Seeds as pure functions of what they are for, so that a resumed run needs no generator state."""

import hashlib
import operator
from collections.abc import Iterable

import torch

from styleT2I.config import MAX_SEED
from styleT2I.errors import ConfigError


def derive_seed(*parts: int | str) -> int:
    """Return a 63-bit seed that follows from the parts (integers, strings) in order, the same on every machine."""
    text = "\x1f".join(f"{type(p).__name__}:{p}" for p in parts)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big") >> 1


def generator(*parts: int | str) -> torch.Generator:
    """Return a CPU torch.Generator seeded with `derive_seed(*parts)`."""
    return torch.Generator().manual_seed(derive_seed(*parts))


def checked_seeds(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """One seed or many as a tuple; ConfigError unless there is one and all are integers from 0 to MAX_SEED."""
    try:
        seeds = tuple(operator.index(seed) for seed in (seeds if isinstance(seeds, Iterable) else (seeds,)))
    except TypeError as error:
        raise ConfigError(f"seeds are integers from 0 to {MAX_SEED}: {error}") from error
    if not seeds:
        raise ConfigError("no seeds given; pass for example seeds=range(8)")
    for seed in seeds:
        if not 0 <= seed <= MAX_SEED:
            raise ConfigError(f"a seed is an integer from 0 to {MAX_SEED}, not {seed}")
    return seeds


def latents_of_seeds(seeds: Iterable[int], z_dim: int) -> torch.Tensor:
    """Return z [N, z_dim], row k drawn from a CPU generator seeded by seed k alone, independent of the other rows."""
    return torch.stack([torch.randn(z_dim, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


class SeedNoise:
    """Standard normal noise of several seeds, a row each, drawn one after the other, independent of the other rows.

    what: names the use, so that two uses of one seed share no noise.
    """

    def __init__(self, seeds: Iterable[int], what: str, device="cpu"):
        self._generators = [generator("noise", what, int(seed)) for seed in seeds]
        self._device = device

    def __call__(self, shape: Iterable[int]) -> torch.Tensor:
        """The next noise [N, *shape]."""
        shape = tuple(shape)
        return torch.stack([torch.randn(shape, generator=rng) for rng in self._generators]).to(self._device)
