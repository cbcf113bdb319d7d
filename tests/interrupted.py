"""A training that is stopped in the middle of its steps and called again, beside one that never stopped."""

from pathlib import Path

import pytest

from styleT2I.training.engine import RunConfig, run


def run_whole_and_in_parts(make_task, folder: Path, steps: int, stopped_at: int) -> tuple[Path, Path]:
    """The folders of an uninterrupted run of a new task, and of one that stopped at a step and went on.

    make_task: () -> a task of training.engine, always with the same settings.
    """
    whole, parts = (
        RunConfig(outdir=str(folder / name), steps=steps, device="cpu", checkpoint_every=1)
        for name in ("whole", "parts")
    )
    run(make_task(), whole)
    broken = make_task()
    plain = broken.step

    def step(number, rng):
        if number == stopped_at:
            raise KeyboardInterrupt
        return plain(number, rng)

    broken.step = step
    with pytest.raises(KeyboardInterrupt):
        run(broken, parts)
    run(make_task(), parts)
    return Path(whole.outdir), Path(parts.outdir)
