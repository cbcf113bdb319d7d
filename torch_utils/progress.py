"""Progress of long work: a bar on a terminal; elsewhere, for example in logs, a line every half minute."""

import sys
import time

from tqdm import tqdm

SECONDS = 30  # between two lines


class Progress:
    """Counts what is done of `total`; a context manager that writes to stderr, and nothing for short work.

    initial: done by an earlier run. update(n) counts work, skip(n) what took no time, which the estimate leaves out.
    """

    def __init__(self, total: int, title: str, unit: str, initial: int = 0, seconds: float = SECONDS):
        self.total, self.title, self.unit, self.done, self.seconds = total, title, unit, initial, seconds
        self.worked, self.started = 0, time.monotonic()
        self._written = self.started
        self._bar = tqdm(total=total, desc=title, unit=unit, initial=initial, disable=None, smoothing=0.05)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_):
        self._bar.close()

    def update(self, num: int = 1) -> None:
        """`num` more are done."""
        self.worked += num
        self.skip(num)

    def skip(self, num: int = 1) -> None:
        """`num` more were done already."""
        self.done += num
        self._bar.update(num)
        now = time.monotonic()
        if self._bar.disable and self.worked and now - self._written >= self.seconds:
            self._written = now
            print(self.line(now), file=sys.stderr, flush=True)

    def line(self, now: float) -> str:
        """ "audit: 12 of 92 cells, about 4 min left": at the pace so far."""
        left = (now - self.started) / self.worked * (self.total - self.done)
        units = self.unit if self.total == 1 else f"{self.unit}s"
        return f"{self.title}: {self.done} of {self.total} {units}, about {duration(left)} left"


def duration(seconds: float) -> str:
    """A time to wait, in the unit that fits: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
