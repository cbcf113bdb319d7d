"""Since the last line of a training's log: means of its metrics, and seconds by kind of work."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping

OTHER_WORK = ("evaluation", "snapshot", "checkpoint")


class Interval:
    """Sums of the steps' metrics, and seconds; saved in checkpoints, so that a resumed run's means are complete."""

    def __init__(self, state: Mapping | None = None):
        self.num_steps, self.seconds, self.sums, self.others = 0, 0.0, {}, {}
        if state:
            self.num_steps, self.seconds = int(state["steps"]), float(state["seconds"])
            self.sums = {name: (float(total), int(num)) for name, (total, num) in state["sums"].items()}
            self.others = {name: float(seconds) for name, seconds in state["others"].items()}

    def state(self) -> dict:
        """The state that `Interval(state)` resumes from, ready for JSON."""
        sums = {name: list(pair) for name, pair in self.sums.items()}
        return {"steps": self.num_steps, "seconds": self.seconds, "sums": sums, "others": dict(self.others)}

    def add(self, figures: Mapping[str, float], seconds: float) -> None:
        """Take in the metrics of one step and how long it took."""
        self.num_steps, self.seconds = self.num_steps + 1, self.seconds + seconds
        for name, value in figures.items():
            total, num = self.sums.get(name, (0.0, 0))
            self.sums[name] = (total + float(value), num + 1)

    @contextlib.contextmanager
    def spending(self, what: str) -> Iterator[None]:
        """Count the time of a block under one of OTHER_WORK."""
        since = time.monotonic()
        yield
        self.others[what] = self.others.get(what, 0.0) + time.monotonic() - since

    def take(self) -> dict[str, float]:
        """The means of the steps since the last call, "sec_per_step", the mean time of a step alone, and "sec_WORK",
        the seconds that each of OTHER_WORK took meanwhile; all are then reset."""
        means = {name: total / num for name, (total, num) in self.sums.items()}
        if self.num_steps:
            means["sec_per_step"] = self.seconds / self.num_steps
        means |= {f"sec_{what}": self.others[what] for what in OTHER_WORK if what in self.others}
        self.__init__()
        return means
