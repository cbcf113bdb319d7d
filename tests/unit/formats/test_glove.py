"""Word vectors looked up through an index: the same numbers as a plain reading, and what is not GloVe's format."""

import os

import numpy as np
import pytest
import torch

from styleT2I.errors import DataError
from styleT2I.formats.texts import glove_index
from styleT2I.formats.texts.glove import Glove, read_glove

NUM_WORDS, DIM = 300, 7
PUNCTUATION = ",", ".", "<unk>", "0.5", "münze", "𝒳"


@pytest.fixture
def table():
    words = [*PUNCTUATION, *(f"word{number}" for number in range(NUM_WORDS))]
    vectors = np.random.RandomState(0).randn(len(words), DIM).round(5)
    return dict(zip(words, vectors, strict=True))


def write(path, table, newline="\n", head=""):
    rows = (f"{word} {' '.join(map(str, vector))}{newline}" for word, vector in table.items())
    path.write_bytes((head + "".join(rows)).encode())
    return path


@pytest.fixture
def always_cached(monkeypatch):
    monkeypatch.setattr(glove_index, "MIN_CACHED_BYTES", 0)


def matrix(table, words):
    return torch.from_numpy(np.stack([table[word] for word in words])).float()


@pytest.mark.parametrize("newline, head", [("\n", ""), ("\r\n", ""), (" \n", ""), ("\n", f"{NUM_WORDS} {DIM}\n")])
def test_vectors_are_those_of_the_file_in_the_order_asked(tmp_path, table, newline, head):
    glove = Glove(write(tmp_path / "glove.txt", table, newline, head))
    words = ["word299", "word0", *PUNCTUATION, "word17", "word0"]
    vectors, missing = glove.vectors(words)
    torch.testing.assert_close(vectors, matrix(table, words))
    assert missing == [] and (glove.dim, len(glove)) == (DIM, len(table))
    assert glove.first_words(8) == [*PUNCTUATION, "word0", "word1"]
    assert glove.first_words(10**6) == list(table)


def test_unknown_words_are_named_and_zero(tmp_path, table):
    vectors, missing = Glove(write(tmp_path / "glove.txt", table)).vectors(["lipstik", "word1", "Word1", ""])
    assert missing == ["lipstik", "Word1", ""]
    assert vectors[[0, 2, 3]].abs().sum() == 0 and vectors[1].abs().sum() > 0


def test_words_with_spaces_in_them_do_not_shift_the_numbers(tmp_path):
    """As "at name@domain.com" in the 840B vectors."""
    path = tmp_path / "glove.txt"
    path.write_text("he 1 2\nat name@domain.com 3 4\n. . . 5 6\nat 7 8\n")
    vectors, missing = Glove(path).vectors(["at", "at name@domain.com", ". . .", "he"])
    assert vectors.tolist() == [[7, 8], [3, 4], [5, 6], [1, 2]] and missing == []


def test_of_a_word_that_stands_twice_the_first_counts(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("she 1 2\nhe 3 4\nshe 5 6\n")
    assert Glove(path).vectors(["she"])[0].tolist() == [[1, 2]]


def test_words_of_one_hash_are_told_apart(tmp_path, table, monkeypatch):
    monkeypatch.setattr(glove_index, "word_hash", lambda word: 5)
    monkeypatch.setattr("styleT2I.formats.texts.glove.word_hash", lambda word: 5)
    words = ["word7", "word250", "nothing"]
    vectors, missing = Glove(write(tmp_path / "glove.txt", table)).vectors(words)
    torch.testing.assert_close(vectors[:2], matrix(table, words[:2]))
    assert missing == ["nothing"]


def test_an_indexed_file_is_not_gone_through_again(tmp_path, table, monkeypatch, always_cached):
    path = write(tmp_path / "glove.txt", table)
    first = read_glove(path, ["word3", "nothing"])
    monkeypatch.setattr(glove_index, "build_index", lambda path: pytest.fail("the file was read again"))
    again = read_glove(path, ["word3", "nothing"])
    assert torch.equal(first[0], again[0]) and first[1] == again[1]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "glove"


def test_a_changed_file_is_indexed_anew(tmp_path, table, always_cached):
    path = write(tmp_path / "glove.txt", table)
    read_glove(path, ["word3"])
    reversed_table = dict(reversed(table.items()))
    write(path, reversed_table)
    os.utime(path, (1, 1))
    torch.testing.assert_close(read_glove(path, ["word3"])[0], matrix(table, ["word3"]))


@pytest.mark.parametrize("damage", ["cut", "flip", "html"])
def test_a_damaged_index_is_built_again(tmp_path, table, always_cached, own_cache, damage):
    path = write(tmp_path / "glove.txt", table)
    read_glove(path, ["word3"])
    (entry,) = own_cache.iterdir()
    data = bytearray(entry.read_bytes())
    data[-4] ^= 1  # in an offset or a hash
    entry.write_bytes({"cut": data[:-8], "flip": data, "html": b"<html>"}[damage])
    torch.testing.assert_close(read_glove(path, ["word3"])[0], matrix(table, ["word3"]))


def test_a_cache_that_cannot_be_written_is_warned_of(tmp_path, table, always_cached, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="built again each time: cannot write"):
        vectors, _ = read_glove(write(tmp_path / "glove.txt", table), ["word3"])
    torch.testing.assert_close(vectors, matrix(table, ["word3"]))


@pytest.mark.parametrize(
    "content, named",
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"PK\x03\x04 1 2 3\xff\xfe", "not a GloVe text file"),
        (b"word\nanother\n", "a line without numbers"),
        (b"he is a man\nshe is a woman\n", "could not convert string to float"),
        (b"x" * (2 << 20), "a line without numbers"),
        (b"\xff\xfe 1 2\n", "not a GloVe text file"),
        (b"400000 300\n", "holds no word vectors"),
    ],
)
def test_what_is_not_a_glove_file_is_refused_in_one_line(tmp_path, content, named):
    path = tmp_path / "glove.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=named) as caught:
        read_glove(path, ["he"])
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "numbers, named",
    [
        ("3 x", "not a GloVe line"),
        ("3 nan", "NaN or infinity"),
        ("3 1e999", "NaN or infinity"),
        ("3", "1 numbers where the first line has 2"),
        ("3 4 5 6", None),  # then "she 3 4" would be the word
    ],
)
def test_a_vector_that_is_no_numbers_is_named_by_its_line(tmp_path, numbers, named):
    path = tmp_path / "glove.txt"
    path.write_text(f"he 1 2\nshe {numbers}\n")
    assert read_glove(path, ["he"])[0].tolist() == [[1, 2]]
    if named is None:
        assert Glove(path).vectors(["she"])[1] == ["she"]
        return
    with pytest.raises(DataError, match=f"glove.txt:2: .*{named}"):
        read_glove(path, ["she"])
