"""The parser's reading of one text: a walk over its words that attaches adjectives to parts and follows negation.

What it keeps while walking is in `walk.Walk`: adjectives that wait for their noun (`pending`), the parts last named
(`group`), what an "is" refers to (`subject`), and the negation in force (`negation`). The rules are listed in
docs/attributes.md.
"""

from styleT2I.attributes.parsing.adjectives import (
    attach,
    carry,
    flush,
    is_between_adjectives,
    is_heading,
    is_owner,
    read_adjective,
    read_derived,
    read_part,
    read_person,
)
from styleT2I.attributes.parsing.lexicon import Item, Lexicon
from styleT2I.attributes.parsing.negation_scope import (
    Negation,
    ends_at_conjunction,
    ends_in_noun,
    ends_phrase,
    following,
)
from styleT2I.attributes.parsing.walk import Walk, without_alternatives

_DENIALS = {"not", "nor", "neither"}
_ANSWERS = ("no", "none", "nope", "yes")


def read(lexicon: Lexicon, items: list[Item]) -> Walk:
    """Read all items; the results are the walk's `mentions`, `unknown` and `problems`."""
    walk = Walk(lexicon, items)
    for position, item in enumerate(walk.items):
        walk.position = position
        _step(walk, item)
    flush(walk)
    walk.report_denied()
    walk.unknown += [adjective.item for adjective in [*walk.doubtful, *walk.carried] if not adjective.is_used]
    walk.mentions, problems = without_alternatives(walk.mentions, walk.items, walk.alternatives)
    walk.problems += problems
    if walk.persons:
        walk.problems.append(
            f"names more than one person ({', '.join(dict.fromkeys(walk.persons))}); one is drawn, with everything "
            "that is said of any of them"
        )
    return walk


def _step(walk: Walk, item: Item):
    entry = item.entry
    if entry is None or "reported" in entry.roles or _is_verb(walk, entry):
        _unknown(walk, item)
    elif "mark" in entry.roles:
        _mark(walk, item)
    elif entry.roles & {"absent", "no"} and _is_answer(walk, item):
        _answer(walk, item)
    elif "aside" in entry.roles and walk.absentees():
        _set_aside(walk, item)
    elif entry.adverb_of and _is_of_whole(walk):
        for adjective in walk.take():
            attach(walk, adjective, [[entry.adverb_of]])
    elif entry.pronoun is not None or "nominative" in entry.roles:
        _pronoun(walk, item)
    elif "relative" in entry.roles and (item.text != "that" or walk.last in ("part", "person")):
        _relative(walk, item)
    elif entry.part is not None and not (entry.adjective and _modifies_next(walk)):
        read_derived(walk, item) if entry.is_derived else read_part(walk, item)
    elif entry.noun is not None and not (entry.adjective and _modifies_next(walk)):
        _unknown(walk, item) if is_owner(walk, item) else read_person(walk, item)
    elif entry.adjective and not (entry.roles & {"degree", "shave"} and _is_no_adjective(walk, entry)):
        read_adjective(walk, item)
    else:
        _function(walk, item)


def _mark(walk: Walk, item: Item):
    after = next(iter(following(walk.items, walk.position)), None)
    if item.text == "/":
        before = walk.items[walk.position - 1] if walk.position else None
        is_tight = before is not None and after is not None and before.end == item.start and item.end == after.start
        _conjunction(walk, "or" if is_tight else "comma")
    elif walk.last == "part" and not walk.is_apart and is_heading(walk, item):  # "hair: black, wavy", "Hair? Black."
        _copula(walk)
    elif item.text in ",:()" or (item.text == "?" and after is not None and after.text in _ANSWERS):
        _conjunction(walk, "comma")
    else:
        _stop(walk)


def _unknown(walk: Walk, item: Item):
    walk.unknown.append(item)
    if walk.pending and walk.is_apart and (walk.is_predicate or walk.pending[0].is_post):
        flush(walk)
    walk.before_unknown = bool(walk.pending) and (walk.before_unknown or not walk.is_apart)
    if walk.negation is not None and not _is_denied_verb(walk):
        walk.negation.is_spent = True
    walk.last, walk.is_apart = "unknown", False


