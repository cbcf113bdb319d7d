"""Python functions named as "module:function", and the hash of their source file."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.torch_utils.files import sha256_file

__all__ = ["EntryPoint", "in_one_line", "load_entry_point"]


class EntryPoint(NamedTuple):
    """A function with its name in messages and the hash of its source file."""

    name: str  # "package.module:function"
    function: Callable
    sha256: str | None  # None without a source file, as in an interactive session

    @classmethod
    def of(cls, function: Callable) -> EntryPoint:
        """The entry point of a function, or of another callable object."""
        named = function if hasattr(function, "__qualname__") else type(function)
        return cls(f"{named.__module__}:{named.__qualname__}", function, _source_hash(named))


def load_entry_point(text: str) -> EntryPoint:
    """Import "module:function", also from the working folder; ConfigError, one line, whatever the module raises."""
    module_name, _, name = text.partition(":")
    if not module_name or not name:
        raise ConfigError(f"{text!r} names no function; write module:function, for example my_pipeline:draw")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's module does when it is imported
        raise ConfigError(f"{text}: cannot import {module_name}: {in_one_line(error)}") from error
    function = getattr(module, name, None)
    if function is None:
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigError(f"{text}: {module_name} has no {name!r}{suggestion(name, known)}")
    if not callable(function):
        raise ConfigError(f"{text}: is a {type(function).__name__} and cannot be called; name a function")
    return EntryPoint(text, function, _source_hash(module))


def in_one_line(error: BaseException) -> str:
    """An error of a user's code for a message: its type and the start of its text."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _source_hash(thing):
    try:
        return sha256_file(inspect.getsourcefile(thing))
    except (TypeError, OSError):
        return None
