"""Frozen dataclass configurations to and from plain mappings, JSON and YAML."""

import dataclasses
import difflib
import json
import os
import re
import stat
import types
import typing
from pathlib import Path

from styleT2I.errors import ConfigError, StyleT2IError

MAX_TEXT = 1 << 24  # bytes of a file of settings
AGAIN = "fetch or write it again"
DEFAULT_MODEL = "portraits"  # where none is named; "minifaces" is the small one
MAX_SEED = 2**63 - 1  # seeds in commands, Python and plans are integers from 0 to this

_MAX_LISTED = 12  # known words in a message
_KINDS = {float: "a number", int: "a whole number", str: "a text", bool: "true or false", Path: "a path"}


def setting(default=dataclasses.MISSING, help: str | None = None, **option):
    """A field of a configuration dataclass that its command offers as an option with this help text.

    option: what options.training.options_of reads besides: flag (where it is not the field's name), metavar, choices,
    separator (of a list that is one text), and the bounds low, high and above.
    """
    return dataclasses.field(default=default, metadata={"help": help, **option})


def from_dict(cls, mapping: typing.Mapping, where: str = ""):
    """Build the configuration dataclass `cls` from a mapping of its fields.

    Lists become tuples, integers become floats and mappings become nested dataclasses where the annotations say so.
    Raises ConfigError on an unknown key (naming the nearest known one), a missing key or a value of the wrong type, by
    its place below `where`: "thresholds[0].max_gap".
    """
    inside = f" in {where}" if where else ""
    if not isinstance(mapping, typing.Mapping):
        raise ConfigError(f"{where or 'a configuration'} takes a mapping of settings, got {mapping!r}")
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    for key in mapping:
        if key not in fields:
            raise ConfigError(f"unknown key {key!r}{inside}{suggestion(key, fields)}")
    hints = typing.get_type_hints(cls)
    places = {key: f"{where}.{key}" if where else key for key in mapping}
    values = {key: _convert(hints[key], value, places[key]) for key, value in mapping.items()}
    for name, field in fields.items():
        is_required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if is_required and name not in values:
            raise ConfigError(f"missing key {name!r}{inside}")
    return cls(**values)


def to_dict(config) -> dict:
    """Return the configuration as plain dicts, lists and scalars, ready for JSON; `from_dict` inverts it."""
    return _plain(dataclasses.asdict(config))


def load_config(cls, path: str | Path):
    """Read the configuration dataclass `cls` from a .json or .yaml file; ConfigError names the file."""
    mapping = read_mapping(path)
    try:
        return from_dict(cls, mapping)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_mapping(path: str | Path) -> dict:
    """The mapping that a .json or .yaml file of settings holds, {} for an empty one; ConfigError names the file."""
    path = Path(path)
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        raise ConfigError(f"{path}: a configuration is a .json or .yaml file")
    text = read_text(path)
    try:
        mapping = json.loads(text) if path.suffix.lower() == ".json" else _read_yaml(text)
    except (ValueError, RecursionError) as error:  # the latter for endless nesting
        raise ConfigError(f"{path}: not a valid configuration file: {str(error).splitlines()[0]}") from error
    if mapping is not None and not isinstance(mapping, dict):
        raise ConfigError(f"{path}: a configuration takes a mapping of settings, got {mapping!r}")
    return mapping or {}


