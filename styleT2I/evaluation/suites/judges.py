"""Suites "judges" and "clip": accuracy of the observers on labelled images that none of them trained on."""

from styleT2I.data.training.labelled import LabelledData
from styleT2I.errors import DataError
from styleT2I.evaluation.measures.clip import CLIPEvaluation
from styleT2I.evaluation.measures.judge import judged_pairs, measure_judge
from styleT2I.evaluation.suites import Request

_JUDGES = ("judges.guide", "judges.heldout")


def evaluate_judges(request: Request) -> dict:
    """Balanced accuracy of the model's judges, by attribute and in rare pairs, on the first `num` labelled images.

    The judges may be all that the model has. CheckpointError where it has none, DataError where the data label other
    attributes.
    """
    model = request.model
    roles = [role for role in _JUDGES if model.has(role)] or _JUDGES
    return {role: _judge(role, model.network(role), request.data, request.num) for role in roles}


def _judge(role, judge, data, num):
    labelled = LabelledData((data,), "attributes", judge.config.resolution)
    if labelled.names != tuple(judge.attribute_names):
        raise DataError(
            f"{data} labels {', '.join(labelled.names)}, and the {role} knows {', '.join(judge.attribute_names)}; "
            "name data of its own attributes with --data, or its world with --world"
        )
    return measure_judge(judge, labelled, judged_pairs(labelled.names), num)


def evaluate_clip(request: Request) -> dict:
    """Zero-shot balanced accuracy of the guiding and the scoring CLIP, by attribute and in rare pairs; R-precision."""
    model, vocabulary = request.model, request.model.vocabulary.name
    resolution = model.network("generator").resolution
    return {
        role: CLIPEvaluation(request.data, vocabulary, resolution).measure(model.network(role), request.num)
        for role in ("clip", "clip_eval")
    }
