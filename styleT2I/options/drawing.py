"""Options that commands which draw share: the part of the work that is whose, and other methods of steering."""

import re

import click

from styleT2I.generation.arguments import NUM_SAMPLES
from styleT2I.torch_utils.launch import Place, launched


class ShardRange(click.ParamType):
    """Part i of n, "2/4", as the Place (i - 1, n)."""

    name = "shard"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", value, re.ASCII)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            self.fail(f"{value!r} is not a shard; write i/n with i from 1 to n, for example 1/4", param, ctx)
        return Place(int(match[1]) - 1, int(match[2]))


def shard_option(text: str):
    """Add `--shard`, passed on as a Place: the part that is named, else this process's of those that torchrun started.

    click.UsageError where both are given.
    """

    def place(context, option, shard):
        if shard is not None and launched().count > 1:
            raise click.UsageError("torchrun shares the work out already; leave --shard out")
        return shard or launched()

    return click.option("--shard", type=ShardRange(), metavar="i/n", help=text, callback=place)


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
