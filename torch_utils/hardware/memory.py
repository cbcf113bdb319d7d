"""Memory that a process holds and may still take, on the processor or a CUDA device; memory that processes share."""

import contextlib
import math
import mmap
import os
from pathlib import Path

import torch


def memory_in_use(device: torch.device) -> int:
    """Bytes that this process holds: on a CUDA device by torch's allocator, else resident (0 where it is unknown)."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError, ValueError):
        return 0


def memory_left(device: torch.device) -> int | None:
    """Bytes that this process may take beside those in use; None where the system does not tell.

    On Linux also what a container's limit leaves (cgroup version 2).
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    left = [_available(), _below_limit(Path("/sys/fs/cgroup"))]
    return min((bytes_ for bytes_ in left if bytes_ is not None), default=None)


def _available():
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _below_limit(group):
    with contextlib.suppress(OSError, ValueError):  # "max" is no limit
        limit, current = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        return max(limit - current, 0)
    return None


def shared_zeros(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Zeros that processes forked later share with this one; their memory is claimed page by page when it is written.

    Raises OSError, ValueError or OverflowError where the machine has not that much.
    """
    size = math.prod(shape) * dtype.itemsize
    if not size:
        return torch.zeros(shape, dtype=dtype)
    return torch.frombuffer(mmap.mmap(-1, size), dtype=dtype).view(shape)  # anonymous, but MAP_SHARED
