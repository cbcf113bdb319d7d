"""Training states, on disk as ckpt-STEP.safetensors and ckpt-STEP.json (the manifest, written last), or in memory.

Also tells whether a finished training's folder is complete, so that the same command has nothing left to do.
"""

import contextlib
import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

import styleT2I
from styleT2I.errors import CheckpointError
from styleT2I.formats.check_file import SEAL, sealed
from styleT2I.formats.component import AGAIN, read_manifest, read_safetensors, sibling
from styleT2I.torch_utils.files import save_safetensors_atomic, sha256_file, write_json_atomic
from styleT2I.training.interval import Interval

FORMAT_VERSION = 2
KIND = "training-state"
OPTIONS = "options.json"  # a run's settings, in its folder
LARGE = 1 << 28  # bytes of a state above which only the newest checkpoint is kept
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)


@dataclass(frozen=True)
class TrainingState:
    """The state that a run resumes from: `step` optimisation steps are done; `options` are the settings it ran under.

    interval: sums of the log's unfinished interval (training.interval).
    """

    step: int
    state: dict
    options: dict
    path: Path
    interval: dict = field(default_factory=dict)


def write_checkpoint(outdir: Path, step: int, state: dict, options: dict, keep: int, interval: dict) -> Path:
    """Write the state after `step` steps, then all but the last `keep` up to it are removed; raises OutputError.

    Of a state above LARGE bytes only the new one is kept, once it was read back. A kill at any moment leaves every
    earlier checkpoint whole.
    """
    tree, tensors = flatten_state(state)
    name = f"ckpt-{step:08d}"
    weights = f"{name}.safetensors"
    manifest = {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "step": step,
        "versions": {"styleT2I": styleT2I.__version__, "torch": torch.__version__},
        "files": {weights: save_safetensors_atomic(outdir / weights, tensors)},
        "options": options,
        "interval": interval,
        "state": tree,
    }
    write_json_atomic(outdir / f"{name}.json", sealed(manifest))
    if sum(tensor.nbytes for tensor in tensors.values()) > LARGE:
        keep = _num_kept_of_large(outdir / weights, manifest["files"][weights])
    _remove_older(outdir, step, keep)
    return outdir / f"{name}.json"


def read_checkpoint(path) -> TrainingState:
    """Read a checkpoint named by its manifest or its safetensors file; CheckpointError unless every byte verifies.

    The manifest holds the SHA-256 of the tensors' file and that of its own other entries.
    """
    path = Path(path).with_suffix(".json")
    manifest = read_manifest(path, ("kind",))
    if manifest["kind"] != KIND or manifest["format_version"] != FORMAT_VERSION:
        raise CheckpointError(f"{path}: not a training checkpoint of this version; name a ckpt-STEP.json")
    if manifest.get(SEAL) != sealed(manifest)[SEAL]:
        raise CheckpointError(f"{path}: its SHA-256 is not the one it names (changed since it was written); {AGAIN}")
    try:
        return _training_state(path, manifest)
    except _MALFORMED as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path}: not as a training writes it ({reason}); {AGAIN}") from error


def _training_state(path, manifest):
    ((name, sha256),) = manifest["files"].items()
    step, options = manifest["step"], manifest["options"]
    kinds = {"a step": (step, int), "a task": (options["task"], str), "settings": (options["settings"], dict),
             "a seed": (options["run"]["seed"], int), "a hash": (sha256, str)}  # fmt: skip
    for what, (value, kind) in kinds.items():
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{value!r} is not {what}")
    state = restore_state(manifest["state"], read_safetensors(sibling(path, name), sha256))
    return TrainingState(step, state, options, path, Interval(manifest["interval"]).state())


def _num_kept_of_large(weights, sha256):
    if sha256_file(weights) == sha256:
        return 1
    warnings.warn(f"{weights}: reads back otherwise than it was written, so the one before it is kept", stacklevel=3)
    return 2


def newest_checkpoint(outdir: Path) -> TrainingState | None:
    """Return the newest checkpoint that verifies, warning about newer ones that do not; None when there is none at all.

    Raises CheckpointError when there are checkpoints but none verifies.
    """
    failures = []
    for path in reversed(list_checkpoints(outdir)):
        try:
            found = read_checkpoint(path)
        except CheckpointError as error:
            failures.append(str(error))
            continue
        if failures:
            warnings.warn(f"resuming from the older {path.name}: {'; '.join(failures)}", stacklevel=2)
        return found
    if failures:
        raise CheckpointError(f"no checkpoint in {outdir} can be used: {'; '.join(failures)}; or choose another folder")
    return None


