"""What people answered: how often each system was preferred, with an interval and a sign test."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from styleT2I.config import read_text
from styleT2I.errors import DataError
from styleT2I.evaluation.study.export import ANSWERS, QUESTIONS
from styleT2I.statistics.hypothesis_tests import mcnemar_exact
from styleT2I.statistics.intervals import wilson_interval

__all__ = ["tally", "tally_table"]


def tally(key: str | Path, answers: Sequence[str | Path]) -> dict:
    """Count the answers of filled-in tables by question.

    Args:
        key: key.csv of the study.
        answers: answers.csv of one or more persons; rows without an answer are passed over.

    Returns:
        {question: {"systems": [a, b], "wins": [n, m], "ties": t, "rate": of a's wins among those that decided,
        "interval": 95 %, "p": of a two-sided sign test, "participants": p}}. The answers of one person are not
        independent of each other, so the interval holds for these persons only.

    Raises:
        DataError: A table cannot be read, or names a pair, question or answer that there is not.
    """
    sides = {row["pair"]: (row["left"], row["right"]) for row in _rows(key, ("pair", "left", "right"))}
    systems = sorted({system for pair in sides.values() for system in pair})
    if len(systems) != 2:
        raise DataError(f"{key}: names {len(systems)} systems, a study compares two; name the study's own key.csv")
    counts = {name: Counter() for name in QUESTIONS}
    persons = {name: set() for name in QUESTIONS}
    for path in answers:
        for number, row in enumerate(_rows(path, ("participant", "pair", "question", "answer")), start=2):
            answer = (row["answer"] or "").strip()
            if not answer:
                continue
            if row["pair"] not in sides or row["question"] not in QUESTIONS or answer not in ANSWERS:
                told = f"{row['pair']},{row['question']},{answer}"
                raise DataError(f"{path}: line {number}, {told[:60]!r}: no such pair, question or answer of this study")
            counts[row["question"]]["tie" if answer == "none" else sides[row["pair"]][answer == "right"]] += 1
            persons[row["question"]].add((path, row["participant"]))
    return {name: _counted(systems, counts[name], len(persons[name])) for name in QUESTIONS if counts[name]}


def _counted(systems, count, num_persons):
    wins = [count[system] for system in systems]
    decided = sum(wins)
    told = {"systems": systems, "wins": wins, "ties": count["tie"], "participants": num_persons}
    if decided:
        told |= {"rate": wins[0] / decided, "interval": list(wilson_interval(wins[0], decided)),
                 "p": mcnemar_exact(*wins)}  # fmt: skip
    return told


def tally_table(counted: dict) -> str:
    """Markdown of what `tally` returns."""
    lines = ["| question | preferred | of | rate | 95 % | ties | persons | p |", "| --- " * 8 + "|"]
    for name, told in counted.items():
        rate, low_high, p = "", "", ""
        if "rate" in told:
            low, high = told["interval"]
            rate, low_high, p = f"{told['rate']:.3f}", f"{low:.3f} to {high:.3f}", f"{told['p']:.3g}"
        wins = f"{told['systems'][0]}: {told['wins'][0]}, {told['systems'][1]}: {told['wins'][1]}"
        row = (QUESTIONS[name], wins, sum(told["wins"]), rate, low_high, told["ties"], told["participants"], p)
        lines.append("| " + " | ".join(map(str, row)) + " |")
    return "\n".join(lines)


def _rows(path, columns):
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path, DataError))))
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV table: {error}") from error
    if not rows or not set(columns) <= rows[0].keys():
        raise DataError(f"{path}: not a table with columns {', '.join(columns)}; name the study's own")
    return rows
