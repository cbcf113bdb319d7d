"""Options of the training commands: settings out of configuration dataclasses, recipes, and how a run is run."""

from __future__ import annotations

import dataclasses
import types
import typing
from pathlib import Path

import click

from styleT2I.cli import device_option, outdir_option, seed_option
from styleT2I.recipes import recipe_names


def options_of(config: type, skip: tuple[str, ...] = ()):
    """Add an option for every field of a configuration dataclass that has a help text (`config.setting`).

    Each is passed on by its field's name, but --text-features by text_features (text_encoder is a SOURCE elsewhere),
    and is None unless given: what is not given is left to the recipe.
    """
    hints = typing.get_type_hints(config)
    fields = [field for field in dataclasses.fields(config) if field.metadata.get("help") and field.name not in skip]

    def decorate(function):
        for field in reversed(fields):
            function = _option(field, hints[field.name])(function)
        return function

    return decorate


def _option(field, hint):
    """The click option of a field: a switch, a pair of switches, a list, a choice, or one value."""
    told, kind = dict(field.metadata), _plain_type(hint)
    flag = told.get("flag") or f"--{field.name.replace('_', '-')}"
    name = "text_features" if flag == "--text-features" else field.name
    if kind is bool and "/" in flag:
        return click.option(flag, name, default=None, help=told["help"])
    if kind is bool:
        turns_to = not flag.startswith("--no-")
        return click.option(flag, name, is_flag=True, callback=_when_given(lambda _: turns_to), help=told["help"])
    several, given = {}, {"metavar": told["metavar"]} if "metavar" in told else {}
    if typing.get_origin(kind) is tuple:
        kind = typing.get_args(kind)[0]
        if separator := told.get("separator"):
            several = {"callback": _when_given(lambda text: tuple(part.strip() for part in text.split(separator)))}
        else:
            several = {"multiple": True, "callback": _when_given(tuple)}
    return click.option(flag, name, type=_click_type(kind, told), help=told["help"], **given, **several)


