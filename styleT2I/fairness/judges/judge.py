"""Judges of an audit's images: networks, CLIP and a user's own classifier, all with verdicts yes, no, undetermined."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.data.worlds import world_of
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.fairness.judges.custom import onnx_input, onnx_scores, python_scores
from styleT2I.fairness.judges.spec import JudgePlan, described
from styleT2I.fairness.subjects.user_functions import load_entry_point
from styleT2I.formats.model_folder import find_model
from styleT2I.generation.model import Model
from styleT2I.generation.observers import ZeroShotLogits
from styleT2I.metrics.attributes import verdicts
from styleT2I.sources.registry import registry
from styleT2I.torch_utils.images import from_uint8

__all__ = ["Judge", "columns_of", "open_judge"]

STEERING = ("judges.guide", "clip")  # roles of networks that steer generation, or trained the generator


class Scores(NamedTuple):
    """The scoring function of a judge."""

    names: tuple[str, ...]  # of the columns, as terms of the vocabulary
    score: Callable[[torch.Tensor], torch.Tensor]  # images uint8 [N, 3, H, W] -> scores [N, A]; NaN: undetermined
    sha256: str | None  # None: built in memory
    features: Callable[[torch.Tensor], torch.Tensor] | None = None  # uint8 [N, 3, H, W] -> [N, F]


class Judge:
    """A judge: verdicts yes, no or undetermined on images, by the attribute names of a vocabulary."""

    def __init__(self, plan: JudgePlan, scores: Scores, vocabulary: Vocabulary, is_independent: bool = True):
        """is_independent: it neither trained nor steered the system that it judges."""
        self.plan, self.sha256, self.is_independent = plan, scores.sha256, is_independent
        self.features = scores.features
        self._scores = scores.score
        columns = columns_of(scores.names, vocabulary)
        self.attribute_names = tuple(name for name in vocabulary.names if name in columns)
        self._columns = [columns[name][0] for name in self.attribute_names]
        self._signs = torch.tensor([1.0 if columns[name][1] else -1.0 for name in self.attribute_names])

    @torch.no_grad()
    def verdicts(self, images_u8: Sequence[torch.Tensor]) -> torch.Tensor:
        """Verdicts on images.

        Args:
            images_u8: uint8 [3, H, W] each, of any sizes.

        Returns:
            int8 [N, A] on the CPU, a column per name in `attribute_names`: 1 yes, 0 no, -1 undetermined.
        """
        return self.verdicts_of(self.scores(images_u8))

    @torch.no_grad()
    def scores(self, images_u8: Sequence[torch.Tensor]) -> torch.Tensor:
        """Scores of images, which `verdicts` takes too: float [N, A] on the CPU; above 0 is yes, NaN undetermined."""
        is_one_size = len({image.shape for image in images_u8}) == 1
        batches = [torch.stack(list(images_u8))] if is_one_size else [image[None] for image in images_u8]
        scores = torch.cat([self._scores(batch).float().cpu() for batch in batches])[:, self._columns]
        return (scores - self.plan.threshold) * self._signs

    def verdicts_of(self, scores: torch.Tensor) -> torch.Tensor:
        """Verdicts int8 [N, A], as `verdicts` gives them, of scores as `scores` gives them."""
        return verdicts(scores, self.plan.margin)

    def check(self, asked: Collection[str]) -> None:
        """ConfigError where the judge does not know an attribute."""
        if missing := sorted(set(asked) - set(self.attribute_names)):
            who = self.plan.source or self.plan.role
            raise ConfigError(
                f"the judge {who} does not know {', '.join(missing)}; leave them out, or name another judge"
            )

    def describe(self) -> dict:
        """Its specification and hash, and whether it is independent of the system that it judges."""
        return {**described(self.plan), "sha256": self.sha256, "is_independent": self.is_independent}


def columns_of(terms: Sequence[str], vocabulary: Vocabulary) -> dict[str, tuple[int, bool]]:
    """Column and meaning by attribute name: ("woman",) -> {"he": (0, False)}.

    The first of several terms for one attribute counts; terms that the vocabulary does not know are left out.
    """
    columns: dict[str, tuple[int, bool]] = {}
    for column, term in enumerate(terms):
        try:
            name, value = vocabulary.resolve(term)
        except ConfigError:
            continue
        columns.setdefault(name, (column, value))
    return columns


def open_judge(plan: JudgePlan, vocabulary: Vocabulary, model: Model | None = None, device="cpu") -> Judge:
    """Open the judge that a plan specifies. Warns of one that trained or steers the system that it judges.

    Args:
        plan: Its specification.
        vocabulary: That of the audit.
        model: The audited model, whose judge serves where the plan names no source. Without one, or where it has no
            judge, that of the embedded model of the vocabulary's world does.
        device: Where networks run.

    Raises:
        ConfigError, CheckpointError, DependencyError: The judge cannot be opened, or does not fit the vocabulary.
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
        spec = onnx_input(plan.source or "", plan.onnx)
        plan = replace(plan, onnx=spec)
        scores = Scores(*onnx_scores(plan.source or "", spec))
    else:
        scores = Scores(*python_scores(load_entry_point(plan.source or "")))
    is_guide = plan.kind == "network" and plan.role in STEERING and plan.source is None and _draws(model)
    is_independent = not (is_guide or scores.sha256 in steering)
    if not is_independent:
        who = "this CLIP trained or steers" if plan.kind == "clip" else "the guide judge steers"
        warnings.warn(f"{who} the images it judges here, which flatters them", stacklevel=2)
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
    """The model with the network of a role: that of the source, the audited one, or the vocabulary's world's own."""
    if source is not None:
        return Model({role: source}, device=device)
    if model is not None and (model.has(role) or _draws(model)):
        return model
    world = world_of(vocabulary)
    if world is None or not _has_model(world):
        raise ConfigError(
            f"no judge of {vocabulary.name!r} comes with the package; name one in the plan: "
            "judge: {kind: network, source: FILE} (docs/audit-subjects.md has other kinds)"
        )
    return Model({role: world.name}, device=device)


def _has_model(world):
    """Whether the world's own model is here."""
    try:
        find_model(world.name)
    except CheckpointError:
        return False
    return True


def _draws(model):
    """Whether a model has a StyleT2I generator, and so should have its own judges."""
    return model is not None and model.has("generator")
