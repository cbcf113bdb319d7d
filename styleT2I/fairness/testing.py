"""A check for test suites: assert that a system draws two compositions equally often, within a limit."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.fairness.plan import AuditPlan, checked_plan
from styleT2I.fairness.report.verdict_words import lines_of
from styleT2I.fairness.results import AuditResult
from styleT2I.fairness.run import Audit

__all__ = ["assert_parity"]


def assert_parity(
    subject: Any,
    first: str,
    second: str,
    *,
    max_gap: float | None = 0.1,
    min_ratio: float | None = None,
    num: int = 200,
    allow_undecided: bool = False,
    vocabulary: str = "minifaces",
    judge: dict[str, Any] | None = None,
    outdir: str | Path | None = None,
    device: str = "cpu",
    **plan: Any,
) -> AuditResult:
    """Audit one pair of compositions, and raise AssertionError unless they are shown to be within the limits.

    Args:
        subject: A model, a system or a function (prompt, seed) -> image, as `fairness.run.Audit` takes it.
        first, second: Compositions, "she+lipstick" and "he+lipstick".
        max_gap, min_ratio: Limits, from 0 to 1; None: none.
        num: Images of each; `stylet2i audit plan --detect-within` says how many decide.
        allow_undecided: Pass also where nothing is shown either way.
        vocabulary, judge: As in a plan.
        outdir: Where cells are cached; None: nowhere.
        device: Of the judge.
        plan: Further keys of a plan, such as alpha or first_seed.

    Returns:
        The result.

    Raises:
        AssertionError: A limit is exceeded, or not decided; the message has the rates and why.
        StyleT2IError: The audit cannot be run.

    >>> import numpy as np
    >>> def draw(prompt, seed):
    ...     return np.full((64, 64, 3), 99, np.uint8)
    >>> assert_parity(draw, "she", "he", num=4)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: not decided: she / he, gap of at most 10 points; 4 of 4 images of she are of one colour ...
    """
    limits = {key: value for key, value in (("max_gap", max_gap), ("min_ratio", min_ratio)) if value is not None}
    name = f"{first} / {second}"
    content = {
        "name": name,
        "vocabulary": vocabulary,
        "num": num,
        "compositions": [first, second],
        "comparisons": [{"name": name, "first": first, "second": second}],
        "thresholds": [{"comparison": name, **limits}],
        "judge": judge or {},
        **plan,
    }
    words = load_vocabulary(vocabulary)
    audit = Audit(checked_plan(from_dict(AuditPlan, content), words), words, subject, device=device)
    with tempfile.TemporaryDirectory() as folder:
        audit.run(outdir or folder)
        result = audit.result(outdir or folder)
    failing = {"exceeded"} if allow_undecided else {"exceeded", "not decided"}
    if result.verdict in failing:
        raise AssertionError("\n".join(lines_of(result)[len(result.comparisons) :]))
    return result
