"""Frozen dataclass configurations to and from plain mappings, JSON and YAML."""

import dataclasses
import difflib
import json
import types
import typing
from pathlib import Path

from styleT2I.errors import ConfigError

MAX_SEED = 2**63 - 1  # of whatever is drawn: commands, Python and plans take the integers from 0 to this

def from_dict(cls, mapping: typing.Mapping):
    """Build the configuration dataclass `cls` from a mapping of its fields.

    Lists become tuples, integers become floats and mappings become nested dataclasses where the annotations say so.
    Raises ConfigError on an unknown key (naming the nearest known one), a missing key or a value of the wrong type.
    """
    if not isinstance(mapping, typing.Mapping):
        raise ConfigError(f"{cls.__qualname__} takes a mapping of settings, got {type(mapping).__name__}")
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    for key in mapping:
        if key not in fields:
            raise ConfigError(f"unknown key {key!r} in {cls.__qualname__}{suggestion(key, fields)}")
    hints = typing.get_type_hints(cls)
    values = {key: _convert(hints[key], value, f"{cls.__qualname__}.{key}") for key, value in mapping.items()}
    for name, field in fields.items():
        is_required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if is_required and name not in values:
            raise ConfigError(f"missing key {name!r} in {cls.__qualname__}")
    return cls(**values)


def to_dict(config) -> dict:
    """Return the configuration as plain dicts, lists and scalars, ready for JSON; `from_dict` inverts it."""
    return _plain(dataclasses.asdict(config))


def load_config(cls, path: str | Path):
    """Read the configuration dataclass `cls` from a .json or .yaml file; ConfigError names the file."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".json":
            mapping = json.loads(text)
        elif path.suffix.lower() in (".yaml", ".yml"):
            mapping = _read_yaml(text)
        else:
            raise ConfigError(f"{path}: a configuration is a .json or .yaml file")
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the configuration: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # the latter: brackets within brackets without end
        raise ConfigError(f"{path}: not a valid configuration file: {str(error).splitlines()[0]}") from error
    try:
        return from_dict(cls, {} if mapping is None else mapping)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def override(config, **changes):
    """Return a copy of `config` with the given fields replaced, checked as in `from_dict`."""
    current = {f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.init}
    return from_dict(type(config), {**current, **changes})


def suggestion(word: str, known: typing.Iterable) -> str:
    """Return "; did you mean 'X'?" for the known word nearest to `word`, or "; known: ..." when none is near."""
    known = [str(k) for k in known]
    near = difflib.get_close_matches(str(word), known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


def _read_yaml(text):
    import yaml

    try:
        return yaml.safe_load(text)
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
        return value if isinstance(value, hint) else from_dict(hint, value)
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
    raise _wrong_type(where, " or ".join(getattr(o, "__name__", str(o)) for o in options), value)


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
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise _wrong_type(where, getattr(hint, "__name__", str(hint)), value)
    return value


def _wrong_type(where, wanted, value):
    return ConfigError(f"{where} takes {wanted}, got {value!r}")
