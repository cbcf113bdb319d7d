"""Progress off a terminal: nothing of short works, a line with the remaining time of long ones."""

import pytest

from styleT2I.torch_utils import progress
from styleT2I.torch_utils.progress import Progress, duration


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_line_now_and_then_says_what_is_left_at_the_pace_of_what_was_worked(clock, capsys):
    with Progress(92, "audit", "cell") as bar:
        bar.skip(12)  # kept from an earlier run, in no time
        for _ in range(8):
            clock.now += 10
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["audit: 15 of 92 cells, about 13 min left", "audit: 18 of 92 cells, about 12 min left"]


def test_a_short_work_says_nothing(clock, capsys):
    with Progress(3, "generate", "image") as bar:
        bar.update(3)
    assert capsys.readouterr().err == ""


def test_durations_take_the_unit_that_fits():
    assert [duration(seconds) for seconds in (4.4, 600, 3 * 3600)] == ["4 s", "10 min", "3.0 h"]
