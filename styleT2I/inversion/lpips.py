"""LPIPS, a distance of two images that follows human judgements (Zhang et al. 2018, arXiv 1801.03924)."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import torch
from torch.nn import functional as F

from styleT2I.errors import CheckpointError
from styleT2I.formats.check_file import checked_weights
from styleT2I.formats.pickles.torch_files import read_torch_file
from styleT2I.torch_utils.images import from_uint8

__all__ = ["TRUNKS", "Lpips", "trunk_path"]

_HOST = "https://download.pytorch.org/models/"
TRUNKS = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}  # torchvision's files of ImageNet weights
MIN_SIZE, MAX_SIZE = 64, 256  # sides that the trunks have layers for, and that the heads were fitted near


def trunk_path(trunk: str) -> Path:
    """The path where a trunk's weights are expected: torch's own cache, which torchvision uses too."""
    return Path(torch.hub.get_dir()) / "checkpoints" / TRUNKS[trunk]


class Lpips:
    """Distance of images, linear heads (version 0.1) from the package lpips, trunk from the user's file.

    Raises CheckpointError where the trunk's weights are missing, or are not torchvision's. Downloads nothing.
    """

    def __init__(self, trunk: str, side: int, device: torch.device | str = "cpu"):
        file, path = TRUNKS[trunk], trunk_path(trunk)
        remedy = f"the package lpips has the linear heads alone; fetch {_HOST}{file} and save it there"
        self.trunk_sha256 = checked_weights(path, file.rpartition("-")[2].removesuffix(".pth"), remedy)
        self.name = f"LPIPS 0.1, trunk {trunk} ({file})"
        self.size, self._device = min(max(side, MIN_SIZE), MAX_SIZE), device
        self._network = build_lpips(trunk, read_torch_file(path), path).to(device)

    @property
    def sha256(self) -> str:
        """Of trunk and heads together: of the trunk's SHA-256 followed by the heads' numbers."""
        digest = hashlib.sha256(self.trunk_sha256.encode())
        for lin in self._network.lins:
            digest.update(lin.model[-1].weight.detach().cpu().numpy().tobytes())
        return digest.hexdigest()

    @property
    def versions(self) -> dict[str, str]:
        from importlib.metadata import version

        return {"lpips": version("lpips"), "torchvision": version("torchvision")}

    def distances(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Distances [N] of images [N, 3, R, R] in [-1, 1], resized to `size`; with gradients."""
        sized = (resized(images, self.size) for images in (first, second))
        return self._network(*sized).flatten()

    @torch.no_grad()
    def __call__(self, first_u8: torch.Tensor, second_u8: torch.Tensor) -> torch.Tensor:
        """Distances [N] of images [N, 3, size, size] uint8."""
        return self._network(*(from_uint8(images).to(self._device) for images in (first_u8, second_u8))).flatten()


def resized(images: torch.Tensor, size: int) -> torch.Tensor:
    """Images [N, 3, H, W] as [N, 3, size, size], antialiased; as they are where they have that size."""
    if images.shape[-2:] == (size, size):
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False, antialias=True)


def build_lpips(trunk: str, state: dict | None, where: str | Path = "the trunk's weights"):
    """The package's network with a torchvision state dict in its trunk, or with random weights there for None."""
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchvision, about how the package calls it
        network = lpips.LPIPS(net=trunk, pnet_rand=True, verbose=False).requires_grad_(False)
    if state is not None:
        try:
            with torch.no_grad():
                for name, parameter in network.net.named_parameters():  # slice2.3.weight: layer 3 of "features"
                    parameter.copy_(state[f"features.{name.partition('.')[2]}"])
        except (KeyError, RuntimeError, TypeError) as error:
            raise CheckpointError(f"{where}: holds no trunk {trunk!r} of torchvision; fetch it again") from error
    return network
