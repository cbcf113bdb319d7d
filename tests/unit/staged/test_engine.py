"""Stages run in order, by one process or several; a page of what they measured."""

import json
import os
import subprocess

import pytest

from styleT2I.errors import DataError, TrainingError
from styleT2I.staged import engine
from styleT2I.staged.engine import Stage, is_done, run_stages, seconds_of
from styleT2I.staged.page import table_rows, write_page


@pytest.fixture
def started(monkeypatch):
    """Commands that were started; each ends with the status that `statuses` has for its module, else 0."""
    commands, statuses = [], {}

    def run(command, check):
        commands.append(command[1:])
        module = next(word for word in command if word.startswith("styleT2I."))
        return subprocess.CompletedProcess(command, statuses.get(module, 0))

    monkeypatch.setattr(engine.subprocess, "run", run)
    return commands, statuses


PLAN = {
    "t2d": Stage("train_t2d", ["--steps", "2"], None),
    "package": Stage("package_model", ["--outdir", "model"], None),
    "audit": Stage("audit", ["run", "plan.yaml"], None),
}


def test_trainings_are_shared_among_processes_and_nothing_else(started, tmp_path):
    commands, _ = started
    run_stages(PLAN, tmp_path, lambda line: None, processes=4, shared=("train_t2d",))
    assert commands == [
        ["-m", "torch.distributed.run", "--nproc-per-node", "4", "-m", "styleT2I.train_t2d", "--steps", "2"],
        ["-m", "styleT2I.package_model", "--outdir", "model"],
        ["-m", "styleT2I.audit", "run", "plan.yaml"],
    ]


@pytest.mark.parametrize("status", [3, 4])
def test_the_verdict_of_an_audit_is_no_failure_and_an_error_is(started, tmp_path, status):
    _, statuses = started
    statuses["styleT2I.audit"] = status
    run_stages(PLAN, tmp_path, lambda line: None)
    assert set(seconds_of(tmp_path)) == set(PLAN)
    statuses["styleT2I.audit"] = 2
    with pytest.raises(TrainingError, match="stage audit failed"):
        run_stages(PLAN, tmp_path, lambda line: None)
    statuses["styleT2I.train_t2d"] = 3
    with pytest.raises(TrainingError, match="stage t2d failed"):
        run_stages(PLAN, tmp_path, lambda line: None)


def test_seconds_add_up_over_starts_and_a_damaged_note_is_none(started, tmp_path, monkeypatch):
    clock = iter([0, 5, 10, 17])
    monkeypatch.setattr(engine.time, "monotonic", lambda: next(clock))
    for _ in range(2):
        run_stages({"t2d": PLAN["t2d"]}, tmp_path, lambda line: None)
    assert seconds_of(tmp_path) == {"t2d": 12}
    (tmp_path / "seconds.json").write_text("[1")
    assert seconds_of(tmp_path) == {}


def test_what_takes_every_result_is_made_again_where_one_is_newer(tmp_path):
    plan = {name: Stage("x", [], str(tmp_path / name)) for name in ("t2d", "package", "evaluate")}
    for time, name in enumerate(plan):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (time, time))
    assert all(is_done(name, plan) for name in plan)
    os.utime(tmp_path / "t2d", (9, 9))
    assert [is_done(name, plan) for name in plan] == [True, False, False]


def measured(value, **more):
    return {"value": value, "settings": {}, "network": "Inception", **more}


RESULTS = {
    "methods": {"none": {"r_precision": measured(0.5, interval=[0.4, 0.6]), "frechet": measured(17.5)}},
    "real": {"r_precision": measured(0.9)},
    "left_out": {"paper": "no network"},
}


def test_published_values_stand_beside_ours_and_say_whether_they_were_read_and_where():
    rows = table_rows("celebahq", RESULTS)
    assert rows[0][:4] == ("this run, Text-to-Direction", "", "0.500 (0.400 to 0.600)", "17.50")
    published = [row for row in rows if "published" in row[0]]
    recalled = [row for row in published if "unverified: " in row[5]]
    assert len(recalled) == 5 and all("(unverified)" in row[1] and "(unverified)" in row[3] for row in recalled)
    read = {row[0]: (row[1], row[3], row[5]) for row in published if row not in recalled}
    assert read["AttnGAN, published"][:2] == ("", "125.98") and "README" in read["AttnGAN, published"][2]
    assert not [row for row in table_rows("minifaces", RESULTS) if "published" in row[0]]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (measured(3.0, network="held-out judge of m, not Inception: compare ..."), "3.00 (judge's features, no FID)"),
        (measured(3.0, settings={"mostly_bias": True}), "3.00 (too few images: mostly bias)"),
    ],
)
def test_a_distance_that_is_no_fid_says_so(found, told):
    assert table_rows("cub", {**RESULTS, "methods": {"none": {"frechet": found}}})[0][3] == told


def test_the_page_has_what_was_left_out_and_needs_its_results(tmp_path):
    with pytest.raises(DataError, match=r"results\.json"):
        write_page("cub", "Birds", PLAN, tmp_path, {})
    (tmp_path / "results.json").write_text(json.dumps({"suites": {"protocol": RESULTS}}))
    page = write_page("cub", "Birds", PLAN, tmp_path, {"images": "cub:x"}).read_text()
    assert "paper: no network" in page and "images: cub:x" in page and "python -m styleT2I.train_t2d --steps 2" in page
    assert "17.50" in (tmp_path / "table.md").read_text()
