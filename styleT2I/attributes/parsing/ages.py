"""Ages in a text: "70 years old", "her late twenties", "a boy of 12", "woman, 30"."""

from styleT2I.torch_utils.words import Word, is_mark

OLDEST_YOUNG, YOUNGEST_OLD = 35, 50  # ages between them state neither young nor old
_BETWEEN = (OLDEST_YOUNG + YOUNGEST_OLD) // 2
_LEAST_BARE, _MOST = 10, 120  # neither "mother of two" nor "a 1950s portrait" states an age
_NUMBER_WORDS = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
_NUMBERS = {word: number for number, word in enumerate(_NUMBER_WORDS.split(), 1)}
_TEN_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety hundred"
_TENS = {word: tens for tens, word in enumerate(_TEN_WORDS.split(), 2)}
_DECADE_WORDS = "teens twenties thirties forties fifties sixties seventies eighties nineties"
_DECADES = {word: 10 * tens + 5 for tens, word in enumerate(_DECADE_WORDS.split(), 1)}
_BEFORE_DECADE = {"his", "her", "their", "my", "your", "in", ""}
_SHIFTS = {"early": -3, "mid": 0, "late": 3}
# a bare number is an age after these words or a mark, if the phrase ends with it
_BEFORE_AGE = frozenset(
    """is are was be am aged age ages about around approximately roughly nearly almost over under past
    turned turning of at looks circa maybe perhaps probably only just seems appears below above than""".split()
)
_AFTER_AGE = {"", "and", "with", "who", "or", "wearing", "has", "in", "without", "but", "so", "ish"}
_MORE, _LESS = {"over", "past", "above", "than"}, {"under", "below"}


def read_age(words: list[Word], i: int) -> tuple[int, int, bool] | None:
    """Return (number of words, age in years, whether it can describe a noun) of an age at word i, or None.

    Read are "70 years old", "seventy-five year old", "aged 70", "his 70s", "her late twenties", "twenty-something",
    "about sixty", "a girl of 12" and "woman, 30, smiling"; only "70 years old" and its like describe a noun.
    """
    texts = [word.text for word in words[i : i + 6]]
    texts += [""] * (6 - len(texts))
    before = words[i - 1].text if i else ""
    if texts[0] == "aged":
        first = 2 if texts[1] in ("about", "around", "roughly", "between", "over", "under") else 1
        length, age = _spelled_number(texts[first:])
        return (
            (first + length + _unit(texts, first + length), _bounded(age, texts[first - 1]), False) if length else None
        )
    if texts[0].endswith("yo") and texts[0] != "yo":
        texts[:1] = [texts[0].removesuffix("yo"), "yo"]
        length, age = _spelled_number(texts)
        return (1, age, True) if length else None
    shift = int(texts[0] in _SHIFTS)
    decade = _decade(texts[shift:])
    if decade:
        is_age = shift or before in _BEFORE_DECADE or is_mark(before)
        return (shift + decade[0], decade[1] + _SHIFTS.get(texts[0], 0), False) if is_age else None
    length, age = _spelled_number(texts)
    if not length:
        return None
    if texts[length] in ("month", "months", "week", "weeks") and texts[length + 1] == "old":
        return length + 2, 0, True
    unit = _unit(texts, length)
    if unit > 1 or texts[length] == "yo" or (unit and before in _BEFORE_AGE):
        return length + unit, age, True
    if texts[length] in ("something", "somethings", "odd", "ish") and age >= 20:
        return length + 1, age + 5, True
    is_bare = _LEAST_BARE <= age <= _MOST and (before in _BEFORE_AGE or (before != "" and is_mark(before)))
    ends = texts[length] in _AFTER_AGE or is_mark(texts[length])
    return (length, _bounded(age, before), False) if is_bare and ends else None


def _bounded(age, before) -> int:
    """Return an age that stands for "over 60" or "under 30"; one between young and old where the bound leaves both."""
    if before in _MORE:
        return age + 1 if age + 1 >= YOUNGEST_OLD else _BETWEEN
    if before in _LESS:
        return age - 1 if age - 1 <= OLDEST_YOUNG else _BETWEEN
    return age


def _decade(texts) -> tuple[int, int] | None:
    """Return (number of words, mean age) of "twenties", "70s", "30's" or "twentysomething" at the start of texts."""
    word = texts[0]
    if word in _DECADES:
        return 1, _DECADES[word]
    if word.endswith("0s") and word[:-1].isdecimal() and int(word[:-1]) <= _MOST:
        return 1, int(word[:-1]) + 5
    if word.isdecimal() and texts[1] == "'s" and int(word) % 10 == 0 and int(word) <= _MOST:
        return 2, int(word) + 5
    return None


def _unit(texts, start) -> int:
    """Return how many words after a number say that it counts years of age; 1 for "years" alone."""
    if texts[start : start + 3] == ["y", "/", "o"]:
        return 3
    if texts[start] not in ("year", "years", "yr", "yrs", "yo"):
        return 0
    after = texts[start + 1 : start + 3]
    return 1 + (1 if after[:1] in (["old"], ["young"]) else 2 if after == ["of", "age"] else 0)


def _spelled_number(texts) -> tuple[int, int]:
    """Return (number of words, value) of the number at the start of texts; (0, 0) when there is none."""
    word = texts[0]
    if word.isdecimal() and len(word) <= 3:
        return 1, int(word)
    if word in ("a", "one") and texts[1] == "hundred":
        return 2, 100
    if word in _TENS:
        units = _NUMBERS.get(texts[1], 10)
        return (2, 10 * _TENS[word] + units) if units < 10 else (1, 10 * _TENS[word])
    for ending in ("something", "ish"):
        if word.removesuffix(ending) in _TENS and word.endswith(ending):
            return 1, 10 * _TENS[word.removesuffix(ending)] + 5 * (ending == "something")
    return (1, _NUMBERS[word]) if word in _NUMBERS else (0, 0)
