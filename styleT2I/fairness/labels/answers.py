"""What raters answered: a CSV file each with its digest, the agreement of raters, one label per image and attribute."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from styleT2I.errors import ConfigError, DataError
from styleT2I.fairness.analysis.outcomes import FAILURE, SUCCESS, UNSURE
from styleT2I.fairness.labels.sample import SampledImage
from styleT2I.torch_utils.files import check_writable_dir, write_text_atomic

__all__ = ["ANSWERS", "Answers", "check_rater", "disagreements", "labels_of", "read_answers", "read_raters"]

FOLDER = "labels"  # in an audit's folder
ANSWERS = ("yes", "no", "undecided")
Role: TypeAlias = Literal["rater", "resolver"]
_COLUMNS = ("image", "attribute", "answer", "rater", "role", "utc")


@dataclass
class Answers:
    """Answers of one rater, kept in FOLDER/NAME.csv of an audit's folder.

    given: (image, attribute) -> (one of ANSWERS, UTC). role: a resolver answers only where raters differ.
    """

    path: Path
    rater: str
    role: Role = "rater"
    given: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    is_sealed: bool = False  # its digest lies beside it

    def is_complete(self, images: Iterable[SampledImage]) -> bool:
        """Whether every attribute that is asked of the images has an answer."""
        return all((image.sha256, name) in self.given for image in images for name in image.attributes)

    def write(self) -> None:
        """Write the file as it is now; its digest, which holds no longer, goes."""
        check_writable_dir(self.path.parent)
        _digest_path(self.path).unlink(missing_ok=True)
        self.is_sealed = False
        write_text_atomic(self.path, self._text())

    def seal(self) -> None:
        """Write the digest beside the file, in the format of sha256sum, once all is answered."""
        write_text_atomic(_digest_path(self.path), f"{self.sha256}  {self.path.name}\n")
        self.is_sealed = True

    @property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self._text().encode("utf-8")).hexdigest()

    def _text(self):
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for (image, attribute), (answer, utc) in self.given.items():
            writer.writerow((image, attribute, answer, self.rater, self.role, utc))
        return out.getvalue()


def check_rater(name: str) -> str:
    """The name, if it can be that of a file; ConfigError else."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", name, re.ASCII):
        raise ConfigError(f"{name!r} is no rater's name; write up to 40 letters, digits, - and _, such as anna")
    return name


def read_answers(folder: str | Path, rater: str, role: Role = "rater") -> Answers:
    """The answers of a rater so far, none where there is no file yet.

    Raises:
        ConfigError: The name is no name, or the file is of the other role.
        DataError: The file is damaged, or was changed after it was finished.
    """
    path = Path(folder) / FOLDER / f"{check_rater(rater)}.csv"
    if not path.exists():
        return Answers(path, rater, role)
    found = _read(path)
    if found.role != role:
        raise ConfigError(f"{rater} is a {found.role} of this audit already; choose another name")
    return found


def read_raters(folders: Iterable[str | Path]) -> list[Answers]:
    """Answers of all raters in the folders of an audit, in the order of their names.

    Raises:
        DataError: A file is damaged or was changed, or two folders have different answers of one rater.
    """
    found: dict[str, Answers] = {}
    for path in sorted(path for folder in folders for path in (Path(folder) / FOLDER).glob("*.csv")):
        answers = _read(path)
        if answers.rater in found and found[answers.rater].given != answers.given:
            raise DataError(f"{path} and {found[answers.rater].path} differ; delete the wrong one")
        found.setdefault(answers.rater, answers)
    return [found[name] for name in sorted(found)]


def _read(path):
    try:
        text = path.read_text(encoding="utf-8")
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
        given = {(row["image"], row["attribute"]): (row["answer"], row["utc"]) for row in rows}
        roles = {row["role"] for row in rows} or {"rater"}
        names = {row["rater"] for row in rows} or {path.stem}
    except OSError as error:
        raise DataError(f"{path}: cannot read the labels: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(f"{path}: not a file of `audit label`: {error}; delete it, and label again") from error
    is_whole = len(given) == len(rows) and all(answer in ANSWERS for answer, _ in given.values())
    if not is_whole or names != {path.stem} or len(roles) > 1 or not roles <= {"rater", "resolver"}:
        raise DataError(f"{path}: not a file of `audit label`; delete it, and label again")
    (role,) = roles
    answers = Answers(path, path.stem, role, given)
    digest = _digest_path(path)
    if digest.exists():
        if digest.read_text(encoding="utf-8").split()[:1] != [hashlib.sha256(text.encode("utf-8")).hexdigest()]:
            raise DataError(f"{path}: was changed after it was finished; restore it, or delete it and label again")
        answers.is_sealed = True
    return answers


def _digest_path(path):
    return path.with_name(f"{path.name}.sha256")


def disagreements(raters: Sequence[Answers], images: Sequence[SampledImage]) -> list[SampledImage]:
    """The images with an attribute on which raters gave different answers, or all were undecided."""
    return [
        image
        for image in images
        if any(_vote(_votes(raters, image.sha256, name)) == UNSURE for name in image.attributes)
    ]


def labels_of(raters: Sequence[Answers], images: Sequence[SampledImage]) -> dict[str, dict[str, str]]:
    """One label per image and attribute: SUCCESS (it is there), FAILURE, or UNSURE.

    The answer that more raters gave counts, whoever was undecided abstains, and a tie is UNSURE; so two raters who
    differ need a resolver.

    Returns:
        image -> attribute -> label.
    """
    return {
        image.sha256: {name: _vote(_votes(raters, image.sha256, name)) for name in image.attributes} for image in images
    }


def _votes(raters, image, name):
    return [answers.given[image, name][0] for answers in raters if (image, name) in answers.given]


def _vote(answers):
    yes, no = answers.count("yes"), answers.count("no")
    return SUCCESS if yes > no else FAILURE if no > yes else UNSURE


def success_of(label: Mapping[str, str], wanted: Mapping[str, bool]) -> str:
    """Success of an image by its labels: all wanted values there, one of them not, or neither is known.

    >>> success_of({"he": "0", "lipstick": "?"}, {"he": True, "lipstick": True})
    '0'
    """
    right = [
        UNSURE if label[name] == UNSURE else SUCCESS if (label[name] == SUCCESS) is value else FAILURE
        for name, value in wanted.items()
    ]
    return FAILURE if FAILURE in right else UNSURE if UNSURE in right else SUCCESS
