"""Zero-shot margins and prompt ensembles against loops over single images."""

import pytest
import torch
from torch.nn import functional as F

from styleT2I.metrics.attributes import prompt_features, verdicts, zero_shot_margins


def test_margin_is_the_difference_of_the_two_cosines():
    torch.manual_seed(0)
    image, yes, no = torch.randn(5, 4), torch.randn(3, 4), torch.randn(3, 4)
    margins = zero_shot_margins(image, yes, no)
    for i in range(5):
        for a in range(3):
            wanted = F.cosine_similarity(image[i], yes[a], dim=0) - F.cosine_similarity(image[i], no[a], dim=0)
            assert margins[i, a].item() == pytest.approx(wanted.item(), abs=1e-6)


def test_exactly_one_of_an_exclusive_group_is_yes_and_it_is_the_nearest_prompt():
    torch.manual_seed(0)
    image, yes, no = torch.randn(50, 6), torch.randn(5, 6), torch.randn(5, 6)
    margins = zero_shot_margins(image, yes, no, [[1, 3, 4]])
    verdict = verdicts(margins)
    nearest = (F.normalize(image, dim=1) @ F.normalize(yes, dim=1).t())[:, [1, 3, 4]].argmax(dim=1)
    assert (verdict[:, [1, 3, 4]].sum(dim=1) == 1).all()
    assert torch.equal(verdict[:, [1, 3, 4]].argmax(dim=1), nearest)
    torch.testing.assert_close(margins[:, [0, 2]], zero_shot_margins(image, yes, no)[:, [0, 2]])


def test_wordings_count_alike_whatever_their_length():
    wordings = torch.tensor([[[3.0, 0.0], [0.0, 0.1]]])  # [1 prompt, 2 wordings, D]
    torch.testing.assert_close(prompt_features(wordings), torch.full((1, 2), 0.5**0.5))
