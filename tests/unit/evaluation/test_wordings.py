"""Areas under the ROC curve against a count over all pairs."""

import pytest
import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.wording.paraphrase import Paraphraser
from styleT2I.evaluation.suites.wordings import area_under_the_curve


def test_the_area_is_the_share_of_pairs_in_the_right_order_with_ties_counted_half():
    generator = torch.Generator().manual_seed(0)
    score = torch.randint(0, 6, (40,), generator=generator).float()
    is_true = torch.rand(40, generator=generator) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in score[is_true].tolist() for b in score[~is_true].tolist()]
    assert area_under_the_curve(score, is_true) == pytest.approx(sum(pairs) / len(pairs))


def test_every_wording_means_its_attribute():
    wordings = list(Paraphraser("minifaces").wordings())
    assert len(wordings) > 400
    assert not [text for name, value, text in wordings if parse(text).attributes.get(name) is not value]
