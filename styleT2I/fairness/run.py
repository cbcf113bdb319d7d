"""Run an audit: draw and judge its cells, cache each as soon as it is finished, and make one result of them."""

from __future__ import annotations

import hashlib
import json
import math
import uuid
import warnings
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

import styleT2I
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import DataError
from styleT2I.fairness.analysis.agreement import agreement_tables
from styleT2I.fairness.analysis.decisions.soundness import NUM_JUDGED_AGAIN, facts_of_images, judged_again
from styleT2I.fairness.analysis.image_quality import ImageQuality, open_reference
from styleT2I.fairness.analysis.outcomes import cell_outcomes, success_letters
from styleT2I.fairness.cells.cached import UnfinishedCell, read_cell, sealed
from styleT2I.fairness.cells.merge import merge_cells
from styleT2I.fairness.classifier.subject import EditedFaces
from styleT2I.fairness.judges.calibration import check_same_judge
from styleT2I.fairness.judges.judge import open_judge
from styleT2I.fairness.labels.sample import KeptImages
from styleT2I.fairness.plan import AuditPlan, checked_plan
from styleT2I.fairness.plan.lock import declare
from styleT2I.fairness.report.contact_sheets import Sheet
from styleT2I.fairness.results import AuditResult, Calibration
from styleT2I.fairness.subjects.base import Cell, as_subject
from styleT2I.torch_utils.files import check_writable_dir, sha256_file, write_json_atomic
from styleT2I.torch_utils.folders import locked_folder
from styleT2I.torch_utils.images import save_png
from styleT2I.torch_utils.progress import Progress

__all__ = ["Audit"]


