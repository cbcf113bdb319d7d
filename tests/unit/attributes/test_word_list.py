"""The word-level tokenizer: ids, marks, unknown words, and a word list that covers the caption grammar."""

import json

import pytest
import torch

from styleT2I.attributes.wording.captions import captions
from styleT2I.attributes.wording.word_list import grammar_words, tokenizer_spec
from styleT2I.errors import ConfigError
from styleT2I.networks.clip.tokenizers import WordTokenizer


def test_ids_follow_the_word_list_and_the_end_mark_is_the_highest():
    tokenizer = WordTokenizer(["he", "is", "not", "smiling"], context_length=8)
    assert tokenizer(["He isn't SMILING!", "", "he grins"]).tolist() == [
        [6, 2, 3, 4, 5, 7, 0, 0],
        [6, 7, 0, 0, 0, 0, 0, 0],
        [6, 2, 1, 7, 0, 0, 0, 0],
    ]
    assert tokenizer.vocab_size == 8 and tokenizer(["x"]).dtype == torch.int64


def test_too_long_sentences_keep_the_end_mark_and_are_reported():
    tokenizer = WordTokenizer(["he"], context_length=4)
    assert tokenizer(["he he he he"]).tolist() == [[3, 2, 2, 4]]
    assert tokenizer.truncated("he he he") and not tokenizer.truncated("he he")
    assert tokenizer.num_tokens("he he he") == 5


def test_unknown_words_come_once_with_the_nearest_known_one():
    tokenizer = WordTokenizer(["wearing", "lipstick"])
    assert tokenizer.unknown_words("Wearing lipstik, lipstik and zzz") == [
        ("lipstik", "lipstick"),
        ("and", None),
        ("zzz", None),
    ]


def test_hyphens_curly_quotes_and_possessives():
    tokenizer = WordTokenizer(["gray", "haired", "does", "not", "man", "smile"])
    ids = tokenizer(["gray-haired man\u2019s smile doesn\u2019t", "gray haired man smile does not"])
    assert torch.equal(ids[0], ids[1])


def test_word_list_survives_json_with_the_same_ids():
    spec = json.loads(json.dumps(tokenizer_spec()))
    assert spec["kind"] == "words"
    text = ["a young woman with blond hair wearing spectacles"]
    assert torch.equal(WordTokenizer(spec["words"])(text), WordTokenizer(grammar_words())(text))


def test_word_list_covers_the_captions_within_the_context():
    tokenizer = WordTokenizer(grammar_words())
    generator = torch.Generator().manual_seed(3)
    for i in range(600):
        labels = torch.rand(14, generator=generator) < 0.4
        labels[10:] = torch.arange(4) == i % 4
        for text in captions(labels, generator, 5):
            assert tokenizer.unknown_words(text) == [] and not tokenizer.truncated(text), text


@pytest.mark.parametrize("words", [[], ["a", "a"], ["Upper"], ["two words"], [""]])
def test_wrong_word_lists_are_refused(words):
    with pytest.raises(ConfigError):
        WordTokenizer(words)
