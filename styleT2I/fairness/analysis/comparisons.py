"""Two cells side by side: paired by seed, or as two samples of their own."""

from __future__ import annotations

from styleT2I.fairness.analysis.outcomes import SUCCESS
from styleT2I.statistics.hypothesis_tests import fisher, mcnemar_exact
from styleT2I.statistics.intervals import newcombe_interval, newcombe_paired_interval

__all__ = ["paired", "unpaired"]

_KINDS = {"both": (True, True), "only_first": (True, False), "only_second": (False, True), "neither": (False, False)}


def paired(first: str, second: str) -> dict:
    """Shares of success, their gap and its p-value, of outcomes a letter a seed: exact McNemar test, Newcombe's paired
    interval."""
    sides = [(a == SUCCESS, b == SUCCESS) for a, b in zip(first, second, strict=True)]
    pairs = {name: sides.count(kind) for name, kind in _KINDS.items()}
    num = len(sides)
    return {
        "design": "paired",
        "pairs": pairs,
        "success": [(pairs["both"] + pairs["only_first"]) / num, (pairs["both"] + pairs["only_second"]) / num],
        "gap": (pairs["only_first"] - pairs["only_second"]) / num,
        "gap_interval": list(newcombe_paired_interval(*pairs.values())),
        "p": mcnemar_exact(pairs["only_first"], pairs["only_second"]),
    }


def unpaired(first: str, second: str) -> dict:
    """The same of two samples, of any sizes: Fisher's exact test, Newcombe's two-sample interval; "pairs" are None."""
    counts = [(side.count(SUCCESS), len(side)) for side in (first, second)]
    shares = [num / trials for num, trials in counts]
    return {
        "design": "unpaired",
        "pairs": dict.fromkeys(_KINDS),
        "success": shares,
        "gap": shares[0] - shares[1],
        "gap_interval": list(newcombe_interval(*counts[0], *counts[1])),
        "p": fisher(*counts[0], *counts[1]),
    }
