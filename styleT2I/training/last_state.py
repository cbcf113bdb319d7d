"""The state after the last whole step, kept in memory while another process can be lost in the middle of the next."""

from __future__ import annotations

import torch

from styleT2I.training.checkpoints import flatten_state, restore_state


class LastState:
    """A copy of a training's state on its own device, in memory that is used again for the next one."""

    def __init__(self):
        self.step, self._tree, self._tensors = 0, None, {}

    @torch.no_grad()
    def keep(self, step: int, state: dict) -> None:
        """Copy the state after `step` steps, in place of the one that was kept."""
        self.step = step
        self._tree, tensors = flatten_state(state)
        kept = {name: self._tensors.get(name) for name in tensors}
        for name, tensor in tensors.items():
            if kept[name] is None or kept[name].shape != tensor.shape:
                kept[name] = tensor.detach().clone()
            else:
                kept[name].copy_(tensor)
        self._tensors = kept

    def state(self) -> dict:
        """The state that was kept."""
        return restore_state(self._tree, self._tensors)


def on_cpu(state: dict) -> dict:
    """The state with its tensors on the CPU."""
    tree, tensors = flatten_state(state)
    return restore_state(tree, {name: tensor.detach().cpu() for name, tensor in tensors.items()})