def read_bytes(path: str | Path, error: type[StyleT2IError] = ConfigError, limit: int = MAX_TEXT) -> bytes:
    """The bytes of a regular file of at most `limit` bytes.

    Raises `error`, one line, for one that is missing, a folder, a pipe, a device (whose reading might never end) or
    longer.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise error(f"{path}: is a folder; name a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise error(f"{path}: is a pipe or a device, not a file; save its content to a file first")
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as problem:
        raise error(f"{str(path)[:300]}: cannot be read: {problem.strerror or problem}; check the path") from problem
    except ValueError as problem:  # a NUL or a lone surrogate in the path
        raise error(f"{ascii(str(path))[:300]}: not a path ({problem}); check the path") from problem
    if len(data) > limit:
        raise error(f"{path}: has over {limit} bytes, more than any file of its kind; check what it is")
    return data


def read_text(path: str | Path, error: type[StyleT2IError] = ConfigError, limit: int = MAX_TEXT) -> str:
    """The UTF-8 text of a regular file; raises `error` as `read_bytes`, also where it is no text."""
    try:
        return read_bytes(path, error, limit).decode("utf-8")
    except UnicodeDecodeError as problem:
        raise error(f"{path}: not UTF-8 text ({problem.reason} at byte {problem.start}); save it as UTF-8") from problem


def read_json(
    path: str | Path,
    error: type[StyleT2IError] = ConfigError,
    *,
    kind: type = dict,
    remedy: str = AGAIN,
):
    """The value of type `kind` in a JSON file; raises `error` as `read_text`, also where the text is no such JSON."""
    return parse_json(read_text(path, error), path, error, kind=kind, remedy=remedy)


def parse_json(text: str, where, error: type[StyleT2IError] = ConfigError, *, kind: type = dict, remedy: str = AGAIN):
    """The value of type `kind` that a JSON text is; `error` names `where` it comes from."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as problem:  # the latter for endless nesting
        reason = str(problem).splitlines()[0][:200]
        raise error(f"{where}: damaged, not valid JSON ({reason}); {remedy}") from problem
    if not isinstance(value, kind):
        raise error(f"{where}: damaged, holds a {type(value).__name__}, not a {kind.__name__}; {remedy}")
    return value


def override(config, **changes):
    """Return a copy of `config` with the given fields replaced, checked as in `from_dict`."""
    current = {f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.init}
    return from_dict(type(config), {**current, **changes})


def suggestion(word: str, known: typing.Iterable, *, lists_all: bool = True) -> str:
    """Return "; did you mean 'X'?" for the known word nearest to `word`, or "; known: ..." when none is near.

    lists_all False: "" when none is near.
    """
    known = [str(k) for k in known]
    near = difflib.get_close_matches(str(word), known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    more = f" and {len(known) - _MAX_LISTED} more" if len(known) > _MAX_LISTED else ""
    return f"; known: {', '.join(known[:_MAX_LISTED])}{more}" if known and lists_all else ""


def _read_yaml(text):
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads 1e-4 as a number, as YAML 1.2 has it."""

    exponent = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$", re.ASCII)
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", exponent, list("-+0123456789"))
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _plain(value):
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def _convert(hint, value, where):
    """Return `value` as the annotation `hint` wants it, or raise ConfigError naming `where`."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is typing.Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _convert_union(args, value, where)
    if origin is typing.Literal:
        if value not in args:
            choices = ", ".join(repr(a) for a in args)
            raise ConfigError(f"{where} is {value!r}; choose one of {choices}")
        return value
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else from_dict(hint, value, where)
    if origin is tuple or hint is tuple:
        return _convert_tuple(args, value, where)
    if origin is dict or hint is dict:
        if not isinstance(value, dict):
            raise _wrong_type(where, "a mapping", value)
        return {k: _convert(args[1], v, f"{where}.{k}") for k, v in value.items()} if args else value
    return _convert_scalar(hint, value, where)


def _convert_union(args, value, where):
    if value is None and type(None) in args:
        return None
    options = [a for a in args if a is not type(None)]
    for option in options:
        try:
            return _convert(option, value, where)
        except ConfigError as error:
            last = error
    if len(options) == 1:
        raise last
    raise _wrong_type(where, " or ".join(map(_kind, options)), value)


def _convert_tuple(args, value, where):
    if not isinstance(value, (list, tuple)):
        raise _wrong_type(where, "a list", value)
    if not args:
        return tuple(value)
    if len(args) == 2 and args[1] is Ellipsis:
        hints = [args[0]] * len(value)
    elif len(args) == len(value):
        hints = args
    else:
        raise ConfigError(f"{where} takes {len(args)} values, got {len(value)}")
    return tuple(_convert(h, v, f"{where}[{i}]") for i, (h, v) in enumerate(zip(hints, value, strict=True)))


def _convert_scalar(hint, value, where):
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise ConfigError(f"{where} is a number of {value.bit_length()} bits; give a smaller one") from error
    if hint is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise _wrong_type(where, _kind(hint), value)
    return value


def _kind(hint) -> str:
    """What values of a type are called: "a number"."""
    return _KINDS.get(hint) or getattr(hint, "__name__", str(hint))


def _wrong_type(where, wanted, value):
    percent = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value) if isinstance(value, str) else None
    remedy = f"; write {float(percent[1]) / 100:g}" if percent and wanted == _KINDS[float] else ""
    return ConfigError(f"{where} takes {wanted}, got {value!r}{remedy}")
