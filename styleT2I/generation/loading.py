"""Networks out of any source, as every command takes one: a path, an address, hf://, a known name, a model.

The loaders below these (networks.registry, networks.clip.loading, networks.faces.region_sources) take paths alone.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import torch

from styleT2I.networks import registry
from styleT2I.networks.clip import loading as clip_loading
from styleT2I.networks.clip.model import CLIP
from styleT2I.networks.faces import region_sources
from styleT2I.networks.faces.face_parsing import HUB
from styleT2I.networks.faces.region_sources import RegionSource
from styleT2I.sources.hub import silent_hub
from styleT2I.sources.resolve import is_offline, resolve

__all__ = ["load_clip", "load_network", "open_segmenter"]


def load_network(source, which: str = "G_ema", *, offline: bool | None = None) -> torch.nn.Module:
    """Load a network from any source (`sources.resolve`). Nothing in a file is executed.

    Args:
        source: A file of NVIDIA's (PyTorch or TensorFlow), of rosinality's or of another known format, a component or
            a model of ours (its generator), an address, hf://owner/name or a well-known checkpoint's name.
        which: Of a file with several networks: "G_ema" (the averaged generator), "G" or "D".
        offline: True downloads nothing; None asks the environment.

    Returns:
        The network on the CPU, in eval mode with gradients off.

    Raises:
        CheckpointError: The file is damaged, or of no known format.
        DownloadError: The source is elsewhere and cannot be fetched.

    Example:
        >>> from styleT2I import load_network
        >>> G = load_network("minifaces")
        >>> G.resolution, G.num_ws, G.w_dim
        (64, 10, 128)
    """
    return registry.load_network(resolve(source, offline=offline), which)


def load_clip(source, *, architecture: str | None = None, offline: bool | None = None) -> CLIP:
    """Load a CLIP from any source (`sources.resolve`), or from another package's object.

    Args:
        source: As for `load_network`; also an architecture's name of OpenAI's package, or a CLIP in memory.
        architecture: An architecture of open_clip's, for a file that does not tell.
        offline: True downloads nothing; None asks the environment.

    Returns:
        The CLIP; `encode_image` takes images [N, 3, H, W] in [-1, 1], `encode_text` a list of N sentences. Both give
        features [N, D] of length 1.

    Raises:
        CheckpointError: The source holds no CLIP.
        DownloadError: The source is elsewhere and cannot be fetched.

    Example:
        >>> from styleT2I import load_clip
        >>> load_clip("minifaces").encode_text(["she is smiling"]).shape
        torch.Size([1, 64])
    """
    is_named = isinstance(source, (str, os.PathLike)) and not clip_loading.is_openai_name(source)
    return clip_loading.load_clip(
        resolve(source, "clip", offline=offline) if is_named else source, architecture=architecture
    )


def open_segmenter(source: str | Path, device="cpu", *, offline: bool | None = None) -> RegionSource:
    """The source of regions of any source (sources.resolve), or a folder of masks, or a face-parsing model on the Hub.

    As `networks.faces.region_sources.open_segmenter`, which takes paths alone.
    """
    if not str(source).startswith(HUB):
        return region_sources.open_segmenter(resolve(source, "segmenter", offline=offline), device)
    with silent_hub() if (is_offline() if offline is None else offline) else contextlib.nullcontext():
        return region_sources.open_segmenter(source, device)
