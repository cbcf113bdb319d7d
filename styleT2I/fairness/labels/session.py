"""One rater's way through the images of a sample: which comes next, what is answered, what can be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from styleT2I.attributes.compositions import composition_name
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import ConfigError, DataError
from styleT2I.fairness.labels.answers import ANSWERS, disagreements, read_answers, read_raters
from styleT2I.fairness.labels.sample import SampledImage
from styleT2I.fairness.plan.lock import utc_now
from styleT2I.torch_utils.seeding import generator

__all__ = ["LabelSession", "open_session"]


class LabelSession:
    """The images of one rater in a random order of their own, and the answers so far.

    Args:
        images: What the rater answers.
        answers: The rater's, from an earlier session or none; every answer is written at once.
        vocabulary: For the words of the questions.
        key: A name, from which with the rater's the order follows.
    """

    def __init__(self, images: Sequence[SampledImage], answers, vocabulary: Vocabulary, key: str):
        order = torch.randperm(len(images), generator=generator("audit", "label order", key, answers.rater)).tolist()
        self.answers, self._images, self._vocabulary = answers, [images[index] for index in order], vocabulary
        self._by_name = {image.sha256: image for image in images}
        if not self._open() and images and not answers.is_sealed:  # killed between the last answer and its digest
            answers.seal()

    @property
    def num(self) -> int:
        """Images in all."""
        return len(self._images)

    @property
    def num_done(self) -> int:
        """Images that have all their answers."""
        return self.num - len(self._open())

    def current(self) -> dict:
        """What to show: "done" and "num" images, and while any is open "image" and its "questions"."""
        shown = {"done": self.num_done, "num": self.num}
        if not (left := self._open()):
            return shown
        questions = [
            {"attribute": name, "yes": self._term(name, True), "no": self._term(name, False)}
            for name in left[0].attributes
        ]
        return {**shown, "image": left[0].sha256, "questions": questions}

    def answer(self, image: str, given: Mapping[str, str]) -> None:
        """Keep the answers about one image, in place of earlier ones.

        Args:
            image: Its hash.
            given: attribute -> "yes", "no" or "undecided", for every attribute that is asked.

        Raises:
            DataError: The image is not in the sample, or an answer is missing or none of these; nothing is kept.
        """
        asked = self._by_name.get(image)
        if asked is None:
            raise DataError(f"{image!r} is not an image of this sample")
        if set(given) != set(asked.attributes) or not set(given.values()) <= set(ANSWERS):
            raise DataError(f"answer each of {', '.join(asked.attributes)} by one of {', '.join(ANSWERS)}")
        utc = utc_now()
        for name in asked.attributes:
            self.answers.given.pop((image, name), None)
            self.answers.given[image, name] = given[name], utc
        self.answers.write()
        if not self._open():
            self.answers.seal()

    def take_back(self) -> None:
        """Forget the answers about the image that was answered last; nothing where there is none."""
        if not self.answers.given:
            return
        last, _ = next(reversed(self.answers.given))
        self.answers.given = {key: value for key, value in self.answers.given.items() if key[0] != last}
        self.answers.write()

    def path_of(self, image: str) -> Path | None:
        """The file of an image; None where it is not in the sample."""
        return self._by_name[image].path if image in self._by_name else None

    def _open(self):
        return [image for image in self._images if not self.answers.is_complete([image])]

    def _term(self, name, value):
        return composition_name({name: value}, self._vocabulary)


def open_session(
    folder: str | Path, rater: str, images: Sequence[SampledImage], vocabulary: Vocabulary, key: str,
    is_resolver: bool = False,
) -> LabelSession:  # fmt: skip
    """The session of a rater, where an earlier one stopped.

    Args:
        folder: Of the audit.
        rater: The name: letters, digits, - and _.
        images: The sample.
        vocabulary: That of the plan.
        key: A name, from which with the rater's the order follows.
        is_resolver: Ask only where the two raters differ, or none is decided, without showing their answers.

    Raises:
        ConfigError: The name cannot be used, both raters have labelled already, or there is nothing to resolve.
        DataError: A file of labels is damaged.
    """
    answers = read_answers(folder, rater, "resolver" if is_resolver else "rater")
    others = [each for each in read_raters([folder]) if each.rater != rater and each.role == "rater"]
    if not is_resolver:
        if len(others) > 1:
            raise ConfigError(
                f"{others[0].rater} and {others[1].rater} are the raters; add --resolve to settle the rest"
            )
        return LabelSession(images, answers, vocabulary, key)
    finished = [each for each in others if each.is_complete(images)]
    if len(finished) < 2:
        raise ConfigError(f"{len(finished)} of 2 raters have finished; differences are known after that")
    if not (differing := disagreements(finished, images)):
        raise ConfigError("the raters differ about no image; there is nothing to resolve")
    return LabelSession(differing, answers, vocabulary, key)
