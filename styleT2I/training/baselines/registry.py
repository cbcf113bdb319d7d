"""Every baseline by its name: settings from a preset and a user's options, and the task that trains with them."""

from __future__ import annotations

import importlib
from dataclasses import fields
from pathlib import Path

from styleT2I.config import from_dict, suggestion
from styleT2I.errors import ConfigError
from styleT2I.recipes import check_has_data, given, read_recipe
from styleT2I.training.baselines import attngan_config
from styleT2I.training.baselines import config as gan_config
from styleT2I.training.unclip import config as unclip_config

TASKS = {  # imported when one is made: settings are read without torch
    "gan_int_cls": "baselines.gan_int_cls:GanIntClsTask",
    "stackgan": "baselines.stackgan:StackGANTask",
    "dfgan": "baselines.dfgan:DFGANTask",
    "damsm": "baselines.damsm:DAMSMTask",
    "attngan": "baselines.attngan:AttnGANTask",
    "unclip_prior": "unclip.prior:UnclipPriorTask",
    "unclip_ar_prior": "unclip.ar_prior:UnclipARPriorTask",
    "unclip": "unclip.decoder:UnclipDecoderTask",
    "unclip_upsampler": "unclip.decoder:UnclipUpsamplerTask",
}
_PARTS = {"prior": "unclip_prior", "ar_prior": "unclip_ar_prior", "upsampler": "unclip_upsampler"}
CONFIGS = {**gan_config.CONFIGS, **attngan_config.CONFIGS, **unclip_config.CONFIGS}


def baseline_config(system: str, recipe: str | Path, **changes):
    """Thousands of images and the settings of a system's preset, or of a file of one's own, with the changes not None.

    ConfigError where settings contradict each other or there is no data.
    """
    if system not in TASKS:
        raise ConfigError(f"unknown system {system!r}{suggestion(system, TASKS)}")
    kimg, written = read_recipe(f"baselines/{system}", recipe, CONFIGS[system])
    settings = {**written, **given(changes)}
    check_has_data(recipe, settings)
    return kimg, from_dict(CONFIGS[system], settings)


def task_config(system: str, recipe: str | Path, damsm: str | Path | None = None, **options):
    """As `baseline_config`, with a command's options: those that are not None.

    damsm: folder with the components text_encoder and image_encoder that a training of "damsm" wrote. prior, ar_prior,
    upsampler: folders of the trainings of unCLIP's other networks. ConfigError too for an option that the system does
    not take.
    """
    if system not in TASKS:
        raise ConfigError(f"unknown system {system!r}{suggestion(system, TASKS)}")
    known = {field.name for field in fields(CONFIGS[system])}
    changes = given(options)
    if damsm is not None:
        changes |= {name: str(Path(damsm) / f"{name}.json") for name in ("text_encoder", "image_encoder")}
        if "image_encoder" not in known:
            del changes["image_encoder"]
    changes |= {name: _part(changes[name], role) for name, role in _PARTS.items() if name in changes}
    if unused := sorted(changes.keys() - known):
        raise ConfigError(f"{unused[0]} does not go with {system}; leave it out")
    if system == "attngan" and "text_encoder" not in changes and not isinstance(recipe, Path):
        raise ConfigError("AttnGAN learns from DAMSM's encoders: train --system damsm and name its folder with --damsm")
    if system in attngan_config.CONFIGS and "data" in changes:
        changes["data"] = (changes["data"],)
    return baseline_config(system, recipe, **changes)


def _part(folder, role):
    """The component of a role in a folder that its training wrote; ConfigError where there is none."""
    path = Path(folder) / f"{role}.json"
    if not path.is_file():
        raise ConfigError(f"{folder}: has no {role}.json; name the folder of a finished training of {role}")
    return str(path)


def new_task(system: str, config, num_steps: int, seed: int = 0):
    """The task, for training.engine.run, of `task_config`'s settings."""
    module, _, name = TASKS[system].partition(":")
    return getattr(importlib.import_module(f"styleT2I.training.{module}"), name)(config, num_steps, seed)
