"""The files that belong to a manifest, fetched beside it: a component's weights, a model's components."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from styleT2I.errors import CheckpointError
from styleT2I.formats.model_folder import MANIFEST, read_model_manifest, told_where_from


def gather(get: Callable[..., Path], first: str, kind: str | None) -> Path:
    """Fetch `first` and what it names, and return the path to open.

    get(name, sha256=None) fetches a file of the same place and returns its path, all of one folder in one folder.
    kind: of a model's manifest "model" or None fetches everything, a role its component alone. A file that is no
    manifest comes alone. Raises CheckpointError for a manifest that is damaged or has no such role.
    """
    path = get(first)
    folder = first.rpartition("/")[0]

    def beside(name, sha256):
        return get(f"{folder}/{name}" if folder else name, sha256)

    with told_where_from(path):
        return _gathered(path, first, kind, beside)


def _gathered(path, first, kind, beside):
    if path.name == MANIFEST:
        _, entries = read_model_manifest(path)
        vocabulary = entries.pop("vocabulary", {})
        if kind in (None, "model"):
            for entry in entries.values():
                _with_weights(beside(entry["file"], entry.get("sha256")), beside)
            if "file" in vocabulary:
                beside(vocabulary["file"], vocabulary.get("sha256"))
            return path.parent
        if kind not in entries:
            raise CheckpointError(f"{first}: the model has no {kind}; it has {', '.join(entries)}")
        return _with_weights(beside(entries[kind]["file"], entries[kind].get("sha256")), beside)
    return _with_weights(path, beside) if path.suffix == ".json" else path


def _with_weights(manifest, beside):
    from styleT2I.formats.component import read_manifest, sibling  # imports torch, which a plain file does not need

    for name, sha256 in read_manifest(manifest, ("kind", "files"))["files"].items():
        sibling(manifest, name)  # refuses a name that leads out of the folder
        beside(name, sha256)
    return manifest
