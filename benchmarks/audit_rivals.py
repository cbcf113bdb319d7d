"""The audit's estimates beside rivals, against known truth: coverage, width, error, at least 500 audits a cell.

Run `python benchmarks/audit_rivals.py --repetitions 500 --json FILE` in a checkout. Truths of pairs and verdicts of a
judge that errs are drawn; nothing is rendered. Methods, each with the same number of human labels:

    naive          the judge's counts: Newcombe's paired interval (share: Wilson's)
    Rogan-Gladen   corrected by sensitivity and specificity on labelled images, delta method (Rogan and Gladen 1978)
    CLEAM          Teo, Abdollahzadeh and Cheung (NeurIPS 2023), written from the paper's formulas: with 30 batches, p =
                   (mean - (1 - a1)) / (a0 - (1 - a1)), and the interval from mean +- 1.96 s / sqrt(30). As released:
                   batches are resampled from one pool, the accuracies a0 and a1 taken as known
    CLEAM, fair    the same estimate, s from the true number of images; the accuracies still taken as known
    calibrated     the audit's correction by the errors on labelled images (`fairness.analysis.evidence`)
    PPI++          the audit's estimate from labels of its own images (`fairness.analysis.labelled`)

`--share` asks CLEAM's own question: the share of one attribute in an unprompted generator.
"""

import argparse
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
import torch  # noqa: E402

from styleT2I.fairness.analysis.labelled import LabelledSides, labelled_rate  # noqa: E402
from styleT2I.statistics.contrasts import ends_of_pairs, ends_of_rate  # noqa: E402
from styleT2I.statistics.misclassification import (  # noqa: E402
    Confusion,
    corrected_gap,
    corrected_rate_interval,
)
from styleT2I.torch_utils.seeding import generator  # noqa: E402

Z = 1.959964
BATCHES = 30
NO_INTERVAL = (-1.0, 1.0)
METHODS = ("naive", "Rogan-Gladen", "CLEAM", "CLEAM, fair", "calibrated", "PPI++")


@dataclass(frozen=True)
class Cell:
    """One setting. labels: per truth and side, on other images; as many are given to PPI++ on the audit's own."""

    name: str
    num: int
    success: tuple[float, float]
    sensitivity: tuple[float, float] = (0.95, 0.85)
    specificity: tuple[float, float] = (0.95, 0.98)
    labels: int = 75
    correlation: float = 0.4  # of pairs, both sides have one chance
    elsewhere: tuple[float, float] | None = None  # sensitivity on the labelled images, where it is another one

    @property
    def gap(self) -> float:
        return self.success[0] - self.success[1]


CELLS = (
    Cell("n 50", 50, (0.8, 0.7)),
    Cell("n 200", 200, (0.8, 0.7)),
    Cell("n 1000", 1000, (0.8, 0.7)),
    Cell("no gap, n 200", 200, (0.8, 0.8)),
    Cell("gap 30, n 200", 200, (0.9, 0.6)),
    Cell("near certain", 200, (0.99, 0.95)),
    Cell("rare success", 1000, (0.05, 0.02)),
    Cell("judge .8", 200, (0.8, 0.7), (0.8, 0.8), (0.8, 0.8)),
    Cell("judge .8, n 1000", 1000, (0.8, 0.7), (0.8, 0.8), (0.8, 0.8)),
    Cell("few labels", 200, (0.8, 0.7), labels=15),
    Cell("errors do not transport", 200, (0.8, 0.8), elsewhere=(1.0, 1.0)),
    Cell("errors do not transport, n 1000", 1000, (0.8, 0.8), elsewhere=(1.0, 1.0)),
)
SHARES = tuple(
    Cell(f"pool {num}", num, (0.644, 0.644), (0.947, 0.947), (0.983, 0.983), labels=labels)
    for num, labels in ((400, 250), (2000, 500), (9000, 500))
)


def drawn(cell, rng):
    """Truths and verdicts of both sides, bool [2, N]."""
    shared, own = rng.random(cell.num), rng.random((2, cell.num))
    chance = np.where(rng.random(cell.num) < cell.correlation, shared, own)
    truth = chance < np.array(cell.success)[:, None]
    return truth, judged(truth, cell.sensitivity, cell.specificity, rng)


def judged(truth, sensitivity, specificity, rng):
    chance = rng.random(truth.shape)
    return np.where(truth, chance < np.array(sensitivity)[:, None], chance >= np.array(specificity)[:, None])


def calibrated(cell, rng):
    """Confusions of both sides on labelled images; None where the judge seems no better than chance."""
    found = []
    for side in (0, 1):
        hits = int(rng.binomial(cell.labels, (cell.elsewhere or cell.sensitivity)[side]))
        right = int(rng.binomial(cell.labels, 1.0 if cell.elsewhere else cell.specificity[side]))
        try:
            found.append(Confusion(hits, cell.labels - hits, cell.labels - right, right))
        except ValueError:
            return None
    return found


def rogan_gladen(rate, num, judge):
    """The corrected rate and its variance by the delta method; the judged share that the formula needs first."""
    slope = judge.sensitivity + judge.specificity - 1
    value = (rate + judge.specificity - 1) / slope
    positives, negatives = judge.true_positive + judge.false_negative, judge.true_negative + judge.false_positive
    variance = (
        rate * (1 - rate) / num
        + value**2 * judge.sensitivity * (1 - judge.sensitivity) / positives
        + (1 - value) ** 2 * judge.specificity * (1 - judge.specificity) / negatives
    )
    return value, variance / slope**2


