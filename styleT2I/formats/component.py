"""One network on disk: NAME.safetensors and NAME.json, the manifest, written last."""

import struct
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

import styleT2I
from styleT2I.config import MAX_TEXT, read_json
from styleT2I.errors import CheckpointError, guarded
from styleT2I.formats.check_file import AGAIN, check_file, check_seal, read_start, sealed
from styleT2I.formats.model_folder import MANIFEST, read_model_folder
from styleT2I.torch_utils.files import save_safetensors_atomic, sha256_file, write_json_atomic

MAX_HEADER = 1 << 23  # bytes: a hundred thousand tensors


def read_safetensors(path: str | Path, sha256: str | None = None) -> dict[str, torch.Tensor]:
    """Read a safetensors file whose SHA-256 is `sha256` (unchecked when None) to a flat dict of CPU tensors.

    Raises CheckpointError when the file is missing, damaged, a web page or a git-LFS pointer, or has another hash.
    """
    path = Path(path)
    check_file(path)
    size = path.stat().st_size
    with open(path, "rb") as f:
        header_size = struct.unpack("<Q", f.read(8))[0] if size >= 8 else None
    if header_size is None or header_size + 8 > size:
        raise CheckpointError(f"{path}: cut off, or not a safetensors file; {AGAIN}")
    if header_size > MAX_HEADER:
        raise CheckpointError(f"{path}: its header of {header_size} bytes cannot be a network's; {AGAIN}")
    if sha256 is not None and sha256_file(path) != sha256:
        raise CheckpointError(f"{path}: its SHA-256 is not the one its manifest names (cut off or changed); {AGAIN}")
    try:
        return load_file(str(path))
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: damaged safetensors file ({error}); {AGAIN}") from error


def check_finite(state_dict: dict[str, torch.Tensor], where: str | Path) -> None:
    """Raise CheckpointError naming the first tensor that holds NaN or infinity."""
    for name, tensor in state_dict.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(f"{where}: tensor {name!r} holds NaN or infinite numbers; use an earlier checkpoint")


FORMAT_VERSION = 1
_KEYS = ("format_version", "kind", "config", "step", "versions", "files", "info")
# The keys of a component's info that the code reads, with their types; others are notes for people.
_INFO = {
    "clip_name": str, "text": dict, "training": (dict, str), "strengths": dict, "attributes": list, "measured": dict,
    "converted_from": dict, "notes": list,
}  # fmt: skip


@dataclass(frozen=True)
class Component:
    """A network as data: `config` and `state_dict` (floating tensors fp32) fit the class registered for `kind`.

    `path` is the manifest; `sha256` is the manifest's own hash, which covers the weights through the hash it holds.
    """

    kind: str
    config: dict
    state_dict: dict
    step: int | None
    info: dict
    path: Path
    sha256: str


def write_component(folder, name: str, kind: str, config: dict, state_dict: dict, *, half=False, step=None, info=None):
    """Write a network and return the path of its manifest; `half` stores floating tensors as fp16.

    Raises CheckpointError on NaN, infinity or a number that fp16 cannot hold, OutputError when the disk refuses.
    """
    folder = Path(folder)
    tensors = {key: _stored(tensor, half) for key, tensor in state_dict.items()}
    check_finite(tensors, folder / name)
    weights = f"{name}.safetensors"
    manifest = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "config": config,
        "step": step,
        "versions": {"styleT2I": styleT2I.__version__, "torch": torch.__version__},
        "files": {weights: save_safetensors_atomic(folder / weights, tensors)},
        "info": info or {},
    }
    write_json_atomic(folder / f"{name}.json", sealed(manifest))
    return folder / f"{name}.json"


def read_component(path) -> Component:
    """Read a component named by its manifest, its safetensors file or a folder that holds exactly one.

    Raises CheckpointError when a file is missing, damaged, changed since it was written, or holds NaN or infinity.
    """
    with guarded(path, f"damaged, its manifest has invalid entries; {AGAIN}"):
        return _read(manifest_path(Path(path)))


