"""A training small enough to be killed many times, and a runner that kills: `python -m tests.toy_training DIR SEED`."""

import functools
import json
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from styleT2I.data.dataset import index_order
from styleT2I.formats.component import write_component
from styleT2I.training.checkpoints import newest_checkpoint
from styleT2I.training.engine import RunConfig, run

NUM_STEPS = 60


@dataclass(frozen=True)
class ToyConfig:
    lr: float = 0.01
    nan_from: int | None = None  # step from which on losses are NaN


class ToyTask:
    """A regression with dropout, noise, Adam, a moving average and shuffled data: all that a resume can lose."""

    name = "toy"

    def __init__(self, config=None, on_step=lambda: None):
        self.config = config or ToyConfig()
        self.on_step = on_step
        self.calls = []

    def setup(self, device):
        self.calls.append("setup")
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Dropout(0.2), torch.nn.Linear(16, 1))
        self.ema = torch.nn.Linear(16, 1)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=self.config.lr)
        self.data = torch.arange(80.0).reshape(20, 4) / 80
        self.mean_loss = 0.0

    def step(self, step, rng):
        self.on_step()
        x = self.data[index_order(1, 20, 6, step)] + 0.1 * torch.randn(6, 4, generator=rng)
        loss = F.mse_loss(self.net(x), x.sum(dim=1, keepdim=True))
        if self.config.nan_from is not None and step >= self.config.nan_from:
            loss = loss * float("nan")
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.ema.weight.data.lerp_(self.net[2].weight.data, 0.1)
        self.mean_loss = 0.9 * self.mean_loss + 0.1 * loss.item()
        return {"loss": loss.item()}

    def state_dict(self):
        return {
            "net": self.net.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "mean_loss": self.mean_loss,
        }

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.mean_loss = state["mean_loss"]

    def evaluate(self, step):
        return {"weight": self.net[0].weight.sum().item()}

    def snapshot(self, step, outdir):
        self.calls.append(f"snapshot {step}")

    def export(self, outdir, step):
        self.calls.append("export")
        write_component(outdir, "toy", "toy", {}, self.net.state_dict(), step=step)


def toy_run(outdir, steps=NUM_STEPS, task=None, **settings):
    """Run a toy task with a checkpoint every 3 steps; returns the task."""
    task = task or ToyTask()
    settings = {"checkpoint_every": 3, "log_every": 2, "eval_every": 10, "snapshot_every": 10, **settings}
    run(task, RunConfig(str(outdir), steps, device="cpu", **settings))
    return task


def final_tensors(outdir):
    """The state at the newest checkpoint as {path: tensor}, numbers included."""
    from styleT2I.training.checkpoints import flatten_state

    state = newest_checkpoint(Path(outdir)).state
    return {**flatten_state(state)[1], "mean_loss": torch.tensor(state["mean_loss"], dtype=torch.float64)}


def run_under_kills(outdir, seed, max_kills=20):
    """Start the training again and again, each time killed with SIGKILL at a random moment, until it ends by itself.

    A moment is a few steps and some milliseconds after the start, so that there is progress however busy the machine.
    Returns the step of the newest checkpoint after each kill. Children are forked, so torch is imported once.
    """
    moments = random.Random(seed)
    steps = []
    while True:
        receiver, sender = os.pipe()
        child = os.fork()
        if child == 0:
            toy_run(outdir, task=ToyTask(on_step=functools.partial(os.write, sender, b".")))
            os._exit(0)
        os.close(sender)
        if len(steps) < max_kills:
            for _ in range(moments.randint(1, 7)):
                os.read(receiver, 1)
            time.sleep(moments.uniform(0, 0.015))
            os.kill(child, signal.SIGKILL)
        os.close(receiver)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return steps
        if not os.WIFSIGNALED(status):
            raise RuntimeError(f"the training failed with status {status}")
        found = newest_checkpoint(Path(outdir))
        steps.append(found.step if found else 0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        toy_run(folder, steps=1)  # so that all that is imported late, which takes longer than the training, is there
    print(json.dumps(run_under_kills(sys.argv[1], int(sys.argv[2]))))
