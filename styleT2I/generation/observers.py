"""Observers used during generation: they score how strongly an image shows each attribute (guide judge or CLIP).

The held-out judge and the scoring CLIP are not among them: what measures the model must not steer it.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import CheckpointError, ConfigError, OutputError
from styleT2I.formats.component import read_safetensors
from styleT2I.formats.model_folder import cache_dir
from styleT2I.generation.model import Model
from styleT2I.metrics.attributes import prompt_features, zero_shot_margins
from styleT2I.networks.clip.model import CLIP
from styleT2I.torch_utils.files import check_writable_dir, save_safetensors_atomic
from styleT2I.torch_utils.hardware.devices import replayed

OBSERVERS = ("auto", "judge", "clip")


@dataclass(frozen=True)
class Observer:
    """Margins [N, A] of the attributes `names` in an image [N, 3, H, W] in [-1, 1]; above 0 the attribute is there.

    Margins are log-odds: the judge's logits, or CLIP's zero-shot cosine margins times its temperature scale.
    """

    name: str  # "judge" or "clip"
    names: tuple[str, ...]
    margins: Callable[[torch.Tensor], torch.Tensor]


def open_observer(model: Model, names: Sequence[str], by: str = "auto") -> Observer:
    """The observer asked for; "auto" is the guide judge where the model has one that knows all the names, else CLIP.

    Raises ConfigError for another name, or for a judge that does not know an attribute, CheckpointError where the
    model lacks the network.
    """
    if by not in OBSERVERS:
        raise ConfigError(f"unknown observer {by!r}; choose one of {', '.join(OBSERVERS)}")
    if by == "judge" or (by == "auto" and model.has("judges.guide")):
        judge = model.network("judges.guide")
        known = tuple(judge.attribute_names)
        unknown = [name for name in names if name not in known]
        if not unknown:
            columns = [known.index(name) for name in names]
            return Observer("judge", tuple(names), lambda image: replayed(judge, image)[:, columns])
        if by == "judge":
            raise ConfigError(f"the guide judge does not know {unknown[0]!r}; let CLIP look: --adjust-by clip")
    return Observer("clip", tuple(names), _clip_margins(model, names))


def _clip_margins(model, names):
    clip = model.network("clip")
    logits = ZeroShotLogits(clip, model.vocabulary, names, sha256=model.describe()["components"]["clip"])
    return lambda image: logits(replayed(clip.encode_image, image))


def fixed_prompts(vocabulary: Vocabulary, names) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Two wordings of "yes" and two of "no" for every attribute: its phrase and the sentence about a person."""

    from styleT2I.attributes.wording.sentences import sentence  # judges need no prompts

    def wordings(value):
        return [(vocabulary[name].side(value).phrase, sentence({name: value}, vocabulary)) for name in names]

    return wordings(True), wordings(False)


class ZeroShotLogits:
    """CLIP's zero-shot logits [N, A] of a vocabulary's attributes, from image features [N, D] on its device."""

    @torch.no_grad()
    def __init__(
        self,
        clip: CLIP,
        vocabulary: Vocabulary,
        names: Sequence[str] | None = None,
        sha256: str | None = None,
    ):
        """names: the attributes, in the order of the logits; None: all of the vocabulary. sha256: of the CLIP's file,
        by which the features of a large CLIP's prompts are cached (encode_prompts)."""
        names = vocabulary.names if names is None else tuple(names)
        rivals = {mate for name in names for mate in _rivals(vocabulary, name)}  # they count, asked about or not
        known = (*names, *(name for name in vocabulary.names if name in rivals and name not in names))
        self.num, self.scale = len(names), clip.temperature_scale
        self.sides = [prompt_features(encode_prompts(clip, side, sha256)) for side in fixed_prompts(vocabulary, known)]
        self.groups = exclusive_columns(vocabulary, known)

    def __call__(self, image_features: torch.Tensor) -> torch.Tensor:
        present, absent = self.sides
        return self.scale * zero_shot_margins(image_features, present, absent, self.groups)[:, : self.num]


def _rivals(vocabulary, name):
    """The attributes of the groups with the name of which exactly one holds."""
    groups = (group.attributes for group in vocabulary.exclusive if group.exactly_one)
    return {other for group in groups if name in group for other in group}


def exclusive_columns(vocabulary: Vocabulary, names) -> list[list[int]]:
    """Columns of the groups of which exactly one attribute holds, where all of a group are among the names."""
    names = list(names)
    return [
        [names.index(name) for name in group.attributes]
        for group in vocabulary.exclusive
        if group.exactly_one and set(group.attributes) <= set(names)
    ]


LARGE = 20_000_000  # weights from which on a CLIP's features are cached


def encode_prompts(clip: CLIP, prompts: Sequence[Sequence[str]], sha256: str | None = None) -> torch.Tensor:
    """Features [A, P, D] of P wordings of each of A prompts.

    sha256: of the file that the CLIP was read from; None: nothing is cached. What is cached belongs to that file, the
    words, the kind of device and the version of torch. Each prompt is encoded alone, so that no other matters.
    """
    if sha256 is None or sum(p.numel() for p in clip.parameters()) < LARGE:
        return torch.stack([clip.encode_text(list(wordings)) for wordings in prompts])
    texts = list(dict.fromkeys(text for wordings in prompts for text in wordings))
    table = _Table(clip, sha256)
    features = table.read()
    missing = [text for text in texts if text not in features]
    if missing:
        features |= {text: clip.encode_text([text])[0] for text in missing}
        table.write(features)
    return torch.stack([torch.stack([features[text] for text in wordings]) for wordings in prompts])


class _Table:
    """The prompts of one CLIP that were encoded on this kind of device: a file of features by their text."""

    def __init__(self, clip, sha256):
        self.device = clip.image_mean.device
        key = json.dumps([sha256, clip.config.tokenizer, self.device.type, torch.__version__])
        self.path = cache_dir() / "prompts" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"

    def read(self):
        """Features by text; {} where there are none, or a file that is damaged, which are encoded again."""
        try:
            held = read_safetensors(self.path) if self.path.is_file() else None
            if held is None or not torch.equal(held["digest"], _digest(held["texts"], held["features"])):
                return {}
            texts = json.loads(bytes(held["texts"].tolist()).decode())
            return dict(zip(texts, held["features"].to(self.device), strict=True))
        except (CheckpointError, KeyError, ValueError, TypeError):
            return {}

    def write(self, features):
        """Cache the features of all texts; a warning where that is not possible."""
        texts = torch.tensor(list(json.dumps(list(features)).encode()), dtype=torch.uint8)
        rows = torch.stack(list(features.values())).cpu()
        try:
            check_writable_dir(self.path.parent)
            tensors = {"texts": texts, "features": rows, "digest": _digest(texts, rows)}
            save_safetensors_atomic(self.path, tensors)
        except OutputError as error:
            warnings.warn(f"CLIP's prompts are encoded again each time: {error}", stacklevel=4)


def _digest(texts, features):
    """[32] uint8: the SHA-256 of what is cached."""
    content = hashlib.sha256(texts.numpy().tobytes() + features.numpy().tobytes())
    return torch.tensor(list(content.digest()), dtype=torch.uint8)
