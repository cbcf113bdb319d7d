"""The one training loop: steps, logs, evaluations, checkpoints, and resuming as if nothing had happened.

Several processes that torchrun started share each batch (torch_utils.distributed); the first of them writes.
"""

import contextlib
import dataclasses
import math
import signal
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from styleT2I.config import to_dict
from styleT2I.errors import CheckpointError, ConfigError, OutputError, TrainingError
from styleT2I.torch_utils.ahead import default_workers, workers
from styleT2I.torch_utils.distributed import LostProcessError, agree, first_does, group, is_first, num_processes
from styleT2I.torch_utils.files import check_writable_dir, remove_leftovers, write_json_atomic
from styleT2I.torch_utils.folders import locked_folder, without_secrets
from styleT2I.torch_utils.hardware import cuda_graphs
from styleT2I.torch_utils.hardware.devices import resolve_device
from styleT2I.torch_utils.progress import Progress
from styleT2I.torch_utils.seeding import derive_seed, generator
from styleT2I.torch_utils.stats import RunLog
from styleT2I.training.checkpoints import (
    OPTIONS,
    LastState,
    checkpoint_step,
    export_and_note,
    is_exported,
    list_checkpoints,
    newest_checkpoint,
    on_cpu,
    read_checkpoint,
    write_checkpoint,
)
from styleT2I.training.interval import Interval
from styleT2I.training.shared_layers import share_layers

MAX_BAD_STEPS = 5


class Task(Protocol):
    """What is trained. A task with a dataclass in `.config` has it recorded in options.json and in every checkpoint."""

    name: str

    def setup(self, device: torch.device) -> None:
        """Build networks and optimizers and open the data; called once, before anything else."""

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """Do optimisation step `step`, counted from 0, and return metrics; names with "loss" in them must stay finite.

        All randomness comes from `rng`, a CPU generator seeded by (seed, step); torch's own is too, for dropout. Of
        several processes each does its rows of the batch, by the rule of torch_utils.distributed. What computes goes
        through torch_utils.hardware.recorded_steps, which a GPU records.
        """

    def state_dict(self) -> dict:
        """Return all that later steps depend on: nested dicts and lists of tensors, numbers and strings."""

    def load_state_dict(self, state: dict) -> None:
        """Load what `state_dict` returned; its tensors are on the CPU."""

    def evaluate(self, step: int) -> dict[str, float]:
        """Return metrics after `step` steps, without changing the state."""

    def snapshot(self, step: int, outdir: Path) -> None:
        """Write images after `step` steps."""

    def export(self, outdir: Path, step: int) -> None:
        """Write the trained components; called when all steps are done."""

    def learning_networks(self) -> list[torch.nn.Module]:
        """The networks that `step` trains; only asked for where several processes share a batch."""


