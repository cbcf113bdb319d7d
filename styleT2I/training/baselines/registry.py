"""Every baseline by its name: settings out of a preset and a user's options, and the task that trains with them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.training.baselines import attngan_config
from styleT2I.training.baselines import config as baseline_config
from styleT2I.training.baselines.attngan import AttnGANTask
from styleT2I.training.baselines.damsm import DAMSMTask
from styleT2I.training.baselines.dfgan import DFGANTask
from styleT2I.training.baselines.gan_int_cls import GanIntClsTask
from styleT2I.training.baselines.stackgan import StackGANTask
from styleT2I.training.unclip import config as unclip_config
from styleT2I.training.unclip.ar_prior import UnclipARPriorTask
from styleT2I.training.unclip.decoder import UnclipDecoderTask, UnclipUpsamplerTask
from styleT2I.training.unclip.prior import UnclipPriorTask

TASKS = {
    task.name: task
    for task in (
        GanIntClsTask, StackGANTask, DFGANTask, DAMSMTask, AttnGANTask,
        UnclipPriorTask, UnclipARPriorTask, UnclipDecoderTask, UnclipUpsamplerTask,
    )
}
_PARTS = {"prior": "unclip_prior", "ar_prior": "unclip_ar_prior", "upsampler": "unclip_upsampler"}
_CONFIGS = {**baseline_config.CONFIGS, **attngan_config.CONFIGS, **unclip_config.CONFIGS}


def task_config(system: str, preset: str, damsm: str | Path | None = None, **options):
    """Thousands of images and the settings of a system's preset, with those options that are not None.

    damsm: folder with the components text_encoder and image_encoder that a training of "damsm" wrote. prior, ar_prior,
    upsampler: folders of the trainings of unCLIP's other networks. ConfigError for an option that
    the system has no use for, and where settings contradict each other.
    """
    if system not in TASKS:
        raise ConfigError(f"unknown system {system!r}{suggestion(system, TASKS)}")
    known = {field.name for field in fields(_CONFIGS[system])}
    given = {name: value for name, value in options.items() if value is not None}
    if damsm is not None:
        given |= {name: str(Path(damsm) / f"{name}.json") for name in ("text_encoder", "image_encoder")}
        if "image_encoder" not in known:
            del given["image_encoder"]
    given |= {name: _part(given[name], role) for name, role in _PARTS.items() if name in given}
    if unused := sorted(given.keys() - known):
        raise ConfigError(f"{unused[0]} does not go with {system}; leave it out")
    if system in unclip_config.CONFIGS:
        return unclip_config.unclip_config(system, preset, **given)
    if system not in attngan_config.CONFIGS:
        return baseline_config.baseline_config(system, preset, **given)
    if system == "attngan" and "text_encoder" not in given:
        raise ConfigError(
            "AttnGAN learns from DAMSM's encoders: train --system damsm and name its folder with --damsm"
        )
    if "data" in given:
        given["data"] = (given["data"],)
    return attngan_config.attngan_config(system, preset, **given)


def _part(folder, role):
    """The component of a role in a folder that its training wrote; ConfigError where there is none."""
    path = Path(folder) / f"{role}.json"
    if not path.is_file():
        raise ConfigError(f"{folder}: has no {role}.json; name the folder of a finished training of {role}")
    return str(path)


def new_task(system: str, config, num_steps: int, seed: int = 0):
    """The task, for training.engine.run, of `task_config`'s settings."""
    return TASKS[system](config, num_steps, seed)
