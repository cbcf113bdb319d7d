"""Ages in figures and words: "a 70-year-old man", "in her twenties"."""

from styleT2I.torch_utils.words import Word

OLDEST_YOUNG, YOUNGEST_OLD = 35, 50  # ages between them state neither young nor old
_TENS = {"ten": 10, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
         "ninety": 90}
_UNITS = {word: n for n, word in enumerate("one two three four five six seven eight nine".split(), start=1)}
_DECADES = {"teens": 15, "twenties": 25, "thirties": 35, "forties": 45, "fifties": 55, "sixties": 65, "seventies": 75,
            "eighties": 85, "nineties": 95}


def read_age(words: list[Word], i: int) -> tuple[int, int] | None:
    """Return (number of words, age in years) of an age that starts at word i, or None.

    Read are "70 years old", "seventy-five year old", "aged 70", "his 70s" and "her twenties".
    """
    texts = [word.text for word in words[i:i + 5]]
    texts += [""] * (5 - len(texts))
    if texts[0] in _DECADES:
        return 1, _DECADES[texts[0]]
    if texts[0].endswith("0s") and texts[0][:-1].isdecimal():
        return 1, int(texts[0][:-1]) + 5
    if texts[0] == "aged":
        length, age = _number(texts[1:])
        return (length + 1, age) if length else None
    length, age = _number(texts)
    if not length or texts[length] not in ("year", "years", "yr", "yrs"):
        return None
    after = texts[length + 1:]
    extra = 1 if after[0] == "old" else 2 if after[:2] == ["of", "age"] else 0
    return length + 1 + extra, age


def _number(texts) -> tuple[int, int]:
    """Return (number of words, value) of the number at the start of texts; (0, 0) when there is none."""
    if texts[0].isdecimal():
        return 1, int(texts[0])
    if texts[0] in _TENS:
        return (2, _TENS[texts[0]] + _UNITS[texts[1]]) if texts[1] in _UNITS else (1, _TENS[texts[0]])
    return (1, _UNITS[texts[0]]) if texts[0] in _UNITS else (0, 0)