def _plain_type(hint):
    """The type of a setting that may also be None."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return next(kind for kind in typing.get_args(hint) if kind is not type(None))
    return hint


def _click_type(kind, told):
    if "choices" in told:
        return click.Choice(list(told["choices"]))
    low, is_open = (told["above"], True) if "above" in told else (told.get("low"), False)
    if low is None and told.get("high") is None:
        return kind
    ranges = {int: click.IntRange, float: click.FloatRange}
    return ranges[kind](low, told.get("high"), min_open=is_open)


def _when_given(convert):
    """A callback that converts a value, and None where the option is not given."""
    return lambda context, option, value: convert(value) if value else None


def recipe_options(training: str, default: str, text: str = "Settings to start from.", names: tuple[str, ...] = ()):
    """Add `--outdir`, `--preset` and `--config`; the latter two are passed on as recipe, a name or a Path.

    names: the presets, where they are not all recipes in the training's folder.
    """

    def decorate(function):
        known = click.Choice(names or recipe_names(training))
        own = "Your own file of settings in place of a preset, .yaml or .json (docs/commands.md)."
        function = file_option("recipe", own, callback=_recipe)(function)
        function = click.option(
            "--preset", default=default, type=known, is_eager=True, expose_value=False, help=text, callback=_remember,
        )(function)  # fmt: skip
        return outdir_option(function)

    return decorate


def file_option(name: str, text: str, callback=None):
    """Add `--config`, passed on as a Path by this name."""
    kind = click.Path(dir_okay=False, path_type=Path)
    return click.option("--config", name, type=kind, metavar="FILE", callback=callback, help=text)


def _remember(context, option, preset):
    context.meta["preset"] = preset


def _recipe(context, option, file):
    if file is None:
        return context.meta["preset"]
    if context.get_parameter_source("preset") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("give one of --preset and --config, not both")
    return file


def run_options(
    every: int,
    first: int = 1,
    steps_text: str = "Optimisation steps.",
    every_text: str = "Steps between log lines with all metrics.",
):
    """Add `--steps`, `--eval-every`, `--resume`, `--workers`, `--no-graphs`, `--seed` and `--device`, for trainings
    that are counted in steps."""

    def decorate(function):
        for add in (
            click.option("--steps", type=click.IntRange(first), help=steps_text),
            click.option("--eval-every", default=every, type=click.IntRange(1), help=every_text),
            *_common(),
        )[::-1]:
            function = add(function)
        return function

    return decorate


def kimg_run_options(every: float):
    """Add `--kimg`, `--eval-kimg`, `--resume`, `--workers`, `--no-graphs`, `--seed` and `--device`, for trainings that
    are counted in images."""
    above_zero, text = click.FloatRange(0, min_open=True), "Thousands of real images to train on in all."

    def decorate(function):
        for add in (
            click.option("--kimg", type=above_zero, help=text),
            click.option("--eval-kimg", default=every, type=above_zero, help="Between two evaluations."),
            *_common(),
        )[::-1]:
            function = add(function)
        return function

    return decorate


def _common():
    resume = "Checkpoint to go on from."
    yield click.option("--resume", default="auto", metavar="auto|never|FILE", help=resume)
    yield click.option(
        "--workers",
        type=click.IntRange(0),
        help="Processes that read or paint the next steps' images.  [default: 0 on a CPU, up to 8 beside a GPU]",
    )
    yield click.option(
        "--no-graphs",
        "graphs",
        is_flag=True,
        callback=lambda context, option, is_off: not is_off,
        help="Do not record the steps of a GPU as CUDA graphs.",
    )
    yield seed_option
    yield device_option


def run_steps(task, num_steps: int, *, outdir, eval_every: int, log_every: int | None = None, **settings) -> None:
    """Run a task that is counted in steps; it evaluates, draws and saves every `eval_every` steps."""
    from styleT2I.torch_utils.hardware.devices import resolve_device
    from styleT2I.training.engine import RunConfig, run

    settings["device"] = str(resolve_device(settings["device"]))
    logs = {} if log_every is None else {"log_every": log_every}
    every = {name: eval_every for name in ("eval_every", "snapshot_every", "checkpoint_every")}
    run(task, RunConfig(outdir=outdir, steps=num_steps, **logs, **every, **settings))


def steps_or_open(steps: int | None, recipe_steps: float | None) -> int:
    """The steps that are asked for, else the recipe's; click.UsageError where neither says how many."""
    if steps is None and recipe_steps is None:
        raise click.UsageError("the number of steps is not given; add --steps NUM")
    return steps or round(recipe_steps)


def run_kimg(
    task, num_steps: int, batch_size: int, *, outdir, eval_kimg: float, checkpoint_kimg=None, device, **settings
) -> None:
    """Run a task that is counted in images; between two evaluations are thousands of images, and ten lines of log."""
    from styleT2I.torch_utils.hardware.devices import resolve_device
    from styleT2I.training.engine import RunConfig, run

    every, saves_every = (steps_of(kimg, None, batch_size) for kimg in (eval_kimg, checkpoint_kimg or eval_kimg))
    run(
        task,
        RunConfig(
            outdir=outdir, steps=num_steps, device=str(resolve_device(device)), log_every=max(every // 10, 1),
            eval_every=every, snapshot_every=every, checkpoint_every=saves_every, **settings,
        ),
    )  # fmt: skip


def steps_of(kimg: float | None, recipe_kimg: float | None, batch_size: int) -> int:
    """The steps that show the thousands of images asked for, else the recipe's; click.UsageError where none says."""
    if kimg is None and recipe_kimg is None:
        raise click.UsageError("the number of images is not given; add --kimg NUM")
    return max(round((kimg or recipe_kimg) * 1000 / batch_size), 1)
