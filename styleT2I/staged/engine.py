"""Stages: commands whose results lie in files, run in order; what is there already is not run again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from styleT2I.errors import TrainingError
from styleT2I.torch_utils.files import write_json_atomic

__all__ = ["Stage", "command_line", "is_done", "plan_lines", "run_stages", "seconds_of"]

PLANS = Path(__file__).parent / "plans"  # of audits
GATHER = ("package", "evaluate", "audit", "study")  # stages that take what every stage before them made
_SECONDS = "seconds.json"  # of every stage, in the folder of the run
_FINE = {"audit": (0, 3, 4)}  # exit statuses of a module that ran; of others 0. 3 and 4 are an audit's verdicts


class Stage(NamedTuple):
    """One command of a build."""

    module: str  # below the package
    arguments: list[str]
    result: str | None  # file that shows it is done; None: the command itself knows what is left


def command_line(stage: Stage) -> str:
    """A stage as it may be typed.

    >>> command_line(Stage("train_clip", ["--outdir", "runs/clip"], None))
    'python -m styleT2I.train_clip --outdir runs/clip'
    """
    return f"python -m styleT2I.{stage.module} {' '.join(stage.arguments)}"


def is_done(name: str, plan: Mapping[str, Stage]) -> bool:
    """Whether a stage's result is there; of a stage that takes all others' results, whether none of them is newer."""
    result = plan[name].result and Path(plan[name].result)
    if not (result and result.exists()):
        return False
    if name not in GATHER:
        return True
    earlier = [plan[other].result for other in list(plan)[: list(plan).index(name)]]
    there = [Path(file) for file in earlier if file]
    return all(file.exists() and file.stat().st_mtime_ns <= result.stat().st_mtime_ns for file in there)


def plan_lines(plan: Mapping[str, Stage]) -> list[str]:
    """One line for each stage: its name, and whether it is done."""
    states = {name: f"done ({stage.result})" if is_done(name, plan) else "to do" for name, stage in plan.items()}
    return [f"  {name:10s}{state}" for name, state in states.items()]


def run_stages(
    plan: Mapping[str, Stage],
    outdir: str | Path,
    say: Callable[[str], None],
    *,
    processes: int = 1,
    shared: Collection[str] = (),
) -> None:
    """Run the stages that are not done, one after the other, each in a process of its own.

    Args:
        plan: By name, in order.
        outdir: Folder of the run; the seconds of every stage, over all its starts, are noted there.
        say: Called with a line before each stage.
        processes: That share the work of a stage, one for each GPU.
        shared: Modules whose work several processes can share.

    Raises:
        TrainingError: A stage failed; what it said stands above.
    """
    for name, stage in plan.items():
        if is_done(name, plan):
            continue
        say(f"{name}: {command_line(stage)}")
        several = ["torch.distributed.run", "--nproc-per-node", str(processes), "-m"]
        launcher = several if processes > 1 and stage.module in shared else []
        command = [sys.executable, "-m", *launcher, f"styleT2I.{stage.module}", *stage.arguments]
        start = time.monotonic()
        status = subprocess.run(command, check=False).returncode
        _note(Path(outdir), name, time.monotonic() - start)
        if status not in _FINE.get(stage.module, (0,)):
            raise TrainingError(f"stage {name} failed; correct the error above and call the same command again")


def seconds_of(outdir: str | Path) -> dict[str, float]:
    """Seconds that each stage of a run took, over all its starts that ended by themselves; {} where none was noted."""
    try:
        noted = json.loads((Path(outdir) / _SECONDS).read_text(encoding="utf-8"))
        return {str(name): float(value) for name, value in noted.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _note(outdir, name, seconds):
    noted = seconds_of(outdir)
    outdir.mkdir(parents=True, exist_ok=True)
    write_json_atomic(outdir / _SECONDS, noted | {name: round(noted.get(name, 0) + seconds, 1)})
