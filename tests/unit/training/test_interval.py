"""The log's figures: means over the interval that a line ends, and seconds that are what their names say."""

import json
import time

import pytest

from styleT2I.errors import OutputError
from styleT2I.torch_utils.folders import locked_folder
from styleT2I.torch_utils.stats import RunLog, read_stats
from styleT2I.training.interval import Interval
from tests.toy_training import ToyTask, toy_run

SLOW = 0.3  # seconds


class SlowTask(ToyTask):
    """Steps take no time; everything else does."""

    def evaluate(self, step):
        time.sleep(SLOW)
        return super().evaluate(step)

    def snapshot(self, step, outdir):
        time.sleep(SLOW)

    def state_dict(self):
        time.sleep(SLOW)
        return super().state_dict()


def test_the_time_of_a_step_is_that_of_the_step_alone(tmp_path):
    every = {f"{name}_every": 2 for name in ("eval", "snapshot", "checkpoint", "log")}
    toy_run(tmp_path, steps=6, task=SlowTask(), **every)
    records = read_stats(tmp_path / "stats.jsonl")
    assert [record["step"] for record in records] == [2, 4, 6]
    for record in records:
        assert 0 < record["sec_per_step"] < SLOW
        assert record["sec_evaluation"] >= SLOW
    assert "sec_checkpoint" not in records[0]  # it comes after the line, and counts for the next
    assert all(record[name] >= SLOW for record in records[1:] for name in ("sec_checkpoint", "sec_snapshot"))


def test_a_resumed_runs_means_cover_the_whole_interval(tmp_path):
    settings = {"log_every": 7, "checkpoint_every": 3, "eval_every": 0}
    toy_run(tmp_path / "whole", steps=21, **settings)
    task = ToyTask()
    steps = iter(range(21))

    def stop():
        if next(steps) == 11:  # in the middle of an interval, and between two checkpoints
            raise KeyboardInterrupt

    task.on_step = stop
    with pytest.raises(KeyboardInterrupt):
        toy_run(tmp_path / "cut", steps=21, task=task, **settings)
    toy_run(tmp_path / "cut", steps=21, **settings)
    whole, cut = (
        [{"step": record["step"], "loss": record["loss"]} for record in read_stats(tmp_path / name / "stats.jsonl")]
        for name in ("whole", "cut")
    )
    assert [record["step"] for record in whole] == [7, 14, 21] and cut == whole


def test_an_interval_survives_json_and_is_empty_once_it_was_taken():
    interval = Interval()
    interval.add({"loss": 1.0, "rare": 5}, 0.5)
    interval = Interval(json.loads(json.dumps(interval.state())))
    interval.add({"loss": 2.0}, 1.5)
    assert interval.take() == {"loss": 1.5, "rare": 5.0, "sec_per_step": 1.0}
    assert interval.take() == {} and Interval().state()["steps"] == 0


def test_a_second_training_in_a_folder_in_use_is_refused_before_any_work(tmp_path):
    task = ToyTask()
    with locked_folder(tmp_path), pytest.raises(OutputError, match="is in use: another run is writing there"):
        toy_run(tmp_path, task=task)
    assert task.calls == [] and not list(tmp_path.iterdir())


def test_a_training_holds_its_folder(tmp_path):
    def start_another():
        toy_run(tmp_path, steps=3, seed=1)

    with pytest.raises(OutputError, match="is in use"):
        toy_run(tmp_path, steps=3, task=ToyTask(on_step=start_another))
    toy_run(tmp_path, steps=3)


def test_a_full_disk_at_a_line_of_the_log_is_one_line(tmp_path):
    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    log = RunLog(tmp_path)
    log._file.close()
    log._file = Full()
    with pytest.raises(OutputError, match="cannot write .*stats.jsonl: No space left on device; free some space"):
        log.write(1, {"loss": 0.5})
