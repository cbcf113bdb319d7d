"""What holds for any text: spans, no word dropped in silence, odd input, linear time, and a round trip of any set."""

import json
import random
import re
import time
from pathlib import Path

import pytest

from styleT2I.attributes.parsing.lexicon import compile_lexicon
from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.attributes.wording.sentences import sentence
from styleT2I.attributes.wording.word_list import grammar_words
from styleT2I.errors import PromptError
from styleT2I.torch_utils.words import split_words

ROOT = Path(__file__).resolve().parents[3]
HELD = json.loads((ROOT / "tests/data/held_sentences_labelled.json").read_text())["cases"]
NAMES = ("portraits", "minifaces", "celeba", "cub")


def words_of(text):
    return [word.text for word in split_words(text)]


def check_spans(text, vocabulary):
    """The slice of a mention holds its phrase: its first and last word at the ends, the others in order."""
    parsed = parse(text, vocabulary)
    read_as = {one.word: one.read_as for one in parsed.corrected}
    for mention in parsed.mentions:
        phrase, here = mention.phrase.split(), words_of(text[slice(*mention.span)])
        here = [read_as.get(word, word) for word in here]
        if phrase[0] in ("no", "not") and here[0] != phrase[0]:  # the denial is elsewhere
            phrase = phrase[1:]
        rest = iter(here)
        assert (here[0], here[-1]) == (phrase[0], phrase[-1]) and all(word in rest for word in phrase), (text, mention)
    for unknown in parsed.unknown:
        assert set(unknown.word.split()) <= set(words_of(text[slice(*unknown.span)])), (text, unknown)


def dropped(text, name):
    """Words that could state something and are neither in a mention nor reported."""
    vocabulary = load_vocabulary(name)
    parsed, lexicon = parse(text, vocabulary), compile_lexicon(vocabulary)
    spans = [item.span for item in (*parsed.mentions, *parsed.unknown)]
    result = []
    for item in lexicon.scan(text)[0]:
        is_covered = any(start <= item.start and item.end <= end for start, end in spans)
        if is_covered or any(f'"{item.text}' in line or f'{item.text}"' in line for line in parsed.contradictions):
            continue
        entry = item.entry
        is_telling = entry is None or entry.noun or entry.pronoun or any(entry.adjective.values())
        is_ignored = entry is not None and () in entry.adjective.values()  # "a wide smile" is a smile
        if is_telling and not (entry and entry.roles) and not is_ignored:
            result.append(item.text)
    return result


@pytest.mark.parametrize("name", NAMES)
def test_spans_hold_the_phrases(name):
    for case in HELD:
        if case["vocabulary"] == name:
            check_spans(case["text"], name)


@pytest.mark.parametrize("name", NAMES)
def test_no_word_of_the_held_sentences_is_dropped_in_silence(name):
    for case in HELD:
        if case["vocabulary"] == name:
            assert dropped(case["text"], name) == [], case["text"]


