"""What strength 1 of an edit stands for, measured by CLIP: for models without a judge that saw it in A2D's training."""

from __future__ import annotations

import hashlib
import json
import warnings

import torch

from styleT2I.errors import OutputError
from styleT2I.formats.model_folder import cache_dir
from styleT2I.generation.model import Model
from styleT2I.generation.observers import ZeroShotLogits
from styleT2I.torch_utils.files import check_writable_dir, write_json_atomic
from styleT2I.training.directions.evaluation import A2DEvaluation, smallest_step

NUM_LATENTS = 12  # few, for each is drawn six times while the user waits
PSI = 0.7  # truncation of these latents


def clip_strength(model: Model, name: str, value: bool) -> float:
    """The smallest step along a / ||a|| of an attribute, in units of W, at which CLIP sees the value on 95 % of latents
    of seeds 0, 1, 2 ...; where even three times the directions' length is not enough, that.

    Kept in the user's cache for the files of generator, CLIP and A2D. Warns that CLIP, not a judge, has decided.
    """
    parts = {role: model.network(role) for role in ("generator", "clip", "a2d")}
    warnings.warn(
        f"the a2d has no strength of {name!r} that a judge has measured; CLIP measures it on {NUM_LATENTS} faces",
        stacklevel=4,
    )
    hashes = [model.describe()["components"][role] for role in parts]
    kept = _Kept([*hashes, name, value, NUM_LATENTS, PSI, str(model.device.type)]) if all(hashes) else None
    step = kept.read() if kept else None
    if step is None:
        step = _measure(model, name, value, **parts)
        if kept:
            kept.write(step)
    return step


def _measure(model, name, value, generator, clip, a2d):
    judge = _ClipJudge(clip, model, (name,))
    evaluation = A2DEvaluation(generator, clip, judge, None, model.vocabulary, (name,), psi=PSI)
    with torch.no_grad():
        return smallest_step(evaluation, a2d, evaluation.latents(NUM_LATENTS), name, value)


class _ClipJudge:
    """CLIP's zero-shot logits of a few attributes, as A2DEvaluation asks a judge for them."""

    def __init__(self, clip, model, names):
        sha256 = model.describe()["components"]["clip"]
        self.attribute_names, self.clip = names, clip
        self.logits = ZeroShotLogits(clip, model.vocabulary, names, sha256=sha256)

    def __call__(self, image):
        return self.logits(self.clip.encode_image(image))


class _Kept:
    """One number in the user's cache, with a hash over it and what it belongs to."""

    def __init__(self, facts):
        self.facts = json.dumps(facts)
        self.path = cache_dir() / "strengths" / f"{hashlib.sha256(self.facts.encode()).hexdigest()[:32]}.json"

    def read(self):
        """The number; None where there is none, or it is damaged, which is nobody's loss."""
        try:
            held = json.loads(self.path.read_text(encoding="utf-8"))
            return held["step"] if held == self._content(held["step"]) else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, step):
        try:
            check_writable_dir(self.path.parent)
            write_json_atomic(self.path, self._content(step))
        except OutputError as error:
            warnings.warn(f"the strength is measured again each time: {error}", stacklevel=5)

    def _content(self, step):
        digest = hashlib.sha256(f"{self.facts} {step!r}".encode()).hexdigest()
        return {"step": step, "facts": self.facts, "sha256": digest}
