"""The audit against known truth: a generator with a dial, a judge that errs, and the audit's own analysis.

Run `python benchmarks/audit_dial.py --repetitions 500 --json FILE` in a checkout. Each cell of the dial is audited so
many times through the functions of `fairness.analysis`: truths of pairs are drawn (success rates of both sides,
correlation, how failures look), the judge errs about each attribute, labelled images give its errors, and the audit
decides. Printed per cell: coverage of the corrected interval of the gap and its mean width, its bias, the coverage of
the interval by errors of each composition alone and of the uncorrected one, and how often the audit says "within" and
"exceeded".
`--families` does the same for a judge without errors and 20 limits: false "within" at the limit, and power.
"""

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from scipy.stats import norm  # noqa: E402

from styleT2I.fairness.analysis.decisions.evidence import CountedSides, JudgeErrors, corrected_sides_of  # noqa: E402
from styleT2I.fairness.analysis.decisions.verdicts import Question, of_gap, verdicts  # noqa: E402
from styleT2I.statistics.contrasts import score_of_pairs  # noqa: E402
from styleT2I.statistics.joint_errors import JointErrors  # noqa: E402
from styleT2I.statistics.misclassification import Confusion  # noqa: E402
from styleT2I.torch_utils.seeding import generator  # noqa: E402

SIDES = ("she+lipstick", "he+lipstick")
WANTED = ({"he": False, "lipstick": True}, {"he": True, "lipstick": True})
STATES = ("00", "01", "10", "11")  # he, lipstick


@dataclass(frozen=True)
class Dial:
    """One cell: the truth, the judge, and how much is looked at."""

    name: str
    num: int = 200  # pairs
    labels: int = 75  # labelled images of each joint state
    success: tuple[float, float] = (0.8, 0.7)
    correlation: float = 0.4  # probability that both sides of a pair share their chance
    other_sex: tuple[float, float] = (
        0.5,
        0.5,
    )  # of failures of each side: drawn as the other sex, else without lipstick
    sex_errors: tuple[float, float] = (0.02, 0.02)  # judge: on women and bare men, on men with lipstick
    lipstick_errors: tuple[float, float] = (0.02, 0.05)  # judge: on women, on men
    undetermined: tuple[float, float] = (0.0, 0.0)  # of women, of men; missing not at random
    labelled_undetermined: bool = True  # the labelled images are undetermined as often; else none is
    limit: float = 0.1

    @property
    def gap(self) -> float:
        return self.success[0] - self.success[1]


DIALS = (
    Dial("plain, n 50", num=50),
    Dial("plain, n 200"),
    Dial("plain, n 1000", num=1000),
    Dial("no gap", success=(0.8, 0.8)),
    Dial("gap 5", success=(0.8, 0.75)),
    Dial("gap 30", success=(0.9, 0.6)),
    Dial("near certain", success=(0.99, 0.95)),
    Dial("rare success", num=1000, success=(0.05, 0.02)),
    Dial("judge misses lipstick on men", success=(0.8, 0.8), lipstick_errors=(0.02, 0.3)),
    Dial("judge .85", sex_errors=(0.08, 0.08), lipstick_errors=(0.1, 0.15), labels=150),
    Dial("failure mix, men drawn as women", num=400, labels=150, success=(0.7, 0.7), other_sex=(0.0, 1.0),
         sex_errors=(0.02, 0.2)),
    Dial("failure mix, success .4", num=400, labels=150, success=(0.4, 0.4), other_sex=(0.0, 1.0),
         sex_errors=(0.02, 0.2)),
    Dial("shared labels, 50", num=1000, labels=50, success=(0.8, 0.8), sex_errors=(0.05, 0.2)),
    Dial("15 % undetermined of men", num=400, undetermined=(0.02, 0.15)),
    Dial("15 % undetermined, none labelled", num=400, undetermined=(0.02, 0.15), labelled_undetermined=False),
)  # fmt: skip


