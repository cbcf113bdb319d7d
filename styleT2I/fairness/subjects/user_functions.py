"""Python functions named as "module:function", what identifies them, and calls that end."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import sys
import threading
from collections.abc import Callable
from typing import NamedTuple

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.torch_utils.files import sha256_file

__all__ = ["EntryPoint", "call", "in_one_line", "load_entry_point"]


class EntryPoint(NamedTuple):
    """A function with its name in messages and the hash of its source file."""

    name: str  # "package.module:function"
    function: Callable
    sha256: str | None  # None without a source file, as in an interactive session

    @classmethod
    def of(cls, function: Callable) -> EntryPoint:
        """The entry point of a function, or of another callable object.

        Only a function at the top of a module is known by its source file: closures, partials, methods and instances of
        one file may differ in what they hold. They are known by a text `fingerprint` of their own, if they have one,
        and else are unknown (None).
        """
        named = function if hasattr(function, "__qualname__") else type(function)
        module, name = named.__module__, named.__qualname__
        sha256: str | None
        if isinstance(mark := getattr(function, "fingerprint", None), str):
            sha256 = hashlib.sha256(f"{module}:{name}\0{mark}".encode()).hexdigest()
        else:
            is_plain = getattr(sys.modules.get(module), name, None) is function and inspect.isfunction(function)
            sha256 = _source_hash(function) if is_plain and function.__closure__ is None else None
        return cls(f"{module}:{name}", function, sha256)


def call(function: Callable, *arguments, timeout: float | None = None):
    """What a function returns, within `timeout` seconds where given.

    Raises:
        TimeoutError: It has not returned by then. Its thread cannot be stopped, but does not keep the process alive.
        Exception: Whatever the function raises; RuntimeError for SystemExit, which would end the audit without a word.
    """
    try:
        if timeout is None:
            return function(*arguments)
        found: list = []

        def run():
            try:
                found.append((function(*arguments), None))
            except BaseException as error:  # handed to the caller's thread
                found.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(timeout)
        if not found:
            raise TimeoutError(f"no answer within {timeout:g} s")
        result, error = found[0]
        if error is not None:
            raise error
        return result
    except SystemExit as error:
        raise RuntimeError(f"it called exit({error.code!r})") from error


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
