"""Suite "systems": StyleT2I and earlier text-to-image GANs on the same captions and seeds, by the same observers."""

from __future__ import annotations

import functools

from styleT2I.evaluation.cache import CachedValues
from styleT2I.evaluation.measures.ranking import NUM_CANDIDATES
from styleT2I.evaluation.observers import held_out_judge as held_out
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.systems import candidates as systems_rows
from styleT2I.evaluation.suites.systems import metrics as systems_metrics
from styleT2I.evaluation.suites.systems import task as systems_task
from styleT2I.evaluation.suites.systems.metrics import metrics_of, over_shuffled, over_untrained, paired_success
from styleT2I.evaluation.suites.systems.task import ComparisonTask
from styleT2I.generation import adjustment, directions, pipeline, synthesis
from styleT2I.generation import observers as margins
from styleT2I.generation.systems import interface, unclip
from styleT2I.metrics.frechet import frechet_distance
from styleT2I.torch_utils.launch import shard_of

_CODE = (
    adjustment,
    directions,
    margins,
    pipeline,
    synthesis,
    interface,
    unclip,
    held_out,
    systems_metrics,
    systems_rows,
    systems_task,
)
NOTES = (
    "Distances are in the held-out judge's features, not Inception's: they are no FIDs and compare at equal N only.",
    "R-precision: an image finds its caption among 99 that contradict it, by a CLIP that trained nothing; it has "
    "learnt the same captions' language on the same kind of renders as the CLIP that guides.",
    "Images/s: wall time of drawing alone, on whatever else the machine did; it ranks systems by cost, roughly.",
    "Shuffled captions: the same images held against other captions, mean of 10 permutations without fixed points.",
    "Untrained: the same architecture as a seed draws it, on the same captions and seeds, its text encoder as trained.",
)
FAVOURS = (
    "The comparison favours StyleT2I: its generator was fitted to the renderer that drew the test images, scene by "
    "scene, for longer than any baseline was trained.",
    "Its CLIP, which reads sentences for baselines too where they have no encoder of their own, and its guide judge, "
    "which `hold` looks through, saw balanced data; what a baseline learns to draw comes from biased data alone.",
    "It draws with truncation; the baselines draw from all their noise.",
    "For StyleT2I, untrained means the trained generator under an untrained Text-to-Direction network.",
)


def evaluate_systems(request: Request) -> dict:
    """Metrics, controls and margins of every row, options["rows"]; the model lends the held-out judge and second CLIP.

    "systems" has a record per row: "metrics", "controls" ("shuffled", "untrained", and "shuffled training" where such a
    twin is among the rows) and "beats_controls": success beats every control by an interval clear of 0. "bounds": an
    unCLIP's decoder on the true embeddings of the asked-for images, which no prior can beat by much. "renders": the
    data's own images, what a perfect system would score. Finished records are cached in cells_dir.
    """
    model, data, rows = request.model, request.data, request.options["rows"]
    task = ComparisonTask(model, request.needed_world(), data, request.num, [row.system.understand for row in rows])
    hashes = model.describe()["components"]
    observers = {role: hashes[role] for role in ("judges.heldout", "clip_eval")}
    cache = None
    if request.cells_dir:
        cache = CachedValues(request.cells_dir, _CODE, data=data, scenes=task.scenes, observers=observers)
    real, others = task.renders()
    reference = task.outcomes(real)
    twins, records, bounds = {}, [], []
    for row in shard_of(rows, request.shard):
        origin = {"model": row.system.describe(), **row.facts}
        measured = functools.partial(_measure, task, row, reference.features, twins)
        records.append(_recorded(cache, row.name, origin, measured))
        if row.redraw is not None:
            name = f"{row.name.partition(',')[0]}, true embeddings"
            bounds.append(_recorded(cache, name, origin, functools.partial(_bound, task, row, reference.features)))
    if request.shard.count > 1:
        return {}
    _add_comparisons(records)
    return {
        "num": task.num,
        "num_latents": task.num_latents,
        "num_ranked": len(task.ranking),
        "num_passed_over": task.scenes[-1] + 1 - task.num,
        "judge": "held-out judge",
        "r_precision_by": f"second CLIP, 1 in {NUM_CANDIDATES}",
        "features": "held-out judge",
        "notes": [*NOTES, *(FAVOURS if any(record.get("kind") == "stylet2i" for record in records) else ())],
        "renders": _reference_figures(task, reference, others),
        "bounds": bounds,
        "systems": records,
    }


def _is_known(described):
    """Whether hashes tell the weights; networks built in memory have none."""
    hashes = described.get("components", {})
    return bool(hashes) and None not in hashes.values()


def _measure(task, row, real, twins):
    """A row's metrics and controls; `twins` keeps the outcomes of twins that several rows share."""
    outcomes = task.outcomes(task.draw(row.system, row.name))
    record = {
        "figures": metrics_of(outcomes, real, task.cells),
        "controls": {"shuffled": over_shuffled(outcomes)},
        "images_per_second": task.images_per_second[row.name],
        "right": "".join(str(int(one)) for one in outcomes.own.right.tolist()),
    }
    if row.untrained is not None:
        if row.untrained not in twins:
            twin = row.untrained(task.sentences[: task.num])
            twins[row.untrained] = task.outcomes(task.draw(twin, f"{row.name}, untrained"))
        twin = twins[row.untrained]
        record["untrained"] = metrics_of(twin, real, task.cells)
        record["controls"]["untrained"] = over_untrained(outcomes, twin, real)
    return record


def _bound(task, row, real):
    """Metrics of a row's system on the true embeddings of the data's images, where a prior would draw them."""
    return {"figures": metrics_of(task.outcomes(task.redraw(row.redraw, f"bound of {row.name}")), real, task.cells)}


def _recorded(cache, name, origin, measure):
    """The record of that name, from the cache or measured now and then cached, where hashes tell the weights."""
    file, is_known = name.replace(" ", "-").replace("/", "-"), _is_known(origin["model"])
    record = cache.read(file, origin) if cache and is_known else None
    if record is None:
        record = {"name": name, **origin, **measure()}
        if cache and is_known:
            cache.write(file, origin, record)
    return record


def _add_comparisons(records):
    """Add the control trained on shuffled captions, the verdict, and StyleT2I's lead on the same captions."""
    controls = {record["kind"]: record for record in records if record.get("trained_on_shuffled_captions")}
    leaders = [record for record in records if record.get("kind") == "stylet2i"]
    for record in records:
        twin = controls.get(record.get("kind"))
        if twin is not None and twin is not record:
            record["controls"]["shuffled training"] = {"success": paired_success(record["right"], twin["right"])}
        record["beats_controls"] = all(control["success"]["beats"] for control in record["controls"].values())
        if leaders and record.get("kind") != "stylet2i":
            lead = paired_success(leaders[-1]["right"], record["right"])
            record["lead_of_stylet2i"] = {"of": leaders[-1]["name"], **lead}


def _reference_figures(task, reference, others):
    metrics = metrics_of(reference, reference.features, task.cells)
    distance = frechet_distance(others, reference.features) if others is not None else None
    return {**metrics, "frechet": distance, "frechet_interval": None}
