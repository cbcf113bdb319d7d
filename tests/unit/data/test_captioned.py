"""Which caption is true of which picture, on examples by hand and against loops over the labels."""

import pytest
import torch

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.data.dataset import Batch
from styleT2I.data.training import captioned as captioned_data
from styleT2I.data.training import joined
from styleT2I.data.training.captioned import CaptionedData, CaptionReader, captions_true_of, equal_captions
from styleT2I.errors import DataError
from styleT2I.training.losses import clip_contrastive_loss

NAMES = ("he", "lipstick", "hat")


def reader(names=NAMES):
    return CaptionReader(load_vocabulary("minifaces"), names)


def test_mentions_are_what_the_sentences_say():
    mentions = reader()(["he is wearing lipstick", "a woman without a hat", "a person"])
    assert mentions.asserted.int().tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert mentions.denied.int().tolist() == [[0, 0, 0], [1, 0, 1], [0, 0, 0]]
    assert mentions.is_checkable.tolist() == [True, True, False]
    assert mentions.asked.int().tolist() == [[1, 1, 0], [1, 0, 1], [0, 0, 0]]


def test_a_caption_is_true_of_every_picture_that_has_all_it_mentions():
    labels = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.bool)
    captions = ["he is wearing lipstick", "a man", "a woman without a hat", "a person wearing a hat", "someone"]
    expected = [[1, 1, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]
    assert captions_true_of(labels, reader()(captions)).int().tolist() == expected


def test_truth_equals_a_loop_over_random_labels_and_mentions():
    torch.manual_seed(0)
    labels = torch.rand(12, 5) < 0.5
    asserted, denied = torch.rand(9, 5) < 0.2, torch.rand(9, 5) < 0.2
    mentions = captioned_data.Mentions(asserted, denied & ~asserted, torch.rand(9) < 0.8)
    result = captions_true_of(labels, mentions)
    for n in range(12):
        for m in range(9):
            lacks = [a for a in range(5) if mentions.asserted[m, a] and not labels[n, a]]
            has = [a for a in range(5) if mentions.denied[m, a] and labels[n, a]]
            assert result[n, m] == (not lacks and not has and bool(mentions.is_checkable[m]))


def test_captions_that_speak_of_unlabelled_attributes_are_not_known_to_hold():
    mentions = reader(("he",))(["he is wearing lipstick", "he"])
    assert mentions.is_checkable.tolist() == [False, True]


def test_equal_captions_ignore_case_and_the_full_stop():
    assert equal_captions(["A man.", "a  man", "a woman"]).int().tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_masked_captions_neither_attract_nor_repel():
    """Two pictures that both fit both captions: the loss must not pull one from the other's caption."""
    labels = torch.tensor([[1, 0, 0], [1, 0, 0], [0, 0, 0]], dtype=torch.bool)
    captions = ["a man", "he wears no hat", "a woman"]
    also_true = captions_true_of(labels, reader()(captions))
    assert also_true[:2, :2].all() and also_true.diagonal().all() and not also_true[0, 2]
    image = torch.nn.functional.normalize(torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    text = image.clone().requires_grad_(True)
    loss = clip_contrastive_loss(image[:2], text[:2], 10.0, symmetric=True, also_true=also_true[:2, :2])
    assert loss.item() == 0 and torch.autograd.grad(loss, text)[0].abs().max() == 0
    assert clip_contrastive_loss(image, text, 10.0, symmetric=True, also_true=also_true).item() > 0


class FakeData:
    region_names = nuisance_names = ()
    resolution = 4

    def __init__(self, num, names, captions=("a man",)):
        self.num, self.attribute_names, self.captions = num, names, captions

    def __len__(self):
        return self.num

    def captions_of(self, index):
        return self.captions

    def batch(self, indices):
        values = torch.tensor([self.num * 10 + i for i in indices], dtype=torch.uint8)
        labels = torch.ones(len(indices), len(self.attribute_names), dtype=torch.bool)
        return Batch(values.view(-1, 1, 1, 1).expand(-1, 3, 4, 4), [self.captions] * len(indices), labels)


def test_data_sets_are_mixed_in_proportion_to_their_sizes(monkeypatch):
    parts = {"large": FakeData(9, NAMES), "small": FakeData(3, NAMES)}
    monkeypatch.setattr(joined, "open_dataset", lambda spec, resolution, with_masks: parts[spec])
    data = CaptionedData(("large", "small"), 4)
    seen = []
    for step in range(3):
        seen += [round((value + 1) * 127.5) for value in data.training_batch(0, 4, step).image[:, 0, 0, 0].tolist()]
    assert sorted(seen) == [30, 31, 32, *range(90, 99)]  # one epoch: every sample of both, once
    assert data.names == NAMES and data.batch([0, 11]).labels.shape == (2, 3)


def test_labels_are_used_only_where_all_data_sets_have_the_same(monkeypatch):
    parts = {"a": FakeData(2, NAMES), "b": FakeData(2, ()), "c": FakeData(2, NAMES, captions=())}
    monkeypatch.setattr(joined, "open_dataset", lambda spec, resolution, with_masks: parts[spec])
    mixed = CaptionedData(("a", "b"), 4)
    assert mixed.names == () and mixed.batch([0, 3]).labels is None
    with pytest.raises(DataError, match="c: has no captions"):
        CaptionedData(("a", "c"), 4)
    with pytest.raises(DataError, match="--data SPEC"):
        CaptionedData((), 4)
