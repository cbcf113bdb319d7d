"""What commands share that several processes may run together: which part is whose, and who talks."""

import contextlib
import os
import re

import click

from styleT2I.errors import ConfigError
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


@contextlib.contextmanager
def quiet_unless_first():
    """Of the processes that torchrun started one talks; the others say nothing but their errors."""
    if launched().index == 0:
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield


def who() -> str:
    """ "process 1 of 4: " for one of several, but nothing for the first, which users take for the command itself."""
    with contextlib.suppress(ConfigError):
        place = launched()
        return f"process {place.index} of {place.count}: " if place.index else ""
    return ""
