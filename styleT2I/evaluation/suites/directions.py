"""Suite "directions": Attribute-to-Direction beside the directions that other editors use, on the same faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from styleT2I.data.worlds import world_of
from styleT2I.errors import ConfigError, DataError
from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge
from styleT2I.evaluation.suites import Request
from styleT2I.generation.arguments import A2D, DIRECTION_METHODS, OPTIMISED
from styleT2I.generation.editing.moves import AttributeDirections, steps_along
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.metrics.attributes import drift_rates, success
from styleT2I.metrics.pairwise import energy_inside, paired_cosine
from styleT2I.networks.faces.regions import region_masks
from styleT2I.networks.stylegan2.styles import shifted_styles
from styleT2I.rivals.methods import METHODS, Finder, check_method
from styleT2I.rivals.sentence_moves import TITLES, SentenceMoves
from styleT2I.statistics.intervals import wilson_interval
from styleT2I.torch_utils.seeding import latents_of_seeds

_BATCH_SIZE = 32
_MOST_ERROR = 10**-1.8  # mean square of an image from 0 to 1, 18 dB, between G(z) and the scene of z
_NUM_INSIDE = 32  # faces whose scene is painted, to see where an edit's difference lies
GLASSES_AND_GENDER = (("eyeglasses", "he"), ("Eyeglasses", "Male"))  # what users of boundaries complain of


@torch.no_grad()
def evaluate_directions(request: Request) -> dict:
    """Every method's directions on the latents of seeds 0 ... num - 1, at the strengths that the guide judge found.

    The held-out judge says on how many faces an attribute steered by 1 or -1 has its value ("turned"), on how many
    each other attribute changed ("drift"), how alike its features of both faces are ("identity", a cosine), how far
    nuisances moved in units of their spread, and on how many faces rare compositions come out when their attributes
    are steered together ("rare"; from whatever the latent shows). "inside" is the proportion of the difference of both
    signs that lies in the attribute's true region, where the generator draws known scenes. "seconds": to find all
    directions on this machine, without the strengths (0 for a network that was trained before); of an optimisation,
    which finds none and goes face by face, those of one face.
    ConfigError for an unknown method, CheckpointError where the model lacks a network.
    """
    methods = _methods(request)
    comparison = _Comparison(request)
    return {
        "num": request.num,
        "truncation_psi": request.psi,
        "samples": request.options.get("samples") or None,
        "attributes": request.options.get("attributes") or None,
        "identity_of_strangers": comparison.identity_of_strangers,
        "methods": {method: comparison.measure(method) for method in methods},
    }


def _methods(request) -> tuple[str, ...]:
    methods = tuple(dict.fromkeys(request.options.get("directions") or DIRECTION_METHODS))
    for method in methods:
        if method not in OPTIMISED:
            check_method(method)
    if A2D in methods and not request.model.has("a2d"):
        if request.options.get("directions"):
            request.model.network("a2d")  # says how to train one
        methods = tuple(method for method in methods if method != A2D)
    return methods


def _steered(request) -> tuple[str, ...]:
    """The attributes asked for, by the vocabulary's names and in its order; ConfigError for an unknown one."""
    vocabulary = request.model.vocabulary
    wanted = {vocabulary.resolve(name)[0] for name in request.options.get("attributes") or vocabulary.names}
    return tuple(name for name in vocabulary.names if name in wanted)


