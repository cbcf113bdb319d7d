"""What strength 1 of an edit stands for: the smallest step that a judge, or CLIP without one, sees on most faces."""

from __future__ import annotations

import hashlib
import json
import warnings

import torch

from styleT2I.attributes.wording.sentences import phrase
from styleT2I.errors import OutputError
from styleT2I.formats.model_folder import cache_dir
from styleT2I.generation.model import Model
from styleT2I.generation.observers import ZeroShotLogits
from styleT2I.metrics.attributes import YES, verdicts
from styleT2I.metrics.pairwise import energy_inside
from styleT2I.torch_utils.batching import images_at_a_time
from styleT2I.torch_utils.files import check_writable_dir, write_json_atomic
from styleT2I.torch_utils.seeding import latents_of_seeds

AGREEMENT = 0.95  # rate of latents on which the judge must agree at strength 1
SIGNS = {"true": True, "false": False}  # as strengths are labelled
_BISECTIONS = 6
_LONGEST = 3.0  # steps searched, in lengths of the directions
NUM_LATENTS = 12  # few, for each is drawn six times while the user waits
PSI = 0.7  # truncation of these latents


class A2DEvaluation:
    """Observes w + a and w - a of latents of seeds 0, 1, 2 ... with a judge that trains nothing."""

    def __init__(self, generator, clip, judge, regions, vocabulary, attributes, *, psi: float):
        self.generator, self.clip, self.judge, self.regions, self.psi = generator, clip, judge, regions, psi
        self.vocabulary, self.batch_size = vocabulary, images_at_a_time(generator.resolution)
        self.attributes = [name for name in attributes if name in judge.attribute_names]
        self.device = next(generator.parameters()).device

    @torch.no_grad()
    def measure(self, network, num: int) -> dict[str, float]:
        """Over attributes: rate of images at w + a that show it and at w - a that do not ("turned", mean and worst),
        rate of verdicts on other attributes that change ("drift"), and of each difference the proportion of its energy
        inside the attribute's region ("inside")."""
        ws = self.latents(num)
        before = self._verdicts(ws)
        turned, drift, inside = [], [], []
        for name in self.attributes:
            a = self.directions(network, name, ws)
            own = self.judge.attribute_names.index(name)
            images = [self._images(ws + sign * a) for sign in (1, -1)]
            after = [self._look(image) for image in images]
            turned.append(((after[0][:, own] == YES).double().mean() + (after[1][:, own] != YES).double().mean()) / 2)
            others = [
                column
                for column, other in enumerate(self.judge.attribute_names)
                if other != name and other not in self.vocabulary.exclusive_of(name)
            ]
            drift.append(torch.stack([(one != before)[:, others].double().mean() for one in after]).mean())
            inside += self._inside(images, name)
        turned_rates, drift_rates = torch.stack(turned), torch.stack(drift)
        metrics = {
            "turned_mean": turned_rates.mean().item(), "turned_worst": turned_rates.min().item(),
            "drift_mean": drift_rates.mean().item(), "drift_worst": drift_rates.max().item(),
        }  # fmt: skip
        return metrics | ({"inside_mean": torch.stack(inside).mean().item()} if inside else {})

    def latents(self, num: int) -> torch.Tensor:
        """ws [num, num_ws, w_dim] of seeds 0 ... num - 1."""
        z = latents_of_seeds(range(num), self.generator.z_dim).to(self.device)
        return self.generator.mapping(z, truncation_psi=self.psi)

    def directions(self, network, name: str, ws: torch.Tensor) -> torch.Tensor:
        """a [N, num_ws, w_dim] of one attribute at each latent."""
        text_features = network.encode_text([phrase(name, True, self.vocabulary)], self.clip)
        return network(ws[:, 0], text_features.expand(len(ws), -1))

    def share_showing(self, ws: torch.Tensor, name: str, value: bool) -> float:
        """Rate of the latents whose image has the attribute's value, to the judge."""
        is_there = self._verdicts(ws)[:, self.judge.attribute_names.index(name)] == YES
        return (is_there == value).double().mean().item()

    def _images(self, ws):
        return torch.cat([self.generator.synthesis(part) for part in ws.split(self.batch_size)]).clamp(-1, 1)

    def _look(self, images):
        return torch.cat([verdicts(self.judge(part)) for part in images.split(self.batch_size)])

    def _verdicts(self, ws):
        return self._look(self._images(ws))

    def _inside(self, images, name):
        """[proportion of the difference's energy inside the region], or [] for an attribute without one."""
        region = self.vocabulary[name].region
        if self.regions is None or region is None:
            return []
        mask, _ = self.regions(images[0], [region] * len(images[0]))
        return [energy_inside(*images, mask).mean()]


@torch.no_grad()
def calibrate_strengths(evaluation: A2DEvaluation, network, num: int) -> dict[str, dict[str, float]]:
    """The step along a / ||a|| that strength 1 of an edit stands for, in units of W, by attribute and value.

    It is the smallest at which the judge sees the value ("true", "false") on 95 % of the latents, found by bisection
    up to three times the directions' mean length; where even that is not enough, it is that longest step.
    """
    ws = evaluation.latents(num)
    return {
        name: {label: smallest_step(evaluation, network, ws, name, value) for label, value in SIGNS.items()}
        for name in evaluation.attributes
    }


@torch.no_grad()
def smallest_step(evaluation: A2DEvaluation, network, ws: torch.Tensor, name: str, value: bool) -> float:
    """The step of one attribute and value that `calibrate_strengths` finds on latents ws."""
    a = evaluation.directions(network, name, ws)
    norm = a.flatten(1).norm(dim=1).view(-1, 1, 1)
    unit, low, high = a / norm.clamp(min=1e-8), 0.0, _LONGEST * norm.mean().item()
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        edited = ws + (middle if value else -middle) * unit
        enough = evaluation.share_showing(edited, name, value) >= AGREEMENT
        low, high = (low, middle) if enough else (middle, high)
    return high


def clip_strength(model: Model, name: str, value: bool) -> float:
    """The smallest step along a / ||a|| of an attribute, in units of W, at which CLIP sees the value on 95 % of latents
    of seeds 0, 1, 2 ...; where even three times the directions' length is not enough, that.

    Cached for the files of generator, CLIP and A2D. Warns that CLIP, not a judge, has decided.
    """
    parts = {role: model.network(role) for role in ("generator", "clip", "a2d")}
    warnings.warn(
        f"the a2d has no strength of {name!r} that a judge has measured; CLIP measures it on {NUM_LATENTS} faces",
        stacklevel=4,
    )
    hashes = [model.describe()["components"][role] for role in parts]
    cached = _CachedStep([*hashes, name, value, NUM_LATENTS, PSI, str(model.device.type)]) if all(hashes) else None
    step = cached.read() if cached else None
    if step is None:
        step = _measure(model, name, value, **parts)
        if cached:
            cached.write(step)
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


class _CachedStep:
    """One number in the user's cache, with a hash over it and what it belongs to."""

    def __init__(self, facts):
        self.facts = json.dumps(facts)
        self.path = cache_dir() / "strengths" / f"{hashlib.sha256(self.facts.encode()).hexdigest()[:32]}.json"

    def read(self):
        """The number; None where there is none, or it is damaged, and is measured again."""
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
