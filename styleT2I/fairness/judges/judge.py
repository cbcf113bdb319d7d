"""Who looks at an audit's pictures: networks, CLIP and a user's own classifier, all with three outcomes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import ConfigError
from styleT2I.fairness.judges.custom import onnx_input, onnx_scores, python_scores
from styleT2I.fairness.judges.spec import JudgePlan, described
from styleT2I.fairness.subjects.user_functions import load_entry_point
from styleT2I.generation.model import Model
from styleT2I.generation.observers import ZeroShotLogits
from styleT2I.metrics.attributes import verdicts
from styleT2I.sources.registry import registry
from styleT2I.torch_utils.images import from_uint8

__all__ = ["Judge", "columns_of", "open_judge"]

STEERING = ("judges.guide", "clip")  # roles of networks that decide during generation, or trained what draws


class Scores(NamedTuple):
    """What a judge is made of."""

    names: tuple[str, ...]  # of the columns, any terms
    of: Callable[[torch.Tensor], torch.Tensor]  # pictures uint8 [N, 3, H, W] -> scores [N, A]; NaN where it cannot say
    sha256: str | None  # None: built in memory
    features: Callable[[torch.Tensor], torch.Tensor] | None = None  # uint8 [N, 3, H, W] -> [N, F]


class Judge:
    """Three-way verdicts on pictures, about attributes by the vocabulary's own names."""

    def __init__(self, plan: JudgePlan, scores: Scores, vocabulary: Vocabulary, is_independent: bool = True):
        """is_independent: whether it neither trained nor steered what it judges."""
        self.plan, self.sha256, self.is_independent = plan, scores.sha256, is_independent
        self.features = scores.features
        self._scores = scores.of
        found = columns_of(scores.names, vocabulary)
        self.attribute_names = tuple(name for name in vocabulary.names if name in found)
        self._columns = [found[name][0] for name in self.attribute_names]
        self._signs = torch.tensor([1.0 if found[name][1] else -1.0 for name in self.attribute_names])

    @torch.no_grad()
    def verdicts(self, images_u8: Sequence[torch.Tensor]) -> torch.Tensor:
        """Verdicts int8 [N, A] on the CPU on pictures uint8 [3, H, W], of one size or of many."""
        is_one_size = len({image.shape for image in images_u8}) == 1
        batches = [torch.stack(list(images_u8))] if is_one_size else [image[None] for image in images_u8]
        scores = torch.cat([self._scores(batch).float().cpu() for batch in batches])[:, self._columns]
        return verdicts((scores - self.plan.threshold) * self._signs, self.plan.margin)

    def check(self, asked: Collection[str]) -> None:
        """ConfigError where it has nothing to say of an attribute."""
        if missing := sorted(set(asked) - set(self.attribute_names)):
            who = self.plan.source or self.plan.role
            raise ConfigError(f"the judge {who} does not know {', '.join(missing)}; leave them out, or name another")

    def describe(self) -> dict:
        """What the plan says of it, its hash, and whether it is independent of what it judges."""
        return {**described(self.plan), "sha256": self.sha256, "is_independent": self.is_independent}


def columns_of(terms: Sequence[str], vocabulary: Vocabulary) -> dict[str, tuple[int, bool]]:
    """Column and the value it speaks of, by the vocabulary's name, of columns called by any terms of it.

    The first of several terms for one attribute counts; those that the vocabulary does not know are left out.
    """
    found = {}
    for column, term in enumerate(terms):
        try:
            name, value = vocabulary.resolve(term)
        except ConfigError:
            continue
        found.setdefault(name, (column, value))
    return found


def open_judge(plan: JudgePlan, vocabulary: Vocabulary, model: Model | None = None, device="cpu") -> Judge:
    """The judge of a plan. model: the audited one, whose judges serve where the plan names no source of its own.

    What draws by other means has none: then it is the embedded model's. Warns of one that trained or steers what it
    judges. ConfigError, CheckpointError, DependencyError.
    """
    steering = set()
    if model is not None and plan.source is not None:
        for role in STEERING:
            if model.has(role):
                model.network(role)
        steering = {model.describe()["components"].get(role) for role in STEERING} - {None}
    if plan.kind == "network":
        scores = _network(plan, vocabulary, model, device)
    elif plan.kind == "clip":
        scores = _clip(plan, vocabulary, model, device)
    elif plan.kind == "onnx":
        plan = replace(plan, onnx=onnx_input(plan))
        scores = Scores(*onnx_scores(plan.source, plan.onnx))
    else:
        scores = Scores(*python_scores(load_entry_point(plan.source)))
    is_guide = plan.kind == "network" and plan.role in STEERING and plan.source is None and _draws(model)
    is_independent = not (is_guide or scores.sha256 in steering)
    if not is_independent:
        who = "this CLIP trained or steers" if plan.kind == "clip" else "the guide judge steers"
        warnings.warn(f"{who} the pictures it judges here, which flatters them", stacklevel=2)
    return Judge(plan, scores, vocabulary, is_independent)


def _network(plan, vocabulary, model, device):
    home = _home(plan.role, plan.source, vocabulary, model, device)
    judge = home.network(plan.role)

    def features(images_u8):
        return judge.features(from_uint8(images_u8).to(home.device))

    sha256 = home.describe()["components"][plan.role]
    return Scores(judge.attribute_names, lambda images_u8: judge.logits_of(features(images_u8)), sha256, features)


def _clip(plan, vocabulary, model, device):
    """CLIP's zero-shot logits: its temperature times the margin of the prompt that asserts an attribute."""
    role = "clip" if plan.source in registry() else "clip_eval"
    home = _home(role, plan.source, vocabulary, model, device)
    clip = home.network(role)
    sha256 = home.describe()["components"][role]
    logits = ZeroShotLogits(clip, vocabulary, sha256=sha256)

    def features(images_u8):
        return clip.encode_image(from_uint8(images_u8).to(home.device))

    return Scores(vocabulary.names, lambda images_u8: logits(features(images_u8)), sha256, features)


def _home(role, source, vocabulary, model, device):
    """The model that has the network of a role: the source's, the audited one, or the embedded one."""
    if source is not None:
        return Model({role: source}, device=device)
    if model is not None and (model.has(role) or _draws(model)):
        return model
    if vocabulary.name != "minifaces":
        raise ConfigError(
            f"no judge of {vocabulary.name!r} comes with the package; name one in the plan: "
            "judge: {kind: network, source: FILE} (docs/audit-subjects.md has other kinds)"
        )
    return Model({role: "minifaces"}, device=device)


def _draws(model):
    """Whether a model is one of the toolkit's own, which should have judges of its own."""
    return model is not None and model.has("generator")
