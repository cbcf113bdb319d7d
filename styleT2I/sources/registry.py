"""Well-known public checkpoints by name (registry.json): where each is, what is known of it, under which licence.

A size or SHA-256 is there only where it is certain (OpenAI has the hash in the address); `confirmed` says that the
address was found in public text, `false` that it follows the publisher's pattern or has no direct link.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Entry:
    """One checkpoint: an address `url`, or a `page` on which people find it and the name `file` to save it under."""

    name: str
    kind: str  # the role it fills (formats.model_folder.ROLES)
    url: str | None
    size: int | None  # bytes
    sha256: str | None
    resolution: int  # side of its images
    licence: str
    preprocessing: str  # of the images it makes or takes
    confirmed: bool
    file: str | None = None
    page: str | None = None
    note: str | None = None

    @property
    def file_name(self) -> str:
        """The name of its file in the cache."""
        return self.file or PurePosixPath(urlsplit(self.url).path).name


@functools.lru_cache(maxsize=1)
def registry() -> dict[str, Entry]:
    """All entries by name."""
    entries = json.loads(Path(__file__).with_name("registry.json").read_text(encoding="utf-8"))
    return {name: Entry(name, **entry) for name, entry in entries.items()}