def list_checkpoints(outdir: Path) -> list[Path]:
    """Return the manifests in `outdir` by rising step."""
    return sorted((p for p in outdir.glob("ckpt-*.json") if re.fullmatch(r"ckpt-\d+", p.stem)), key=checkpoint_step)


def _remove_older(outdir, newest, keep):
    """Manifests go first, so that none is ever left without its weights; weights without a manifest go too."""
    kept = [p.stem for p in list_checkpoints(outdir) if checkpoint_step(p) <= newest][-keep:]
    for suffix in (".json", ".safetensors"):
        for path in outdir.glob(f"ckpt-*{suffix}"):
            if re.fullmatch(r"ckpt-\d+", path.stem) and checkpoint_step(path) < newest and path.stem not in kept:
                with contextlib.suppress(OSError):
                    path.unlink()


def checkpoint_step(path: Path) -> int:
    """Return the number of steps done at a checkpoint, from its file name."""
    return int(path.stem.removeprefix("ckpt-"))


def flatten_state(state) -> tuple[object, dict[str, torch.Tensor]]:
    """Split nested dicts, lists and tuples of tensors, numbers, strings, booleans and None into (JSON tree, tensors).

    Dict keys may be strings or integers, as optimizers have them. Raises TypeError on anything else, naming its place.
    """
    tensors = {}
    return _flatten(state, "", tensors), tensors


def restore_state(tree, tensors: dict[str, torch.Tensor]):
    """Return the state that `flatten_state` split; raises KeyError when a tensor is missing."""
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: restore_state(value, tensors) for key, value in content}
    values = [restore_state(value, tensors) for value in content]
    return tuple(values) if kind == "tuple" else values


def _flatten(value, path, tensors):
    if isinstance(value, torch.Tensor):
        while path in tensors:  # keys may hold slashes
            path += "_"
        tensors[path] = value
        return {"tensor": path}
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, (str, int)) or isinstance(key, bool):
                raise TypeError(f"state{path} has a key of type {type(key).__name__}")
        return {"dict": [[key, _flatten(item, f"{path}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_flatten(item, f"{path}/{i}", tensors) for i, item in enumerate(value)]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"state{path} is a {type(value).__name__}, which cannot be saved")


def export_and_note(export: Callable[[], None], outdir: Path, options: dict) -> None:
    """Call export, which writes into `outdir`, and note in options.json which files it wrote."""
    before = _times(outdir)
    export()
    files = sorted(name for name, time in _times(outdir).items() if before.get(name) != time)
    write_json_atomic(outdir / OPTIONS, {**options, "exported": {"step": options["run"]["steps"], "files": files}})


def is_exported(outdir: Path, step: int) -> bool:
    """Whether what `export_and_note` noted after `step` steps is still there."""
    try:
        noted = json.loads((outdir / OPTIONS).read_text(encoding="utf-8"))["exported"]
        return noted["step"] == step and all((outdir / name).is_file() for name in noted["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


class LastState:
    """The state after the last whole step, for when another process is lost in the middle of the next.

    A copy on the training's own device, in memory that is used again for the next one.
    """

    def __init__(self):
        self.step, self._tree, self._tensors = 0, None, {}

    @torch.no_grad()
    def keep(self, step: int, state: dict) -> None:
        """Copy the state after `step` steps, in place of the one that was kept."""
        self.step = step
        self._tree, tensors = flatten_state(state)
        kept = {name: self._tensors.get(name) for name in tensors}
        for name, tensor in tensors.items():
            if kept[name] is None or kept[name].shape != tensor.shape:
                kept[name] = tensor.detach().clone()
            else:
                kept[name].copy_(tensor)
        self._tensors = kept

    def state(self) -> dict:
        """The state that was kept."""
        return restore_state(self._tree, self._tensors)


def on_cpu(state: dict) -> dict:
    """The state with its tensors on the CPU."""
    tree, tensors = flatten_state(state)
    return restore_state(tree, {name: tensor.detach().cpu() for name, tensor in tensors.items()})