class _Comparison:
    """Faces, what the held-out judge sees in them, and the measures of one method's edits of them."""

    def __init__(self, request: Request):
        self.request, self.model = request, request.model
        self.pipeline, self.judge = StyleT2I(request.model), HeldOutJudge(request.model)
        self.generator = request.model.network("generator")
        known = self.judge.attribute_names
        guide = self.model.network("judges.guide").attribute_names if self.model.has("judges.guide") else known
        steered = _steered(request)
        self.names = [name for name in steered if name in known and name in guide]
        z = latents_of_seeds(range(request.num), self.generator.z_dim).to(self.model.device)
        self.ws = self.generator.mapping(z, truncation_psi=request.psi)
        self.plain = self._observed(self.ws, {})
        features = self.plain.features
        self.identity_of_strangers = paired_cosine(features, features.roll(1, 0)).mean().item()
        self.world = request.world or world_of(self.model.vocabulary)
        self.scenes = _known_scenes(self.generator, self.world, min(request.num, _NUM_INSIDE))

    def measure(self, method: str) -> dict:
        """All measures of one method, ready for JSON."""
        directions = self._directions(method)
        found = [name for name in self.names if name in directions.strengths]
        edits = {name: self._edits(directions, name) for name in found}
        sides = [side for edit in edits.values() for side in (edit["true"], edit["false"])]
        inside = [edit["inside"] for edit in edits.values() if edit["inside"] is not None]
        rare = self._rare(directions, found)
        return {
            "title": _title(method),
            "left_out": [name for name in self.names if name not in found],
            "turned": _mean(side["turned"] for side in sides),
            "turned_worst": min(side["turned"] for side in sides),
            "drift": _mean(side["drift_mean"] for side in sides),
            "drift_worst": max(side["drift_worst"] for side in sides),
            "inside": _mean(inside) if inside else None,
            "identity": _mean(side["identity"] for side in sides),
            "nuisances": _mean(side["nuisances"] for side in sides),
            "glasses_change_gender": _glasses_change_gender(edits),
            "rare": _mean(cell["success"] for cell in rare.values()) if rare else None,
            "rare_worst": min(cell["success"] for cell in rare.values()) if rare else None,
            "seconds": getattr(directions, "seconds", 0.0),
            "edits": edits,
            "compositions": rare,
        }

    def _directions(self, method: str) -> AttributeDirections:
        if method in OPTIMISED:
            return SentenceMoves(self.pipeline, method, self.names)
        options = {"num_samples": self.request.options["samples"]} if self.request.options.get("samples") else {}
        trained = (self.model.info("a2d").get("strengths") or {}) if method == A2D else self.names
        return Finder(self.pipeline, method, **options).of([name for name in self.names if name in trained])

    def _edits(self, directions: AttributeDirections, name: str) -> dict:
        """One attribute turned on and off: both sides, and how much of their difference lies in its region."""
        result: dict = {side: self._edit(directions, {name: 1.0 if side == "true" else -1.0}, name)
                        for side in ("true", "false")}  # fmt: skip
        return {**result, "inside": self._inside(directions, name)}

    def _edit(self, directions, strengths: Mapping[str, float], name: str) -> dict:
        after = self._observed(*directions.move(self.ws, steps_along(strengths, directions)))
        requests = self.judge.requests([{name: strengths[name] > 0}] * len(self.ws))
        right = int(success(after.verdict, requests).sum())
        drift = self.judge.by_name(drift_rates(self.plain.verdict, after.verdict, requests))
        moved = self.judge.changes(self.plain, after)
        return {
            "strength": directions.strengths[name]["true" if strengths[name] > 0 else "false"],
            "turned": right / len(self.ws),
            "turned_interval": wilson_interval(right, len(self.ws)),
            "drift_mean": _mean(drift.values()),
            "drift_worst": max(drift.values()),
            "drift": drift,
            "identity": paired_cosine(self.plain.features, after.features).mean().item(),
            "nuisances": _mean(moved.values()) if moved else 0.0,
        }

    def _inside(self, directions, name) -> float | None:
        region = self.model.vocabulary[name].region
        if region is None or self.scenes is None:
            return None
        ws, parts, part_names = self.scenes
        mask = region_masks(parts, part_names, [region] * len(ws))
        images = []
        for strength in (1.0, -1.0):
            move = directions.move(ws, steps_along({name: strength}, directions))
            images.append(torch.cat(list(self._images(move.ws, move.styles))).cpu())
        return energy_inside(*images, mask).mean().item()

    def _rare(self, directions, found: Sequence[str]) -> dict:
        """Success of compositions whose attributes are steered together."""
        cells = {}
        for composition in self.world.compositions if self.world else ():
            if not set(composition.attributes) <= set(found):
                continue
            strengths = {name: 1.0 if value else -1.0 for name, value in composition.attributes.items()}
            after = self._observed(*directions.move(self.ws, steps_along(strengths, directions)))
            requests = self.judge.requests([dict(composition.attributes)] * len(self.ws))
            right = int(success(after.verdict, requests).sum())
            before = success(self.plain.verdict, requests).double().mean().item()
            rate = right / len(self.ws)
            interval = wilson_interval(right, len(self.ws))
            cells[composition.name] = {"success": rate, "success_interval": interval, "unedited": before}
        return cells

    def _observed(self, ws, styles):
        return self.judge.observe(self._images(ws, styles))

    def _images(self, ws, styles):
        with shifted_styles(self.generator.synthesis, styles):
            for part in ws.split(_BATCH_SIZE):
                yield self.generator.synthesis(part).clamp(-1, 1)


def _title(method: str) -> str:
    return METHODS[method].title if method in METHODS else TITLES.get(method, "Attribute-to-Direction")


def _known_scenes(G, world, num):
    """Latents, not truncated, of which the scene is known, its parts and their names; None where there are none, or the
    generator draws other things than the scenes of its latents."""
    if world is None:
        return None
    try:
        z, scene, parts, part_names = next(world.known_scenes(num, G.resolution, num))
    except DataError:  # the world has to be rendered first
        return None
    if z.shape[1] != G.z_dim:
        return None
    ws = G.mapping(z.to(next(G.parameters()).device))
    drawn = torch.cat([G.synthesis(part).clamp(-1, 1).cpu() for part in ws.split(_BATCH_SIZE)])
    error = ((drawn - scene) / 2).square().mean().item()
    return (ws, parts, part_names) if error < _MOST_ERROR else None


def _glasses_change_gender(edits) -> dict | None:
    """On how many faces the judge's verdict on gender changes when glasses are turned on, and off."""
    for glasses, gender in GLASSES_AND_GENDER:
        if glasses in edits and gender in edits[glasses]["true"]["drift"]:
            return {side: edits[glasses][side]["drift"][gender] for side in ("true", "false")}
    return None


def _mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def directions_table(values: dict) -> str:
    """The comparison as a markdown table, a row per method; proportions in per cent."""
    head = (
        "method", "turned", "worst", "drift", "worst", "inside", "identity", "nuisances", "glasses on: gender changes",
        "rare", "worst", "seconds",
    )  # fmt: skip
    rows = [head, ("---",) * len(head)]
    for row in values["methods"].values():
        gender = row["glasses_change_gender"]
        rows.append((
            row["title"], *(_percent(row[key]) for key in ("turned", "turned_worst", "drift", "drift_worst", "inside")),
            f"{row['identity']:.3f}", f"{row['nuisances']:.2f}", _percent(gender and gender["true"]),
            _percent(row["rare"]), _percent(row["rare_worst"]), f"{row['seconds']:.0f}",
        ))  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _percent(rate) -> str:
    return "" if rate is None else f"{100 * rate:.1f}"


def check_options(request: Request) -> dict:
    """Refuse an unknown method before anything is drawn; ConfigError."""
    if request.model.vocabulary is None:
        raise ConfigError("suite directions needs a model with a vocabulary")
    _methods(request)
    _steered(request)
    return {}
