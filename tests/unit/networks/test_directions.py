"""Text-to-Direction: the paper's sizes, the three output spaces, the sentence encoders."""

import pytest
import torch

from styleT2I.config import from_dict, to_dict
from styleT2I.errors import ConfigError
from styleT2I.networks.directions import DirectionConfig, GruTextConfig, GruTextEncoder, TextToDirection

SMALL = dict(w_dim=6, num_ws=4, text_dim=5, hidden_dim=16, num_hidden=1, rank=2)
WORDS = ("he", "she", "is", "smiling", "lipstick")


def direction(seed=0, **changes):
    torch.manual_seed(seed)
    return TextToDirection(DirectionConfig(**{**SMALL, **changes}))


def inputs(num=3):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num, 6, generator=generator), torch.randn(num, 5, generator=generator)


def test_the_papers_network_has_112_6_million_parameters():
    config = DirectionConfig(text_encoder=GruTextConfig(words=("a",)))
    with torch.device("meta"):
        network = TextToDirection(config)
    counted = {n: p.numel() for n, p in network.named_parameters() if "embedding" not in n}
    assert round(sum(counted.values()) / 1e6, 1) == 112.6
    assert [tuple(m.weight.shape) for m in network.trunk.mlp if hasattr(m, "weight")] == [
        (7168, 1024), (7168, 7168), (7168, 7168)]  # fmt: skip


@pytest.mark.parametrize("space, largest_rank", [("w+", 4), ("low-rank", 2), ("w", 1)])
def test_each_space_limits_the_rank_of_a_direction_over_the_layers(space, largest_rank):
    s = direction(space=space)(*inputs())
    assert s.shape == (3, 4, 6)
    assert torch.linalg.matrix_rank(s.detach(), rtol=1e-4).tolist() == [largest_rank] * 3


def test_a_direction_in_w_is_one_step_for_every_layer():
    s = direction(space="w")(*inputs())
    assert torch.equal(s[:, :1].expand_as(s), s)


def test_a_direction_depends_on_both_the_latent_and_the_sentence():
    network, (w, text) = direction(), inputs()
    assert not torch.allclose(network(w, text), network(w + 1, text))
    assert not torch.allclose(network(w, text), network(w, text + 1))


def test_standardized_directions_follow_a_change_of_units_of_w():
    network, (w, text) = direction(standardize=True), inputs()
    samples = torch.randn(1000, 6, generator=torch.Generator().manual_seed(2)) * 3 + 1
    network.trunk.set_w_statistics(samples)
    in_old_units = network(w, text)
    network.trunk.set_w_statistics(samples * 10 - 4)  # the same W, written as 10 w - 4
    torch.testing.assert_close(network(w * 10 - 4, text), in_old_units * 10, rtol=1e-4, atol=1e-4)


def test_every_parameter_gets_a_gradient():
    network = direction(text_encoder=GruTextConfig(WORDS, embedding_dim=3, hidden_dim=5, train_embedding=True))
    network(inputs(2)[0], network.encode_text(["he is smiling", "unseen"], clip=None)).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_config_survives_the_round_trip_through_json_values():
    config = DirectionConfig(text_encoder=GruTextConfig(WORDS))
    assert from_dict(DirectionConfig, to_dict(config)) == config


@pytest.mark.parametrize(
    "bad, named",
    [
        (dict(space="w++"), "did you mean 'w+'"),
        (dict(rank=0), "rank"),
        (dict(text_encoder=GruTextConfig(WORDS, hidden_dim=7)), "hidden_dim 7"),
    ],
)
def test_a_config_that_cannot_work_is_refused_by_name(bad, named):
    with pytest.raises(ConfigError, match=named.replace("+", r"\+")):
        DirectionConfig(**{**SMALL, **bad})


def gru(seed=0):
    torch.manual_seed(seed)
    return GruTextEncoder(GruTextConfig(WORDS, embedding_dim=3, hidden_dim=5))


def test_gru_features_are_the_mean_of_the_last_states_of_both_readings():
    encoder = gru()
    tokens = torch.tensor([[1, 3, 4]])  # he is smiling
    outputs, _ = encoder.gru(encoder.embedding(tokens))  # [1, 3, 2 * 5]
    expected = (outputs[:, -1, :5] + outputs[:, 0, 5:]) / 2
    torch.testing.assert_close(encoder(["He is smiling."]), expected)


def test_gru_features_of_a_sentence_do_not_depend_on_its_neighbours_or_order():
    encoder = gru()
    together = encoder(["he", "she is smiling", "he is"])
    for row, text in enumerate(["he", "she is smiling", "he is"]):
        torch.testing.assert_close(encoder([text])[0], together[row])


def test_unknown_words_are_named_once_with_the_nearest_known_one():
    assert gru().unknown_words("he is smilling, smilling zzz") == [("smilling", "smiling"), ("zzz", None)]


def test_given_vectors_fill_the_table_and_the_unknown_word_is_zero():
    encoder = gru()
    vectors = torch.arange(15.0).reshape(5, 3)
    encoder.load_vectors(vectors)
    assert torch.equal(encoder.embedding.weight[encoder.index["smiling"]], vectors[3])
    assert torch.equal(encoder.embedding.weight[0], torch.zeros(3))