class Audit:
    """An audit of one system by one plan.

    Args:
        plan: What to draw and compare; it is checked, and its compositions get their canonical names.
        vocabulary: That of the plan.
        subject: The audited system, as `subjects.base.as_subject` takes it: a model, a pipeline, another system, or a
            function (prompt, seed) -> image.
        num: Images per composition, in place of the plan's number.
        device: Of judges that are not part of the audited system.

    Raises:
        StyleT2IError: Plan, system and judges do not fit; nothing has been drawn yet.

    >>> import numpy as np
    >>> from styleT2I.attributes.vocabulary import load_vocabulary
    >>> from styleT2I.fairness.plan import Comparison
    >>> def draw(prompt, seed):
    ...     return np.full((64, 64, 3), 40 * seed, np.uint8)
    >>> plan = AuditPlan("grey", compositions=("she", "he"), comparisons=(Comparison("sex", "she", "he"),))
    >>> audit = Audit(plan, load_vocabulary("minifaces"), draw, num=2, device="cpu")
    >>> audit.run("grey-audit")
    >>> result = audit.result("grey-audit")
    >>> result.provenance.num, result.comparisons[0].name, result.verdict
    (2, 'sex', 'no threshold declared')
    """

    def __init__(
        self,
        plan: AuditPlan,
        vocabulary: Vocabulary,
        subject: Any,
        num: int | None = None,
        *,
        device: str = "auto",
    ):
        plan = checked_plan(plan, vocabulary)
        self.subject = EditedFaces(subject, plan.classifier) if plan.classifier else as_subject(subject)
        self._declared, self.plan = plan, plan if self.subject.has_settings else plan.without_settings()
        self.vocabulary = vocabulary
        self.subject.prepare(self.plan, vocabulary)
        if len(self.plan.settings) < len(plan.settings):
            warnings.warn(
                f"{self.subject.describe()['name']} has no truncation or adjustment; the plan's {len(plan.settings)} "
                'settings are replaced by one, "as drawn"',
                stacklevel=2,
            )
        self._cells = self.plan.drawn_cells(vocabulary)
        self._sentences = self.plan.sentences_of(vocabulary)
        self.num = num or plan.num
        self.num = min(len(self._seeds(name)) for name in self._cells)
        asked = {name for cell in self._cells.values() for name in cell}
        asked |= {vocabulary.resolve(entry.attribute)[0] for entry in plan.unprompted}
        self.judge = self._judge(plan.judge, asked, device)
        self.second_judge = plan.second_judge and self._judge(plan.second_judge, asked, device)
        self._quality = ImageQuality(self.judge.features, open_reference(plan))
        self._origin = {
            "subject": {key: getattr(self.subject, key) for key in ("kind", "is_paired", "has_settings")},
            "model": self.subject.describe(),
            "judge": self.judge.describe(),
            "second_judge": self.second_judge and self.second_judge.describe(),
            "quality_data": plan.quality_data,
            "num": self.num,
            "first_seed": plan.first_seed,
            "versions": {"styleT2I": styleT2I.__version__, "torch": torch.__version__},
        }
        self._before: tuple[float | None, torch.Tensor | None] = (None, None)  # psi, verdicts without a sentence
        # Cells of what has no hash are told apart by the run that drew them, and serve that one alone.
        self._run = None if self._is_known else uuid.uuid4().hex

    def run(self, outdir: str | Path, shard: tuple[int, int] = (1, 1), calibration: Calibration | None = None) -> None:
        """Draw and judge every cell that outdir/cells does not have yet.

        A cell is KEY.json and KEY.png, a contact sheet; "sheet" in the first says which seed is where in it.

        Args:
            outdir: The audit's folder; it is made where it is absent.
            shard: (i, n): draw part i of n only, i from 1 to n.
            calibration: That of a later `result`, to check before anything is drawn that it is of the same judge.

        Raises:
            OutputError: The folder cannot be written, or another run is at this shard.
            DataError: The calibration is of another judge.
        """
        if calibration:
            check_same_judge(calibration, self.judge.sha256)
        folder, (index, count) = check_writable_dir(Path(outdir) / "cells"), shard
        with locked_folder(folder, f"{index}-of-{count}"):
            declare(outdir, self._declared, self.num)
            self._draw_cells(folder, KeptImages(outdir, self.plan, self.num), index, count)

    def _draw_cells(self, folder, kept, index, count):
        work = [(setting, name) for setting in self.plan.settings for name in self._cells][index - 1 :: count]
        with Progress(len(work), "audit", "cell") as progress:
            for setting, name in work:
                self._finish_cell(folder, kept, setting, name, progress)

    def _finish_cell(self, folder, kept, setting, name, progress):
        cell = Cell(setting, name, self._cells[name], self._sentences[name])
        origin = {**self._origin, "setting": asdict(setting), "sentence": cell.sentence,
                  "attributes": cell.attributes}  # fmt: skip
        key = hashlib.sha256(json.dumps(origin, sort_keys=True).encode("utf-8")).hexdigest()[:16]
        path = folder / f"{key}.json"
        place = (setting.name, name)
        if self._is_known and (cached := read_cell(path)) and path.with_suffix(".png").is_file():
            if kept.has(place, cached):
                progress.skip()
                return
        unfinished = UnfinishedCell(path.with_suffix("") if self._is_known and self.subject.is_slow else None)
        outcomes, sheet = self._measure(cell, unfinished, partial(kept.add, place))
        save_png(path.with_suffix(".png"), sheet.image_u8())
        drawn = {"sha256": sha256_file(path.with_suffix(".png")), **sheet.describe()}
        content = {"origin": origin, "outcomes": outcomes, "sheet": drawn, "run": self._run}
        write_json_atomic(path, sealed(content))
        unfinished.finish()
        progress.update()

    def result(self, outdir: str | Path, calibration: Calibration | None = None) -> AuditResult:
        """The result of the cells in outdir/cells; others there, of another num or model, are ignored.

        Args:
            outdir: Where `run` wrote to.
            calibration: The judge's errors, as `read_calibration` gives them; gaps are then corrected too.

        Raises:
            DataError: Cells are missing, or the calibration is of another judge.
        """
        return merge_cells(self._declared, self.vocabulary, [outdir], self._origin, calibration, self._run)

    @property
    def _is_known(self):
        """Whether hashes identify what was drawn and judged; networks and functions in memory have none."""
        judges = [judge.sha256 for judge in (self.judge, self.second_judge) if judge]
        return None not in [*self._origin["model"]["components"].values(), *judges]

    def _judge(self, plan, asked, device):
        judge = open_judge(plan, self.vocabulary, self.subject.model, device)
        judge.check(asked)
        return judge

    def _measure(self, cell, unfinished, keep):
        seeds, sheet = self._seeds(cell.name), Sheet()
        verdicts, scores, others, measured, facts, again, answers = [], [], [], [], [], [], ""
        for block in self._blocks(seeds):
            images = unfinished.images(block, partial(self.subject.images, cell))
            _check_sizes(images, block, cell.sentence)
            if isinstance(self.subject, EditedFaces):
                answers += self.subject.answers(block, images)
            scores.append(self.judge.scores(images))
            verdicts.append(self.judge.verdicts_of(scores[-1]))
            measured.append(self._quality.measure(images))
            facts.append(facts_of_images(images, [_sha256(image) for image in images]))
            keep(sum(len(each) for each in verdicts[:-1]), images, facts[-1]["sha256"])
            if (left := NUM_JUDGED_AGAIN - sum(len(each) for each in verdicts[:-1])) > 0:
                again.append(judged_again(self.judge, images[:left], verdicts[-1][:left], cell.attributes))
            if self.second_judge:
                others.append(self.second_judge.verdicts(images))
            letters = success_letters(verdicts[-1], cell.attributes, self.judge.attribute_names)
            sheet.add(answers[-len(block) :] or letters, images, block)
        after, names = torch.cat(verdicts), self.judge.attribute_names
        outcomes = cell_outcomes(self._plain(cell, seeds), after, cell.attributes, names, self.vocabulary)
        if answers:
            outcomes |= {"edited": outcomes["success"], "success": answers}
        outcomes["is_paired"] = self.subject.is_paired
        outcomes["seeds"] = [int(seed) for seed in seeds]
        outcomes["scores"] = _columns(torch.cat(scores), names)
        outcomes["images"] = {
            "sha256": [value for each in facts for value in each["sha256"]],
            "blank": "".join(each["blank"] for each in facts),
        }
        outcomes["again"] = {name: sum(torch.tensor(each[name]) for each in again).tolist() for name in again[0]}
        outcomes["quality"] = {name: [value for block in measured for value in block[name]] for name in measured[0]}
        if self.second_judge:
            outcomes["agreement"] = agreement_tables(
                after, torch.cat(others), names, self.second_judge.attribute_names, cell.attributes
            )
        return outcomes, sheet

    def _plain(self, cell, seeds):
        """Verdicts on the images without a sentence, cached for the last psi; None where there are none."""
        psi = cell.setting.truncation_psi
        if self._before[0] != psi:
            blocks = (self.subject.plain(cell.setting, block) for block in self._blocks(seeds))
            verdicts = [self.judge.verdicts(images) for images in blocks if images is not None]
            self._before = (psi, torch.cat(verdicts) if verdicts else None)
        return self._before[1]

    def _seeds(self, name):
        return self.subject.seeds(name, self.plan.first_seed, self.num)

    def _blocks(self, seeds):
        return [seeds[start : start + self.subject.block] for start in range(0, len(seeds), self.subject.block)]


_LEAST_SIDE = 8  # px


def _check_sizes(images, seeds, sentence):
    """DataError for an image too small to be judged or measured."""
    for image, seed in zip(images, seeds, strict=True):
        height, width = image.shape[1:]
        if min(height, width) < _LEAST_SIDE:
            raise DataError(
                f"the image of {sentence!r} with seed {seed} has {width} x {height} pixels; draw {_LEAST_SIDE} x "
                f"{_LEAST_SIDE} or more"
            )


def _sha256(image_u8):
    """Hash of an image's pixels and size."""
    array = image_u8.cpu().contiguous().numpy()
    return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()[:16]


def _columns(scores, names):
    """Scores [N, A] as JSON by attribute, to four digits; None where the judge gave no number."""
    return {
        name: [None if math.isnan(value) else float(f"{value:.4g}") for value in column]
        for name, column in zip(names, scores.T.tolist(), strict=True)
    }
