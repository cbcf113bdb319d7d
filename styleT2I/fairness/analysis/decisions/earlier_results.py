"""Results of version 1, whose verdicts were point estimates against limits, decided again from the counts in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from styleT2I.errors import DataError
from styleT2I.fairness.analysis.decisions.evidence import CountedSides
from styleT2I.fairness.analysis.decisions.limits import floor_obstacle
from styleT2I.fairness.analysis.decisions.soundness import Obstacle
from styleT2I.fairness.analysis.decisions.verdicts import Question, of_gap, verdicts
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.results import SCHEMA_VERSION, to_json

__all__ = ["upgraded"]

_PAIRS = {"both": "11", "only_first": "10", "only_second": "01", "neither": "00"}


def upgraded(content: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of a result as this version writes it; one of version 2 lacks nothing but labels.

    Raises:
        DataError: It was corrected by a calibration, and its counts do not say by how much under the new rules.
    """
    if content.get("schema_version") == 2:
        return {**content, "schema_version": SCHEMA_VERSION}
    if "schema_version" in content or "thresholds" not in content:
        return dict(content)
    if content.get("calibration"):
        raise DataError("was made with a calibration by an earlier version, whose verdicts do not hold; run it again")
    plan, compared = content["plan"], {each["name"]: each for each in content["comparisons"]}
    alpha, undetermined = plan.get("alpha", AuditPlan.alpha), _undetermined(content)
    questions = []
    for threshold in content["thresholds"]:
        each = compared[threshold["comparison"]]
        sides = _sides(each, content["cells"], undetermined)
        names = each["first"]["cell"], each["second"]["cell"]
        obstacle = _obstacle(names, sides, undetermined, alpha)
        limit = threshold["max_gap"]
        questions.append(Question("max_gap", each["name"], limit, of_gap(sides, limit), obstacle))
    decided = verdicts(questions, alpha)
    exceeded, not_decided = ([each.name for each in decided if each.verdict == verdict]
                             for verdict in ("exceeded", "not decided"))  # fmt: skip
    verdict = "exceeded" if exceeded else "not decided" if not_decided else "within"
    changed = {
        "verdict": verdict if decided else "no threshold declared",
        "exceeded": exceeded,
        "not_decided": not_decided,
        "thresholds": to_json(decided),
        "schema_version": SCHEMA_VERSION,
        "environment": {},
    }
    return {key: changed.get(key, value) for key, value in content.items() if key != "failed"} | changed


def _undetermined(content):
    """Undetermined images by composition, in the primary setting."""
    primary = content["cells"][0]["setting"] if content["cells"] else None
    return {
        cell["cell"]: (cell["undetermined"], cell["num"]) for cell in content["cells"] if cell["setting"] == primary
    }


def _sides(compared, cells, undetermined):
    """Outcomes with the counts of a comparison. With undetermined images, which no pair shows, two samples."""
    names = compared["first"]["cell"], compared["second"]["cell"]
    if compared["design"] == "paired" and not any(undetermined[name][0] for name in names):
        letters = ["".join(kind[side] * compared["pairs"][key] for key, kind in _PAIRS.items()) for side in (0, 1)]
        return CountedSides(letters[0], letters[1], True)
    setting = compared["first"]["setting"]
    counted = {cell["cell"]: cell for cell in cells if cell["setting"] == setting}
    letters = []
    for name in names:
        cell = counted[name]
        failures = cell["num"] - cell["successes"] - cell["undetermined"]
        letters.append("1" * cell["successes"] + "?" * cell["undetermined"] + "0" * failures)
    return CountedSides(letters[0], letters[1], False)


def _obstacle(names, sides, undetermined, alpha):
    """The obstacles that counts alone show, at the limits that a plan has now unless it says otherwise."""
    for name in names:
        unsure, num = undetermined[name]
        if unsure > AuditPlan.max_undetermined * num:
            return Obstacle("undetermined", f"the judge left {unsure} of {num} images of {name} undetermined")
    return floor_obstacle(names, sides, AuditPlan.floor, alpha)
