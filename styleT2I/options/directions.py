"""What the commands that train T2D and A2D share: options, the networks that they learn from, the run, what follows."""

from __future__ import annotations

import functools
from typing import NamedTuple

import click

from styleT2I.cli import build_kernels, defaults_of, parts_of_model, report_costs, trained
from styleT2I.options.training import options_of, recipe_options, run_options, run_steps, steps_or_open
from styleT2I.recipes import read_recipe
from styleT2I.training.directions.config import CONFIGS, DirectionTrainingConfig, direction_config

RENAMED = {"--text-encoder": "--text-features"}  # old spellings of these options


class DirectionTraining(NamedTuple):
    """What a command that trains T2D or A2D goes by."""

    network: str  # "t2d" or "a2d"
    config: DirectionTrainingConfig
    num_steps: int
    is_embedded: bool  # whether its generator and CLIP are the embedded model's


def direction_options(network: str, model_text: str):
    """Add the options of a training of "t2d" or "a2d"; model_text: help of `--model`."""

    def decorate(function):
        for add in (
            recipe_options(network, default="minifaces"),
            click.option("--model", metavar="NAME|DIR", help=model_text),
            options_of(CONFIGS[network]),
            run_options(every=250),
        )[::-1]:
            function = add(function)
        return function

    return decorate


def direction_defaults(network: str) -> dict[str, str]:
    """For `command(preset_defaults=...)`: the defaults of MiniFaces' preset."""
    steps, config = direction_config(network, "minifaces", generator="", clip="")
    shown = defaults_of("minifaces", config, steps=steps, text_features=config.text_encoder)
    return {name: text for name, text in shown.items() if name not in ("generator", "clip")}


def direction_training(
    network: str, roles: dict[str, str], recipe, model: str | None, steps: int | None, text_features, **settings
) -> DirectionTraining:
    """The training that the options ask for; what no option names of `roles` (option -> role) is the model's.

    click.UsageError where the generator, the CLIP or the steps are still open, ConfigError where settings do not fit.
    """
    _, written = read_recipe(network, recipe, CONFIGS[network])
    given = {option: settings.pop(option) or written.get(option) for option in roles}
    is_minifaces = written.get("vocabulary", "minifaces") == "minifaces"
    is_embedded = is_minifaces and model in (None, "minifaces") and not (given["generator"] or given["clip"])
    frozen = parts_of_model(given, roles, model or ("minifaces" if is_minifaces else None))
    recipe_steps, config = direction_config(network, recipe, text_encoder=text_features, **frozen, **settings)
    return DirectionTraining(network, config, steps_or_open(steps, recipe_steps), is_embedded)


def run_direction(
    task, training: DirectionTraining, then: tuple[str, ...], *, outdir, eval_every, resume, workers, graphs, seed,
    device,
):  # fmt: skip
    """Run the task, a class, of a direction training and say what it wrote: OUTDIR/NETWORK.json.

    then: the command, after its name the arguments that come behind the component, which shows a direction of the
    embedded model; the components of another one are packaged first.
    """
    from styleT2I.torch_utils.hardware.devices import resolve_device

    config, num_steps = training.config, training.num_steps
    made = task(config, num_steps, seed, functools.partial(report_costs, config.micro_batch, outdir))
    device = resolve_device(device)
    build_kernels(device, num_steps)
    run_steps(
        made, num_steps, outdir=outdir, eval_every=eval_every, log_every=eval_every, resume=resume, workers=workers,
        graphs=graphs, seed=seed, device=str(device),
    )  # fmt: skip
    component = f"{outdir}/{training.network}.json"
    option = (f"--{training.network}", component)
    if training.is_embedded:
        trained(component, then[0], *option, *then[1:], "--outdir=out")
    else:
        parts = ("--generator", config.generator, "--clip", config.clip, *option)
        trained(component, "styleT2I.package_model", *parts, "--outdir", "models/mine")
