"""Well-known public checkpoints by name (registry.json): where each is, what is known of it, under which licence.

A size or SHA-256 is there only where it is certain (OpenAI has the hash in the address, many projects pin YuNet's);
`confirmed` says that the address was found in public text, `false` that it follows the publisher's pattern or has no
direct link. What is known of a file goes with the component that it is converted to, as its origin.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from styleT2I.formats.component import Component, is_component


@dataclass(frozen=True)
class Entry:
    """One checkpoint: an address `url`, or a `page` on which people find it and the name `file` to save it under."""

    name: str
    kind: str  # the role it fills (formats.model_folder.ROLES), or "detector" of faces
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


def licence_of(component: Component) -> str | None:
    """The licence of a well-known file, told by its hash or by where it was downloaded to; None where none is known."""
    from styleT2I.sources.resolve import cached_path

    for entry in registry().values():
        is_download = entry.url is not None and component.path == cached_path(entry.url)
        if is_download or entry.sha256 == component.sha256:
            return entry.licence
    return component.info.get("converted_from", {}).get("licence")


def info_with_origin(component: Component) -> dict:
    """`component.info`; of a foreign file with its name, format, SHA-256 and licence under "converted_from"."""
    if is_component(component.path):
        return component.info
    info = dict(component.info)
    origin = {"file": component.path.name, "format": info.pop("format", None), "sha256": component.sha256}
    licence = licence_of(component)
    return info | {"converted_from": origin | ({"licence": licence} if licence else {})}
