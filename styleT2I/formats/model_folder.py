"""A model folder: one manifest, `model.json`, that names the components of a model and what they must agree on.

    {"format_version": 1, "name": "minifaces",
     "components": {"generator": {"file": "generator.json", "sha256": "..."}, "clip": {...}, "t2d": {...},
                    "judges": {"guide": {...}, "heldout": {...}}, "vocabulary": {"name": "minifaces"}},
     "agreement": {"w_dim": 128, "num_ws": 10, "resolution": 64, "clip_name": "minifaces-clip"}}

Each file is a component manifest (formats/component.py), which holds the hash of its weights in turn.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import styleT2I
from styleT2I.config import read_json, suggestion
from styleT2I.errors import CheckpointError, guarded
from styleT2I.formats.check_file import check_seal, sealed
from styleT2I.torch_utils.files import sha256_file, write_json_atomic

MANIFEST = "model.json"
FORMAT_VERSION = 1
_KEYS = ("format_version", "name", "components", "agreement")
_AGAIN = "fetch or package the model again"
_WRONG = f"damaged, it has invalid entries; {_AGAIN}"
_IS_DOWNLOAD = "a cached download: delete"
# Every role a model may fill and the kind of component that fills it; "judges.guide" is nested in the manifest.
ROLES = {
    "generator": "stylegan2-generator",
    "clip": "clip",
    "t2d": "t2d",
    "a2d": "a2d",
    "segmenter": "segmenter",
    "encoder": "latent-encoder",
    "judges.guide": "judge",
    "judges.heldout": "judge",
    "clip_eval": "clip",
    "gan_int_cls": "gan-int-cls-generator",
    "style_encoder": "style-encoder",
    "stackgan": "stackgan-generator",
    "attngan": "attngan-generator",
    "dfgan": "dfgan-generator",
    "text_encoder": "damsm-text",
    "clip_words": "damsm-clip-text",
    "unclip": "unclip-decoder",
    "unclip_prior": "unclip-prior",
    "unclip_ar_prior": "unclip-ar-prior",
    "unclip_upsampler": "unclip-upsampler",
}
# Roles that draw a sentence by themselves, without a StyleGAN2.
SYSTEMS = ("gan_int_cls", "stackgan", "attngan", "dfgan", "unclip")


@dataclass(frozen=True)
class ModelFolder:
    """A verified manifest: where each component's JSON lies, and which vocabulary its attributes are named in."""

    path: Path
    name: str
    files: dict[str, Path]  # role -> component manifest
    hashes: dict[str, str]  # role -> SHA-256 of that manifest
    vocabulary: str | None  # a vocabulary's name or the path of its file
    agreement: dict

    def file(self, role: str) -> Path:
        """The component manifest of a role; CheckpointError when the model has none."""
        if role not in self.files:
            raise CheckpointError(f"{self.path}: the model has no {role}; it has {', '.join(self.files)}")
        return self.files[role]


def find_model(name: str | Path) -> Path:
    """The model folder of a path, of an embedded model's name or of a name in the user's cache; CheckpointError."""
    path = Path(name).expanduser()
    if path.name == MANIFEST and path.is_file():
        return path.parent
    if (path / MANIFEST).is_file():
        return path
    if path.is_dir():
        raise CheckpointError(f"{path}: the folder holds no {MANIFEST}, so it is not a model folder")
    if path.is_file():
        raise CheckpointError(
            f"{path}: a file, not a model folder; name the option of what it holds, for example --generator {path}"
        )
    roots = [Path(root) / "checkpoints" for root in styleT2I.__path__] + [cache_dir() / "models"]
    known = {found.parent.name: found.parent for root in reversed(roots) for found in root.glob(f"*/{MANIFEST}")}
    if str(name) in SYSTEMS and str(name) not in known:
        raise CheckpointError(
            f"no weights of {name} are here: train it with python -m styleT2I.train_baseline --system {name} --outdir "
            "DIR and name that folder"
        )
    if str(name) not in known:
        is_path = len(path.parts) > 1 or bool(path.suffix)
        if is_path:
            raise CheckpointError(f"{str(name)[:300]}: no such file or folder; check the path")
        hint = suggestion(name, known)
        raise CheckpointError(f"no model {str(name)[:80]!r}: neither a folder nor a model's name{hint}")
    return known[str(name)]


