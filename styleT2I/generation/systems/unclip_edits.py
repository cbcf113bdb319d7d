"""What unCLIP does with given images: variations, interpolations, text diffs, reconstructions (paper, sections 3, 4).

An image is (z_i, x_T): its CLIP embedding, and the noise that the decoder under z_i makes the rest of it from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn import functional as F

from styleT2I.baselines.unclip.ar_prior import PCA
from styleT2I.baselines.unclip.diffusion import invert, slerp, step_grid
from styleT2I.baselines.unclip.prior import Caption
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.generation.systems.interface import open_system
from styleT2I.generation.systems.unclip import UnclipSystem
from styleT2I.torch_utils.images import centre_crop_resize, make_grid_u8, text_strip_u8
from styleT2I.torch_utils.seeding import SeedNoise

NUM_STEPS = 50  # of inversion and of decoding what was inverted, over one grid
_FACE_SIZE = 96  # pixels, at least: small faces are enlarged


class Latent(NamedTuple):
    """N images as the decoder sees them."""

    embedding: torch.Tensor  # z_i [N, D], of length 1
    noise: torch.Tensor  # x_T [N, 3, r, r]


class ImageEdits:
    """Edits of images [N, 3, H, W] in [-1, 1] by an unCLIP; results are [.., 3, R, R] on the CPU.

    Decoding is unguided and wordless, as an inversion has to be.
    """

    def __init__(self, system: UnclipSystem, num_steps: int = NUM_STEPS):
        self.system, self.num_steps = system, num_steps

    @classmethod
    def open(cls, model: str | Path, device: str = "auto", num_steps: int = NUM_STEPS) -> ImageEdits:
        """The unCLIP of a folder, or by its name; CheckpointError for another model. It needs no prior."""
        system = open_system(model, device=device, unclip={"prior": "none"})
        if not isinstance(system, UnclipSystem):
            raise CheckpointError(
                f"{model}: is not an unCLIP; train one: python -m styleT2I.train_baseline --model unclip --outdir DIR"
            )
        return cls(system, num_steps)

    @torch.no_grad()
    def encode(self, images: torch.Tensor) -> Latent:
        """The bipartite latent of images."""
        system = self.system
        images = images.to(system.device)
        embedding = system.encoder.clip.encode_image(images)
        side = system.network.resolution
        low = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
        predict = system.network.predictor(embedding, self._wordless(len(images)), system.null, system.abar)
        return Latent(embedding, invert(predict, low, system.abar, step_grid(self.num_steps)))

    def variations(self, latent: Latent, etas: Sequence[float], seeds: Sequence[int]) -> torch.Tensor:
        """Of one image [len(etas), len(seeds), 3, R, R]: the same latent decoded with noise of eta; 0 reconstructs."""
        rows = [torch.stack([self.decode(latent, [seed], eta)[0] for seed in seeds]) for eta in etas]
        return torch.stack(rows)

    def interpolation(self, first: Latent, second: Latent, thetas: Sequence[float], seed: int | None) -> torch.Tensor:
        """Between two images [len(thetas), 3, R, R]; seed: one noise for all, None: that between the two's own, so
        that the ends are the images."""
        made = []
        for theta in thetas:
            noise = slerp(first.noise, second.noise, theta)
            if seed is not None:
                noise = torch.randn(noise.shape, generator=torch.Generator().manual_seed(seed)).to(noise)
            embedding = F.normalize(slerp(first.embedding, second.embedding, theta), dim=1)
            made.append(self.decode(Latent(embedding, noise), [0])[0])
        return torch.stack(made)

    @torch.no_grad()
    def text_diff(self, latent: Latent, text: str, from_text: str, thetas: Sequence[float]) -> torch.Tensor:
        """One image turned from one caption towards another [len(thetas), 3, R, R]; at theta 0 it is as it was.

        from_text: what the image shows now; "" for no caption.
        """
        target, origin = (self.system.encoder.encode([one]).embedding for one in (text, from_text))
        change = target - origin
        if change.norm() < 1e-6:
            raise ConfigError("both texts are the same to CLIP, so there is no change to make; give another one")
        change = F.normalize(change, dim=1)
        return torch.stack([
            self.decode(Latent(slerp(latent.embedding, change, theta), latent.noise), [0])[0] for theta in thetas
        ])  # fmt: skip

    @torch.no_grad()
    def reconstructions(self, latent: Latent, nums: Sequence[int], seed: int) -> torch.Tensor:
        """Images [N, len(nums), 3, R, R] of the first principal components of the embedding alone, on one noise."""
        model = self.system.model
        if not model.has("unclip_ar_prior"):
            raise CheckpointError(
                f"{model.name}: its principal components are in the autoregressive prior, which it lacks; train it "
                "with python -m styleT2I.train_baseline --model unclip_ar_prior"
            )
        prior = model.network("unclip_ar_prior")
        num_known = len(prior.basis)
        if wrong := [num for num in nums if not 1 <= num <= num_known]:
            raise ConfigError(
                f"the model keeps {num_known} principal components; ask for 1 to {num_known}, not {wrong[0]}"
            )
        pca = PCA(prior.mean, prior.basis, torch.zeros(0))
        side, num = self.system.network.resolution, len(latent.embedding)
        noise = torch.randn(3, side, side, generator=torch.Generator().manual_seed(seed)).to(latent.embedding)
        noise = noise.expand(num, -1, -1, -1)
        columns = [
            self.decode(Latent(F.normalize(pca.reconstructed(latent.embedding, few), dim=1), noise), [0] * num)
            for few in nums
        ]
        return torch.stack(columns, dim=1)

    @torch.no_grad()
    def decode(self, latent: Latent, seeds: Sequence[int], eta: float = 0.0) -> torch.Tensor:
        """Images [N, 3, R, R] of latents; seeds: of the noise of the steps (eta above 0) and of the upsampler."""
        system, num = self.system, len(latent.embedding)
        low = system.network.draw(
            latent.noise, latent.embedding, self._wordless(num), system.null, system.abar,
            SeedNoise(seeds, "variation", system.device), self.num_steps, eta, 1.0,
        )  # fmt: skip
        return system.enlarge(low, seeds).cpu()

    def _wordless(self, num) -> Caption:
        return self.system.null.expand(num)


def edits_grid_u8(images_u8: torch.Tensor, made_u8: torch.Tensor, titles: Sequence[str]) -> torch.Tensor:
    """One image [3, H, W] uint8: rows of made images [rows, columns, 3, R, R] below their titles.

    images_u8 [N, 3, S, S]: those started from, left of the rows; of two in one row the second ends it.
    """
    side = made_u8.shape[-1]
    scale = -(-_FACE_SIZE // side)
    given = [centre_crop_resize(image.permute(1, 2, 0).numpy(), side) for image in images_u8]
    given = [torch.from_numpy(array).permute(2, 0, 1).unsqueeze(0) for array in given]
    bands = []
    for row, (images, title) in enumerate(zip(made_u8, titles, strict=True)):
        both_ends = len(made_u8) == 1 and len(given) == 2
        shown = [given[min(row, len(given) - 1)], images] if not both_ends else [given[0], images, given[1]]
        band = make_grid_u8(torch.cat(shown), sum(map(len, shown)), scale=scale)
        bands += [text_strip_u8(title, band.shape[2]), band] if title else [band]
    return torch.cat(bands, dim=1)
