"""What was declared and what was drawn: plan.lock, digests of cells, identity of functions, functions that hang."""

import functools
import json
import time

import numpy as np
import pytest

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.errors import DataError
from styleT2I.fairness.cells.merge import merge_cells
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.plan.lock import declared_in
from styleT2I.fairness.report.page import render
from styleT2I.fairness.run import Audit
from styleT2I.fairness.subjects.functions import CallableSubject
from styleT2I.fairness.subjects.user_functions import EntryPoint
from tests import fake_faces

VOCABULARY = load_vocabulary("minifaces")
LIMITED = {"thresholds": [{"comparison": "lipstick", "max_gap": 0.05}]}


def plan(**changes):
    return from_dict(AuditPlan, {**fake_faces.PLAN, "max_undetermined": 0.5, **changes})


def run(folder, subject=fake_faces.draw, **changes):
    audit = Audit(plan(**changes), VOCABULARY, subject, device="cpu")
    audit.run(folder)
    return audit


def of_rate(rate):
    """A generator that draws lipstick on men at a rate."""

    def draw(prompt, seed):
        return fake_faces.draw(prompt, 0 if (seed * 7919) % 20 < 20 * rate else 1)

    return draw


class Generator:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, prompt, seed):
        return of_rate(self.rate)(prompt, seed)

    def draw(self, prompt, seed):
        return self(prompt, seed)


def drawn(rate, prompt, seed):
    return of_rate(rate)(prompt, seed)


@pytest.mark.parametrize(
    "make", [of_rate, Generator, lambda rate: Generator(rate).draw, lambda rate: functools.partial(drawn, rate)]
)
def test_what_one_file_makes_twice_is_never_taken_for_the_other(make, tmp_path):
    """Two closures, instances, methods or partials of one file: nothing that the first drew serves the second."""
    assert EntryPoint.of(make(0.5)).sha256 is None
    rates = [run(tmp_path, make(rate)).result(tmp_path).cells[1].success for rate in (0.9, 0.1)]
    assert rates == pytest.approx([0.9, 0.1])


def test_half_of_one_closure_and_half_of_another_is_no_result(tmp_path):
    first = run(tmp_path, of_rate(0.9))
    second = Audit(plan(), VOCABULARY, of_rate(0.1), device="cpu")
    second.run(tmp_path, shard=(1, 2))
    with pytest.raises(DataError, match="1 of 2 cells are missing"):
        second.result(tmp_path)
    with pytest.raises(DataError, match="1 of 2 cells are missing"):
        first.result(tmp_path)
    with pytest.raises(DataError, match="functions in memory that cannot be told apart"):
        merge_cells(plan(), VOCABULARY, [tmp_path])


def test_a_function_of_a_module_and_one_with_a_fingerprint_are_known(tmp_path):
    assert len(EntryPoint.of(fake_faces.draw).sha256) == 64
    marked = [of_rate(0.5), of_rate(0.5)]
    for function, mark in zip(marked, ("weights 1", "weights 2"), strict=True):
        function.fingerprint = mark
    first, second = (EntryPoint.of(function).sha256 for function in marked)
    assert len(first) == 64 and first != second


def test_the_plan_is_locked_before_the_first_image_and_a_change_is_shown(tmp_path):
    seen = []

    def draw(prompt, seed):
        seen.append(json.loads((tmp_path / "plan.lock").read_text())["records"][0]["plan"]["name"])
        return fake_faces.draw(prompt, seed)

    run(tmp_path, draw, **LIMITED)
    assert set(seen) == {"fake"}
    raised = {"thresholds": [{"comparison": "lipstick", "max_gap": 0.9}]}
    result = run(tmp_path, draw, **raised).result(tmp_path)
    first, second = result.declared
    assert first.is_before_images and not second.is_before_images and first.sha256 != second.sha256
    assert second.changes == ("thresholds[0].max_gap: 0.05 -> 0.9",)
    page = render(result, {})
    assert (
        "The plan was changed after images had been drawn in this folder: thresholds[0].max_gap: 0.05 -&gt; 0.9" in page
    )
    assert "before any image was drawn" not in page