@dataclass(frozen=True)
class RunConfig:
    """Settings of a run, whatever its task."""

    outdir: str
    steps: int  # optimisation steps in all, those before a resume included
    seed: int = 0
    device: str = "auto"
    log_every: int = 50  # steps between lines of stats.jsonl, means over the interval; 0: never, as for those below
    eval_every: int = 500
    snapshot_every: int = 500
    checkpoint_every: int = 500
    resume: str = "auto"  # "auto": newest checkpoint in outdir, if any; "never": outdir must hold none; or a file
    keep: int = 2  # checkpoints kept; of states that checkpoints.is_large the last alone
    workers: int | None = None  # processes that make batches ahead; None: none on a CPU, some beside a GPU
    graphs: bool = True  # record a GPU's steps (torch_utils.hardware.recorded_steps) and drawings

    def __post_init__(self):
        if self.steps < 1 or self.keep < 1:
            raise ConfigError(f"steps and keep start at 1, got {self.steps} and {self.keep}")
        if self.workers is not None and self.workers < 0:
            raise ConfigError(f"workers are counted from 0, got {self.workers}")
        for name in ("log_every", "eval_every", "snapshot_every", "checkpoint_every"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is a number of steps, or 0 for never, got {getattr(self, name)}")


def run(task: Task, config: RunConfig) -> None:
    """Train `task` to `config.steps` steps and export it; a run that is stopped goes on where it was when called again.

    On a CPU the weights are bit for bit those of an uninterrupted run. SIGTERM and SIGINT write a checkpoint after the
    current step and raise TrainingError, as do losses that are not finite for MAX_BAD_STEPS steps on end (the last good
    checkpoint stays) and the loss of another process (a checkpoint of the last whole step is written). Raises
    OutputError before any work when `outdir` cannot be written or another run writes there.
    """
    device = resolve_device(config.device)
    stop = _StopSignals()
    num_workers = default_workers(device) if config.workers is None else config.workers
    with (
        group(device, lambda: stop.name is not None),
        workers(num_workers, device),
        cuda_graphs.switched(config.graphs),
        contextlib.ExitStack() as held,
    ):
        outdir = first_does(lambda: held.enter_context(locked_folder(check_writable_dir(config.outdir))))
        _run(task, config, outdir, device, stop)


def _run(task, config, outdir, device, stop):
    options = {"task": task.name, "settings": _settings(task), "run": to_dict(config)}
    found = None

    def find():
        nonlocal found
        found = _find_start(outdir, config)
        if found is None:
            return 0, False
        _compare_options(found, options)
        return found.step, found.step == config.steps and is_exported(outdir, found.step)

    start, is_finished = first_does(find)
    if is_finished:
        warnings.warn(f"{outdir}: already at step {start} of {config.steps}; nothing to do", stacklevel=3)
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(derive_seed("setup", config.seed))
        task.setup(device)
        if found is not None:
            _load(task, found)
        if num_processes() > 1:
            _share(task)
        first_does(lambda: write_json_atomic(outdir / OPTIONS, options))
        interval = Interval(found.interval if found is not None else None)
        found = None  # its tensors are not needed any more
        with contextlib.ExitStack() as held, stop:
            log = held.enter_context(RunLog(outdir, start)) if is_first() else None
            _Loop(task, config, outdir, options, log, stop, interval).run(start)
        first_does(lambda: export_and_note(lambda: task.export(outdir, config.steps), outdir, options))


def _share(task):
    """Make the first process's state that of all, and layers that look at a batch look at all of it."""
    state = first_does(lambda: on_cpu(task.state_dict()))
    if not is_first():
        task.load_state_dict(state)
    share_layers(task.learning_networks())


class _Loop:
    """The state of one run between two steps."""

    def __init__(self, task, config, outdir, options, log, stop, interval):
        self.task, self.config, self.outdir, self.options, self.log, self.stop, self.interval = (
            task, config, outdir, options, log, stop, interval,
        )  # fmt: skip
        self.num_bad = 0
        self.num_done = 0  # whole steps
        self.is_stopped = False  # of all processes alike
        self.last = LastState() if num_processes() > 1 and is_first() else None

    def run(self, start):
        with Progress(self.config.steps, self.task.name, "step", initial=start) as progress:
            self.num_done = start
            for step in range(start, self.config.steps):
                try:
                    self._step(step)
                    self._after(step + 1)
                except LostProcessError as error:
                    raise TrainingError(self._end_without(error)) from error
                progress.update()
                if self.is_stopped and step + 1 < self.config.steps:
                    name = self.stop.name or "a signal to another process"
                    text = f"stopped by {name} after step {step + 1} of {self.config.steps}"
                    raise TrainingError(f"{text}; the same command goes on from there")

    def _step(self, step):
        torch.manual_seed(derive_seed("step", self.config.seed, step))
        if self.last is not None:
            self.last.keep(step, self.task.state_dict())
        since = time.monotonic()
        figures = self.task.step(step, generator("step", self.config.seed, step))
        figures, self.is_stopped = agree(figures, self.stop.name is not None)
        self.num_done = step + 1
        self.interval.add(figures, time.monotonic() - since)
        bad = [name for name, value in figures.items() if "loss" in name.lower() and not math.isfinite(value)]
        self.num_bad = self.num_bad + 1 if bad else 0
        if self.num_bad == MAX_BAD_STEPS:
            good = list_checkpoints(self.outdir)
            where = f"the last good checkpoint is {good[-1]}" if good else "no checkpoint was written yet"
            raise TrainingError(
                f"{bad[0]} was not finite in {MAX_BAD_STEPS} steps on end, the last of them step {step}; {where}; "
                "lower the learning rate"
            )

    def _end_without(self, error):
        """Save the state after the last whole step, if this is the process that writes; what happened, in words."""
        done, state = self.num_done, None
        if self.last is not None and done:
            state = self.task.state_dict if self.last.step < done else self.last.state
        if state is None or not self._checkpoint(done, state):
            return f"{error}; the same command goes on from the last checkpoint"
        return f"{error}; the state after step {done} is saved, and the same command goes on from there"

    def _after(self, done):
        """Log, evaluate, draw and save, the checkpoint last: whatever it covers is then already on disk."""
        is_last = done == self.config.steps
        if is_last or self._is_anything_due(done):
            self.is_stopped |= first_does(lambda: self._write(done, is_last))

    def _is_anything_due(self, done):
        config = self.config
        every = (config.eval_every, config.log_every, config.snapshot_every, config.checkpoint_every)
        return self.is_stopped or any(_is_due(done, number) for number in every)

    def _write(self, done, is_last):
        """Whether this process was stopped meanwhile."""
        config, record = self.config, {}
        if config.eval_every and (_is_due(done, config.eval_every) or is_last):
            with self.interval.spending("evaluation"):
                record.update(self.task.evaluate(done))
        if _is_due(done, config.log_every) or is_last:
            record = {**self.interval.take(), **record}
        if record:
            self.log.write(done, record)
        if config.snapshot_every and (_is_due(done, config.snapshot_every) or is_last):
            with self.interval.spending("snapshot"):
                self.task.snapshot(done, self.outdir)
        is_stopped = self.is_stopped or self.stop.name is not None
        if _is_due(done, config.checkpoint_every) or is_last or is_stopped:
            self._checkpoint(done, self.task.state_dict)
        return is_stopped

    def _checkpoint(self, done, state):
        """Whether state(), what is to be saved, could be."""
        if self.num_bad:
            warnings.warn(f"no checkpoint at step {done}: its losses are not finite", stacklevel=2)
            return False
        with self.interval.spending("checkpoint"):
            write_checkpoint(self.outdir, done, state(), self.options, self.config.keep, self.interval.state())
        return True


class _StopSignals:
    """Turns the first SIGTERM or SIGINT into a flag; a second one acts as it would have without us."""

    def __init__(self):
        self.name = None
        self._previous = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():  # Python delivers signals only there
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _on_signal(self, number, frame):
        self.name = signal.Signals(number).name
        self.__exit__()


def _is_due(done, every):
    return every > 0 and done % every == 0


def _find_start(outdir, config):
    """Return the TrainingState to go on from, or None to begin."""
    if config.resume == "never":
        if list_checkpoints(outdir):
            raise OutputError(f"{outdir} holds checkpoints of an earlier run; use --resume auto or another folder")
        return None
    remove_leftovers(outdir)
    found = newest_checkpoint(outdir) if config.resume == "auto" else _read_named(outdir, config.resume)
    if found is not None and found.step > config.steps:
        raise CheckpointError(f"{found.path}: is at step {found.step}, beyond the {config.steps} steps asked for")
    return found


def _read_named(outdir, path):
    found = read_checkpoint(path)
    if any(checkpoint_step(p) > found.step for p in list_checkpoints(outdir)):
        raise OutputError(f"{outdir} holds later checkpoints than {path}; choose another folder")
    return found


def _settings(task):
    config = getattr(task, "config", None)
    return without_secrets(to_dict(config)) if dataclasses.is_dataclass(config) else {}


def _compare_options(found, options):
    """Refuse a checkpoint of another task or seed, or of other settings where no step is left; else warn of these."""
    if found.options["task"] != options["task"]:
        raise CheckpointError(f"{found.path}: belongs to a training of {found.options['task']}, not {options['task']}")
    seed, new_seed = found.options["run"]["seed"], options["run"]["seed"]
    if seed != new_seed:
        raise CheckpointError(f"{found.path}: was trained with --seed {seed}, not {new_seed}")
    before, now = found.options["settings"], options["settings"]
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    changed = ", ".join(f"{key} {before.get(key)!r} -> {now.get(key)!r}" for key in keys)
    if changed and found.step == options["run"]["steps"]:
        raise CheckpointError(
            f"{found.path}: this training ended, at step {found.step}, with other settings ({changed}); choose another "
            "folder, or raise --steps to go on with the new ones"
        )
    if changed:
        warnings.warn(f"resuming {found.path} with other settings: {changed}", stacklevel=4)


def _load(task, found):
    try:
        task.load_state_dict(found.state)
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError, IndexError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{found.path}: does not fit this task's settings ({reason})") from error
