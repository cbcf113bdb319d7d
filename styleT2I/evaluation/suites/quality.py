"""Suite "quality": how real, varied and true to their captions images are, of any two folders or of a model against a
data set's split; docs/metrics.md says what each metric means and when not to believe it."""

from __future__ import annotations

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.prompt import Prompt
from styleT2I.errors import ConfigError, DataError
from styleT2I.evaluation.image_sources import DrawnImages, enough, open_images, side_of
from styleT2I.evaluation.measures.clip import encode_texts
from styleT2I.evaluation.measures.ranking import NUM_CANDIDATES, Ranking, agreeing_captions
from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge
from styleT2I.evaluation.observers.open import ObservedSet, Observers, QualityConfig
from styleT2I.evaluation.quality_metrics import (
    caption_metrics,
    mean_value,
    measurement,
    rate_of,
    set_distances,
    set_metrics,
)
from styleT2I.evaluation.suites import Request
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.metrics.attributes import attribute_rates, drift_rates, success, verdicts
from styleT2I.metrics.pairwise import paired_cosine
from styleT2I.torch_utils.seeding import generator

_NUM = 1000  # faces of a model that are drawn unless told


def check_options(request: Request) -> dict:
    """The observers that a request's options name, as its option "config"; ConfigError for an unknown one."""
    given = {name: request.options[name] for name in ("features", "lpips", "embedder")}
    return {"config": QualityConfig(**{name: value for name, value in given.items() if value is not None})}


def evaluate_quality(request: Request) -> dict:
    """`evaluate_folders` where the option "fake" names images, else `evaluate_model`."""
    model, config, fake = request.model, request.options["config"], request.options["fake"]
    real = request.options["real"] or request.data
    if fake is None:
        return evaluate_model(model, config, real, request.num or _NUM, request.psi)
    return evaluate_folders(model, config, real, fake, request.num)


def evaluate_folders(model: Model, config: QualityConfig, real: str, fake: str, num: int | None) -> dict:
    """Images of `fake` (a folder or a data set) against those of `real`, the first `num` of each or all.

    "sets": metric by metric, of the fakes and, where that makes sense, of the reals themselves; each a Measurement.
    "left_out": what cannot be measured, and why. Identity needs edits: ConfigError for a face embedder.
    """
    if config.embedder is not None:
        what = "identity compares faces with their edits, which a model draws"
        raise ConfigError(f"{config.embedder}: {what}; leave it out")
    sources = [open_images(source) for source in (real, fake)]
    numbers = [enough(source, num) for source in sources]
    observers = Observers(model, config, side_of(sources[1]))
    real, fake = (observers.observe(*arguments) for arguments in zip(sources, numbers, ("real", "fake"), strict=True))
    sets = {
        "fake": {
            **set_distances(observers, real, fake),
            **set_metrics(observers, fake),
            **caption_metrics(observers, fake),
        },
        "real": {**set_metrics(observers, real), **caption_metrics(observers, real)},
    }
    return {"sets": sets, "left_out": observers.left_out}


def evaluate_model(model: Model, config: QualityConfig, real: str, num: int, psi: float) -> dict:
    """Faces of seeds 0 ... num - 1 against the first `num` images of a data set with captions.

    "sets": "unprompted" (no text), "captioned" (caption i on seed i, adjusted as `generate` does by default), "real";
    metric by metric, each a Measurement. "left_out": what cannot be measured, and why.
    """
    data = open_images(real)
    if data.captions is None:
        raise DataError(f"{real}: has no captions to draw; name a data set that has, or measure a folder with --fake")
    num = enough(data, num)
    captions = [data.captions[i] for i in range(num)]
    asked = [parse(caption, model.vocabulary).attributes if model.vocabulary else {} for caption in captions]
    plain, drawn = _drawn(model, captions, asked, psi)
    observers = Observers(model, config, side_of(plain))
    observers.add_judge(model)
    real = observers.observe(data, num, "real")
    before = observers.observe(plain, num, "unprompted")
    after = observers.observe(drawn, num, "captioned")
    sets = {
        "unprompted": {**set_distances(observers, real, before), **set_metrics(observers, before)},
        "captioned": {
            **set_distances(observers, real, after),
            **set_metrics(observers, after),
            **caption_metrics(observers, after),
        },
        "real": {**set_metrics(observers, real), **caption_metrics(observers, real)},
    }
    sets["captioned"] |= _identity(observers, before, after)
    if model.vocabulary is None:
        observers.left_out["attributes"] = f"{model.name} has no vocabulary to read its captions by"
    elif "judge" in observers.networks:
        judge = HeldOutJudge(model)
        parts = [_attributes(observers, judge, asked, before, after, real)]
        parts.append(_r_precision(observers, judge.requests(asked), captions, asked, after, real))
        for name in sets:
            for part in parts:
                sets[name] |= part.get(name, {})
    return {"sets": sets, "left_out": observers.left_out}


