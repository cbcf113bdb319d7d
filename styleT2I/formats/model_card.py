"""The README.md of a model folder: what its parts are, where they come from, what was measured, for what it is meant.

Its head is YAML for the Hugging Face Hub. Everything in it is read from the components' manifests.
"""

from __future__ import annotations

from pathlib import Path

from styleT2I.formats.component import read_manifest
from styleT2I.torch_utils.files import sha256_file, write_text_atomic

CARD = "README.md"
MARK = "<!-- written by styleT2I; without this line it is left as it is -->"
_TAGS = ("styleT2I", "stylegan2", "clip", "text-to-image")
_OPEN = {"apache-2.0": "apache-2.0", "mit": "mit", "cc0": "cc0-1.0", "cc0-1.0": "cc0-1.0", "cc-by-4.0": "cc-by-4.0"}
_USE = """\
Research on text-to-image synthesis of rare combinations of attributes, and on how fairly it works. Attribute names say
what a picture shows to a viewer, stereotypes of the training data included; they say nothing about a person. It is not
meant to identify, rate or imitate real people, nor to be shown without saying that the pictures are made by a machine.
What it was trained on limits it: measure the combinations that you need before you rely on them."""


def write_model_card(folder: Path, name: str, files: dict[str, str], vocabulary=None, licence=None) -> Path | None:
    """Write README.md into a model folder unless one is there that somebody else wrote; its path, or None.

    files: role -> name of its component manifest in the folder. licence: of the model as a whole, in words or as an
    identifier of the Hub. Raises OutputError, or CheckpointError when a manifest is missing or damaged.
    """
    path = folder / CARD
    if path.is_file() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        return None
    write_text_atomic(path, model_card(folder, name, files, vocabulary, licence))
    return path


def model_card(folder: Path, name: str, files: dict[str, str], vocabulary=None, licence=None) -> str:
    """The text of the card; arguments as for `write_model_card`."""
    manifests = {role: read_manifest(folder / file, ("kind", "config", "files")) for role, file in files.items()}
    rows = [_row(role, folder / files[role], manifest, licence) for role, manifest in manifests.items()]
    resolution = manifests.get("generator", {}).get("config", {}).get("resolution")
    size = f" at {resolution} x {resolution} pixels" if resolution else ""
    is_whole = "t2d" in files
    what = f"A sentence becomes pictures{size}" if is_whole else f"Parts of a text-to-image model{size}"
    parts = [
        _head(licence, manifests),
        MARK,
        f"# {_plain(name)}",
        f"{what}: a styleT2I model (StyleGAN2, CLIP and networks that steer the former by the latter).",
        "## Use",
        _use_code(is_whole),
        "## Parts",
        "\n".join(
            ["| role | kind | weights | licence | SHA-256 of the manifest |", "| --- | --- | --- | --- | --- |", *rows]
        ),
        f"Attributes are named in the vocabulary `{_plain(vocabulary)}`." if vocabulary else "",
        "## Intended use and limits",
        _USE,
        "## How it was made and measured",
        "\n".join(f"- `{role}`: {_history(manifest)}" for role, manifest in manifests.items()),
        "Measure it again, or on data of your own, with `python -m styleT2I.evaluate --model FOLDER`. Figures above are"
        " those that its parts' trainings wrote; none says anything about other data.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(licence, manifests):
    """The Hub's YAML: a licence that it knows by an identifier, "other" for one in words, "unknown" without any."""
    foreign = [_licence(manifest) for manifest in manifests.values() if _licence(manifest)]
    if licence is None:
        name = "other" if foreign else "unknown"
    else:
        name = _OPEN.get(licence.lower(), "other")
    lines = ["---", "library_name: styleT2I", "pipeline_tag: text-to-image", f"license: {name}"]
    if name == "other":
        text = licence or "; ".join(dict.fromkeys(foreign))
        quoted = text.replace("\\", "").replace('"', "'")
        lines.append(f'license_name: "{_plain(quoted)}"')
    return "\n".join([*lines, "tags:", *(f"- {tag}" for tag in _TAGS), "---"])


def _use_code(is_whole):
    load = 'model = StyleT2I.from_pretrained("PATH_OR_hf://OWNER/NAME")'
    draw = '\nmodel.generate("he is wearing lipstick", seeds=range(8)).images_u8' if is_whole else ""
    return f"```python\nfrom styleT2I import StyleT2I\n\n{load}{draw}\n```"


def _row(role, path, manifest, model_licence):
    size = sum((path.parent / name).stat().st_size for name in manifest["files"]) / 1e6
    licence = _licence(manifest) or ("as the model" if model_licence else "not stated")
    return f"| `{role}` | {_plain(manifest['kind'])} | {size:.1f} MB | {_plain(licence)} | `{sha256_file(path)}` |"


def _licence(manifest):
    return ((manifest.get("info") or {}).get("converted_from") or {}).get("licence")


def _history(manifest):
    """Where a component comes from and what its training measured, in one line."""
    info = manifest.get("info") or {}
    facts, origin, training = [], info.get("converted_from"), info.get("training")
    if origin:
        facts.append(f"converted from `{_plain(origin.get('file'))}` (SHA-256 `{_plain(origin.get('sha256'))}`)")
    if isinstance(training, str):
        facts.append(_plain(training))
    elif isinstance(training, dict) and training.get("data"):
        data = training["data"]
        facts.append(f"trained on `{_plain(', '.join(data) if isinstance(data, list) else data)}`")
    if manifest.get("step") is not None:
        facts.append(f"{manifest['step']} steps")
    measured = info.get("measured")
    if isinstance(measured, dict):
        on = training.get("eval_data") if isinstance(training, dict) else None
        where = f" on `{_plain(on)}`" if on else ""
        facts.append(f"measured{where}: {', '.join(_figures(measured)) or 'see its manifest'}")
    return "; ".join(facts) or "no record of its making"


def _figures(measured):
    """Numbers by name; of a group of numbers the worst, so that an average hides nothing."""
    for name, value in measured.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{_plain(name)} {value:.4g}"
        elif isinstance(value, dict) and value and all(isinstance(v, (int, float)) for v in value.values()):
            worst = min(value, key=value.get)
            yield f"lowest {_plain(name)} {value[worst]:.4g} ({_plain(worst)})"


def _plain(text):
    """One line without markdown's or HTML's own signs, since manifests may come from anybody."""
    return " ".join(str(text).split()).translate(str.maketrans("", "", "<>|`[]*"))