@pytest.mark.parametrize(
    "file, name", [("celebahq_unseen_test_captions.json", "celeba"), ("cub_test_unseen_captions.json", "cub")]
)
def test_no_word_of_released_captions_is_dropped_and_spans_hold(shared_dir, file, name):
    texts = [text for group in json.loads((shared_dir / "data/stylet2i" / file).read_text()) for text in group]
    for text in texts[:: 1 + len(texts) // 700]:
        check_spans(text, name)
        assert dropped(text, name) == [], text


@pytest.mark.parametrize(
    "text, expected",
    [
        ("He\u2019s clean\u2011shaven \u2014 isn\u2019t he?", {"he": True, "beard": False}),
        ("a man\nwearing\t glasses\r\n", {"he": True, "eyeglasses": True}),
        ("<p>A <b>man</b> with <i>glasses</i></p>", {"he": True, "eyeglasses": True}),
        ("\U0001f60a SHE WEARS A HAT!!! \U0001f3a9", {"he": False, "hat": True}),
        ("\u201cyoung woman\u201d \u2013 no hat\u2026", {"he": False, "old": False, "hat": False}),
        ("12345 67890 hat", {"hat": True}),
        ("hat" + " \u200b" * 50, {"hat": True}),
        ("{\"hat\": true, 'beard': false}", {"hat": True, "beard": False}),
        ("\x00hat\x07", {"hat": True}),
    ],
)
def test_odd_characters_do_not_disturb_the_reading(text, expected):
    assert parse(text).attributes == expected
    check_spans(text, "minifaces")


def test_random_characters_and_words_are_read_without_an_error():
    dice = random.Random(5)
    alphabet = "ab \n.,;:!?()/&-'\u2019\u2014<>\"0159\u00e9\u0130\u4e2d\U0001f600"
    known = grammar_words() + tuple(",.;:/?()&") + ("'s", "n't", "5", "60s")
    for _ in range(100):
        noise = "".join(dice.choice(alphabet) for _ in range(dice.randint(1, 60)))
        mix = " ".join(dice.choice(known) for _ in range(dice.randint(1, 25)))
        for text in (noise, mix, f"{mix} {noise}"):
            try:
                check_spans(text, dice.choice(NAMES))
            except PromptError as error:
                assert "no words" in str(error) or "is empty" in str(error)


@pytest.mark.parametrize(
    "piece",
    [
        "the man with black hair and a beard or glasses, who is old, wears a hat and is not smiling ",
        "no beard or ",
        "beard or ",
        "old and ",
        "neither her lips nor ",
        "none ",
        "x, ",
        "makeup is light ",
        "bags under her ",
    ],
)
def test_time_grows_with_the_length_and_ten_thousand_characters_take_moments(piece):
    def seconds(length):
        start = time.process_time()
        parse((piece * (length // len(piece) + 1))[:length], "celeba")
        return time.process_time() - start

    parse(piece, "celeba")
    short, long = (min(seconds(length) for _ in range(2)) for length in (10_000, 40_000))
    assert short < 2 and long < 12 * short + 0.2, (short, long)  # 16 times were quadratic


@pytest.mark.parametrize("name", NAMES)
def test_sentences_of_large_attribute_sets_are_read_back_exactly(name):
    vocabulary, dice = load_vocabulary(name), random.Random(11)
    for _ in range(150):
        size = dice.randint(1, min(14, len(vocabulary.names)))
        wanted = {a: dice.random() < 0.6 for a in dice.sample(vocabulary.names, size)}
        for group in vocabulary.exclusive:
            for extra in [a for a in group.attributes if wanted.get(a)][1:]:
                wanted[extra] = False
        parsed = parse(sentence(wanted, vocabulary), vocabulary)
        assert parsed.attributes == wanted and not parsed.unknown and not parsed.contradictions, parsed.text


@pytest.mark.parametrize("name", NAMES)
def test_every_single_attribute_is_said_and_read_back(name):
    vocabulary = load_vocabulary(name)
    for attribute in vocabulary.names:
        for value in (True, False):
            assert parse(sentence({attribute: value}, vocabulary), vocabulary).attributes == {attribute: value}


def test_words_that_are_only_heard_leave_the_word_list_of_the_shipped_clip_as_it_is():
    config = json.loads((ROOT / "checkpoints/minifaces/clip.json").read_text())

    def find(node):
        if isinstance(node, dict):
            return node["words"] if "words" in node else next(filter(None, map(find, node.values())), None)
        return None

    assert find(config) == list(grammar_words("minifaces"))
    vocabulary = load_vocabulary("minifaces")
    assert parse("a man in shades", vocabulary).attributes == {"he": True, "eyeglasses": True}
    assert parse("a man in shades", vocabulary.written).attributes == {"he": True}


THINGS = {
    "minifaces": ("eyeglasses", "hat", "earrings", "beard", "bangs", "lipstick"),
    "celeba": ("Eyeglasses", "Wearing_Hat", "Goatee", "Mustache", "Sideburns", "Double_Chin", "Wearing_Necktie"),
}
FORMS = [
    ("{s} has {a} and {b}", 1, 1),
    ("{s} has no {A} or {B}", 0, 0),
    ("{s} has neither {a} nor {b}", 0, 0),
    ("{s} with {a} but without {b}", 1, 0),
    ("{s} without {a} but with {b}", 0, 1),
    ("no {A}, no {B}", 0, 0),
    ("{s} doesn't have {a} or {b}", 0, 0),
    ("{A}: yes, {B}: no", 1, 0),
    ("{A}: none. {B}: yes", 0, 1),
    ("{s} lacks {a} and has {b}", 0, 1),
    ("not only {a} but also {b}", 1, 1),
    ("{s} has {a}, not {b}", 1, 0),
    ("is there {a}? no. {b}? yes", 0, 1),
    ("{s} has {b} instead of {a}", 0, 1),
]


@pytest.mark.parametrize("form, first, second", FORMS, ids=[form for form, _, _ in FORMS])
@pytest.mark.parametrize("name", THINGS)
def test_any_two_things_are_read_in_any_form(name, form, first, second):
    vocabulary = load_vocabulary(name)
    for a in THINGS[name]:
        for b in THINGS[name]:
            if a != b:
                x, y = vocabulary[a].true.object, vocabulary[b].true.object
                text = form.format(s="the person", a=x, b=y, A=x.removeprefix("a "), B=y.removeprefix("a "))
                assert parse(text, vocabulary).attributes == {a: bool(first), b: bool(second)}, text


NUMBERS = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety 7 70""".split()
DECADES = "twenties thirties forties fifties sixties seventies eighties nineties teens 20s 70's".split()
AGES = [
    *(f"a {number} years old person" for number in [*NUMBERS, "hundred", "seventy five"]),
    *(f"a person in their {shift}{decade}" for decade in DECADES for shift in ("", "early ", "mid ", "late ")),
    "a person aged 70", "a 30yo person", "a person, thirtysomething", "one hundred years old person",
]  # fmt: skip


@pytest.mark.parametrize("text", AGES)
def test_no_age_is_missed_by_what_words_an_age_may_begin_with(text, monkeypatch):
    read = parse(text, "celeba").attributes
    monkeypatch.setattr("styleT2I.attributes.parsing.lexicon._BEGINS_AGE", re.compile(""))
    assert parse(text, "celeba").attributes == read
    assert set(read) <= {"Young"} and (read or re.search("thirt|fort|3[0-9]", text)), read
