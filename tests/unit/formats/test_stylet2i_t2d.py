"""The StyleT2I authors' text network: the same direction as an implementation of its own on the same numbers."""

import numpy as np
import pytest
import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.registry import read_network
from styleT2I.generation.model import Model
from styleT2I.networks.registry import load_network_component
from tests.published_t2d import VECTORS, WORDS, published, save, write_glove
from tests.tiny_model import tiny_generator


@pytest.fixture(autouse=True)
def no_glove_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STYLET2I_GLOVE", raising=False)


def load(path):
    return load_network_component(read_network(path))


SENTENCES = {
    "The woman has lipstick.": ["the", "woman", "has", "lipstick"],
    "she smiling oddly": ["she", "smiling", ""],
}


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("name", ["sentence_rnn", "gru"])
def test_directions_are_those_of_the_published_architecture(tmp_path, prefix, name):
    network = published(name=name)
    write_glove(tmp_path / "glove.6B.5d.txt")
    t2d = load(save(tmp_path / "last.pt", network, prefix, optimizer={"state": {}}, iteration=7))
    w = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network(SENTENCES.values(), w)
        s = t2d(w, t2d.encode_text(list(SENTENCES), clip=None))
    assert s.shape == (2, 6, 8)
    torch.testing.assert_close(s, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("w_dim, num_ws, hidden_dim", [(16, 4, 4), (4, 10, 12)])
def test_sizes_follow_from_the_tensors(tmp_path, w_dim, num_ws, hidden_dim):
    write_glove(tmp_path / "glove.6B.5d.txt")
    network = published(w_dim=w_dim, num_ws=num_ws, hidden_dim=hidden_dim)
    config = load(save(tmp_path / "last.pt", network)).config
    assert (config.w_dim, config.num_ws, config.text_dim) == (w_dim, num_ws, hidden_dim)
    assert (config.hidden_dim, config.num_hidden, config.space) == (w_dim * num_ws, 2, "w+")


@pytest.mark.parametrize("resolution", [16, 64])
def test_one_step_for_all_layers_fits_a_generator_of_any_resolution(tmp_path, resolution):
    """What the authors' --latent_space w trains: a direction in W, which every layer takes."""
    write_glove(tmp_path / "glove.6B.5d.txt")
    network = published(num_ws=1)
    path = save(tmp_path / "last.pt", network)
    assert read_network(path).config["space"] == "w"
    model = Model({"generator": tiny_generator(resolution=resolution), "t2d": path}, device="cpu")
    t2d, num_ws = model.network("t2d"), model.network("generator").num_ws
    w = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        s = t2d(w, t2d.encode_text(list(SENTENCES), clip=None))
        expected = network(SENTENCES.values(), w).expand(-1, num_ws, -1)
    torch.testing.assert_close(s, expected, atol=1e-5, rtol=1e-5)
    saved = model.save(tmp_path / "model")
    assert Model.from_pretrained(saved.parent, device="cpu").network("t2d").config.num_ws == num_ws


@pytest.mark.parametrize("text, words", [("3", 3), ("5", 5), ("100", 8)])
def test_more_or_fewer_lines_of_the_vectors_are_taken_as_asked(tmp_path, monkeypatch, text, words):
    write_glove(tmp_path / "glove.6B.5d.txt")
    monkeypatch.setenv("STYLET2I_GLOVE_LINES", text)
    found = read_network(save(tmp_path / "last.pt", published())).config["text_encoder"]["words"]
    assert len(found) == words


@pytest.mark.parametrize("text", ["0", "-1", "many", "9" * 30])
def test_a_wrong_number_of_lines_is_one_line(tmp_path, monkeypatch, text):
    write_glove(tmp_path / "glove.6B.5d.txt")
    monkeypatch.setenv("STYLET2I_GLOVE_LINES", text)
    with pytest.raises(CheckpointError, match="STYLET2I_GLOVE_LINES is"):
        read_network(save(tmp_path / "last.pt", published()))


def test_the_table_has_the_words_that_sentences_are_split_into_and_zero_for_others(tmp_path):
    write_glove(tmp_path / "glove.6B.5d.txt")
    component = read_network(save(tmp_path / "last.pt", published()))
    words = [word for word in WORDS if word not in ("'s", "Mr", ",")]
    assert component.config["text_encoder"]["words"] == words
    table = component.state_dict["text_encoder.embedding.weight"]
    assert table[0].abs().sum() == 0
    np.testing.assert_allclose(table[1:], np.stack([VECTORS[word] for word in words]), atol=1e-6)
    assert component.info["format"] == "stylet2i-t2d" and f"{len(words)} most frequent" in component.info["notes"][0]
    assert load_network_component(component).text_encoder.unknown_words("she goes")[0][0] == "goes"


@pytest.mark.parametrize("place", ["cache", "environment"])
def test_glove_is_found_in_the_cache_and_by_the_environment(tmp_path, monkeypatch, place):
    path = write_glove(tmp_path / ("cache" if place == "cache" else "elsewhere") / "glove.840B.5d.txt")
    if place == "environment":
        monkeypatch.setenv("STYLET2I_GLOVE", str(path))
    assert read_network(save(tmp_path / "last.pt", published())).kind == "t2d"


def test_a_missing_glove_file_is_asked_for(tmp_path):
    path = save(tmp_path / "last.pt", published())
    with pytest.raises(CheckpointError, match=r"last.pt: .*glove.840B.5d.txt.*beside it.*STYLET2I_GLOVE"):
        read_network(path)


def test_a_glove_file_of_another_size_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_GLOVE", str(write_glove(tmp_path / "glove.txt", dim=3)))
    with pytest.raises(CheckpointError, match="last.pt: its words have 5 numbers, those of .*glove.txt 3"):
        read_network(save(tmp_path / "last.pt", published()))


@pytest.mark.parametrize(
    "change, named",
    [
        (lambda state: state.update({"embedding.weight": torch.zeros(9, 5)}), "it has embedding.weight"),
        (lambda state: state.pop("mlp.2.weight"), "it has mlp.2.bias"),
        (lambda state: state.update({"mlp.2.weight": torch.zeros(48, 47)}), "do not lead from a latent"),
        (lambda state: state.update({"mlp.4.weight": torch.zeros(47, 48)}), "do not lead from a latent"),
        (lambda state: state.update({"mlp.4.bias": torch.zeros(3)}), "of another shape"),
        (lambda state: state["mlp.0.weight"].fill_(float("nan")), "trunk.mlp.0.weight.*NaN"),
        (lambda state: state.pop("sentence_rnn.bias_hh_l0"), "no network of a known format"),
    ],
)
def test_layers_that_do_not_fit_are_named_in_one_line(tmp_path, change, named):
    write_glove(tmp_path / "glove.6B.5d.txt")
    state = published().state_dict()
    change(state)
    torch.save({"sentence_encoder": state}, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match=named) as caught:
        load(tmp_path / "last.pt")
    assert "last.pt: " in str(caught.value) and "\n" not in str(caught.value)


def test_a_model_draws_with_such_a_network_in_place_of_its_own(tmp_path):
    write_glove(tmp_path / "glove.6B.5d.txt")
    path = save(tmp_path / "last.pt", published())
    model = Model({"generator": tiny_generator(), "t2d": path}, device="cpu")
    G, t2d = model.network("generator"), model.network("t2d")
    ws = G.mapping(torch.randn(1, 8, generator=torch.Generator().manual_seed(2)))
    s = t2d(ws[:, 0], t2d.encode_text(["the woman has lipstick"], clip=None))
    assert torch.isfinite(G.synthesis(ws + s)).all()
    saved = Model.from_pretrained(model.save(tmp_path / "model", "mine").parent, device="cpu")
    assert torch.equal(
        saved.network("t2d")(ws[:, 0], t2d.encode_text(["she"], None)), t2d(ws[:, 0], t2d.encode_text(["she"], None))
    )
