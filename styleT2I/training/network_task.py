"""NetworkTask: the base of all training tasks, which add only what they train and by which loss."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch


class NetworkTask:
    """A task of training.engine whose state is that of some networks and optimizers; see `engine.Task`.

    A subclass has `setup`, `step` and `export`; `parts` names the attributes that `setup` makes and a checkpoint holds.
    """

    name: ClassVar[str] = ""
    parts: ClassVar[tuple[str, ...]] = ("network", "optimizer")

    def __init__(self, config, num_steps: int, seed: int = 0):
        """config: a dataclass of settings. num_steps: of the whole run, for schedules."""
        self.config, self.num_steps, self.seed = config, num_steps, seed

    def modules(self) -> dict[str, torch.nn.Module | torch.optim.Optimizer]:
        """The networks and optimizers whose state is the run's state, by their names in checkpoints."""
        return {name: getattr(self, name) for name in self.parts}

    def state_dict(self) -> dict:
        """States of all modules, by name."""
        return {name: module.state_dict() for name, module in self.modules().items()}

    def load_state_dict(self, state: dict) -> None:
        """Load what `state_dict` returned."""
        for name, module in self.modules().items():
            module.load_state_dict(state[name])

    def learning_networks(self) -> list[torch.nn.Module]:
        """The networks among the modules."""
        return [module for module in self.modules().values() if isinstance(module, torch.nn.Module)]

    def evaluate(self, step: int) -> dict[str, float]:
        """Nothing to measure."""
        return {}

    def snapshot(self, step: int, outdir: Path) -> None:
        """Nothing to draw."""
