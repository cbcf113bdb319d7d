"""Suites "judges" and "clip": how well the networks that only look see labelled pictures none of them trained on."""

from styleT2I.data.labelled import LabelledData
from styleT2I.evaluation.measures.clip import CLIPEvaluation
from styleT2I.evaluation.measures.judge import judged_pairs, measure_judge
from styleT2I.generation.model import Model


def evaluate_judges(model: Model, data: str, num: int) -> dict:
    """Balanced accuracy of both judges, by attribute and in rare pairs, on the first `num` images of labelled data."""
    return {role: _judge(model.network(role), data, num) for role in ("judges.guide", "judges.heldout")}


def _judge(judge, data, num):
    labelled = LabelledData((data,), "attributes", judge.config.resolution)
    return measure_judge(judge, labelled, judged_pairs(labelled.names), num)


def evaluate_clip(model: Model, data: str, num: int) -> dict:
    """Zero-shot balanced accuracy of the guiding and the scoring CLIP, by attribute and in rare pairs; R-precision."""
    vocabulary = model.vocabulary.name
    return {
        role: CLIPEvaluation(data, vocabulary, model.network("generator").resolution).measure(model.network(role), num)
        for role in ("clip", "clip_eval")
    }
