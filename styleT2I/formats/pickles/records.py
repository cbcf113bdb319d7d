"""Stand-ins for the names in a pickle: labels and records, never the things named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from styleT2I.errors import CheckpointError


class Name:
    """A name out of a pickle, such as "torch.FloatStorage": a label, never the thing it names."""

    __slots__ = ("text",)

    def __init__(self, text: str):
        self.text = text


class Inert:
    """Base of what names stand for; `build` receives what a pickle would hand to `__setstate__`."""

    __slots__ = ()

    def build(self, state) -> None:
        raise CheckpointError("a pickle sets the state of something that has none")


class Record(Inert):
    """An instance of a class that the file names, as data: the name and the state (a dict, most often)."""

    __slots__ = ("name", "state")

    def __init__(self, name: str, state=None):
        self.name, self.state = name, state

    def build(self, state) -> None:
        self.state = state


@dataclass(frozen=True)
class Names:
    """The names a pickle may use: functions of ours by the name that the file calls, classes by their makers.

    calls: name -> function of the arguments. classes: name -> function of no argument that returns a dict or an Inert.
    labels: names that may only be passed about. prefix: every name that starts with it is a class of Records.
    """

    calls: Mapping[str, Callable] = field(default_factory=dict)
    classes: Mapping[str, Callable] = field(default_factory=dict)
    labels: frozenset[str] = frozenset()
    prefix: str | None = None

    def maker(self, text: str) -> Callable | None:
        """The function that makes an instance of the class of this name, None when it is not known."""
        if self.prefix and text.startswith(self.prefix):
            return lambda: Record(text)
        return self.classes.get(text)

    def __contains__(self, text: str) -> bool:
        return text in self.calls or text in self.labels or self.maker(text) is not None
