"""Origin of a component that was read from a foreign file, recorded when it is written in our own format."""

from __future__ import annotations

from styleT2I.formats.component import Component, is_component


def licence_of(component: Component) -> str | None:
    """The licence of a well-known file, told by its hash or by where it was downloaded to; None where none is known."""
    from styleT2I.sources.registry import registry
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
