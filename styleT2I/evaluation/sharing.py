"""Suites shared out among the processes that torchrun started: whole ones, and the parts of those that cache them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch

from styleT2I.evaluation.suites import SUITES, Request
from styleT2I.torch_utils.distributed import alone, collected, group
from styleT2I.torch_utils.launch import launched, shard_of


def measured(requests: Mapping[str, Request], run: Callable[[str, Request], dict]) -> Iterator[tuple[str, dict]]:
    """Measure suites together with the other processes, if there are any.

    Suites that cache their parts are shared out part by part, where there is a folder that all processes see; of the
    others each is one process's.

    Args:
        requests: What each suite is to measure, by its name in `SUITES`; the same in every process.
        run: Measures one, run(name, request), and returns its metrics.

    Yields:
        (name, metrics) of every suite, as soon as they are there; of several processes the first alone yields.
    """
    place = launched()
    if place.count == 1:
        yield from ((name, run(name, request)) for name, request in requests.items())
        return
    split = [name for name, request in requests.items() if SUITES[name].has_parts and request.cells_dir]
    with group(torch.device("cpu")):
        with alone():
            own = {name: run(name, requests[name]) for name in shard_of([n for n in requests if n not in split], place)}
            for name in split:
                run(name, replace(requests[name], shard=place))
        parts = collected(own)
    if parts is not None:
        found = {name: metrics for part in parts for name, metrics in part.items()}
        for name, request in requests.items():
            yield name, found[name] if name in found else run(name, request)  # all of its parts are cached
