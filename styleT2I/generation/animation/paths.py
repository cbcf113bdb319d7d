"""Paths of latents for videos: between seeds, between sentences, along an attribute and back."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from styleT2I.errors import ConfigError
from styleT2I.generation.arguments import EASINGS
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.torch_utils.seeding import checked_seeds, latents_of_seeds


def loop_positions(num_frames: int, num_keys: int, easing: str = "smooth", is_loop: bool = True) -> torch.Tensor:
    """Where on the way round its key frames each frame is.

    Args:
        num_frames: F, at least 2.
        num_keys: K key frames, at least 2.
        easing: "linear" (constant pace) or "smooth" (slow at every key frame, half a cosine between).
        is_loop: Whether the way leads from the last key frame back to the first; the last frame is then one step
            before the first, so that a player that repeats shows none twice.

    Returns:
        Positions [F] from 0 to K, float64: 1.25 is a quarter of the way from key frame 1 to key frame 2.

    Raises:
        ConfigError: Fewer frames than key frames, or an unknown easing.

    Example:
        >>> loop_positions(4, 2, "linear").tolist()
        [0.0, 0.5, 1.0, 1.5]
    """
    if easing not in EASINGS:
        raise ConfigError(f"unknown easing {easing!r}; known: {', '.join(EASINGS)}")
    if num_frames < max(num_keys, 2):
        raise ConfigError(f"{num_frames} frames are too few for {num_keys} stops; take at least {max(num_keys, 2)}")
    num_ways = num_keys if is_loop else num_keys - 1
    last = num_frames if is_loop else num_frames - 1
    positions = torch.arange(num_frames, dtype=torch.float64) * num_ways / last
    if easing == "smooth":
        start = positions.floor()
        positions = start + (1 - torch.cos(math.pi * (positions - start))) / 2
    return positions


def slerp(first: torch.Tensor, second: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Great-circle interpolation (Shoemake 1985) of rows, their lengths between linearly.

    Args:
        first, second: [N, D].
        share: [N], 0 gives first, 1 second.

    Returns:
        [N, D]. Rows that point the same way, or against each other, are interpolated straight.

    Example:
        >>> x = slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([0.5]))
        >>> [round(v, 4) for v in x[0].tolist()]
        [0.7071, 0.7071]
    """
    share = share.to(first).unsqueeze(1)
    lengths = [x.norm(dim=1, keepdim=True).clamp_min(1e-12) for x in (first, second)]
    a, b = first / lengths[0], second / lengths[1]
    angle = (a * b).sum(dim=1, keepdim=True).clamp(-1, 1).arccos()
    sine = angle.sin()
    turned = (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / sine.clamp_min(1e-6)
    turned = turned * (lengths[0] * (1 - share) + lengths[1] * share)
    return torch.where(sine < 1e-4, first * (1 - share) + second * share, turned)


def along(keys: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Straight ways between key frames [K, ...] at positions [F] of `loop_positions`: [F, ...]."""
    start, share = _split(positions, len(keys))
    share = share.to(keys).view(-1, *[1] * (keys.ndim - 1))
    return keys[start].lerp(keys[(start + 1) % len(keys)], share)


@torch.no_grad()
def between_seeds(
    pipeline: StyleT2I, seeds: Sequence[int], positions: torch.Tensor, truncation_psi: float = 0.7
) -> torch.Tensor:
    """The way between the faces of seeds: great circles in Z.

    Args:
        pipeline: Any with a generator.
        seeds: K, at least 2.
        positions: [F] of `loop_positions(F, K)`.
        truncation_psi: From 0 to 2.

    Returns:
        ws [F, num_ws, w_dim] on the model's device.

    Raises:
        ConfigError: There is one seed only, or a value is out of range.

    Example:
        >>> between_seeds(pipeline, [0, 1], loop_positions(4, 2)).shape
        torch.Size([4, 10, 128])
    """
    numbers = checked_seeds(seeds)
    if len(numbers) < 2:
        raise ConfigError("a way needs two seeds or more to lead between; give for example --seeds 0-3")
    z = latents_of_seeds(numbers, pipeline.model.network("generator").z_dim)
    start, share = _split(positions, len(z))
    return pipeline.latents_of_z(slerp(z[start], z[(start + 1) % len(z)], share), truncation_psi)


@torch.no_grad()
def between_sentences(
    pipeline: StyleT2I, texts: Sequence[str], seed: int, positions: torch.Tensor, is_from_face: bool, **settings
) -> torch.Tensor:
    """The way of one face from sentence to sentence: straight in W+.

    Args:
        pipeline: A StyleT2I.
        texts: Sentences; K of them, or K - 1 with is_from_face.
        seed: Of the face.
        positions: [F] of `loop_positions(F, K)`.
        is_from_face: Begin with the face that no sentence has changed.
        **settings: truncation_psi, noise_mode, adjustment, strict, as `StyleT2I.generate` takes them.

    Returns:
        ws [F, num_ws, w_dim] on the model's device. Raises what `StyleT2I.generate` does.
    """
    keys = [pipeline.generate(text, [seed], **settings).ws for text in texts]
    if is_from_face:
        keys.insert(0, pipeline.latents([seed], settings.get("truncation_psi", 0.7)).cpu())
    return along(torch.cat(keys), positions).to(pipeline.model.device)


@torch.no_grad()
def there_and_back(
    pipeline: StyleT2I, name: str, low: float, high: float, seed: int, num_frames: int, truncation_psi: float = 0.7
) -> tuple[torch.Tensor, list[float]]:
    """One face moved along an attribute from low to high and back, at the pace of a pendulum.

    Args:
        pipeline: A StyleT2I with an Attribute-to-Direction network.
        name: Of the attribute, any term of the vocabulary.
        low, high: Strengths; 0 is the face as it is, 1 turns the attribute on, -1 off.
        seed: Of the face.
        num_frames: F, at least 2.
        truncation_psi: From 0 to 2.

    Returns:
        ws [F, num_ws, w_dim] on the model's device, and the strength of each frame.

    Raises:
        ConfigError: low is not below high, or what `StyleT2I.edit` refuses.
    """
    if not low < high:
        raise ConfigError(f"strengths from {low:g} to {high:g} run backwards; turn them round")
    turns = [(1 - math.cos(2 * math.pi * k / num_frames)) / 2 for k in range(num_frames)]
    strengths = [low + (high - low) * turn for turn in turns]
    ws = pipeline.latents([seed], truncation_psi)
    ends = {  # a way on may be longer than the way back: straight from each end to the face as it is
        sign: (pipeline.edit(ws, {name: end}).ws.to(ws) - ws) / abs(end)
        for sign, end in ((-1, min(low, 0.0)), (1, max(high, 0.0))) if end
    }  # fmt: skip
    moved = [ws if s == 0 else ws + abs(s) * ends[1 if s > 0 else -1] for s in strengths]
    return torch.cat(moved), strengths


def _split(positions, num_keys):
    """The key frame [F] before each position, and the share of the way to the next."""
    start = positions.floor().clamp(0, num_keys - 1)
    return start.long(), (positions - start)
