"""Suites "judges" and "clip": accuracy of the observers on labelled images that none of them trained on."""

from styleT2I.data.labelled import LabelledData
from styleT2I.evaluation.measures.clip import CLIPEvaluation
from styleT2I.evaluation.measures.judge import judged_pairs, measure_judge
from styleT2I.evaluation.suites import Request


def evaluate_judges(request: Request) -> dict:
    """Balanced accuracy of both judges, by attribute and in rare pairs, on the first `num` images of labelled data."""
    return {
        role: _judge(request.model.network(role), request.data, request.num)
        for role in ("judges.guide", "judges.heldout")
    }


def _judge(judge, data, num):
    labelled = LabelledData((data,), "attributes", judge.config.resolution)
    return measure_judge(judge, labelled, judged_pairs(labelled.names), num)


def evaluate_clip(request: Request) -> dict:
    """Zero-shot balanced accuracy of the guiding and the scoring CLIP, by attribute and in rare pairs; R-precision."""
    model, vocabulary = request.model, request.model.vocabulary.name
    resolution = model.network("generator").resolution
    return {
        role: CLIPEvaluation(request.data, vocabulary, resolution).measure(model.network(role), request.num)
        for role in ("clip", "clip_eval")
    }
