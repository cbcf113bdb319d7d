"""Suite "quality": how real, varied and true to their captions images are, of any two folders or of a model against a
data set's split; docs/metrics.md says what each metric means and when not to believe it."""

from __future__ import annotations

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.prompt import Prompt
from styleT2I.errors import ConfigError, DataError
from styleT2I.evaluation.image_sources import DrawnPictures, enough, open_pictures, side_of
from styleT2I.evaluation.measures.clip import encode_texts
from styleT2I.evaluation.measures.ranking import NUM_CANDIDATES, Ranking, agreeing_captions
from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge
from styleT2I.evaluation.observers.open import Onlookers, QualityConfig, Sight
from styleT2I.evaluation.quality_metrics import compared, mean_of, measurement, of_one_set, share_of, texts_of
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
    """Pictures of `fake` (a folder or a data set) against those of `real`, the first `num` of each or all.

    "sets": figure by figure, of the fakes and, where that makes sense, of the reals themselves; each a Measurement.
    "left_out": what cannot be measured, and why. Identity needs edits: ConfigError for a face embedder.
    """
    if config.embedder is not None:
        what = "identity compares faces with their edits, which a model draws"
        raise ConfigError(f"{config.embedder}: {what}; leave it out")
    sources = [open_pictures(source) for source in (real, fake)]
    numbers = [enough(source, num) for source in sources]
    onlookers = Onlookers(model, config, side_of(sources[1]))
    real, fake = (onlookers.look(*one) for one in zip(sources, numbers, ("real", "fake"), strict=True))
    sets = {
        "fake": {**compared(onlookers, real, fake), **of_one_set(onlookers, fake), **texts_of(onlookers, fake)},
        "real": {**of_one_set(onlookers, real), **texts_of(onlookers, real)},
    }
    return {"sets": sets, "left_out": onlookers.left_out}


def evaluate_model(model: Model, config: QualityConfig, real: str, num: int, psi: float) -> dict:
    """Faces of seeds 0 ... num - 1 against the first `num` pictures of a data set with captions.

    "sets": "unprompted" (no text), "captioned" (caption i on seed i, adjusted as `generate` does by default), "real";
    figure by figure, each a Measurement. "left_out": what cannot be measured, and why.
    """
    data = open_pictures(real)
    if data.captions is None:
        raise DataError(f"{real}: has no captions to draw; name a data set that has, or measure a folder with --fake")
    num = enough(data, num)
    captions = [data.captions[i] for i in range(num)]
    asked = [parse(caption, model.vocabulary).attributes if model.vocabulary else {} for caption in captions]
    plain, drawn = _drawn(model, captions, asked, psi)
    onlookers = Onlookers(model, config, side_of(plain))
    onlookers.add_judge(model)
    real = onlookers.look(data, num, "real")
    before = onlookers.look(plain, num, "unprompted")
    after = onlookers.look(drawn, num, "captioned")
    sets = {
        "unprompted": {**compared(onlookers, real, before), **of_one_set(onlookers, before)},
        "captioned": {**compared(onlookers, real, after), **of_one_set(onlookers, after), **texts_of(onlookers, after)},
        "real": {**of_one_set(onlookers, real), **texts_of(onlookers, real)},
    }
    sets["captioned"] |= _identity(onlookers, before, after)
    if model.vocabulary is None:
        onlookers.left_out["attributes"] = f"{model.name} has no vocabulary to read its captions by"
    elif "judge" in onlookers.networks:
        judge = HeldOutJudge(model)
        parts = [_attributes(onlookers, judge, asked, before, after, real)]
        parts.append(_r_precision(onlookers, judge.requests(asked), captions, asked, after, real))
        for name in sets:
            for part in parts:
                sets[name] |= part.get(name, {})
    return {"sets": sets, "left_out": onlookers.left_out}


def _drawn(model, captions, asked, psi):
    """The faces of the seeds without a text and with a caption each."""
    pipeline, adjustment = StyleT2I(model), AdjustmentConfig() if model.has("a2d") else None
    prompts = [Prompt(caption, attributes, ()) for caption, attributes in zip(captions, asked, strict=True)]
    plain = DrawnPictures(pipeline, len(captions), psi)
    return plain, DrawnPictures(pipeline, len(captions), psi, prompts, adjustment)


def _identity(onlookers, before: Sight, after: Sight) -> dict:
    """Cosine of a face before and after its edit and, for scale, of two faces of different latents, both unedited."""
    name = next((one for one in ("identity", "judge") if one in onlookers.networks), None)
    if name is None:
        onlookers.left_out["identity"] = "no judge and no face embedder; name one with --embedder FILE.onnx"
        return {}
    network, first, second = onlookers.networks[name], before.seen[name]["features"], after.seen[name]["features"]
    kinds = {"identity": "a face embedder's features", "judge": "the judge's features: of attributes too"}
    kind = {"kind": kinds[name]}
    strangers = paired_cosine(first, first.roll(1, dims=0))
    return {
        "identity": mean_of(network, after, paired_cosine(first, second), **kind, compared_with="the unedited face"),
        "identity_of_strangers": mean_of(network, before, strangers, **kind, compared_with="the next latent's face"),
    }


def _attributes(onlookers, judge: HeldOutJudge, asked, before: Sight, after: Sight, real: Sight) -> dict:
    """Success (every requested attribute), each attribute, and how often others changed, all to the held-out judge."""
    network, requests = onlookers.networks["judge"], judge.requests(asked)

    def verdict(sight):
        return verdicts(sight.seen["judge"]["logits"])

    drift = judge.by_name(drift_rates(verdict(before), verdict(after), requests))
    each = judge.by_name(attribute_rates(verdict(after), requests))

    def right(sight, **settings):
        return share_of(network, sight, success(verdict(sight), requests), **settings)

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


def _r_precision(onlookers, requests, captions, asked, after: Sight, real: Sight) -> dict:
    """R-precision, 1 in 100 captions that contradict the own one, of the captions that 99 others do."""
    if onlookers.clip is None:
        return {}
    draw = ("evaluate", "quality", "candidates")
    meanings = [frozenset(one.items()) for one in asked]
    ranking = Ranking(meanings, generator(*draw), agreeing_captions(requests))
    if not len(ranking):
        onlookers.left_out["r_precision"] = (
            f"none of {len(captions)} captions is contradicted by 99 others; raise --num"
        )
        return {}
    texts = encode_texts(onlookers.clip.clip, captions)
    return {
        name: {
            "r_precision": share_of(
                onlookers.clip, sight, ranking.found(sight.seen["clip"]["features"], texts),
                candidates=NUM_CANDIDATES, ranked=len(ranking), generator=list(draw),
            )
        }
        for name, sight in (("captioned", after), ("real", real))
    }  # fmt: skip