def _function(walk: Walk, item: Item):
    roles = item.entry.roles
    negation = next((r for r in ("without", "no", "not", "neither", "nor", "unstated", "free") if r in roles), None)
    is_shaved = "shave" in roles and _is_shaved_off(walk)
    if is_shaved or negation:
        _negate(walk, "without" if is_shaved else negation)
    elif "but" in roles and walk.pending and not walk.is_predicate and is_between_adjectives(walk):
        walk.negation, walk.is_apart = None, True  # "bushy but not arched eyebrows", "wings not black but brown"
    elif "but" in roles:
        flush(walk)
        walk.negation, walk.last = None, ""
    elif roles & {"and", "or"}:
        _conjunction(walk, "or" if "or" in roles else "and")
    elif "copula" in roles:
        _copula(walk)
    elif roles & {"have", "wear"}:
        _object(walk)
        if walk.negation is not None:
            walk.negation.with_verb = True
    elif "with" in roles:
        if not carry(walk):
            _object(walk)
        if item.text == "including":  # "is black, including its beak"
            walk.echo = walk.said
    elif "determiner" in roles:
        _determiner(walk, "definite" in roles)
    elif item.text == "of":
        flush(walk)
        walk.is_of = True
    elif "place" in roles:
        if not carry(walk):
            flush(walk)
        walk.is_placed = True
    elif "shade" in roles and not _is_followed_by_adjective(walk):
        walk.unknown.append(item)
        walk.last, walk.is_apart = "unknown", False


def _pronoun(walk: Walk, item: Item):
    if "nominative" in item.entry.roles:
        flush(walk)
        walk.negation = walk.negation if walk.negation and walk.negation.is_fresh else None
        parts = walk.group or (walk.subject if walk.subject != [walk.lexicon.subject] else walk.named) or walk.subject
        is_corrected = walk.is_predicate and walk.said and walk.said[-1].negation is not None
        walk.begin("person")
        if item.text == "they" or (item.text == "it" and (is_corrected or walk.lexicon.pronoun != "it")):
            walk.subject, walk.last = parts, "relative"  # "her hair isn't blond, it's black"
        elif item.text == "it":
            walk.before = walk.named  # "a yellow bill. It is long"
        walk.has_person = walk.has_person or item.entry.pronoun is not None
    elif "determiner" in item.entry.roles:
        _determiner(walk, "definite" in item.entry.roles)
    for name, value in item.entry.pronoun or ():
        walk.mention(name, value, item.text, item)


def _relative(walk: Walk, item: Item):
    flush(walk)
    walk.negation = None
    subject = walk.group if walk.last == "part" and item.text in ("that", "which") else [walk.lexicon.subject]
    group = walk.group
    walk.begin("relative")
    walk.subject, walk.group = list(subject), group


def _copula(walk: Walk):
    is_aside = walk.last == "adjective" and not (walk.is_object or walk.is_predicate)  # "its bill, long, is black"
    flush(walk)
    walk.end_spent_negation()
    if walk.position and walk.items[walk.position - 1].text in ("so", "neither", "nor"):
        walk.echo = walk.said  # "its throat is white, and so is its belly"
    if walk.denied:
        walk.subject, walk.negation, walk.denied = [item.entry.part for item in walk.denied], Negation("not"), []
    elif is_aside and walk.group:
        walk.subject = list(walk.group)
    elif walk.last == "part" and (walk.is_bare or not walk.is_object):
        walk.subject = walk.group[-1:] if walk.is_object else list(walk.group)
    elif walk.last != "relative":
        walk.subject = [walk.lexicon.subject]
    walk.is_predicate, walk.last = True, "copula"
    walk.is_object = walk.is_placed = walk.is_apart = walk.has_determiner = False


def _object(walk: Walk):
    """What follows is had or worn: the verbs "has", "wears" and the word "with"."""
    walk.report_denied()
    is_patterned = bool(walk.pending) and "patterned" in walk.pending[-1].item.entry.roles
    is_carried = walk.negation is not None and walk.negation.is_continued and not walk.negation.is_spent
    flush(walk)
    if is_carried:  # "isn't smiling or wearing a hat"
        walk.negation.is_spent = False
    walk.end_spent_negation()
    walk.is_adrift = walk.last == "unknown" or is_patterned  # "edged with white", "spotted with brown"
    is_new_verb = walk.is_apart and "with" not in walk.items[walk.position].entry.roles  # "... and has"
    is_subject = (walk.is_predicate or walk.last == "relative") and not is_new_verb
    is_owned = walk.last == "part" or (is_subject and walk.subject != [walk.lexicon.subject])
    owner = list(walk.group) if walk.last == "part" else walk.subject
    walk.owner = owner if is_owned and not walk.is_adrift else []
    walk.is_predicate, walk.is_object, walk.is_placed = False, True, False
    walk.last, walk.group, walk.group_adjectives = "", [], []
    walk.is_apart = walk.has_determiner = False


def _determiner(walk: Walk, is_definite: bool):
    flush(walk)
    if not walk.is_apart:
        walk.end_spent_negation()
    elif is_definite:
        walk.is_object = False
    walk.has_determiner = True


def _stop(walk: Walk):
    flush(walk)
    walk.report_denied()
    walk.negation = None
    walk.begin("")


def _conjunction(walk: Walk, kind: str):
    if walk.negation is not None and ends_at_conjunction(
        walk.negation, kind, walk.items, walk.position, walk.lexicon, bool(walk.pending)
    ):
        walk.negation = None
    if kind == "or" and walk.negation is None:
        walk.alternatives.append(walk.position)
    if kind == "comma":
        walk.is_adrift = False
    walk.is_apart = True


