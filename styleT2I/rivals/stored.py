"""Ways that were found on one generator, kept in the user's cache: a file of tensors with all that they depend on."""

from __future__ import annotations

import hashlib
import json
import warnings

import torch

from styleT2I.errors import CheckpointError, OutputError
from styleT2I.formats.component import read_safetensors
from styleT2I.formats.model_folder import cache_dir
from styleT2I.rivals.samples import FIRST_SEED, PSI, Samples
from styleT2I.rivals.ways import Way, Ways
from styleT2I.torch_utils.files import check_writable_dir, save_safetensors_atomic

_VERSION = 1  # raised when a method finds other directions than before


class StoredWays:
    """The file of one method, generator and observer; nothing is kept where one of them was made in memory."""

    def __init__(self, samples: Samples, method: str):
        self.method = method
        role = "judges.guide" if samples.observer.name == "judge" else "clip"
        roles = {"generator", role, *(("clip",) if samples.model.has("clip") else ())}
        hashes = samples.model.describe(unused=True)["components"]
        parts = {part: hashes[part] for part in sorted(roles)}
        facts = [method, parts, role, list(samples.names), samples.num, FIRST_SEED, PSI, _VERSION]
        self.facts = json.dumps([*facts, samples.model.device.type, torch.__version__])
        key = hashlib.sha256(self.facts.encode()).hexdigest()[:32]
        self.path = cache_dir() / "directions" / f"{method}-{key}.safetensors" if all(parts.values()) else None

    def read(self) -> Ways:
        """What is kept; nothing found yet where there is no file, or a damaged one, which is nobody's loss."""
        empty = Ways(self.method, {})
        if self.path is None or not self.path.is_file():
            return empty
        try:
            tensors = read_safetensors(self.path)
            content = json.loads(bytes(tensors.pop("content").tolist()).decode())
            if content.pop("digest") != _digest(content, tensors) or content["facts"] != self.facts:
                return empty
            ways = {name: _way(name, one, tensors) for name, one in content["ways"].items()}
        except (CheckpointError, KeyError, ValueError, TypeError, AttributeError):
            return empty
        return Ways(self.method, ways, content["strengths"], content["seconds"])

    def write(self, found: Ways) -> None:
        """Keep everything found; a warning where that is not possible."""
        if self.path is None:
            return
        tensors, ways = {}, {}
        for name, way in found.ways.items():
            ways[name] = {
                "longest": way.longest,
                "note": way.note,
                "layers": list(way.styles),
                "ws": way.ws is not None,
            }
            tensors |= {f"{name}/styles/{layer}": shift for layer, shift in way.styles.items()}
            tensors |= {f"{name}/ws": way.ws} if way.ws is not None else {}
        content = {"facts": self.facts, "ways": ways, "strengths": found.strengths, "seconds": found.seconds}
        content["digest"] = _digest(content, tensors)
        text = torch.tensor(list(json.dumps(content).encode()), dtype=torch.uint8)
        try:
            check_writable_dir(self.path.parent)
            save_safetensors_atomic(self.path, {**tensors, "content": text})
        except OutputError as error:
            warnings.warn(f"directions are found again each time: {error}", stacklevel=4)


def _way(name, one, tensors):
    styles = {layer: tensors[f"{name}/styles/{layer}"] for layer in one["layers"]}
    return Way(tensors[f"{name}/ws"] if one["ws"] else None, styles, one["longest"], one["note"])


def _digest(content, tensors):
    """A SHA-256 over everything that is kept."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for key in sorted(tensors):
        digest.update(key.encode() + tensors[key].contiguous().numpy().tobytes())
    return digest.hexdigest()