def test_an_unchanged_plan_is_one_record_and_deleting_it_is_seen(tmp_path):
    run(tmp_path, **LIMITED)
    run(tmp_path, **LIMITED)
    (record,) = declared_in([tmp_path])
    assert record.is_before_images
    (tmp_path / "plan.lock").unlink()
    result = run(tmp_path, **LIMITED).result(tmp_path)
    assert [each.is_before_images for each in result.declared] == [False]
    assert "images were in the folder already" in render(result, {})


def test_a_damaged_lock_is_one_line(tmp_path):
    run(tmp_path)
    (tmp_path / "plan.lock").write_text('{"records": [{}]}')
    with pytest.raises(DataError, match="damaged, so nobody can tell what was declared"):
        run(tmp_path)


@pytest.mark.parametrize("change", ["success", "seed", "letter", "is_paired", "origin"])
def test_a_cell_that_was_changed_is_refused_in_one_line(change, tmp_path):
    audit = run(tmp_path)
    path = sorted((tmp_path / "cells").glob("*.json"))[0]
    content = json.loads(path.read_text())
    outcomes = content["outcomes"]
    if change == "success":
        outcomes["success"] = "1" * 20
    elif change == "seed":
        outcomes["seeds"][0] = 7
    elif change == "letter":
        outcomes["success"] = "x" + outcomes["success"][1:]
    elif change == "is_paired":
        outcomes["is_paired"] = False
    else:
        content["origin"]["num"] = 21
    path.write_text(json.dumps(content))
    for again in (lambda: audit.result(tmp_path), lambda: merge_cells(plan(), VOCABULARY, [tmp_path])):
        with pytest.raises(DataError, match="was changed after the audit wrote it") as caught:
            again()
        assert path.name in str(caught.value) and "\n" not in str(caught.value)


def test_copies_that_contradict_each_other_are_refused(tmp_path, monkeypatch):
    run(tmp_path / "a")
    monkeypatch.setattr(
        fake_faces, "look", lambda images: {"she": [1.0] * len(images), "lipstick": [1.0] * len(images)}
    )
    run(tmp_path / "b")  # the same file, judge and plan: only what they saw differs
    with pytest.raises(DataError, match="contradict each other"):
        merge_cells(plan(), VOCABULARY, [tmp_path / "a", tmp_path / "b"])


def test_an_image_that_was_cut_off_is_drawn_again(tmp_path):
    calls = []

    def draw(prompt, seed):
        calls.append(seed)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fake_faces.draw(prompt, seed)

    draw.fingerprint = "known"
    audit = Audit(plan(), VOCABULARY, draw, device="cpu")
    with pytest.raises(KeyboardInterrupt):
        audit.run(tmp_path)
    (kept,) = (tmp_path / "cells").glob("*/0.png")
    kept.write_bytes(kept.read_bytes()[:40])
    audit.run(tmp_path)
    assert calls[:4] == [0, 1, 2, 0] and audit.result(tmp_path).provenance.num == 20


def test_a_function_that_hangs_exits_or_draws_a_speck_is_one_line(tmp_path):
    def hang(prompt, seed):
        time.sleep(60)

    def leave(prompt, seed):
        raise SystemExit(5)

    def speck(prompt, seed):
        return np.zeros((2, 2, 3), np.uint8)

    start = time.monotonic()
    for subject, said in (
        (CallableSubject.of(hang, timeout=0.2), "TimeoutError: no answer within 0.2 s"),
        (leave, r"RuntimeError: it called exit\(5\)"),
        (speck, "has 2 x 2 pixels; draw 8 x 8 or more"),
    ):
        with pytest.raises(DataError, match=said) as caught:
            run(tmp_path, subject)
        assert "\n" not in str(caught.value) and "seed 0" in str(caught.value)
    assert time.monotonic() - start < 30