def judge_matrix(dial):
    """Probability of each verdict (row; the fifth is undetermined) by true state."""
    matrix = torch.zeros(5, 4, dtype=torch.float64)
    for column, state in enumerate(STATES):
        is_man, has_lipstick = state[0] == "1", state[1] == "1"
        wrong_sex = dial.sex_errors[1] if is_man and has_lipstick else dial.sex_errors[0]
        wrong_lipstick = dial.lipstick_errors[is_man]
        for row, verdict in enumerate(STATES):
            sex = wrong_sex if verdict[0] != state[0] else 1 - wrong_sex
            lipstick = wrong_lipstick if verdict[1] != state[1] else 1 - wrong_lipstick
            matrix[row, column] = sex * lipstick * (1 - dial.undetermined[is_man])
        matrix[4, column] = dial.undetermined[is_man]
    return matrix


def drawn_truths(dial, rng):
    """True states [N] of both sides, as indices of STATES."""
    shared, own = torch.rand(dial.num, 1, generator=rng), torch.rand(dial.num, 2, generator=rng)
    is_shared = torch.rand(dial.num, 1, generator=rng) < dial.correlation
    is_right = torch.where(is_shared, shared, own) < torch.tensor(dial.success)
    truths = []
    for side, (right, as_other, bare) in enumerate(((1, 3, 0), (3, 1, 2))):
        is_other = torch.rand(dial.num, generator=rng) < dial.other_sex[side]
        failed = torch.where(is_other, as_other, bare)
        truths.append(torch.where(is_right[:, side], right, failed))
    return truths


def judged(truth, matrix, rng):
    return torch.multinomial(matrix[:, truth].T, 1, generator=rng)[:, 0]


def labelled(dial, rng):
    """Counts of verdicts on labelled images by true state."""
    matrix, counts = judge_matrix(dial if dial.labelled_undetermined else replace(dial, undetermined=(0.0, 0.0))), {}
    names = (*STATES, "??")
    for column, state in enumerate(STATES):
        found = judged(torch.full((dial.labels,), column), matrix, rng).bincount(minlength=5).tolist()
        counts[state] = {name: number for name, number in zip(names, found, strict=True) if number}
    return counts


def by_composition(counts):
    """The same labels as confusions by composition: near misses in equal parts, as without a joint matrix."""
    confusions = {}
    for name, right in zip(SIDES, ("01", "11"), strict=True):
        near = [
            state for state in STATES if state != right and sum(a != b for a, b in zip(state, right, strict=True)) == 1
        ]
        hit, total = counts[right].get(right, 0), sum(counts[right].values())
        taken = sum(counts[state].get(right, 0) for state in near)
        confusions[name] = Confusion(
            hit, total - hit, taken, sum(sum(counts[state].values()) for state in near) - taken
        )
    return confusions


def outcome(verdict, wanted):
    """A cell's outcomes as the audit keeps them, of verdicts [N]."""
    letters = [(*STATES, "??")[index] for index in verdict.tolist()]
    success = "".join("?" if state == "??" else "1" if state == wanted else "0" for state in letters)
    seen = {name: "".join(state[place] for state in letters) for place, name in enumerate(("he", "lipstick"))}
    return {"success": success, "attributes": {}, "drift": {}, "seen": seen}


def audited(dial, repetition):
    """Both sides of one audit's comparison: corrected by the joint matrix, by composition, and not at all."""
    rng = generator("dial", dial.name, repetition)
    matrix, counts = judge_matrix(dial), labelled(dial, rng)
    cells = [
        outcome(judged(truth, matrix, rng), wanted)
        for truth, wanted in zip(drawn_truths(dial, rng), ("01", "11"), strict=True)
    ]
    confusions, joint = by_composition(counts), (JointErrors(("he", "lipstick"), counts),)
    corrected = [
        corrected_sides_of(errors, SIDES, WANTED, (cells[0], cells[1]), True, f"{dial.name} {repetition}")
        for errors in (JudgeErrors(confusions, joint), JudgeErrors(confusions))
    ]
    return (*corrected, CountedSides(cells[0]["success"], cells[1]["success"], True))