def cleam(verdicts, judge, rng, is_fair):
    """CLEAM's rate and the variance behind its interval."""
    slope, shift = judge.sensitivity + judge.specificity - 1, 1 - judge.specificity
    num = len(verdicts)
    batches = rng.binomial(num, verdicts.mean(), BATCHES) / num  # resampled from the pool with replacement
    mean = verdicts.mean() if is_fair else batches.mean()
    spread = mean * (1 - mean) / num if is_fair else batches.var(ddof=1) / BATCHES
    return (mean - shift) / slope, spread / slope**2


def outcomes(side, verdicts):
    """A cell of the audit: success letters and a name for every image."""
    letters = "".join("1" if each else "0" for each in verdicts)
    return {"success": letters, "images": {"sha256": [f"{side}-{index}" for index in range(len(verdicts))]}}


def labels_of(truths, indices):
    return {f"{side}-{index}": {"a": "1" if truths[side][index] else "0"} for side in (0, 1) for index in indices}


def by_labels(cell, truth, verdicts, rng, is_share):
    """Value and interval by labels of the audit's own images, as many as the calibration has, at most half of them."""
    sides = (0,) if is_share else (0, 1)
    num_labels = 2 * cell.labels  # of each side
    indices = np.sort(rng.permutation(cell.num)[: min(num_labels, cell.num // 2)])
    labels, wanted = labels_of(truth, indices), {"a": True}
    cells = [outcomes(side, verdicts[side]) for side in sides]
    found = labelled_rate(cells[0], wanted, labels) if is_share else LabelledSides(
        (cells[0], cells[1]), (wanted, wanted), labels, True).contrast()  # fmt: skip
    return found.value, found.interval(0.95)


def estimates(cell, rng, source, is_share):
    """Method -> (value, interval) in one audit."""
    truth, verdicts = drawn(cell, rng)
    judges, rates = calibrated(cell, rng), verdicts.mean(axis=1)
    table = [int(((verdicts[0] == a) & (verdicts[1] == b)).sum()) for a, b in ((1, 1), (1, 0), (0, 1), (0, 0))]
    naive = ends_of_rate(int(verdicts[0].sum()), cell.num, Z) if is_share else ends_of_pairs(*table, Z)
    found = {"naive": (rates[0] if is_share else rates[0] - rates[1], naive)}
    found["PPI++"] = by_labels(cell, truth, verdicts, rng, is_share)
    if judges is None:
        return found | dict.fromkeys(METHODS[1:5], (0.0, NO_INTERVAL))
    for name in METHODS[1:4]:
        both = [
            rogan_gladen(rates[side], cell.num, judges[side]) if name == "Rogan-Gladen"
            else cleam(verdicts[side], judges[side], rng, name != "CLEAM")
            for side in (0, 1)
        ]  # fmt: skip
        value, variance = both[0] if is_share else (both[0][0] - both[1][0], both[0][1] + both[1][1])
        if name == "Rogan-Gladen" and not is_share:  # pairs: less twice the covariance of the judged rates
            slopes = [judge.sensitivity + judge.specificity - 1 for judge in judges]
            variance -= 2 * np.cov(verdicts.astype(float))[0, 1] / cell.num / (slopes[0] * slopes[1])
        half = Z * math.sqrt(max(variance, 0.0))
        found[name] = value, (value - half, value + half)
    if is_share:
        corrected = corrected_rate_interval(int(verdicts[0].sum()), cell.num, judges[0], source)
    else:
        corrected = corrected_gap(table, judges[0], judges[1], source)
    found["calibrated"] = corrected.value, corrected.interval
    return found


def measure(cell, repetitions, is_share):
    """Coverage, mean width, bias and root mean squared error of every method; points where it says so."""
    rng, source = np.random.default_rng([len(cell.name), cell.num, cell.labels]), generator("rivals", cell.name)
    truth = cell.success[0] if is_share else cell.gap
    runs = [estimates(cell, rng, source, is_share) for _ in range(repetitions)]
    rows = {}
    for name in METHODS:
        values = np.array([run[name][0] for run in runs], dtype=float)
        low, high = (np.array([float(run[name][1][end]) for run in runs]) for end in (0, 1))
        error = values - truth
        rows[name] = {
            "coverage": float(((low <= truth) & (truth <= high)).mean()), "width": float((high - low).mean()),
            "bias": float(error.mean()), "rmse": float(np.sqrt((error**2).mean())),
            "error": float(np.abs(error).mean() / truth) if truth else None,
        }  # fmt: skip
    return {"cell": cell.name, "truth": truth, "num": cell.num, "labels": cell.labels, "methods": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=500, help="Audits per cell.")
    parser.add_argument("--cells", nargs="*", metavar="NAME", help="Only these cells.")
    parser.add_argument("--share", action="store_true", help="CLEAM's question: the share of one attribute.")
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    arguments = parser.parse_args()
    from styleT2I.torch_utils.files import write_json_atomic

    torch.set_num_threads(1)
    rows = []
    print(f"{'cell':34}" + "".join(f"{name:>24}" for name in METHODS) + "   (coverage, width, rmse)")
    for cell in SHARES if arguments.share else CELLS:
        if arguments.cells and cell.name not in arguments.cells:
            continue
        start = time.perf_counter()
        rows.append(measure(cell, arguments.repetitions, arguments.share))
        said = (rows[-1]["methods"][name] for name in METHODS)
        text = "".join(f"{each['coverage']:10.3f}{each['width']:7.3f}{each['rmse']:7.3f}" for each in said)
        print(f"{cell.name:34}{text}   {time.perf_counter() - start:.0f} s", flush=True)
    if arguments.json_file:
        write_json_atomic(arguments.json_file, rows)


if __name__ == "__main__":
    main()
