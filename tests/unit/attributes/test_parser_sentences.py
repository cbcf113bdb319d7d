"""The parser against sentences labelled by hand: free ones, and captions that StyleT2I's authors released."""

import json
from pathlib import Path

import pytest

from styleT2I.attributes.parsing.parser import parse

DATA = Path(__file__).resolve().parents[2] / "data"
HELD = json.loads((DATA / "held_sentences_labelled.json").read_text())
BLIND = json.loads((DATA / "blind_sentences_labelled.json").read_text())
FREE = json.loads((DATA / "free_sentences_labelled.json").read_text())


def counts(attributes, labels):
    """Return (right, too many, missing); a value that is turned round is both too many and missing."""
    right = sum(labels.get(name) == value for name, value in attributes.items())
    return right, len(attributes) - right, len(labels) - right


@pytest.mark.parametrize("case", FREE, ids=[case["text"][:40] for case in FREE])
def test_free_sentences_are_read_as_a_person_reads_them(case):
    parsed = parse(case["text"], case["vocabulary"])
    assert parsed.attributes == case["attributes"]
    assert [unknown.word for unknown in parsed.unknown] == case["unknown"]
    assert parsed.contradictions == ()


def cases_of(labelled):
    """The sentences of a file; those that the parser is known to misread are expected to fail."""
    for case in labelled["cases"]:
        marks = pytest.mark.xfail(reason="known to be misread", strict=True) if case.get("misread") else ()
        yield pytest.param(case, marks=marks, id=case["text"][:40])


@pytest.mark.parametrize("case", list(cases_of(HELD)))
def test_held_sentences_are_read_exactly(case):
    parsed = parse(case["text"], case["vocabulary"])
    assert parsed.attributes == case["attributes"]
    assert [unknown.word for unknown in parsed.unknown] == case["unknown"]
    assert bool(parsed.contradictions) == case.get("contradictory", False)


def test_few_of_the_held_sentences_are_misread():
    misread = [case for case in HELD["cases"] if case.get("misread")]
    assert len(HELD["cases"]) == 580 and len(misread) <= 7


@pytest.mark.parametrize("case", list(cases_of(BLIND)))
def test_blind_sentences_have_the_labelled_attributes(case):
    assert parse(case["text"], case["vocabulary"]).attributes == case["attributes"]


def test_few_of_the_blind_sentences_are_misread():
    found = [counts(parse(case["text"], case["vocabulary"]).attributes, case["attributes"]) for case in BLIND["cases"]]
    right, extra, missing = (sum(column) for column in zip(*found, strict=True))
    assert len(found) == 643 and sum(bool(case.get("misread")) for case in BLIND["cases"]) <= 28
    assert right / (right + extra) >= 0.99 and right / (right + missing) >= 0.985


@pytest.fixture(scope="module")
def captions(shared_dir):
    return json.loads((shared_dir / "data/stylet2i/celebahq_unseen_test_captions.json").read_text())


def test_released_captions_have_the_labelled_attributes(captions):
    cases = json.loads((DATA / "celebahq_captions_labelled.json").read_text())["captions"]
    right = extra = missing = 0
    for case in cases:
        found = parse(captions[case["image"]][case["caption"]], "celeba")
        a, b, c = counts(found.attributes, case["labels"])
        right, extra, missing = right + a, extra + b, missing + c
    assert len(cases) == 200 and right > 1300
    assert right / (right + extra) >= 0.98 and right / (right + missing) >= 0.97


def test_every_word_of_the_released_captions_is_understood_or_reported(captions):
    texts = [text for group in captions for text in group]
    assert len(texts) == 6484
    reported = {unknown.word for text in texts for unknown in parse(text, "celeba").unknown}
    assert reported == set()


def test_an_unknown_word_after_a_caption_is_reported_and_changes_nothing_else(captions):
    for group in captions[:100]:
        words = group[0].split()
        plain = parse(group[0], "celeba")
        marked = parse(" ".join([*words, "xyzzy"]), "celeba")
        assert [u.word for u in marked.unknown] == [*(u.word for u in plain.unknown), "xyzzy"]
        assert marked.attributes == plain.attributes
