"""The result of a reader of foreign weights, and helpers that readers share."""

from __future__ import annotations

import re
from typing import NamedTuple

import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.pickles.blobs import AGAIN
from styleT2I.formats.pickles.tensors import load_tensors

MAX_BLOCKS = 9  # 4 to 1024 pixels
MAX_TAPS = 64


class Reading(NamedTuple):
    """A network out of a foreign file: its kind and configuration here, its tensors under our names, and notes."""

    kind: str
    config: dict
    state_dict: dict[str, torch.Tensor]
    info: dict = {}  # what the reader had to supply or leave out, in words, and facts worth keeping


class NoSuchNetwork(CheckpointError):
    """A file has other networks than the one that is asked for."""


def choose(found: dict, which: str):
    """The value of `which` among the networks of a file by name; NoSuchNetwork lists those there are."""
    if which not in found:
        raise NoSuchNetwork(f"holds no network {which!r}; it has {', '.join(found) or 'none'}")
    return found[which]


def load_state(tensors: dict) -> dict[str, torch.Tensor]:
    """The tensors of a state dict (of TensorRefs or tensors), floating ones as fp32."""
    loaded = load_tensors(tensors)
    return {key: t.float() if t.is_floating_point() else t for key, t in loaded.items()}


def is_state_dict(value) -> bool:
    """Whether `value` maps names to tensors, read or not."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(key, str) and hasattr(tensor, "shape") for key, tensor in value.items())
    )


def without_prefix(state: dict, prefix: str = "module.") -> dict:
    """`state` without the prefix that a parallel wrapper puts before every key."""
    return {key.removeprefix(prefix): value for key, value in state.items()}


def count_blocks(state: dict, pattern: str) -> int:
    """How many different numbers the group of `pattern` takes among the keys that match it."""
    return len({match[1] for match in (re.match(pattern, key) for key in state) if match})


def shape_of(state: dict, key: str, num_dims: int) -> tuple[int, ...]:
    """The shape of a tensor; CheckpointError when it is missing or has another number of dimensions."""
    if key not in state:
        raise CheckpointError(f"lacks the tensor {key!r}; it is damaged or of an unknown layout, {AGAIN}")
    shape = tuple(state[key].shape)
    if len(shape) != num_dims:
        raise CheckpointError(
            f"the tensor {key!r} has shape {list(shape)}, not {num_dims} dimensions; it is damaged, {AGAIN}"
        )
    return shape


def doublings(num: int) -> list[int]:
    """The resolutions 4, 8, 16, ... of `num` blocks; CheckpointError when there are none or they go beyond 1024."""
    if not 2 <= num <= MAX_BLOCKS:
        raise CheckpointError(
            f"it has {num} resolutions; StyleGAN2 has 8 to 1024 pixels, so it is none or damaged, {AGAIN}"
        )
    return [4 << i for i in range(num)]


def check_doublings(found) -> list[int]:
    """The resolutions `found` in order; CheckpointError when they are not 4, 8, 16, ..."""
    found = sorted(found)
    if found != doublings(len(found)):
        raise CheckpointError(
            f"its layers have resolutions {found}, which are not doublings of 4; it is damaged, {AGAIN}"
        )
    return found


def agreed(values, what: str):
    """The one value that all of `values` are; CheckpointError when layers differ in it, which our networks cannot."""
    values = list(values)
    if any(value != values[0] for value in values[1:]):
        raise CheckpointError(f"its layers differ in {what}, which is not supported; use another checkpoint")
    return values[0] if values else None


def filter_taps(kernel: torch.Tensor) -> list:
    """The taps of a resampling filter [k] or [k,k], whatever its scale: k whole numbers where it is made of such."""
    kernel = kernel.double()
    if kernel.ndim not in (1, 2) or max(kernel.shape) > MAX_TAPS or not kernel.any():
        raise CheckpointError(
            f"a resampling filter in it has shape {list(kernel.shape)} or is zero; it is damaged, {AGAIN}"
        )
    taps = kernel if kernel.ndim == 1 else kernel.sum(dim=0)
    if kernel.ndim == 2 and not torch.allclose(torch.outer(taps, taps), kernel * kernel.sum(), rtol=1e-5, atol=1e-7):
        return (kernel / kernel.sum()).tolist()  # not separable
    ratios = taps / taps.abs()[taps != 0].min()
    whole = ratios.round()
    return (whole if torch.allclose(whole, ratios, atol=1e-4) else taps / taps.sum()).tolist()


def renamed(state: dict, rules, what: str) -> dict:
    """`state` under other names: rules are (pattern of a whole key, replacement as `re.sub` takes it).

    CheckpointError names the first key that no rule knows, as one that belongs to no `what`.
    """
    names = {}
    for key in state:
        match, change = next(((m, change) for rule, change in rules if (m := re.fullmatch(rule, key))), (None, None))
        if match is None:
            raise CheckpointError(f"the tensor {key[:80]!r} belongs to no {what}; use another checkpoint")
        names[key] = change(match) if callable(change) else match.expand(change)
    return {names[key]: value for key, value in state.items()}


def with_batch_counts(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`state` with the counter that batch norm has beside its statistics, which files older than torch 1.0 lack."""
    counters = {
        f"{key.removesuffix('running_mean')}num_batches_tracked" for key in state if key.endswith("running_mean")
    }
    return {**{key: torch.tensor(0) for key in counters}, **state}
