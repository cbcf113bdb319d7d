"""How often a rate exactly at its limit is wrongly shown below or above it, by people's labels of a part of the images.

Run `python benchmarks/label_rates.py` in a checkout. The truth and the judge's errors are known. One-sided 5 % tests by
the symmetric interval of PPI++ and by the one that the audit takes (`prediction_powered.stratified_rate`), then the
root mean squared error of the labels alone, of PPI++ and of the audit.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from styleT2I.statistics.prediction_powered import powered_mean, stratified_rate  # noqa: E402

Z = norm.isf(0.05)


class Cell(NamedTuple):
    """rate: true. misses, invents: rates of the judge's errors. labels: of num images."""

    rate: float
    misses: float
    invents: float
    labels: int
    num: int


CELLS = (
    Cell(0.3, 0.3, 0.0, 120, 400), Cell(0.3, 0.3, 0.3, 120, 400), Cell(0.3, 0.3, 0.0, 40, 400),
    Cell(0.1, 0.3, 0.0, 120, 400), Cell(0.1, 0.05, 0.02, 120, 400), Cell(0.05, 0.2, 0.0, 200, 1000),
    Cell(0.9, 0.1, 0.1, 100, 1000),
)  # fmt: skip


def one(cell, rng):
    """Estimates and ends of one sample: of PPI++, of the audit, and the labels alone."""
    truth = rng.random(cell.num) < cell.rate
    seen = np.where(truth, rng.random(cell.num) > cell.misses, rng.random(cell.num) < cell.invents)
    y, f = truth[: cell.labels], seen[: cell.labels]
    powered = powered_mean(y, f, seen[cell.labels :])
    strata = [(int(y[f == kind].sum()), int((f == kind).sum()), int((seen == kind).sum())) for kind in (False, True)]
    stratified = stratified_rate(strata)
    return (powered.value, *powered.ends(Z)), (stratified.value, *stratified.ends(Z)), y.mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=20000, help="Samples of each cell.")
    arguments = parser.parse_args()
    heads = "rate, misses, invents, labels, images", "PPI++ below, above", "audit below, above"
    print(f"{heads[0]:40}{heads[1]:>22}{heads[2]:>22}   rmse, points")
    for cell in CELLS:
        rng = np.random.default_rng([round(100 * value) for value in cell])
        runs = [one(cell, rng) for _ in range(arguments.repetitions)]
        shown = ""
        for method in (0, 1):
            _, low, high = np.array([run[method] for run in runs]).T
            shown += f"{100 * (high < cell.rate).mean():13.1f} {100 * (low > cell.rate).mean():6.1f} %"
        values = (np.array([run[2] for run in runs]), *(np.array([run[k][0] for run in runs]) for k in (0, 1)))
        errors = (100 * np.sqrt(((value - cell.rate) ** 2).mean()) for value in values)
        print(
            f"{', '.join(f'{value:g}' for value in cell):40}{shown}   " + ", ".join(f"{error:.1f}" for error in errors)
        )


if __name__ == "__main__":
    main()
