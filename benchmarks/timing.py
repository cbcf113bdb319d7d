"""What the speed benchmarks share: interleaved runs, medians, the machine they ran on, a table."""

import os
import platform
import statistics
import time
from pathlib import Path


def interleave(variants, repeats):
    """Run every variant (name -> function) once to warm up, then `repeats` times in turn.

    Returns name -> {"seconds", "cpu_seconds"}: medians of the time on the clock and of the processor time.
    """
    runs = {name: [] for name in variants}
    for i in range(repeats + 1):
        for name, function in variants.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            function()
            taken = time.perf_counter() - start, time.process_time() - cpu_start
            if i > 0:
                runs[name].append(taken)
    medians = {name: [statistics.median(values) for values in zip(*times, strict=True)] for name, times in runs.items()}
    return {name: {"seconds": wall, "cpu_seconds": cpu} for name, (wall, cpu) in medians.items()}


def machine():
    """Return processor, cores, torch, threads, instruction set and whether torch asks for huge pages, as texts."""
    import torch

    from styleT2I.ops.kernels import cpu_kernels

    kernels, info = cpu_kernels(), Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "instruction_set": kernels.instruction_set() if kernels else None,
        "THP_MEM_ALLOC_ENABLE": os.environ.get("THP_MEM_ALLOC_ENABLE", "not set"),
        "load": os.getloadavg()[0],
    }


def print_table(times, base, num_images):
    """Print a line for each variant: seconds per image, processor seconds, and how many times faster than `base`."""
    print(f"{'variant':<24}{'s/image':>10}{'cpu s/image':>13}{'speed-up':>10}")
    for name, time_of in times.items():
        wall, cpu = time_of["seconds"] / num_images, time_of["cpu_seconds"] / num_images
        print(f"{name:<24}{wall:>10.3f}{cpu:>13.3f}{times[base]['seconds'] / time_of['seconds']:>10.2f}")
