"""The MiniFaces caption grammar: truthful, varied, reproducible, and read back exactly by the parser."""

import re
import time

import pytest
import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.attributes.wording import captions as grammar
from styleT2I.attributes.wording.captions import FORMS, caption, captions
from styleT2I.errors import ConfigError

NAMES = load_vocabulary("minifaces").names


def faces(num, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.rand(num, 14, generator=generator) < 0.45
    labels[:, 10:] = torch.eye(4, dtype=torch.bool)[torch.randint(4, (num,), generator=generator)]
    return labels, generator


def test_parser_reads_back_exactly_what_each_caption_set_out_to_mention(monkeypatch):
    mentioned = []
    draw = grammar._subset
    monkeypatch.setattr(grammar, "_subset", lambda *arguments: mentioned.append(draw(*arguments)) or mentioned[-1])
    labels, generator = faces(700, seed=1)
    for row in labels:
        mentioned.clear()
        for text, said in zip(captions(row, generator, 5), mentioned, strict=True):
            parsed = parse(text)
            assert parsed.attributes == said and not parsed.unknown and not parsed.contradictions, text


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_truthful(form):
    labels, generator = faces(60, seed=2)
    for row in labels:
        truth = dict(zip(NAMES, row.tolist(), strict=True))
        parsed = parse(caption(row, generator, form))
        assert parsed.attributes.items() <= truth.items()


def test_captions_vary_in_form_length_words_and_negation():
    labels, generator = faces(500, seed=3)
    texts = [text for row in labels for text in captions(row, generator, 4)]
    assert len(set(texts)) > 0.85 * len(texts)
    words = set(re.findall(r"[a-z]+", " ".join(texts).lower()))
    assert {
        "he",
        "she",
        "him",
        "her",
        "his",
        "man",
        "lady",
        "spectacles",
        "glasses",
        "fringe",
        "bangs",
        "grinning",
        "cap",
        "fair",
        "silver",
        "grey",
        "blonde",
        "without",
        "no",
        "person",
        "who",
        "and",
        "boy",
    } <= words
    sizes = {len(parse(text).attributes) for text in texts}
    assert sizes == {1, 2, 3, 4, 5, 6}
    denying = sum(
        not value
        for text in texts
        for name, value in parse(text).attributes.items()
        if name not in ("he", "old", "dark_skin")
    )
    stated = sum(len(parse(text).attributes) for text in texts)
    assert 0.02 < denying / stated < 0.3


def test_no_denial_stands_before_an_affirmed_thing():
    labels, generator = faces(500, seed=4)
    for row in labels:
        for text in captions(row, generator, 4):
            assert not re.search(r"\bno \w+(,| and) (a |an |lipstick|glasses|earrings|bangs|eyeglasses)", text), text


def test_boys_and_girls_are_young_and_grandparents_old():
    labels, generator = faces(2000, seed=5)
    for row in labels:
        text = caption(row, generator)
        if re.search(r"\b(boy|girl)\b", text):
            assert not row[NAMES.index("old")]
        if "grand" in text:
            assert row[NAMES.index("old")]


def test_same_generator_state_same_captions():
    labels, _ = faces(3, seed=6)
    once, again = (
        [captions(row, g, 5) for row in labels]
        for g in (torch.Generator().manual_seed(9), torch.Generator().manual_seed(9))
    )
    assert once == again
    as_mapping = dict(zip(NAMES, labels[0].tolist(), strict=True))
    assert captions(as_mapping, torch.Generator().manual_seed(9)) == once[0]


def test_five_thousand_captions_a_second():
    labels, generator = faces(50, seed=7)
    captions(labels[0], generator)
    start = time.process_time()
    for _ in range(4):
        for row in labels:
            captions(row, generator, 5)
    assert 1000 / (time.process_time() - start) > 5000


def test_wrong_arguments_are_refused():
    labels, generator = faces(1, seed=8)
    with pytest.raises(ConfigError, match="unknown caption form 'poem'"):
        caption(labels[0], generator, "poem")
    with pytest.raises(ConfigError, match="14 attributes, got 3"):
        caption([True, False, True], generator)
    with pytest.raises(ConfigError, match="needs all of the attributes"):
        caption({"he": True}, generator)
