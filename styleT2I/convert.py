"""Weights of any known format to ours, ours to others': `python -m styleT2I.convert ffhq.pkl models/ffhq`."""

import json
from pathlib import Path

import click

from styleT2I.cli import command
from styleT2I.errors import CheckpointError, OutputError

LAYOUTS = ("ours", "rosinality", "ada")
WHICH = ("G_ema", "G", "D")
_NAMES = {"stylegan2-generator": "generator", "stylegan2-discriminator": "discriminator"}  # else the kind itself
_MAX_TEXT = 100  # characters of a value that are printed; --json has it whole


@command()
@click.argument("source", required=False)
@click.argument("out", required=False, type=click.Path())
@click.option("--to", "layout", default="ours", type=click.Choice(LAYOUTS), help="Layout to write: ours (safetensors "
              "and JSON), or a generator as a torch file of plain tensors for other code.")  # fmt: skip
@click.option("--which", default="G_ema", type=click.Choice(WHICH), help="Network of a file that holds several.")
@click.option("--half", is_flag=True, help="Store our layout's weights as fp16.")
@click.option("--describe", is_flag=True, help="Write nothing: print what the file holds.")
@click.option("--list", "is_list", is_flag=True, help="Write nothing: print the well-known checkpoints by name.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def main(source, out, layout, which, half, describe, is_list, as_json):
    """Read the weights SOURCE, whatever their format, and write them to OUT; nothing in the file is executed.

    OUT is a folder, or the .json to write in it; with --to rosinality or ada it is the .pt file.
    """
    if is_list:
        if as_json:
            _print(_listed(), as_json)
        else:
            _print_table()
        return
    if source is None:
        raise click.UsageError("name the file to read, for example: convert ffhq.pkl models/ffhq")
    if describe:
        _print(_described(Path(source)), as_json)
        return
    if out is None:
        raise click.UsageError("name where to write, for example: convert ffhq.pkl models/ffhq (or add --describe)")
    if half and layout != "ours":
        raise click.UsageError("--half is for our own layout; other code expects fp32")
    written = _convert(Path(source), Path(out), layout, which, half)
    _print(written, as_json)


def _convert(source, out, layout, which, half):
    """Write the network and return what was done: the file, its kind and notes."""
    from styleT2I.config import to_dict
    from styleT2I.formats.component import write_component
    from styleT2I.formats.foreign.registry import read_network
    from styleT2I.formats.foreign.stylegan2.export import export_generator
    from styleT2I.formats.model_folder import MANIFEST
    from styleT2I.networks.registry import load_network_component
    from styleT2I.sources.registry import info_with_origin
    from styleT2I.torch_utils.files import check_writable_dir

    component = read_network(source, which)
    network = load_network_component(component)  # strict, so that what is written can be read again
    config, state = to_dict(network.config), network.state_dict()
    notes = list(component.info.get("notes", ()))
    if layout != "ours":
        if out.is_dir():
            raise click.UsageError(f"{out} is a folder; name the file, for example {out / 'generator.pt'}")
        check_writable_dir(out.absolute().parent)
        notes += export_generator(out, layout, component.kind, config, state)
        return {"written": str(out), "kind": component.kind, "notes": notes}
    name = out.stem if out.suffix == ".json" else _NAMES.get(component.kind, component.kind)
    folder = out.parent if out.suffix == ".json" else out
    if (folder / MANIFEST).exists():
        raise OutputError(f"cannot write {folder}: a model folder, whose files belong together; choose another folder")
    info, step = info_with_origin(component), component.step
    check_writable_dir(folder)
    manifest = write_component(folder, name, component.kind, config, state, half=half, step=step, info=info)
    return {"written": str(manifest), "kind": component.kind, "notes": notes}


def _described(path):
    """What a file, a component or a model folder holds, network by network."""
    from styleT2I.formats.component import is_component, read_component
    from styleT2I.formats.model_folder import MANIFEST, read_model_folder
    from styleT2I.sources.registry import licence_of

    if path.name == MANIFEST or (path / MANIFEST).is_file():
        folder = read_model_folder(path)
        networks = {role: _facts(read_component(file)) for role, file in folder.files.items()}
        return {"file": str(folder.path), "format": "model folder", "name": folder.name, "networks": networks}
    if is_component(path):
        component = read_component(path)
        files = [component.path, component.path.with_suffix(".safetensors")]
        components, known, unread = {_NAMES.get(component.kind, component.kind): component}, "component", {}
    else:
        components, unread = _networks_of(path)
        component = next(iter(components.values()))
        files, known = [component.path], component.info["format"]
    size = sum(file.stat().st_size for file in files)
    file = {"file": str(component.path), "format": known, "bytes": size, "sha256": component.sha256}
    networks = {name: _facts(network) for name, network in components.items()}
    file |= {"licence": licence_of(component), "networks": networks}
    return file | {"cannot be read": unread} if unread else file


def _networks_of(path):
    """(the networks of a foreign file by name, why others of it cannot be read, by name)."""
    from styleT2I.formats.foreign.imported import NoSuchNetwork
    from styleT2I.formats.foreign.registry import read_network

    found, unread, absent = {}, {}, None
    for which in WHICH:
        try:
            network = read_network(path, which)
        except NoSuchNetwork as error:
            absent = error
            continue
        except CheckpointError as error:
            unread[which] = error
            continue
        if network.kind in _NAMES:
            found[which] = network
        else:
            found.setdefault(network.kind, network)
            if not network.kind.endswith(("-generator", "-discriminator")):
                break  # a file of one network, whichever is asked for
    if not found:
        raise next(iter(unread.values()), absent)
    return found, {which: str(error).removeprefix(f"{path}: ") for which, error in unread.items()}


def _facts(component):
    """Kind, size and configuration of a network, which is built, so that its weights are known to fit."""
    from styleT2I.config import to_dict
    from styleT2I.networks.registry import load_network_component

    network = load_network_component(component)
    facts = {"kind": component.kind, "parameters": sum(p.numel() for p in network.parameters())}
    resolution = component.config.get("resolution") or getattr(network.config, "image_size", None)
    facts |= {"resolution": resolution} if resolution else {}
    facts |= {"step": component.step} if component.step is not None else {}
    return facts | {"notes": list(component.info.get("notes", ())), "config": to_dict(network.config)}


def _listed():
    from styleT2I.sources.registry import registry

    shown = ("kind", "resolution", "size", "sha256", "url", "page", "licence", "preprocessing", "note", "confirmed")
    entries = ((name, {key: getattr(entry, key) for key in shown}) for name, entry in registry().items())
    return {name: {key: value for key, value in facts.items() if value is not None} for name, facts in entries}


def _print_table():
    """The well-known checkpoints, a line each."""
    from styleT2I.sources.registry import registry

    rows = [("name", "role", "side", "MB", "licence")]
    rows += [
        (name, entry.kind, str(entry.resolution), f"{entry.size / 1e6:.0f}" if entry.size else "?", entry.licence)
        for name, entry in registry().items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for name, kind, side, size, licence in rows:
        click.echo(f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {side:>{widths[2]}}  {size:>{widths[3]}}  {licence}")
    click.echo("side: of the images, in pixels; MB: ? where not measured. Addresses, hashes and notes: --list --json")


def _print(value, as_json):
    if as_json:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        _print_lines(value)


def _print_lines(value, indent=0):
    for key, entry in value.items():
        start = f"{' ' * indent}{key}"
        if isinstance(entry, dict) and entry:
            click.echo(start)
            _print_lines(entry, indent + 2)
        elif isinstance(entry, (list, tuple)) and entry and all(isinstance(item, str) for item in entry):
            click.echo("\n".join([start, *(f"{' ' * indent}  {item}" for item in entry[:10])]))
        elif entry not in ([], (), {}):
            text = "unknown" if entry is None and key == "licence" else str(entry)
            text = text if len(text) <= _MAX_TEXT or not isinstance(entry, (list, tuple)) else f"{text[:_MAX_TEXT]} ..."
            click.echo(f"{start:{max(24, indent + 22)}s}{text}")


if __name__ == "__main__":
    main()