def measure(dial, repetitions):
    """Coverage, width, bias and verdicts of one cell of the dial."""
    covered, width, bias, decided = [0, 0, 0], 0.0, 0.0, {"within": 0, "exceeded": 0, "not decided": 0}
    for repetition in range(repetitions):
        for index, sides in enumerate(audited(dial, repetition)):
            contrast = sides.contrast()
            low, high = contrast.interval(0.95)
            covered[index] += low <= dial.gap <= high
            if not index:
                width += high - low
                bias += contrast.value - dial.gap
                question = Question("max_gap", dial.name, dial.limit, of_gap(sides, dial.limit))
                decided[verdicts([question], 0.05)[0].verdict] += 1
    is_kept = abs(dial.gap) < dial.limit - 1e-9
    return {
        "cell": dial.name, "gap": dial.gap, "num": dial.num, "labels": dial.labels,
        "coverage": covered[0] / repetitions, "width": width / repetitions, "bias": bias / repetitions,
        "coverage_by_composition": covered[1] / repetitions, "coverage_uncorrected": covered[2] / repetitions,
        "within": decided["within"] / repetitions, "exceeded": decided["exceeded"] / repetitions,
        "false": decided["exceeded" if is_kept else "within"] / repetitions,
    }  # fmt: skip


def families(repetitions):
    """20 limits of 10 points, success near .8, correlation .4, a judge without errors: rates of audits."""
    from styleT2I.statistics.equivalence_power import pairs_needed_within, power_within

    limits = [("max_gap", 0.1)] * 20
    needed = pairs_needed_within(limits, 0.8, correlation=0.4)
    rows = []
    for gap in (0.0, 0.05, 0.1, 0.12, 0.15):
        for num in dict.fromkeys((200, needed, 1000)):
            rates = family_rates(gap, num, repetitions)
            rows.append({"gap": gap, "num": num, **rates})
    return {"needed": needed, "power": power_within(needed, limits, correlation=0.4), "rows": rows}


def family_rates(gap, num, repetitions):
    """Rates of audits with even one "within", with all of them, and with even one "exceeded"."""
    both = (1 - 0.4) * 0.8 * (0.8 - gap) + 0.4 * (0.8 - gap)  # in 40 % of pairs both sides have one chance
    rates = [both, 0.8 - both, 0.8 - gap - both, 0.2 + gap - 0.8 + both]
    rng = np.random.default_rng([num, round(100 * gap)])
    tables = np.moveaxis(rng.multinomial(num, rates, (repetitions, 20)), -1, 0)
    limit = 0.1
    above, below = (score_of_pairs(tables[1], tables[2], num, supposed) for supposed in (-limit, limit))
    inside, outside = norm.sf(np.minimum(above, -below)), 2 * norm.sf(np.maximum(below, -above))
    steps = 0.05 / np.arange(20, 0, -1)  # Holm's
    num_within, num_exceeded = (
        (np.sort(each, axis=1) <= steps).cumprod(axis=1).sum(axis=1) for each in (inside, outside)
    )
    return {"any_within": float((num_within > 0).mean()), "all_within": float((num_within == 20).mean()),
            "any_exceeded": float((num_exceeded > 0).mean())}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=500, help="Audits per cell.")
    parser.add_argument("--cells", nargs="*", metavar="NAME", help="Only these cells of the dial.")
    parser.add_argument("--families", action="store_true", help="20 limits of one audit, in place of the dial.")
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    arguments = parser.parse_args()
    from styleT2I.torch_utils.files import write_json_atomic

    torch.set_num_threads(1)
    if arguments.families:
        result = families(arguments.repetitions)
        print(json.dumps(result, indent=1))
    else:
        result = []
        columns = ("coverage", "width", "bias", "coverage_by_composition", "coverage_uncorrected", "within", "exceeded")
        print(f"{'cell':34}{'gap':>6}{'num':>6}" + "".join(f"{name[-14:]:>16}" for name in columns))
        for dial in DIALS:
            if arguments.cells and dial.name not in arguments.cells:
                continue
            start = time.perf_counter()
            row = measure(dial, arguments.repetitions)
            result.append(row)
            numbers = "".join(f"{row[name]:16.3f}" for name in columns)
            print(
                f"{dial.name:34}{dial.gap:6.2f}{dial.num:6}{numbers}   {time.perf_counter() - start:.0f} s", flush=True
            )
        spread = 1.96 * math.sqrt(0.95 * 0.05 / arguments.repetitions)
        print(f"a coverage of .95 shows as .95 ± {spread:.3f} in {arguments.repetitions} audits")
    if arguments.json_file:
        write_json_atomic(arguments.json_file, result)


if __name__ == "__main__":
    main()
