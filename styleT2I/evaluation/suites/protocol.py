"""Suite "protocol": the paper's own measurement on unseen captions (StyleT2I, Li et al., CVPR 2022, sec. 6).

Caption 0 of every image of a split is drawn on a latent of its own. R-precision: each image ranks its caption among 99
of other images, by cosine, in a CLIP (the paper's is tuned on the same captions; a second one that trained nothing
stands beside it). FID: against real images of a split. Attributes: a classifier that was trained on real labels.
"""

from __future__ import annotations

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.prompt import Prompt
from styleT2I.data.training.captioned import normal_caption
from styleT2I.errors import DataError
from styleT2I.evaluation.image_sources import DrawnImages, enough, open_images, side_of
from styleT2I.evaluation.measures.clip import encode_texts
from styleT2I.evaluation.measures.ranking import NUM_CANDIDATES, Ranking
from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge
from styleT2I.evaluation.observers.networks import ClipObserver
from styleT2I.evaluation.observers.open import ObservedSet, Observers, QualityConfig
from styleT2I.evaluation.quality_metrics import measurement, rate_of
from styleT2I.evaluation.suites import Request
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.metrics.attributes import attribute_rates, success, verdicts
from styleT2I.metrics.frechet import frechet_distance
from styleT2I.torch_utils.seeding import generator

__all__ = ["check_options", "evaluate_protocol", "protocol_table"]

_DRAW = ("evaluate", "protocol", "candidates")
_CLIPS = {"clip": "r_precision_guided", "clip_eval": "r_precision"}  # role -> metric
_MAX_REAL = 10_000


def check_options(request: Request) -> dict:
    """The observers that the option "features" names, as "config"; ConfigError for an unknown one."""
    features = request.options["features"]
    return {"config": QualityConfig(**({} if features is None else {"features": features}))}


def evaluate_protocol(request: Request) -> dict:
    """Metrics of every adjustment asked for, by its method, and of the real images of the same captions ("real").

    "r_precision" by the second CLIP, "r_precision_guided" by the one that trained the model, which flatters it;
    "frechet" to the option "real" (FID where Inception observes), "attributes_all" and "attributes_each" by the
    held-out judge. DataError where fewer than 100 captions differ.
    """
    model, data = request.model, open_images(request.data)
    if data.captions is None:
        raise DataError(f"{request.data}: has no captions to draw; name a data set that has")
    num = enough(data, request.num)
    reals = open_images(request.options["real"] or request.data)
    captions = [data.captions[i] for i in range(num)]
    meanings = [normal_caption(text) for text in captions]
    ranking = Ranking(meanings, generator(*_DRAW))
    if not len(ranking):
        raise DataError(
            f"{request.data}: {len(set(meanings))} different captions in {num}; R-precision ranks one among "
            f"{NUM_CANDIDATES}: raise --num, or name more data"
        )
    asked = [parse(text, model.vocabulary).attributes if model.vocabulary else {} for text in captions]
    prompts = [Prompt(text, attributes, ()) for text, attributes in zip(captions, asked, strict=True)]
    observers = Observers(model, request.options["config"], side_of(DrawnImages(StyleT2I(model), 1, request.psi)))
    observers.add_judge(model)
    for role in _CLIPS:
        if model.has(role):
            observers.networks[role] = ClipObserver(model, role)
    measure = _Measures(model, observers, ranking, captions, asked)
    compared = observers.observe(reals, enough(reals, min(len(reals), _MAX_REAL)), "real images")
    same = observers.observe(data, num, "images of the captions")
    methods = {}
    for adjustment in request.adjustments:
        if adjustment.method != "none" and not model.has("a2d"):
            observers.left_out[adjustment.method] = f"{model.name} has no Attribute-to-Direction network"
            continue
        wanted = None if adjustment.method == "none" else adjustment
        drawn = DrawnImages(StyleT2I(model), num, request.psi, prompts, wanted)
        observed = observers.observe(drawn, num, adjustment.method)
        methods[adjustment.method] = {"frechet": _frechet(observers, compared, observed), **measure(observed)}
    return {
        "num": num, "truncation_psi": request.psi, "candidates": NUM_CANDIDATES, "ranked": len(ranking),
        "methods": methods, "real": measure(same), "left_out": observers.left_out,
    }  # fmt: skip


def _frechet(observers, real, fake):
    """The Frechet distance of two sets, and whether they are too small for it to be more than bias."""
    network = observers.networks["features"]
    first, second = real.observations["features"]["features"], fake.observations["features"]["features"]
    is_few = min(len(first), len(second)) <= first.shape[1]
    return measurement(network, fake, frechet_distance(first, second), real=real, mostly_bias=is_few)


class _Measures:
    """R-precision by every CLIP, and attributes by the judge, of one set of images of the captions."""

    def __init__(self, model, observers, ranking, captions, asked):
        self.observers, self.ranking = observers, ranking
        networks = {role: observers.networks[role] for role in _CLIPS if role in observers.networks}
        self.texts = {role: encode_texts(network.clip, captions) for role, network in networks.items()}
        self.judge = HeldOutJudge(model) if model.vocabulary and "judge" in observers.networks else None
        self.requests = self.judge.requests(asked) if self.judge else None

    def __call__(self, observed: ObservedSet) -> dict:
        found = {}
        for role, texts in self.texts.items():
            right = self.ranking.found(observed.observations[role]["features"], texts)
            network = self.observers.networks[role]
            settings = {"candidates": NUM_CANDIDATES, "ranked": len(self.ranking), "generator": list(_DRAW)}
            found[_CLIPS[role]] = rate_of(network, observed, right, **settings)
        if self.judge:
            network = self.observers.networks["judge"]
            verdict = verdicts(observed.observations["judge"]["logits"])
            each = self.judge.by_name(attribute_rates(verdict, self.requests))
            found["attributes_all"] = rate_of(network, observed, success(verdict, self.requests))
            mean = sum(each.values()) / max(len(each), 1)
            found["attributes_each"] = measurement(network, observed, mean, attributes=each)
        return found


def protocol_table(values: dict) -> str:
    """Markdown: a row for every method and one for the real images of the same captions."""
    columns = {"r_precision": "R-precision", "r_precision_guided": "R-precision, guiding CLIP", "frechet": "Frechet",
               "attributes_all": "all requested right", "attributes_each": "each requested right"}  # fmt: skip
    lines = ["| method | " + " | ".join(columns.values()) + " |", "| --- " * (len(columns) + 1) + "|"]
    for name, found in {**values["methods"], "real images": values["real"]}.items():
        lines.append(f"| {name} | " + " | ".join(_cell(found.get(key)) for key in columns) + " |")
    return "\n".join(lines)


def _cell(found):
    if found is None:
        return ""
    interval = found.get("interval")
    value = f"{found['value']:.3f}"
    return value + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")
