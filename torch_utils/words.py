"""Text -> words in the form that the parser and the word tokenizer share, and which known word was meant."""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple


class Word(NamedTuple):
    """One word or mark: its normal form and its place [start, end) in the text."""

    text: str
    start: int
    end: int


_WEIGHT = r":\d?\.\d+"  # of "(smiling:1.3)", as prompts of other models have them: neither a word nor a mark
_TOKEN = re.compile(
    rf"\bw/o?(?=\s)|[^\W_]+(?:'[^\W_]+)*|{_WEIGHT}|[,.;:!?()/&#|=+]|(?<=\s)[-\u2013\u2014]+(?=\s)|\u2014", re.UNICODE
)
_MARKS = {"|": ",", "+": ",", "#": ";", "=": ":"}  # what stands between keywords; each hashtag is for itself
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'"})
_WHOLE = {
    "can't": ("can", "not"),
    "cannot": ("can", "not"),
    "won't": ("will", "not"),
    "ain't": ("is", "not"),
    "isnt": ("is", "not"),
    "doesnt": ("does", "not"),
    "dont": ("do", "not"),
    "hasnt": ("has", "not"),
    "havent": ("have", "not"),
    "arent": ("are", "not"),
    "wasnt": ("was", "not"),
    "werent": ("were", "not"),
    "didnt": ("did", "not"),
    "aint": ("is", "not"),
    "shes": ("she", "is"),
    "hes": ("he", "is"),
    "whos": ("who", "is"),
    "theyre": ("they", "are"),
    "gonna": ("going", "to"),
    "w/": ("with",),
    "&": ("and",),
    "w/o": ("without",),
}
_TAILS = {"n't": "not", "'re": "are", "'m": "am", "'ve": "have", "'ll": "will", "'d": "had"}
# after these "'s" is a verb; after any other word it marks a possessive
_VERB_S = ("he", "she", "it", "there", "who", "that", "this", "what", "here")


def split_words(text: str) -> list[Word]:
    """Return lower-case words and punctuation marks; hyphens part words and contractions are written out.

    "He isn't clean-shaven." -> he, is, not, clean, shaven, "."
    """
    result = []
    for match in _TOKEN.finditer(text.translate(_QUOTES)):
        word, start, end = match.group().lower(), match.start(), match.end()
        if word == "=" and len(result) > 1 and result[-1].end == start:  # "age=old hair=gray": "old" ends there
            result.insert(-1, Word(";", result[-1].start, result[-1].start))
        result.extend(Word(part, *span) for part, span in _parts(word, start, end, " + " in text))
    return result


def _parts(word, start, end, is_sum):
    if word in _WHOLE:
        return [(part, (start, end)) for part in _WHOLE[word]]
    for tail, full in _TAILS.items():
        if word.endswith(tail) and len(word) > len(tail):
            cut = end - len(tail)
            return [(word[: -len(tail)], (start, cut)), (full, (cut, end))]
    if word.endswith("'s") and len(word) > 2:
        return [(word[:-2], (start, end - 2)), ("is" if word[:-2] in _VERB_S else "'s", (end - 2, end))]
    if re.fullmatch(_WEIGHT, word):
        return []
    if word[0] in "-\u2013\u2014":
        return [("without" if is_sum and word[0] == "-" else ",", (start, end))]
    return [(_MARKS.get(word, word), (start, end))]


def is_mark(word: str) -> bool:
    """Whether a word of `split_words` is a punctuation mark."""
    return not word[0].isalnum() and word != "'s"


def plain_words(text: str) -> list[str]:
    """Return the words without marks and possessive endings: "She isn't gray-haired!" -> she is not gray haired."""
    return [word.text for word in split_words(text) if not is_mark(word.text) and word.text != "'s"]


def unknown_words(text: str, known: Collection[str]) -> list[tuple[str, str | None]]:
    """Return the plain words that are not known, each once, with the known word nearest in spelling (or None)."""
    missing = [word for word in dict.fromkeys(plain_words(text)) if word not in known]
    return [(word, nearest_word(word, known)) for word in missing]


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one probably meant: one slip away (two from seven letters on).

    A slip is a letter too many, too few, wrong, or swapped with its neighbour. None where none is that near, as for
    words of three letters or fewer, of which too many are.
    """
    limit = 0 if len(word) < 4 else 1 if len(word) < 7 else 2
    best, letters = None, set(word)
    for other in known if limit else ():
        if abs(len(other) - len(word)) > limit or len(letters.difference(other)) > limit:
            continue
        num = slips(word, other)
        if num <= limit:
            best, limit = other, num - 1
            if limit < 0:
                break
    return best


def slips(one: str, other: str) -> int:
    """Edit distance in which a swap of neighbours counts once (optimal string alignment).

    Example:
        >>> slips("brwon", "brown"), slips("lipstik", "lipstick")
        (1, 1)
    """
    before, last = [], list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, wanted in enumerate(other, start=1):
            best = min(row[-1] + 1, last[j] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, last = last, row
    return last[-1]


def counted(num: int, what: str) -> str:
    """A number with its noun: "1 image", "8 images"."""
    return f"{num} {what}{'' if num == 1 else 's'}"
