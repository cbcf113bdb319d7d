"""Counts of captions and labels, and which pairs of attributes are rarest."""

import pytest
import torch

from styleT2I.data.statistics import rarest_pairs, statistics_of


class Labelled:
    attribute_names = ("beard", "lipstick", "hat", "monocle")

    def __init__(self, labels, captions):
        self.labels, self.captions = labels, captions

    def __len__(self):
        return len(self.labels)

    def labels_of(self, rows):
        return self.labels[list(rows)]

    def captions_of(self, index):
        return self.captions[index]


@pytest.fixture
def data():
    """100 images: beard in 50, lipstick in 40 of the others and in 1 bearded one, hats at random, one monocle."""
    labels = torch.zeros(100, 4, dtype=torch.bool)
    labels[:50, 0] = True
    labels[50:90, 1] = labels[0, 1] = True
    labels[::2, 2] = True
    labels[7, 3] = True
    return Labelled(labels, [("a man smiles", "he smiles")] * 60 + [()] * 40)


def test_numbers_are_counted(data):
    found = statistics_of(data)
    assert (found.num, found.num_captioned, found.num_captions, found.num_words) == (100, 60, 120, 4)
    assert found.mean_words == 2.5 and found.rates == {"beard": 0.5, "lipstick": 0.41, "hat": 0.5, "monocle": 0.01}


def test_the_rarest_pairs_fall_shortest_of_independence(data):
    found = statistics_of(data).rarest
    assert (found[0].name, found[0].found, found[0].expected) == ("beard + lipstick", 1, 20.5)
    by_name = {pair.name: pair for pair in found}
    assert by_name["not lipstick + beard"].found == 49 and by_name["not lipstick + beard"].expected == 0.59 * 50
    assert by_name["beard + hat"].found == by_name["beard + hat"].expected == 25
    assert not [pair for pair in found if "monocle" in pair.name]  # one image says nothing of pairs
    assert len(rarest_pairs(data.labels, data.attribute_names, 2)) == 2


def test_without_labels_or_captions_nothing_is_invented():
    data = Labelled(torch.zeros(3, 0, dtype=torch.bool), [()] * 3)
    data.attribute_names = ()
    found = statistics_of(data)
    assert (found.num, found.num_captioned, found.mean_words, found.rates, found.rarest) == (3, 0, 0, {}, ())
