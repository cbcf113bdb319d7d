"""Adam whose steps a CUDA graph can hold: its rates and counts lie on the device, its checkpoints stay as they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

_SETTINGS = ("fused", "capturable")


def make_recordable(optimizer: torch.optim.Optimizer, on_load: Callable[[], None] = lambda: None) -> None:
    """Let the steps of an Adam or AdamW be recorded: fused, with learning rates that are tensors on the device.

    What its `state_dict` returns is what it would be without, so that checkpoints fit trainings of either kind.
    on_load: called after `load_state_dict`, which moves the state elsewhere.
    """
    before = [{name: group[name] for name in _SETTINGS} for group in optimizer.param_groups]

    def loaded(optimizer):
        _prepare(optimizer)
        on_load()

    def as_before(optimizer, state):
        for group, settings in zip(state["param_groups"], before, strict=True):
            group.update(settings, lr=group.pop("rate"))

    _prepare(optimizer)
    optimizer.register_load_state_dict_post_hook(loaded)
    optimizer.register_state_dict_post_hook(as_before)


def set_rates(optimizer: torch.optim.Optimizer, rates: Sequence[float | torch.Tensor]) -> None:
    """Set the learning rate of each parameter group, where it lies if that is on the device."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if not isinstance(group["lr"], torch.Tensor):
            group["lr"] = rate
        elif isinstance(rate, torch.Tensor):
            group["lr"].copy_(rate)
        else:
            group["lr"].fill_(rate)


def step_where_finite(optimizer: torch.optim.Optimizer, gradients: Sequence[torch.Tensor]) -> None:
    """A step of the optimizer, unless a gradient overflowed; of a recordable one without asking the device."""
    is_finite = torch.nn.utils.get_total_norm(gradients).isfinite()
    if not isinstance(optimizer.param_groups[0]["lr"], torch.Tensor):
        if is_finite:
            optimizer.step()
        return
    optimizer.found_inf = (~is_finite).float()  # what fused Adam skips a step by
    try:
        optimizer.step()
    finally:
        del optimizer.found_inf


def _prepare(optimizer):
    """Put the groups' rates and the counts of steps on the device; the rates as numbers stay beside them."""
    for group in optimizer.param_groups:
        device, rate = group["params"][0].device, float(group["lr"])
        group.update(fused=True, capturable=device.type == "cuda", rate=rate)
        group["lr"] = torch.full((), rate, dtype=torch.float32, device=device)
        for parameter in group["params"]:
            state = optimizer.state.get(parameter)
            if state:
                state["step"] = state["step"].to(device, torch.float32)
