"""plan.lock: what was declared, and when, written before the first image of an audit.

It holds one record per plan that was run in the folder, the first one first. Another plan in the same folder is a new
record with the difference, so that a limit raised after a failure is seen on the page. Who deletes the file gets a new
one that says that images were there before it.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import styleT2I
from styleT2I.config import from_dict
from styleT2I.errors import ConfigError, DataError
from styleT2I.fairness.plan.audit_plan import AuditPlan, declarations, plan_hash
from styleT2I.fairness.results import PlanRecord
from styleT2I.torch_utils.files import write_json_atomic

__all__ = ["declare", "declared_in", "differences", "environment", "keep_declarations", "utc_now"]

LOCK = "plan.lock"
_MAX_SHOWN = 60  # characters of a value in a difference


def utc_now() -> str:
    """The moment as "2026-11-28T10:00:00Z", or that of SOURCE_DATE_EPOCH (seconds) where the environment sets it.

    With the variable set, one audit is byte for byte the same whenever it is run (reproducible-builds.org).
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(fixed), timezone.utc) if fixed.isdecimal() else datetime.now(timezone.utc)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def environment() -> dict[str, str]:
    """Software that makes a result."""
    return {"styleT2I": styleT2I.__version__, "python": platform.python_version(), "platform": platform.platform()}


def declare(folder: str | Path, plan: AuditPlan, num: int) -> None:
    """Write the plan to the folder's plan.lock unless it is the last one there.

    Args:
        folder: Of the audit; it exists.
        plan: What is about to be run.
        num: Images per composition that are drawn, which may differ from the plan's.

    Raises:
        DataError: The file there is damaged.
        OutputError: It cannot be written.
    """
    path = Path(folder) / LOCK
    content, records = {**declarations(plan), "num": num}, _read(path)
    if records and not differences(records[-1]["plan"], content):
        return
    record = {
        "utc": utc_now(),
        "sha256": plan_hash(plan),
        "is_before_images": not any((Path(folder) / "cells").glob("*.json")),
        "changes": differences(records[-1]["plan"], content) if records else [],
        "versions": environment(),
        "plan": content,
    }
    write_json_atomic(path, {"records": [*records, record]})


def declared_in(folders: Iterable[str | Path]) -> tuple[PlanRecord, ...]:
    """The plans declared in the folders of an audit and its shards, oldest first; shards of one plan count once.

    Raises:
        DataError: A file is damaged.
    """
    found: dict[tuple, PlanRecord] = {}
    for folder in folders:
        for record in _read(Path(folder) / LOCK):
            made = from_dict(PlanRecord, {key: record[key] for key in ("utc", "sha256", "is_before_images", "changes")})
            key = json.dumps(record["plan"], sort_keys=True), made.changes
            kept = found.get(key, made)  # of shards the one with images before its declaration, then the earliest
            found[key] = min(kept, made, key=lambda each: (each.is_before_images, each.utc))
    return tuple(sorted(found.values(), key=lambda record: (record.utc, not record.is_before_images)))


def keep_declarations(folders: Iterable[str | Path], outdir: str | Path) -> None:
    """Write what was declared in the folders of an audit's shards to outdir/plan.lock, unless outdir is one of them."""
    path = Path(outdir) / LOCK
    if path.exists():
        return
    records = {
        json.dumps(record, sort_keys=True): record for folder in folders for record in _read(Path(folder) / LOCK)
    }
    if records:
        write_json_atomic(path, {"records": sorted(records.values(), key=lambda record: record["utc"])})


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What changed from one plan to another, a line per value.

    >>> differences({"num": 50, "thresholds": [{"max_gap": 0.05}]}, {"num": 50, "thresholds": [{"max_gap": 0.2}]})
    ['thresholds[0].max_gap: 0.05 -> 0.2']
    """
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return [
        f"{key}: {_shown(old.get(key))} -> {_shown(new.get(key))}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]


def _leaves(value, place=""):
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, f"{place}.{key}" if place else str(key))
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            yield from _leaves(each, f"{place}[{index}]")
    else:
        yield place, value


def _shown(value):
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _read(path):
    """The records of a file, [] where there is none; DataError, one line, for a damaged one."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}; choose another folder") from error
    try:
        records = json.loads(text)["records"]
        for record in records:
            from_dict(PlanRecord, {key: record[key] for key in ("utc", "sha256", "is_before_images", "changes")})
            record["plan"]["name"]
        return records
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise DataError(
            f"{path}: damaged, so nobody can tell what was declared; choose another folder for this audit"
        ) from error
