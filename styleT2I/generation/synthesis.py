"""Latents of seeds and images of latents: a model's generator, run so that a seed keeps its image."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import torch

from styleT2I.errors import ConfigError
from styleT2I.generation.arguments import checked_psi
from styleT2I.generation.model import Model
from styleT2I.torch_utils.batching import rows_alone
from styleT2I.torch_utils.hardware.devices import replayed
from styleT2I.torch_utils.images import to_uint8
from styleT2I.torch_utils.seeding import checked_seeds, generator, latents_of_seeds


class Synthesis:
    """The generator of a model: latents ws [N, num_ws, w_dim] on the model's device, and their images.

    No row depends on the others: on a CPU each runs alone, elsewhere in batches of one size.
    """

    def __init__(self, model: Model):
        self.model = model
        self._drawn: dict[tuple, torch.Tensor] | None = None  # images by (noise mode, bytes of ws), while remembering

    @property
    def batch_size(self) -> int:
        """Rows that run at a time on a device other than a CPU."""
        resolution = self.model.network("generator").resolution
        if resolution >= 256 and self.model.device.type == "cpu":
            return 1  # a row costs as much alone as beside others, and a batch that is filled up costs all of it
        return max(1, min(8, 1024 // resolution))

    def latents(self, seeds: Iterable[int], truncation_psi: float) -> torch.Tensor:
        """Latents of N seeds, each from its seed alone; ConfigError for a seed or a psi out of range."""
        z = latents_of_seeds(checked_seeds(seeds), self.model.network("generator").z_dim)
        return self.latents_of_z(z, truncation_psi)

    def latents_of_z(self, z: torch.Tensor, truncation_psi: float) -> torch.Tensor:
        """Latents of z [N, z_dim]; ConfigError for a psi out of range."""
        G, z = self.model.network("generator"), z.to(self.model.device)
        _check_truncation(G, truncation_psi)
        with exact_convolutions():
            return rows_alone(lambda z: replayed(G.mapping, z, truncation_psi=truncation_psi), self.batch_size, z)

    def images_u8(self, ws: torch.Tensor, seeds: Sequence[int], noise_mode: str) -> torch.Tensor:
        """Images [N, 3, R, R] of N latents, uint8 on the CPU; random noise follows from the N seeds."""
        G = self.model.network("generator")

        def draw(ws, seeds):
            if noise_mode != "random":
                return to_uint8(self.images(ws, noise_mode)).cpu()
            noise = [generator("noise", seed) for seed in seeds.tolist()]
            return to_uint8(G.synthesis(ws, noise_mode=noise_mode, generator=noise)).cpu()

        with exact_convolutions():
            return rows_alone(draw, self.batch_size, ws, torch.tensor(seeds))

    def images(self, ws: torch.Tensor, noise_mode: str = "const") -> torch.Tensor:
        """Images of latents in about [-1, 1] on their device, of "const" noise or "none"; not split into batches."""
        G = self.model.network("generator")
        if self._drawn is None or ws.device.type != "cpu":
            return replayed(G.synthesis, ws, noise_mode=noise_mode)
        key = (noise_mode, ws.numpy().tobytes())
        if key not in self._drawn:
            self._drawn[key] = G.synthesis(ws, noise_mode=noise_mode)
        return self._drawn[key]

    @contextlib.contextmanager
    def remembering(self) -> Iterator[None]:
        """Within the block a latent that was observed on a CPU is not drawn a second time."""
        self._drawn = {}
        try:
            yield
        finally:
            self._drawn = None


def exact_convolutions() -> contextlib.AbstractContextManager:
    """cuDNN at full fp32 and with repeatable algorithms, so that devices agree and a seed keeps its image."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)


def _check_truncation(G, truncation_psi):
    checked_psi(truncation_psi)
    if truncation_psi != 1 and not hasattr(G.mapping, "w_avg"):
        raise ConfigError(f"the generator has no mean of w to truncate to; use psi 1 in place of {truncation_psi}")
