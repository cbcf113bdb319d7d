"""Options that commands share where another method steers a generator than the model's own networks."""

import click

from styleT2I.generation.arguments import NUM_SAMPLES


def rival_options(methods, default, text):
    """Add `--method`, one of `methods`, passed on as `rival`, and `--judge`, `--vocabulary`, `--samples`."""

    def decorate(function):
        options = [
            click.option("--method", "rival", default=default, type=click.Choice(methods), help=text),
            click.option("--judge", metavar="FILE", help="--method: attribute classifier that looks at the generator's "
                         "faces. [default: the model's, else CLIP]"),
            click.option("--vocabulary", metavar="NAME", help="--method: in which attributes are named, a vocabulary's "
                         "name or file. [default: the model's]"),
            click.option("--samples", type=click.IntRange(2), help="--method: faces that directions are found on. "
                         f"[default: {NUM_SAMPLES}]"),
        ]  # fmt: skip
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def refuse_options(names, reason):
    """click.UsageError for the first of the named options that is on the command line.

    reason: what the line says after the option, such as "goes with --method sefa".
    """
    context = click.get_current_context()
    for option in context.command.params:
        if option.name in names and context.get_parameter_source(option.name).name == "COMMANDLINE":
            raise click.UsageError(f"{option.opts[0]} {reason}")
