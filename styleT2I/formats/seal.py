"""A manifest's SHA-256 of itself, so that a change in its configuration is noticed like one in the weights."""

from __future__ import annotations

import hashlib
import json

from styleT2I.errors import CheckpointError

SEAL = "manifest_sha256"


def sealed(manifest: dict) -> dict:
    """`manifest` with the hash of everything else in it."""
    return {**manifest, SEAL: _digest(manifest)}


def check_seal(manifest: dict, where, known: tuple[str, ...]) -> None:
    """Raise CheckpointError when a manifest is not the one that was sealed; one without a hash (older ones) passes.

    known: the keys that such a manifest may have, as a damaged key must not hide the hash.
    """
    if unknown := sorted(manifest.keys() - {*known, SEAL}):
        raise CheckpointError(f"{where}: unknown key {unknown[0][:80]!r}; fetch or write it again, or update styleT2I")
    if SEAL in manifest and manifest[SEAL] != _digest(manifest):
        raise CheckpointError(
            f"{where}: changed since it was written, as its SHA-256 shows; fetch or write it again (or take out "
            f"{SEAL!r}, if you changed it on purpose)"
        )


def _digest(manifest):
    content = {key: value for key, value in manifest.items() if key != SEAL}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
