"""Draw an audit's cells, keep each as soon as it is finished, and make one result of them, wherever they were drawn."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

import styleT2I
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.fairness.analysis.agreement import agreement_tables
from styleT2I.fairness.analysis.outcomes import cell_outcomes, success_letters
from styleT2I.fairness.analysis.picture_quality import PictureQuality, open_reference
from styleT2I.fairness.cells import UnfinishedCell, read_cell
from styleT2I.fairness.judges.calibration import check_same_judge
from styleT2I.fairness.judges.judge import open_judge
from styleT2I.fairness.merge import merge_cells
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.report.contact_sheets import Sheet
from styleT2I.fairness.results import AuditResult, Calibration
from styleT2I.fairness.subjects.base import Cell, as_subject
from styleT2I.torch_utils.files import check_writable_dir, write_json_atomic
from styleT2I.torch_utils.images import save_png
from styleT2I.torch_utils.locking import locked_folder
from styleT2I.torch_utils.progress import Progress

__all__ = ["Audit"]


class Audit:
    """One plan on one subject; a StyleT2IError where they do not fit, before anything is drawn."""

    def __init__(self, plan: AuditPlan, vocabulary: Vocabulary, subject, num: int | None = None, *, device="auto"):
        """subject: what subjects.as_subject takes; device: of judges that are no part of it."""
        self.subject = as_subject(subject)
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
        asked |= {vocabulary.resolve(one.attribute)[0] for one in plan.unprompted}
        self.judge = self._judge(plan.judge, asked, device)
        self.second_judge = plan.second_judge and self._judge(plan.second_judge, asked, device)
        self._quality = PictureQuality(self.judge.features, open_reference(plan))
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
        self._before = (None, None)

    def run(self, outdir: str | Path, shard: tuple[int, int] = (1, 1), calibration: Calibration | None = None) -> None:
        """Draw every cell of shard i of n that DIR/cells does not have yet. OutputError for a folder that cannot be
        written, or where another run is at this shard.

        calibration: of `result` later; DataError before anything is drawn where it is another judge's.

        A cell is KEY.json and KEY.png, a contact sheet; "sheet" in the first says where in it which seed is.
        """
        if calibration:
            check_same_judge(calibration, self.judge.sha256)
        folder, (index, count) = check_writable_dir(Path(outdir) / "cells"), shard
        with locked_folder(folder, f"{index}-of-{count}"):
            self._draw_cells(folder, index, count)

    def _draw_cells(self, folder, index, count):
        work = [(setting, name) for setting in self.plan.settings for name in self._cells][index - 1 :: count]
        with Progress(len(work), "audit", "cell") as progress:
            for setting, name in work:
                self._finish_cell(folder, setting, name, progress)

    def _finish_cell(self, folder, setting, name, progress):
        cell = Cell(setting, name, self._cells[name], self._sentences[name])
        origin = {**self._origin, "setting": asdict(setting), "sentence": cell.sentence,
                  "attributes": cell.attributes}  # fmt: skip
        key = hashlib.sha256(json.dumps(origin, sort_keys=True).encode("utf-8")).hexdigest()[:16]
        path = folder / f"{key}.json"
        if self._is_known and read_cell(path) and path.with_suffix(".png").is_file():
            progress.skip()
            return
        unfinished = UnfinishedCell(path.with_suffix("") if self._is_known and self.subject.is_slow else None)
        outcomes, sheet = self._measure(cell, unfinished)
        save_png(path.with_suffix(".png"), sheet.image_u8())
        write_json_atomic(path, {"origin": origin, "outcomes": outcomes, "sheet": sheet.describe()})
        unfinished.finish()
        progress.update()

    def result(self, outdir: str | Path, calibration: Calibration | None = None) -> AuditResult:
        """The result of cells that are all in DIR/cells; others there, of another num or model, are left alone."""
        return merge_cells(self._declared, self.vocabulary, [outdir], self._origin, calibration)

    @property
    def _is_known(self):
        """Whether the hashes tell what was drawn and judged: networks and functions in memory have none."""
        judges = [judge.sha256 for judge in (self.judge, self.second_judge) if judge]
        return None not in [*self._origin["model"]["components"].values(), *judges]

    def _judge(self, plan, asked, device):
        judge = open_judge(plan, self.vocabulary, self.subject.model, device)
        judge.check(asked)
        return judge

    def _measure(self, cell, unfinished):
        seeds, sheet, looks, others, figures = self._seeds(cell.name), Sheet(), [], [], []
        for block in self._blocks(seeds):
            pictures = unfinished.pictures(block, partial(self.subject.pictures, cell))
            looks.append(self.judge.verdicts(pictures))
            figures.append(self._quality.measure(pictures))
            if self.second_judge:
                others.append(self.second_judge.verdicts(pictures))
            sheet.add(success_letters(looks[-1], cell.attributes, self.judge.attribute_names), pictures, block)
        after, names = torch.cat(looks), self.judge.attribute_names
        outcomes = cell_outcomes(self._plain(cell, seeds), after, cell.attributes, names, self.vocabulary)
        outcomes["is_paired"] = self.subject.is_paired
        outcomes["quality"] = {name: [value for one in figures for value in one[name]] for name in figures[0]}
        if self.second_judge:
            outcomes["agreement"] = agreement_tables(
                after, torch.cat(others), names, self.second_judge.attribute_names, cell.attributes
            )
        return outcomes, sheet

    def _plain(self, cell, seeds):
        """Verdicts on the pictures without a sentence, those of the last psi kept; None where there are none."""
        psi = cell.setting.truncation_psi
        if self._before[0] != psi:
            blocks = (self.subject.plain(cell.setting, block) for block in self._blocks(seeds))
            looks = [self.judge.verdicts(pictures) for pictures in blocks if pictures is not None]
            self._before = (psi, torch.cat(looks) if looks else None)
        return self._before[1]

    def _seeds(self, name):
        return self.subject.seeds(name, self.plan.first_seed, self.num)

    def _blocks(self, seeds):
        return [seeds[start : start + self.subject.block] for start in range(0, len(seeds), self.subject.block)]
