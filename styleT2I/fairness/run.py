"""Draw an audit's cells, keep each as soon as it is finished, and make one result of them, wherever they were drawn."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

import styleT2I
from styleT2I.adjustment import AdjustmentConfig
from styleT2I.attributes.sentences import sentence
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.config import to_dict
from styleT2I.errors import ConfigError, DataError
from styleT2I.fairness.analysis import analyse
from styleT2I.fairness.outcomes import cell_outcomes, success_letters
from styleT2I.fairness.plan import AuditPlan, Setting, plan_hash
from styleT2I.fairness.sheets import Sheet
from styleT2I.metrics.attributes import verdicts
from styleT2I.model import Model
from styleT2I.pipeline import BLOCK, StyleT2I
from styleT2I.torch_utils.files import check_writable_dir, write_json_atomic
from styleT2I.torch_utils.images import from_uint8, save_png

__all__ = ["Audit", "merge_cells"]

LIMITS = (
    "Attributes are those that the judge perceives in drawn faces; no one's identity is inferred.",
    "The judge errs, and may err more in one group than in another; only gaps called corrected allow for that, by its "
    "errors on labelled drawings, which need not be those on the model's pictures.",
    "A share counts an undetermined picture as no success; the bounds take all of them either way.",
    "Figures hold for this model, these sentences and these settings.",
)


class Audit:
    """One plan on one model; ConfigError where they do not fit, before anything is drawn."""

    def __init__(self, plan: AuditPlan, vocabulary: Vocabulary, model: Model, num: int | None = None):
        self.plan, self.vocabulary, self.num = plan, vocabulary, num or plan.num
        self.pipeline = StyleT2I(model)
        if model.vocabulary is None or model.vocabulary.names != vocabulary.names:
            raise ConfigError(f"the plan's vocabulary is {vocabulary.name!r}, and model {model.name!r} has another one")
        self.judge = model.network(plan.judge.role)
        if plan.judge.role == "judges.guide":
            warnings.warn("the guide judge steers the pictures it judges here, which flatters them", stacklevel=2)
        asked = {name for cell in plan.cells(vocabulary).values() for name in cell}
        if missing := sorted(asked - set(self.judge.attribute_names)):
            raise ConfigError(f"the judge {plan.judge.role} does not know {', '.join(missing)}; leave them out")
        roles = ["generator", "t2d", "clip"]
        if any(setting.method != "none" for setting in plan.settings):
            roles += ["a2d", "judges.guide"]
        for role in roles:
            if role in ("generator", "t2d", "a2d") or model.has(role):
                model.network(role)
        self._origin = {
            "model": model.describe(),
            "judge": asdict(plan.judge),
            "num": self.num,
            "first_seed": plan.first_seed,
            "versions": {"styleT2I": styleT2I.__version__, "torch": torch.__version__},
        }
        self._plain = (None, None)

    def run(self, outdir: str | Path, shard: tuple[int, int] = (1, 1)) -> None:
        """Draw every cell of shard i of n that DIR/cells does not have yet. OutputError for an unwritable folder.

        A cell is KEY.json and KEY.png, a contact sheet; "sheet" in the first says where in it which seed is.
        """
        folder = check_writable_dir(Path(outdir) / "cells")
        index, count = shard
        is_known = None not in self._origin["model"]["components"].values()  # networks in memory have no hash
        cells = self.plan.cells(self.vocabulary)
        work = [(setting, name) for setting in self.plan.settings for name in cells][index - 1 :: count]
        for setting, name in tqdm(work, "audit", unit="cell", disable=None):
            text = sentence(cells[name], self.vocabulary)
            origin = {**self._origin, "setting": asdict(setting), "sentence": text, "attributes": cells[name]}
            key = hashlib.sha256(json.dumps(origin, sort_keys=True).encode("utf-8")).hexdigest()[:16]
            path = folder / f"{key}.json"
            if not (is_known and _read(path) and path.with_suffix(".png").is_file()):
                outcomes, sheet = self._measure(setting, text, cells[name])
                save_png(path.with_suffix(".png"), sheet.image_u8())
                write_json_atomic(path, {"origin": origin, "outcomes": outcomes, "sheet": sheet.describe()})

    def result(self, outdir: str | Path, calibration: dict | None = None) -> dict:
        """The result of cells that are all in DIR/cells; others there, of another num or model, are left alone."""
        return merge_cells(self.plan, self.vocabulary, [outdir], self._origin, calibration)

    @torch.no_grad()
    def _measure(self, setting: Setting, text, attributes):
        prompt = self.pipeline.understand(text)
        adjustment = AdjustmentConfig(setting.method, strength=setting.strength)
        before, after, sheet = self._unedited(setting.truncation_psi), [], Sheet()
        for seeds in self._blocks():
            ws = self.pipeline.latents(seeds, setting.truncation_psi)
            adjusted = self.pipeline.directions(ws, [prompt] * len(seeds), adjustment)
            pictures = self.pipeline.images_u8(ws + adjusted.s_adjusted, seeds)
            after.append(self._look(pictures))
            sheet.add(success_letters(after[-1], attributes, self.judge.attribute_names), pictures, seeds)
        outcomes = cell_outcomes(before, torch.cat(after), attributes, self.judge.attribute_names, self.vocabulary)
        return outcomes, sheet

    def _unedited(self, psi):
        """Verdicts [N, A] on the faces without a sentence, those of the last psi kept."""
        if self._plain[0] != psi:
            looks = []
            for seeds in self._blocks():
                looks.append(self._look(self.pipeline.images_u8(self.pipeline.latents(seeds, psi), seeds)))
            self._plain = (psi, torch.cat(looks))
        return self._plain[1]

    def _blocks(self):
        first, last = self.plan.first_seed, self.plan.first_seed + self.num
        return [range(start, min(start + BLOCK, last)) for start in range(first, last, BLOCK)]

    def _look(self, images_u8):
        """Verdicts int8 [N, A] on pictures of 8 bits a colour, as anyone would see them."""
        logits = self.judge(from_uint8(images_u8).to(self.pipeline.model.device))
        return verdicts(logits, self.plan.judge.margin).cpu()


def merge_cells(
    plan: AuditPlan,
    vocabulary: Vocabulary,
    folders: Iterable[str | Path],
    origin: dict | None = None,
    calibration: dict | None = None,
) -> dict:
    """One result, ready for JSON, of the cells in several folders that `Audit.run` wrote to.

    origin: that of the cells to take, where it is known; calibration: as `read_calibration` has it. DataError for
    cells that are missing or come from more than one model, num or judge, and for another judge's calibration.
    """
    wanted = {
        json.dumps([asdict(setting), attributes], sort_keys=True): (setting.name, name)
        for setting in plan.settings
        for name, attributes in plan.cells(vocabulary).items()
    }
    outcomes, origins = _collected(plan, wanted, folders, origin)
    if missing := [place for place in wanted.values() if place not in outcomes]:
        raise DataError(
            f"{len(missing)} of {len(wanted)} cells are missing, the first is {missing[0][1]!r} ({missing[0][0]}); "
            "run every shard, and name every folder"
        )
    if len(origins) > 1:
        raise DataError("the folders hold cells of different models, versions or numbers; give each audit its folder")
    (origin,) = origins
    if calibration and calibration["judge_sha256"] != origin["model"]["components"][plan.judge.role]:
        raise DataError("the calibration is of another judge than the model's; calibrate this model")
    confusions = calibration and calibration["cells"]
    return {
        **analyse(plan, vocabulary, outcomes, confusions),
        "limits": list(LIMITS),
        "plan": to_dict(plan),
        "plan_sha256": plan_hash(plan),
        "num_overridden": origin["num"] != plan.num,
        "calibration": calibration and {**calibration, "cells": {k: asdict(v) for k, v in confusions.items()}},
        **origin,
    }


def _collected(plan, wanted, folders, origin):
    """Outcomes by place, and the different origins they have."""
    outcomes, origins = {}, []
    for path in sorted(path for folder in folders for path in (Path(folder) / "cells").glob("*.json")):
        kept = _read(path)
        if kept is None:
            continue
        own = dict(kept["origin"])
        place = wanted.get(json.dumps([own.pop("setting"), own.pop("attributes")], sort_keys=True))
        del own["sentence"]
        is_declared = own["judge"] == asdict(plan.judge) and own["first_seed"] == plan.first_seed
        if place and is_declared and origin in (None, own):
            outcomes[place] = kept["outcomes"]
            if own not in origins:
                origins.append(own)
    return outcomes, origins


def _read(path: Path) -> dict | None:
    """A kept cell; None where it is absent or damaged."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return kept if {"origin", "outcomes"} <= kept.keys() else None
    except (OSError, ValueError, AttributeError):
        return None