def _is_of_whole(walk: Walk) -> bool:
    """Whether waiting adjectives with "above" or "below" describe the subject: "olive above, yellow below"."""
    is_whole = not walk.group and walk.subject == [walk.lexicon.subject]
    is_end = ends_phrase(walk.items, walk.position, frozenset({"mark", "and", "but", "or", "with"}))
    return bool(walk.pending) and is_whole and is_end


# ---- denials


def _negate(walk: Walk, kind: str):
    if kind == "free":  # "makeup-free" denies what stands before it
        if walk.last == "part" and walk.mentions:
            walk.mentions[-1] = walk.mentions[-1]._replace(value=not walk.mentions[-1].value)
        return
    if kind in ("without", "no", "unstated"):
        flush(walk)
    is_double = walk.negation is not None and walk.negation.is_fresh and kind != "nor"
    if kind == "without":
        _object(walk)
    walk.negation = None if is_double else Negation(kind)


def _is_answer(walk: Walk, item: Item) -> bool:
    """Whether a word such as "none", "gone", "no" denies what was named before."""
    roles = item.entry.roles
    if "no" in roles:
        return ends_phrase(walk.items, walk.position, frozenset({"mark"}))
    if "function" in roles and (walk.is_object or walk.pending):  # "off", but not "wearing a hat off"
        return False
    is_only = roles == {"absent"}
    return (is_only or ends_phrase(walk.items, walk.position)) and (bool(walk.absentees()) or bool(walk.pending))


def _answer(walk: Walk, item: Item):
    """Invert what was named before: "glasses: none", "his hat is off", "smiling: no"."""
    if walk.pending and walk.last == "adjective":
        walk.pending[-1].negation = Negation("not")
    elif walk.negation is not None and walk.negation.is_fresh:  # "his beard is not gone"
        walk.negation.is_spent = True
    else:
        for part in walk.absentees():
            said = [value for a in walk.group_adjectives for value in a.meaning.get(part, ())]
            for name, value in said:  # "big lips: no"
                if (name, value) not in walk.lexicon.scalar:
                    walk.turn_round(name, value)
            if not said:
                walk.deny(part, item)


def _set_aside(walk: Walk, item: Item):
    """Take back a thing that is not where it is worn: "a hat in his hand"."""
    for part in walk.absentees():
        for name, _ in walk.lexicon.presence.get(part, ()):
            walk.forget(name, part)
    walk.unknown.append(item)


def _is_determiner(item: Item) -> bool:
    return item.entry is not None and "determiner" in item.entry.roles


def _is_shaved_off(walk: Walk) -> bool:
    """Whether "shaved" removes the thing named: "he shaved his beard", but not "he shaved his head"."""
    after = following(walk.items, walk.position)[:2]
    return (
        len(after) == 2
        and after[0].text in ("his", "her", "the", "their")
        and after[1].entry is not None
        and (after[1].entry.part in walk.lexicon.presence)
    )


def _is_denied_verb(walk: Walk) -> bool:
    """Whether an unknown word after "not" is a verb, whose object the denial is about: "not growing a beard"."""
    before = walk.items[walk.position - 1].entry if walk.position else None
    before = None if before is None or "degree" in before.roles else before  # "you hardly notice her narrow eyes"
    after = next(iter(following(walk.items, walk.position)), None)
    is_first = walk.negation.kind in _DENIALS and before is not None and before.roles & _DENIALS
    is_owned = after is not None and after.text in ("his", "her", "their")  # which are there: "doesn't hide her bangs"
    return bool(is_first) and after is not None and not is_owned and _is_determiner(after)


# ---- looking ahead


def _modifies_next(walk: Walk) -> bool:
    """Whether a describing word follows at once, so that a word that can be both is an adjective here."""
    entry = walk.next_entry()
    return entry is not None and (entry.part is not None or entry.noun is not None or bool(entry.adjective))


def _is_no_adjective(walk: Walk, entry) -> bool:
    """Whether "pretty" or "little" only weakens the adjective after it: "is pretty old", not "a pretty old man"."""
    if "shave" in entry.roles:
        return _is_shaved_off(walk)
    entry = walk.next_entry()
    if entry is None or not entry.adjective or not walk.is_predicate:
        return False
    return not ends_in_noun(walk.items, walk.position)


def _is_followed_by_adjective(walk: Walk) -> bool:
    entry = walk.next_entry()
    return entry is not None and bool(entry.adjective)


def _is_verb(walk: Walk, entry) -> bool:
    """Whether a word that can be a noun is what the person does: "she waves", "he ties his shoes"."""
    before = walk.items[walk.position - 1].entry if "verb" in entry.roles and walk.position else None
    return before is not None and (
        before.noun is not None or "nominative" in before.roles or (walk.items[walk.position - 1].text == "who")
    )