def _read(path):
    manifest = read_manifest(path, ("kind", "config", "files"))
    if manifest["format_version"] != FORMAT_VERSION:
        raise CheckpointError(f"{path}: format version {manifest['format_version']} is unknown; update styleT2I")
    info, step = manifest.get("info") or {}, manifest.get("step")
    for key in ("kind", "config", "files"):
        if manifest[key] is None:
            raise CheckpointError(f"{path}: damaged, its {key!r} is empty; {AGAIN}")
    _check_types({"kind": str, "config": dict, "files": dict, "info": dict}, {**manifest, "info": info}, path)
    _check_types(_INFO, info, path)
    _check_types({"step": int}, {"step": step}, path)
    if len(manifest["files"]) != 1:
        raise CheckpointError(f"{path}: a component has one weights file, this names {len(manifest['files'])}; {AGAIN}")
    ((name, sha256),) = manifest["files"].items()
    check_seal(manifest, path, _KEYS)
    if not isinstance(sha256, str):  # without it the weights would be unverified
        raise CheckpointError(f"{path}: damaged, it holds no SHA-256 of {name!r}; {AGAIN}")
    state_dict = read_safetensors(sibling(path, name), sha256)
    state_dict = {key: t.float() if t.is_floating_point() else t for key, t in state_dict.items()}
    check_finite(state_dict, path.with_name(name))
    return Component(manifest["kind"], manifest["config"], state_dict, step, info, path, sha256_file(path))


def read_manifest(path: Path, keys: tuple[str, ...]) -> dict:
    """Read a JSON manifest that has `format_version` and the given keys; raises CheckpointError."""
    check_file(path)
    if path.stat().st_size > MAX_TEXT:
        raise CheckpointError(f"{path}: too large for a manifest ({MAX_TEXT} bytes); name the .json beside the weights")
    manifest = read_json(path, CheckpointError, kind=object)
    for key in ("format_version", *keys):
        if not isinstance(manifest, dict) or key not in manifest:
            raise CheckpointError(f"{path}: not a manifest, it lacks {key!r}; name the .json beside the weights")
    return manifest


def sibling(manifest: Path, name: str) -> Path:
    """Return the path of a file that a manifest names; CheckpointError when the name leads out of its folder."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise CheckpointError(f"{manifest}: the file name {name!r} leads out of the folder; do not use this manifest")
    return manifest.parent / path


def _check_types(kinds, values, path):
    for key, kind in kinds.items():
        value = values.get(key)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise CheckpointError(f"{path}: damaged, its {key!r} is a {type(value).__name__}; {AGAIN}")


def _stored(tensor, half):
    return tensor.to(torch.float16) if half and tensor.is_floating_point() else tensor


def manifest_path(path: Path) -> Path:
    """The manifest of a component named by it, by its safetensors file or by a folder that holds exactly one."""
    if path.suffix == ".safetensors":
        return path.with_suffix(".json")
    if not path.is_dir():
        return path
    found = sorted(p for p in path.glob("*.json") if p.with_suffix(".safetensors").exists())
    if len(found) != 1:
        names = ", ".join(p.name for p in found) or "none"
        raise CheckpointError(f"{path}: the folder should hold one component, found {names}; name its .json")
    return found[0]


def is_component(path: Path) -> bool:
    """Whether `path` is of our own kind: a folder, a manifest, or a safetensors file with its manifest beside it."""
    if path.suffix == ".safetensors" and path.with_suffix(".json").is_file():
        return True
    if not path.is_file():
        return path.is_dir()
    return read_start(path, 64).lstrip().startswith(b"{")


def read_own(path: Path) -> Component:
    """Read what `is_component` says is ours: a component, or a model folder's generator; errors as read_component."""
    with guarded(path, "damaged, its manifest says what no manifest does; fetch it again"):
        return read_component(read_model_folder(path).file("generator") if (path / MANIFEST).is_file() else path)
