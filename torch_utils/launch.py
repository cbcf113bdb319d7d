"""Which of several processes this is, as torchrun tells it in the environment, and who talks; no torch."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from styleT2I.errors import ConfigError


class Place(NamedTuple):
    """One of `count` processes, counted from 0; (0, 1) where there is no other."""

    index: int
    count: int


WHOLE = Place(0, 1)


def launched() -> Place:
    """This process among all that torchrun started, on every machine: RANK and WORLD_SIZE of the environment.

    Without LOCAL_RANK beside them it was no torchrun that set them, and they count for nothing. Raises ConfigError
    where they are no such numbers.
    """
    return _place("RANK", "WORLD_SIZE")


def launched_here() -> Place:
    """The same among those on this machine: LOCAL_RANK and LOCAL_WORLD_SIZE."""
    return _place("LOCAL_RANK", "LOCAL_WORLD_SIZE")


def shard_of(items: list, place: Place) -> list:
    """Those of the items that are this process's to do: every `count`-th, from the `index`-th on."""
    return items[place.index :: place.count]


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


def _place(index_name, count_name):
    if "LOCAL_RANK" not in os.environ:
        return WHOLE
    index, count = (os.environ.get(name, default) for name, default in ((index_name, "0"), (count_name, "1")))
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise ConfigError(
            f"{index_name}={index} and {count_name}={count} in the environment are no place among processes; "
            "start with torchrun, or unset both"
        )
    return Place(int(index), int(count))