def _drawn(model, captions, asked, psi):
    """The faces of the seeds without a text and with a caption each."""
    pipeline, adjustment = StyleT2I(model), AdjustmentConfig() if model.has("a2d") else None
    prompts = [Prompt(caption, attributes, ()) for caption, attributes in zip(captions, asked, strict=True)]
    plain = DrawnImages(pipeline, len(captions), psi)
    return plain, DrawnImages(pipeline, len(captions), psi, prompts, adjustment)


def _identity(observers, before: ObservedSet, after: ObservedSet) -> dict:
    """Cosine of a face before and after its edit and, for scale, of two faces of different latents, both unedited."""
    name = next((name for name in ("identity", "judge") if name in observers.networks), None)
    if name is None:
        observers.left_out["identity"] = "no judge and no face embedder; name one with --embedder FILE.onnx"
        return {}
    network, first, second = (
        observers.networks[name],
        before.observations[name]["features"],
        after.observations[name]["features"],
    )
    kinds = {"identity": "a face embedder's features", "judge": "the judge's features: of attributes too"}
    kind = {"kind": kinds[name]}
    strangers = paired_cosine(first, first.roll(1, dims=0))
    return {
        "identity": mean_value(network, after, paired_cosine(first, second), **kind, compared_with="the unedited face"),
        "identity_of_strangers": mean_value(network, before, strangers, **kind, compared_with="the next latent's face"),
    }


def _attributes(
    observers, judge: HeldOutJudge, asked, before: ObservedSet, after: ObservedSet, real: ObservedSet
) -> dict:
    """Success (every requested attribute), each attribute, and how often others changed, all by the held-out judge."""
    network, requests = observers.networks["judge"], judge.requests(asked)

    def verdict(observed):
        return verdicts(observed.observations["judge"]["logits"])

    drift = judge.by_name(drift_rates(verdict(before), verdict(after), requests))
    each = judge.by_name(attribute_rates(verdict(after), requests))

    def right(observed, **settings):
        return rate_of(network, observed, success(verdict(observed), requests), **settings)

    def mean(rates):
        return measurement(network, after, sum(rates.values()) / max(len(rates), 1), attributes=rates)

    return {
        "captioned": {
            "attributes_all": right(after),
            "attributes_each": mean(each),
            "drift": mean(drift),
        },
        "unprompted": {"attributes_all": right(before, note="of the captions that these faces never saw")},
        "real": {"attributes_all": right(real)},
    }


def _r_precision(observers, requests, captions, asked, after: ObservedSet, real: ObservedSet) -> dict:
    """R-precision, 1 in 100 captions that contradict the own one, of the captions that 99 others do."""
    if observers.clip is None:
        return {}
    draw = ("evaluate", "quality", "candidates")
    meanings = [frozenset(request.items()) for request in asked]
    ranking = Ranking(meanings, generator(*draw), agreeing_captions(requests))
    if not len(ranking):
        observers.left_out["r_precision"] = (
            f"none of {len(captions)} captions is contradicted by 99 others; raise --num"
        )
        return {}
    texts = encode_texts(observers.clip.clip, captions)
    return {
        name: {
            "r_precision": rate_of(
                observers.clip, observed, ranking.found(observed.observations["clip"]["features"], texts),
                candidates=NUM_CANDIDATES, ranked=len(ranking), generator=list(draw),
            )
        }
        for name, observed in (("captioned", after), ("real", real))
    }  # fmt: skip
