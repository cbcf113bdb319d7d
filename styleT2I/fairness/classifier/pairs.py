"""Which pairs of edited faces count: those whose edit did what it should, and no more, as far as the judge sees.

The two faces of a pair differ in one attribute that was edited. A pair counts where the judge sees that attribute, and
all others that were edited, on both faces as they should be. Where it sees that the edit also changed what the
classifier is asked about, its answers on both faces count as undetermined: intervals then cover both extremes, so that
no limit is decided by the edit's own drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from styleT2I.attributes.compositions import differing
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import ConfigError, DataError
from styleT2I.fairness.analysis.outcomes import SUCCESS, UNSURE
from styleT2I.fairness.plan import AS_DRAWN, AuditPlan
from styleT2I.fairness.results import Table
from styleT2I.statistics.intervals import wilson_interval

__all__ = ["LEAST_PAIRS", "counted_pairs"]

LEAST_PAIRS = 0.5  # of the faces; where fewer edits take, nothing is decided

_EXPLANATION = (
    "Each comparison shows the classifier the same faces twice, one attribute edited each way. The judge checks every "
    "pair. Left out: pairs in which it does not see the edited attributes as they should be. Changed by the edit: "
    "pairs in which it sees that the edit also changed what the classifier is asked about ({watched}); both answers "
    "then count as undetermined, and every interval covers both extremes. Their interval bounds this drift for such "
    "faces; what the judge does not see, it does not bound. Other attributes changed: pairs with any other change that "
    "the judge sees. Flips: pairs whose two answers differ, of those that count."
)


def counted_pairs(
    plan: AuditPlan, vocabulary: Vocabulary, outcomes: Mapping[tuple[str, str], dict]
) -> tuple[dict[tuple[str, str], dict], Table]:
    """Outcomes of the pairs that count, and what the edits did.

    Args:
        plan: With a classifier; each composition is in one comparison.
        vocabulary: That of the plan.
        outcomes: Of every cell, with "edited": whether the judge sees the edited attributes.

    Returns:
        Outcomes as `assemble.analyse` takes them, of the faces that count; a row per comparison.

    Raises:
        DataError: The edits of a comparison took on no face.
    """
    assert plan.classifier is not None
    cells, found, rows = plan.cells(vocabulary), dict(outcomes), []
    for pair in plan.comparisons:
        places = (AS_DRAWN.name, pair.first), (AS_DRAWN.name, pair.second)
        sides = [outcomes[place] for place in places]
        num = len(sides[0]["success"])
        kept = [at for at in range(num) if all(side["edited"][at] == SUCCESS for side in sides)]
        if not kept:
            raise DataError(
                f"the edits of comparison {pair.name!r} took on none of {num} faces, to the judge; raise "
                "classifier.strength, or leave the comparison out"
            )
        edited = differing(cells[pair.first], cells[pair.second]) | cells[pair.first].keys()
        watched = _watched(plan.classifier.target, vocabulary, edited, sides[0]["seen"])
        others = [name for name in _free(vocabulary, edited, sides[0]["seen"]) if name not in watched]
        moved, changed = _differ(sides, watched, kept), _differ(sides, others, kept)
        unsure = set(kept) if len(kept) < LEAST_PAIRS * num else moved
        for place, side in zip(places, sides, strict=True):
            found[place] = _taken(side, kept, unsure)
        letters = [found[place]["success"] for place in places]
        known = [(one, other) for one, other in zip(*letters, strict=True) if UNSURE not in (one, other)]
        flips = sum(one != other for one, other in known)
        rows.append(
            {
                "comparison": pair.name,
                "faces": num,
                "left_out": num - len(kept),
                "changed_by_the_edit": len(moved) / len(kept),
                "changed_by_the_edit_interval": list(wilson_interval(len(moved), len(kept), 1 - plan.alpha)),
                "other_attributes_changed": len(changed) / len(kept),
                "flips": flips / len(known) if known else None,
                "flips_interval": list(wilson_interval(flips, len(known), 1 - plan.alpha)) if known else None,
            }
        )
    target = plan.classifier.target
    said = (
        target if _name_of(target, vocabulary) else "any attribute that was not edited, for it does not know the target"
    )
    return found, Table(_EXPLANATION.format(watched=said), tuple(rows))


def _name_of(target: str, vocabulary: Vocabulary) -> str | None:
    try:
        return vocabulary.resolve(target)[0]
    except ConfigError:
        return None


def _watched(target, vocabulary, edited, seen) -> list[str]:
    """Attributes whose change by the edit would change the right answer: the target, or all others if it is unknown."""
    name = _name_of(target, vocabulary)
    return [name] if name is not None and name in seen else _free(vocabulary, edited, seen)


def _free(vocabulary, edited, seen) -> list[str]:
    """Attributes that the judge sees and no edit has to change: not the edited ones, nor those they exclude."""
    tied = {other for name in edited for other in vocabulary.exclusive_of(name)}
    return [name for name in seen if name not in edited and name not in tied]


def _differ(sides, names, kept) -> set[int]:
    """Pairs in which the judge sees one of the attributes on one face and not on the other."""
    return {at for at in kept if any(sides[0]["seen"][name][at] != sides[1]["seen"][name][at] for name in names)}


def _taken(outcome: Mapping[str, Any], kept: Sequence[int], unsure: set[int]) -> dict:
    """The outcome of some of its faces, with the answers on others undetermined."""

    def some(values):
        picked = [values[at] for at in kept]
        return "".join(picked) if isinstance(values, str) else picked

    taken = {
        **outcome,
        **{key: {name: some(values) for name, values in outcome[key].items()}
           for key in ("attributes", "seen", "scores", "quality") if key in outcome},
        **{key: some(outcome[key]) for key in ("edited", "seeds") if key in outcome},
    }  # fmt: skip
    if "images" in outcome:
        taken["images"] = {key: some(values) for key, values in outcome["images"].items()}
    taken["success"] = "".join(UNSURE if at in unsure else outcome["success"][at] for at in kept)
    return taken
