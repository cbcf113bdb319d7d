"""Training states on disk: ckpt-STEP.safetensors and ckpt-STEP.json, the manifest, written last."""

import contextlib
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

import styleT2I
from styleT2I.errors import CheckpointError
from styleT2I.formats.component import read_manifest, sibling
from styleT2I.formats.weights import AGAIN, read_safetensors
from styleT2I.torch_utils.files import save_safetensors_atomic, write_json_atomic
from styleT2I.torch_utils.nested import flatten_state, restore_state

FORMAT_VERSION = 1
KIND = "training-state"


@dataclass(frozen=True)
class TrainingState:
    """What a run goes on from: `step` optimisation steps are done; `options` are the settings it ran under."""

    step: int
    state: dict
    options: dict
    path: Path


def write_checkpoint(outdir: Path, step: int, state: dict, options: dict, keep: int) -> Path:
    """Write the state after `step` steps, then all but the last `keep` up to it are removed; raises OutputError.

    A kill at any moment leaves every earlier checkpoint whole.
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
        "state": tree,
    }
    write_json_atomic(outdir / f"{name}.json", manifest)
    _remove_older(outdir, step, keep)
    return outdir / f"{name}.json"


def read_checkpoint(path) -> TrainingState:
    """Read a checkpoint named by its manifest or its safetensors file; CheckpointError unless every byte verifies."""
    path = Path(path).with_suffix(".json")
    manifest = read_manifest(path, ("kind", "step", "files", "options", "state"))
    if manifest["kind"] != KIND or manifest["format_version"] != FORMAT_VERSION:
        raise CheckpointError(f"{path}: not a training checkpoint of this version; name a ckpt-STEP.json")
    ((name, sha256),) = manifest["files"].items()
    tensors = read_safetensors(sibling(path, name), sha256)
    try:
        state = restore_state(manifest["state"], tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its state names tensors that {name} lacks ({error}); {AGAIN}") from error
    return TrainingState(manifest["step"], state, manifest["options"], path)


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
