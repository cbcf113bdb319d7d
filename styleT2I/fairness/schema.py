"""The JSON Schema of audit.json, derived from the result's dataclasses; audit.schema.json beside this file holds it."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from styleT2I.fairness.results import SCHEMA_VERSION, AuditResult, Provenance

__all__ = ["json_schema", "schema_text"]

_SCALARS = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of what `AuditResult.to_json` gives.

    >>> json_schema()["properties"]["verdict"]
    {'type': 'string'}
    """
    kinds: dict[str, dict] = {}
    shown = _object(AuditResult, kinds, left_out=("extra", "outcomes", "provenance"))
    origin = _object(Provenance, kinds)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Result of a styleT2I audit, version {SCHEMA_VERSION}",
        "type": "object",
        "properties": {**shown["properties"], **origin["properties"], "schema_version": {"const": SCHEMA_VERSION}},
        "required": sorted({*shown["required"], *origin["required"]}),
        "$defs": dict(sorted(kinds.items())),
    }


def schema_text() -> str:
    """The schema as it is shipped."""
    return files(__package__).joinpath("audit.schema.json").read_text(encoding="utf-8")


def _object(cls, kinds, left_out=()):
    hints = typing.get_type_hints(cls)
    entries = [entry for entry in dataclasses.fields(cls) if entry.name not in left_out]
    return {
        "type": "object",
        "properties": {entry.name: _schema(hints[entry.name], kinds) for entry in entries},
        "required": sorted(entry.name for entry in entries if entry.default is not None),  # None is left out
    }


def _schema(hint, kinds) -> dict[str, Any]:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return {}
    if dataclasses.is_dataclass(hint):
        name = typing.cast(type, hint).__name__
        if name not in kinds:
            kinds[name] = {}
            kinds[name] = _object(hint, kinds)
        return {"$ref": f"#/$defs/{name}"}
    if origin is typing.Literal:
        return {"enum": list(args)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(each, kinds) for each in args]}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _schema(args[1], kinds)}
    if origin is tuple and args[-1] is Ellipsis:
        return {"type": "array", "items": _schema(args[0], kinds)}
    if origin is tuple:
        items = [_schema(each, kinds) for each in args]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    return {"type": _SCALARS[hint]}