def cache_dir() -> Path:
    """The user's folder for downloads: $STYLET2I_CACHE, else `styleT2I` beside the Hugging Face cache's usual place."""
    if os.environ.get("STYLET2I_CACHE"):
        return Path(os.environ["STYLET2I_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "styleT2I"


def downloads_dir() -> Path:
    """The folder of downloads in the user's cache."""
    return cache_dir() / "downloads"


@contextlib.contextmanager
def told_where_from(path: str | Path):
    """An error about a file of the cache's downloads says so, and how to fetch the file again."""
    try:
        yield
    except CheckpointError as error:
        text = str(error)
        if not Path(path).is_relative_to(downloads_dir()) or _IS_DOWNLOAD in text:
            raise
        raise type(error)(f"{text} ({_IS_DOWNLOAD} {path} to fetch it again)") from error


def read_model_folder(name: str | Path) -> ModelFolder:
    """Find, read and verify a model folder: every file there, unchanged, of the right kind, and all in agreement.

    Only the small JSON files are read here; the weights' own hashes are checked when a component is loaded.
    Raises CheckpointError, one line naming the file.
    """
    with guarded(name, "cannot be read as a model folder; check the path"):
        folder = find_model(name)
    with told_where_from(folder / MANIFEST), guarded(folder / MANIFEST, _WRONG):
        return _verified_folder(folder)


def local_folder(model: str | Path) -> ModelFolder | None:
    """The model folder at a path, None where it is something else; CheckpointError as read_model_folder."""
    path = Path(model)
    is_folder = path.name == MANIFEST or (path / MANIFEST).is_file()
    return read_model_folder(path) if is_folder else None


def _verified_folder(folder):
    manifest, entries = read_model_manifest(folder / MANIFEST)
    vocabulary = entries.pop("vocabulary", None)
    files, hashes, facts = {}, {}, {}
    for role, entry in entries.items():
        path = _verified_file(folder, role, entry)
        component = _read_json(path)
        if role not in ROLES:
            raise CheckpointError(f"{folder / MANIFEST}: unknown component {role!r}{suggestion(role, ROLES)}")
        if component.get("kind") != ROLES[role]:
            raise CheckpointError(f"{path}: is a {component.get('kind')!r}, but the {role} is a {ROLES[role]!r}")
        files[role], hashes[role] = path, entry["sha256"]
        with guarded(path, _WRONG):
            facts[str(path)] = facts_of(role, component.get("config", {}), component.get("info") or {})
    agreement = manifest.get("agreement", {})
    check_agreement({str(folder / MANIFEST): agreement, **facts})
    check_seal(manifest, folder / MANIFEST, _KEYS)
    return ModelFolder(
        folder, str(manifest.get("name", folder.name)), files, hashes, _vocabulary(folder, vocabulary), agreement
    )


def read_model_manifest(path: Path) -> tuple[dict, dict[str, dict]]:
    """A model.json and the entries of its components by role; CheckpointError when it is damaged or too new.

    An entry has "file", a plain name beside the manifest, and "sha256"; that of "vocabulary" may have "name" instead,
    of an embedded one: a manifest names nothing outside its folder.
    """
    manifest = _read_json(path)
    if manifest.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: format_version {manifest.get('format_version')!r} is not {FORMAT_VERSION}; "
            "update styleT2I or package the model again"
        )
    entries = _flatten(manifest.get("components"), path)
    for role, entry in entries.items():
        if role == "vocabulary" and "name" in entry:
            if not isinstance(entry["name"], str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", entry["name"]):
                raise CheckpointError(f"{path}: its vocabulary {str(entry['name'])[:80]!r} is not a name; {_AGAIN}")
            continue
        file = entry.get("file")
        if not isinstance(file, str) or Path(file).name != file:
            raise CheckpointError(f"{path}: the file of {role} is {str(file)[:80]!r}, not a plain name in the folder")
    return manifest, entries


def write_model_manifest(folder: str | Path, name: str, files: dict[str, str], vocabulary: str | None = None) -> Path:
    """Write model.json for components that lie in `folder` already; the manifest comes last, whole or not at all.

    files: role -> name of its component manifest in the folder. vocabulary: the name of an embedded vocabulary, or of
    a file in the folder. Raises CheckpointError where the components do not fit each other.
    """
    folder = Path(folder)
    components, facts = {}, {}
    for role, file in files.items():
        component = _read_json(folder / file)
        facts[str(folder / file)] = facts_of(role, component.get("config", {}), component.get("info", {}))
        _nest(components, role, {"file": file, "sha256": sha256_file(folder / file)})
    if vocabulary is not None:
        is_file = (folder / vocabulary).is_file()
        entry = {"file": vocabulary, "sha256": sha256_file(folder / vocabulary)} if is_file else {"name": vocabulary}
        components["vocabulary"] = entry
    manifest = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "components": components,
        "agreement": check_agreement(facts),
    }
    write_json_atomic(folder / MANIFEST, sealed(manifest))
    return folder / MANIFEST


def facts_of(role: str, config: dict, info: dict) -> dict:
    """What a component of a role states about the model it belongs to, read from its configuration alone."""
    facts = {}
    if role == "generator":
        facts = {key: config.get(key) for key in ("w_dim", "resolution")}
        if config.get("resolution"):
            facts["num_ws"] = 2 * int(math.log2(config["resolution"])) - 2
    elif role in ("t2d", "a2d"):
        facts = {"w_dim": config.get("w_dim")}
        facts |= {} if config.get("space") == "w" else {"num_ws": config.get("num_ws")}  # the same step in any layer
        if config.get("text_encoder") is None:
            facts |= {"clip_name": info.get("clip_name"), "text_dim": config.get("text_dim")}
    elif role == "encoder":
        facts = {key: config.get(key) for key in ("w_dim", "num_ws")}
    elif role in ("unclip", "unclip_prior", "unclip_ar_prior"):
        facts = {"clip_name": info.get("clip_name"), "text_dim": config.get("embed_dim")}
    elif role in SYSTEMS:
        facts = {"clip_name": info.get("clip_name"), "text_dim": config.get("text_dim")}
        facts |= {"z_dim": config.get("z_dim")} if role == "gan_int_cls" else {}
    elif role == "style_encoder":
        facts = {"z_dim": config.get("z_dim")}
    elif role in ("text_encoder", "clip_words"):
        facts = {"text_dim": config.get("text_dim")}
    elif role == "clip":
        facts = {"clip_name": config.get("name"), "text_dim": config.get("model", {}).get("embed_dim")}
    return {key: value for key, value in facts.items() if value is not None}


def check_agreement(facts: dict[str, dict]) -> dict:
    """Merge what each part (named by its file) states; CheckpointError names the first two that contradict."""
    agreed, source = {}, {}
    for part, stated in facts.items():
        for key, value in stated.items():
            if agreed.setdefault(key, value) != value:
                raise CheckpointError(
                    f"{part} has {key} {value}, but {source[key]} has {key} {agreed[key]}; they do not belong together"
                )
            source.setdefault(key, part)
    return agreed


def _read_json(path: Path) -> dict:
    return read_json(path, CheckpointError, remedy=_AGAIN)


def _flatten(components, path: Path) -> dict[str, dict]:
    """{"judges": {"guide": entry}} -> {"judges.guide": entry}; an entry is what has "file" or "name"."""
    entries = {}
    for role, value in components.items() if isinstance(components, dict) else ():
        if not isinstance(value, dict):
            break
        is_group = not ({"file", "name"} & value.keys())
        entries.update({f"{role}.{name}": entry for name, entry in value.items()} if is_group else {role: value})
    else:
        if entries and all(isinstance(entry, dict) for entry in entries.values()):
            return entries
    raise CheckpointError(f"{path}: damaged, `components` does not map names to files; {_AGAIN}")


def _nest(components: dict, role: str, entry: dict) -> None:
    group, _, name = role.rpartition(".")
    (components.setdefault(group, {}) if group else components)[name] = entry


def _verified_file(folder: Path, role: str, entry: dict) -> Path:
    path = folder / entry["file"]
    if not path.is_file():
        raise CheckpointError(f"{path}: missing, though {MANIFEST} names it as the {role}; fetch the model again")
    if sha256_file(path) != entry.get("sha256"):
        raise CheckpointError(f"{path}: not the file that {MANIFEST} was written for (its hash differs); package again")
    return path


def _vocabulary(folder: Path, entry: dict | None) -> str | None:
    if entry is None or "name" in entry:
        return entry and entry["name"]
    return str(_verified_file(folder, "vocabulary", entry))
