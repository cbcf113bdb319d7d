"""Misspelt words: read as the known word that they must have meant, where there is one that is near enough."""

import functools
import gzip
import importlib.util
import re
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

from styleT2I.torch_utils.words import slips

MIN_LETTERS = 4  # a shorter word is near to too many
_LONG = 7  # letters from which on two slips are forgiven
_VERY_LONG = 9  # letters from which on two light slips are forgiven, and not only two of doubled letters
_MOST, _MOST_LONG = 1.3, 1.8  # cost of what is forgiven
_CLEARLY = 0.25  # by how much the best candidate must beat the next
_LIST = "bpe_simple_vocab_16e6.txt.gz"  # CLIP's byte pairs, in the order in which they were merged
_VOWELS = frozenset("aeiouy")
_SILENT = _VOWELS | {"h", "w"}
_ALIKE = str.maketrans("cqz", "kks")
_MOST_BY_EAR = 2  # slips of a word that sounds alike
_SOUNDS = 3  # least consonants, the first letter among them, by which a word is known
_HALF, _LIGHT, _HEAVY = 0.5, 0.9, 1.2  # of a slip: a doubled letter; a letter left out or a vowel; another letter


def meant(
    word: str, known: Iterable[str], states: Callable[[str], Hashable] | None = None, by_ear: bool = True
) -> str | None:
    """The known word that a misspelt one is read as; None where it is a word of its own, or two known ones are as near.

    One slip is forgiven, two from seven letters on, and the first letter must be right. Slips that people make most (a
    letter doubled or not, left out, swapped with its neighbour, another vowel) count less than others. Where no known
    word is that near, the one that sounds alike is meant: the same consonants and as many vowels, whichever.

    Args:
        word: In lower case.
        known: The words that can be meant.
        states: What a known word says; of words that are as near and say the same, any is meant (None: says nothing).
        by_ear: Whether words that sound alike are looked for.

    Example:
        >>> meant("smilling", ["smiling", "milling"]), meant("bear", ["beard"])
        ('smiling', None)
    """
    if len(word) < MIN_LETTERS or not word.isalpha() or is_english(word):
        return None
    limit, costs = 2 if len(word) >= _LONG else 1, []
    known = [other for other in known if other[0] == word[0]]
    for other in known:
        if abs(len(other) - len(word)) > limit or (len(other) < MIN_LETTERS and _squeezed(word) != other):
            continue
        num = slips(word, other)
        most = _MOST_LONG if len(word) >= _VERY_LONG else _MOST
        if num <= limit and (cost := _cost(word, other, num)) <= most:
            costs.append((cost, other))
    if by_ear and not costs:
        sound = _sound(word)
        heard = [other for other in known if _sound(other) == sound and _num_vowels(other) == _num_vowels(word)]
        heard = [other for other in heard if slips(word, other) <= _MOST_BY_EAR]
        heard = [other for other in heard if states is None or states(other) is not None]  # "dyeing" is not "doing"
        costs = [(slips(word, other) * _CLEARLY, other) for other in heard]
        costs = costs if len(sound) >= _SOUNDS else []
    costs.sort()
    near = [other for cost, other in costs if cost - costs[0][0] < _CLEARLY]
    alike = [other for other in near if _sound(other) == _sound(word)]
    near = alike if len(alike) == 1 else near  # "noze" is nose, and not none
    said = {states(other) for other in near} if states and len(near) > 1 else set()
    is_clear = len(near) == 1 or (len(said) == 1 and None not in said)
    return near[0] if is_clear else None


def is_english(word: str) -> bool:
    """Whether a word is one of the commonest of English web texts: those that CLIP's tokenizer has whole.

    True for every word where that list, a part of open_clip, is not there: then nothing is taken for misspelt.
    """
    words = _common_words()
    return words is None or word in words


def _cost(word, other, num) -> float:
    """Slips weighted by how likely people make them."""
    if _squeezed(word) == _squeezed(other):
        return _HALF * num
    if len(word) != len(other) or sorted(word) == sorted(other):
        return _LIGHT * num
    wrong = [(a, b) for a, b in zip(word, other, strict=True) if a != b]
    is_vowel = all(a in _VOWELS and b in _VOWELS for a, b in wrong)
    return (_LIGHT if is_vowel else _HEAVY) * num


@functools.lru_cache(maxsize=20000)
def _sound(word) -> str:
    """The consonants as they are spoken, doubled ones single: "wimin" sounds like "women"."""
    spoken = word.replace("ph", "f").replace("ck", "k").replace("gh", "").translate(_ALIKE)
    return _squeezed(word[0] + "".join(letter for letter in spoken[1:] if letter not in _SILENT))


def _num_vowels(word) -> int:
    """How many vowels are spoken: runs of vowel letters, less a silent e at the end."""
    return len(re.findall(f"[{''.join(sorted(_VOWELS))}]+", word.removesuffix("e")))


def _squeezed(word) -> str:
    """The word with doubled letters single."""
    return "".join(letter for k, letter in enumerate(word) if not k or letter != word[k - 1])


@functools.cache
def _common_words() -> frozenset[str] | None:
    spec = importlib.util.find_spec("open_clip")  # found, and not imported: that takes seconds
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / _LIST
        if path.is_file():
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                pairs = ["".join(line.split()) for line in lines]
            return frozenset(pair.removesuffix("</w>") for pair in pairs[1:48895] if pair.endswith("</w>"))
    return None
