"""The README.md of a model folder: what its parts are, where they come from, what was measured, for what it is meant.

Its head is YAML for the Hugging Face Hub. Everything in it is read from the components' manifests.
"""

from __future__ import annotations

from pathlib import Path

from styleT2I.formats.component import read_manifest
from styleT2I.formats.model_folder import SYSTEMS
from styleT2I.torch_utils.files import sha256_file, write_text_atomic

CARD = "README.md"
MARK = "<!-- written by styleT2I; without this line it is left as it is -->"
_TAGS = ("styleT2I", "text-to-image")
_TITLES = {
    "gan_int_cls": "GAN-INT-CLS (Reed et al. 2016)",
    "stackgan": "StackGAN (Zhang et al. 2017)",
    "attngan": "AttnGAN (Xu et al. 2018)",
    "dfgan": "DF-GAN (Tao et al. 2022)",
    "unclip": "unCLIP (Ramesh et al. 2022, DALL-E 2)",
}
_OPEN = {"apache-2.0": "apache-2.0", "mit": "mit", "cc0": "cc0-1.0", "cc0-1.0": "cc0-1.0", "cc-by-4.0": "cc-by-4.0"}
_USE = """\
Research on text-to-image synthesis of rare combinations of attributes, and on how fairly it works. Attribute names say
what an image shows to a viewer, stereotypes of the training data included; they say nothing about a person. It is not
meant to identify, rate or imitate real people, nor to be shown without saying that the images are made by a machine.
What it was trained on limits it: measure the combinations that you need before you rely on them."""


def write_model_card(folder: Path, name: str, files: dict[str, str], vocabulary=None, licence=None) -> Path | None:
    """Write README.md into a model folder unless one is there that somebody else wrote; its path, or None.

    files: role -> name of its component manifest in the folder. licence: of the model as a whole, in words or as an
    identifier of the Hub. Raises OutputError, or CheckpointError when a manifest is missing or damaged.
    """
    if has_other_card(folder):
        return None
    write_text_atomic(folder / CARD, model_card(folder, name, files, vocabulary, licence))
    return folder / CARD


def has_other_card(folder: Path) -> bool:
    """Whether there is a README.md that was not written here."""
    path = folder / CARD
    return path.is_file() and MARK not in path.read_text(encoding="utf-8", errors="replace")


def model_card(folder: Path, name: str, files: dict[str, str], vocabulary=None, licence=None) -> str:
    """The text of the card; arguments as for `write_model_card`."""
    manifests = {role: read_manifest(folder / file, ("kind", "config", "files")) for role, file in files.items()}
    rows = [_row(role, folder / files[role], manifest, licence) for role, manifest in manifests.items()]
    resolution = manifests.get("generator", {}).get("config", {}).get("resolution")
    size = f" at {resolution} x {resolution} pixels" if resolution else ""
    baseline = next((role for role in SYSTEMS if role in files and "generator" not in files), None)
    parts = [
        _head(licence, manifests),
        MARK,
        f"# {_plain(name)}",
        _what("t2d" in files, size) if baseline is None else _what_baseline(manifests, baseline),
        "## Use",
        _use_code("t2d" in files, is_baseline=baseline is not None),
        "## Parts",
        "\n".join(
            ["| role | kind | weights | licence | SHA-256 of the manifest |", "| --- | --- | --- | --- | --- |", *rows]
        ),
        f"Attributes are named in the vocabulary `{_plain(vocabulary)}`." if vocabulary else "",
        "## Intended use and limits",
        _USE,
        "## How it was made and measured",
        "\n".join(f"- `{role}`: {_history(manifest)}" for role, manifest in manifests.items()),
        "Measure it again, or on data of your own, with `python -m styleT2I.evaluate --model FOLDER`. Values above are"
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
    tags = (*_TAGS, *(tag for role, tag in (("generator", "stylegan2"), ("clip", "clip")) if role in manifests))
    return "\n".join([*lines, "tags:", *(f"- {tag}" for tag in tags), "---"])


def _what(is_whole, size):
    what = f"A sentence becomes images{size}" if is_whole else f"Parts of a text-to-image model{size}"
    return f"{what}: a styleT2I model (StyleGAN2, CLIP and networks that steer the former by the latter)."


def _what_baseline(manifests, role):
    """One paragraph on an earlier text-to-image GAN: which it is, who trained it, what reads its sentences."""
    reader = next((reader for reader in ("text_encoder", "clip_words", "clip") if reader in manifests), None)
    reads = {
        "clip": "The CLIP below encodes its sentences.",
        "clip_words": "A CLIP's text tower and DAMSM's projections, below, encode its sentences.",
        "text_encoder": "DAMSM's text encoder below encodes its sentences.",
        None: "It comes without a sentence encoder: give a text encoder or a file of embeddings.",
    }[reader]
    info = manifests[role].get("info") or {}
    training = info.get("training") if isinstance(info.get("training"), dict) else {}
    made = "trained by styleT2I" if training else "without a record of its training"
    if info.get("converted_from"):
        made = "converted from a file of its authors' code"
    kind = "system" if role == "unclip" else "GAN"
    is_control = "It is a control: it saw every image with another one's sentence. "
    return (
        f"A baseline to compare StyleT2I with, not StyleT2I: {_TITLES[role]}, an earlier text-to-image {kind}, {made}. "
        f"{is_control if training.get('shuffle_captions') else ''}{reads}"
    )


def _use_code(is_whole, is_baseline=False):
    source = '"PATH_OR_hf://OWNER/NAME"'
    draw = '\nmodel.generate("he is wearing lipstick", seeds=range(8)).images_u8' if is_whole or is_baseline else ""
    if is_baseline:
        imported = "from styleT2I import open_system"
        return f"```python\n{imported}\n\nmodel = open_system({source}){draw}\n```"
    return f"```python\nfrom styleT2I import StyleT2I\n\nmodel = StyleT2I.from_pretrained({source}){draw}\n```"


def _row(role, path, manifest, model_licence):
    size = sum((path.parent / name).stat().st_size for name in manifest["files"]) / 1e6
    licence = _licence(manifest) or ("as the model" if model_licence else "not stated")
    return f"| `{role}` | {_plain(manifest['kind'])} | {size:.1f} MB | {_plain(licence)} | `{sha256_file(path)}` |"


def _licence(manifest):
    return ((manifest.get("info") or {}).get("converted_from") or {}).get("licence")


def _history(manifest):
    """A component's origin and its training's measurements, in one line."""
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
    return "; ".join(facts) or "without a record of its origin"


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
