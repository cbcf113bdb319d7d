"""The parser's handling of words that describe: adjectives, the parts and persons they belong to, what is stated."""

from styleT2I.attributes.parsing.lexicon import Item
from styleT2I.attributes.parsing.negation_scope import (
    following,
    is_second_person,
    leads_to_copula,
    leads_to_part,
    located_part,
)
from styleT2I.attributes.parsing.walk import Adjective, Walk, denial_word

_OWNERS = ("his", "her", "their", "its")
_ON = frozenset("on in of over across along throughout at upon atop covering".split())  # of the part itself


def read_adjective(walk: Walk, item: Item):
    if walk.before_unknown and walk.is_apart:
        flush(walk)
    if walk.last == "part" and not walk.is_apart:
        walk.end_spent_negation()
    if "marking" in item.entry.roles:  # the colour of "white spots" is not the wing's
        walk.doubtful += walk.take()
    follows_part = walk.last == "part" and not walk.is_apart and not walk.has_determiner
    is_post = follows_part or bool(walk.pending and walk.pending[-1].is_post)
    walk.pending.append(Adjective(item, walk.negation, walk.is_apart, is_post))
    if walk.negation is not None and not walk.negation.takes_nouns:
        walk.negation.is_spent = True
    walk.is_apart, walk.last = False, "adjective"


def read_part(walk: Walk, item: Item):
    if walk.pending and walk.is_apart:
        flush(walk)
    if walk.last == "part" and not walk.is_apart:
        walk.end_spent_negation()
    part, pending = item.entry.part, [*walk.carried, *walk.take()]
    walk.carried = []
    if part in walk.lexicon.carriers and _hand_on(walk, part, pending):
        return
    if walk.echo and not pending and not walk.is_described_next():
        pending, walk.echo, walk.negation = walk.echo, [], None
    presence = (*walk.lexicon.presence.get(part, ()), *item.entry.states)
    is_chained = walk.is_apart and walk.last == "part" and not pending
    stated = _describe(walk, part, pending, item)
    if is_chained and not presence and not walk.has_determiner and not walk.is_described_next():
        for adjective in walk.group_adjectives:
            stated |= _say(walk, adjective, part, item)
    denial = "" if presence and _is_denied_subject(walk) else denial_word(walk.negation, "no")
    for name, value in presence:
        if name not in stated:
            walk.mention(name, value, item.text, item, denial=denial)
    if item.entry.is_reported:
        walk.unknown.append(item)
    if walk.negation is not None:
        _lack(walk, item, pending, is_said=bool(presence or stated))
    if not (is_chained and not walk.group_is_said):
        walk.group = []
    if not is_chained:
        walk.group_adjectives = pending
    walk.group = [*walk.group, part]
    walk.group_is_said = bool(pending)
    walk.is_bare = not (pending or presence)
    walk.is_placed = walk.is_adrift = False
    walk.owner = []
    walk.last, walk.is_apart, walk.has_determiner, walk.is_of = "part", False, False, False


def _lack(walk: Walk, item: Item, pending: list[Adjective], is_said: bool):
    """A part in a negation's reach: what its absence states, unless the denial is about its verb."""
    is_plain = not (pending or item.entry.states or item.entry.is_reported)
    absence = walk.lexicon.absence.get(item.entry.part, ()) if is_plain else ()
    kinds = ("neither", "nor") if absence else ("neither", "nor", "no")
    if _is_inverted(walk):
        walk.subject = [item.entry.part]
        return
    is_subject = walk.negation.kind in kinds and is_plain and not is_said
    if _is_denied_subject(walk) or (is_subject and leads_to_copula(walk.items, walk.position)):
        walk.denied.append(item)
        return
    for name, value in absence:
        walk.mention(name, value, f"no {item.text}", item)
    if not (absence or is_said or item.entry.is_reported):
        walk.unknown.append(item)
    walk.negation.is_spent = True


def _is_denied_subject(walk: Walk) -> bool:
    """Whether "neither his beard nor ..." denies what is said of the beard, and not the beard."""
    is_owned = walk.position > 0 and walk.items[walk.position - 1].text in (*_OWNERS, "the")
    kind = walk.negation.kind if walk.negation is not None and is_owned else ""
    is_subject = kind in ("neither", "nor") and leads_to_copula(walk.items, walk.position)
    return is_subject or _is_inverted(walk)


def _is_inverted(walk: Walk) -> bool:
    """Whether the verb came first: "nor are his eyebrows arched"."""
    is_inverted = walk.negation is not None and walk.negation.kind == "nor" and walk.last == "copula"
    return is_inverted and walk.is_described_next()


def _hand_on(walk: Walk, part: str, pending: list[Adjective]) -> bool:
    """Give the adjectives of "feathers", "colour", "patch" to the part that has them; False if there is none."""
    place = located_part(walk.items, walk.position)
    if place is not None:
        (walk.doubtful if place in walk.lexicon.closed else walk.carried).extend(pending)
        return True
    if walk.last == "part" and not (pending or walk.is_apart):  # "its belly color"
        return True
    is_owned = any(owner in adjective.meaning for adjective in pending for owner in walk.owner)
    if is_owned and part in walk.lexicon.described:  # "wings with black feathers"
        for adjective in pending:
            attach(walk, adjective, [walk.owner])
        return True
    return False


def read_derived(walk: Walk, item: Item):
    """Attach what stands before "haired" to the hair; the rest still waits for the person."""
    waiting = walk.take()
    for k, adjective in enumerate(waiting):
        if item.entry.part in adjective.meaning:
            _say(walk, adjective, item.entry.part, item)
        elif k + 1 < len(waiting) or walk.lexicon.subject in adjective.meaning:
            walk.pending.append(adjective)
        else:
            walk.doubtful.append(adjective)
    walk.last, walk.is_apart = "adjective", False


def read_person(walk: Walk, item: Item):
    pending = walk.take()
    denial = "" if pending else denial_word(walk.negation, "not")  # "not a young man" denies the youth
    _describe(walk, walk.lexicon.subject, pending, None)
    for name, value in item.entry.noun:
        walk.mention(name, value, item.text, item, denial=denial)
    if item.entry.is_reported:
        walk.unknown.append(item)
    if item.entry.is_plural:
        walk.report_persons(item)
    if walk.has_person and not walk.is_predicate and is_second_person(walk.items, walk.position):
        walk.report_persons(item)
    if walk.negation is not None:
        walk.negation.is_spent = True
    if not (walk.last == "part" and walk.is_of):  # in "the hair of the man is black" the hair stays the subject
        walk.begin("person")
    walk.has_person = True


def is_owner(walk: Walk, item: Item) -> bool:
    """Whether a person is named only as the owner of a thing: "he wears a woman's hat", "her father's tie"."""
    after = next(iter(following(walk.items, walk.position)), None)
    if after is None or after.entry is None or "possessive" not in after.entry.roles:
        return False
    is_second = (walk.has_person and walk.is_object) or item.entry.is_plural
    return is_second or walk.items[walk.position - 1].text in _OWNERS


def _describe(walk: Walk, part: str, pending: list[Adjective], head: Item | None) -> set[str]:
    """Attach waiting adjectives to the noun they stand before; return the names of what they state."""
    stated = set()
    for k, adjective in enumerate(pending):
        after = pending[k + 1 :]
        if adjective.is_marking and not all(a.is_marking for a in after):  # "with stripes and white wings"
            attach(walk, adjective, [walk.owner])
        elif part in adjective.meaning:
            stated |= _say(walk, adjective, part, head)
        elif walk.lexicon.subject in adjective.meaning and _stands_for_subject(part, adjective):
            _say(walk, adjective, walk.lexicon.subject, None)
        elif _is_detached(walk, adjective, after) or _is_listed(walk, adjective, after):
            attach(walk, adjective, _targets(walk, adjective))
        elif not (after and "degree" in adjective.item.entry.roles):
            walk.doubtful.append(adjective)
    return stated


def _stands_for_subject(part: str, adjective: Adjective) -> bool:
    """Whether a part is the person over again: "female face", "young male head"; "an old photo" is not."""
    return part in ("face", "head") or (part == "picture" and adjective.item.entry.noun is not None)


def _is_detached(walk: Walk, adjective: Adjective, after: list[Adjective]) -> bool:
    """Whether an adjective before a noun may describe something earlier: "mouth open bangs"."""
    if adjective.is_post and not walk.group_is_said:
        return True
    is_listed = any(a.is_apart for a in after) and not (walk.is_object and not adjective.is_post)
    return is_listed or (bool(after) and (adjective.is_post or walk.is_predicate))


def _is_listed(walk: Walk, adjective: Adjective, after: list[Adjective]) -> bool:
    """Whether it is the subject's, one of a list: "in her twenties, clean-shaven, black hair"."""
    is_person_only = walk.lexicon.subject in adjective.meaning and not adjective.is_common
    return is_person_only and adjective.is_apart and bool(after) and not walk.group


def flush(walk: Walk):
    """Attach waiting adjectives that no noun follows to what was spoken of before."""
    is_elsewhere = walk.is_object or walk.is_placed
    if walk.is_predicate and walk.pending:
        walk.said = walk.pending
    is_named = (walk.has_person or bool(walk.group)) and not walk.is_predicate
    for adjective in walk.take(keeps_unknown=True):
        is_of_unknown = walk.before_unknown and (is_elsewhere or (is_named and adjective.is_common))
        if (walk.is_adrift or is_of_unknown) and not adjective.is_post:
            walk.doubtful.append(adjective)
        else:
            attach(walk, adjective, [*_targets(walk, adjective), [] if adjective.is_marking else walk.group])
    walk.before_unknown = False


def carry(walk: Walk) -> bool:
    """Hand waiting adjectives on to the part on which they are: "red on its wings"; False if they have no such."""
    part = located_part(walk.items, walk.position - 1) if walk.pending and not walk.before_unknown else None
    if part is None or part in walk.lexicon.carriers:
        return False
    first = len(walk.pending)
    while first and (part in walk.pending[first - 1].meaning or walk.pending[first - 1].is_marking):
        first -= 1
    moved, walk.pending = walk.pending[first:], walk.pending[:first]
    flush(walk)
    is_own = walk.items[walk.position].text in _ON and part not in walk.lexicon.closed
    (walk.carried if is_own else walk.doubtful).extend(moved)
    return bool(moved)


def is_heading(walk: Walk, item: Item) -> bool:
    """Whether a mark after a part asks what it is like, and the answer follows."""
    entry = walk.next_entry()
    return item.text == ":" or (item.text == "?" and entry is not None and bool(entry.adjective))


def is_between_adjectives(walk: Walk) -> bool:
    """Whether "but" joins two adjectives of one part."""
    entry, waiting = walk.next_entry(), walk.pending[-1]
    is_contrast = waiting.is_post and waiting.negation is not None and entry is not None and bool(entry.adjective)
    return is_contrast or leads_to_part(walk.items, walk.position)


def _targets(walk: Walk, adjective: Adjective) -> list[list[str]]:
    """Return what an adjective without a noun of its own may describe, the likeliest first."""
    targets = [walk.group] if adjective.is_post else [walk.owner] if walk.is_object else []
    targets += [walk.subject] if walk.is_predicate else []
    is_of_part = any(part != walk.lexicon.subject for target in targets for part in target)
    return targets if is_of_part and adjective.is_common else [*targets, [walk.lexicon.subject], walk.before]


def attach(walk: Walk, adjective: Adjective, targets: list[list[str]]):
    for parts in targets:
        fitting = [part for part in parts if part in adjective.meaning]
        if fitting:
            for part in fitting:
                _say(walk, adjective, part, None)
            walk.group_is_said = True
            return
    walk.doubtful.append(adjective)


def _say(walk: Walk, adjective: Adjective, part: str, head: Item | None) -> set[str]:
    """Record what an adjective states beside a part (nothing if it has no meaning there)."""
    item, stated = adjective.item, set()
    for name, value in adjective.meaning.get(part, ()):
        if head is None and not (adjective.negation and (name, value) in walk.lexicon.scalar):
            walk.forget(name, part)
        is_person = head is None or part == walk.lexicon.subject
        phrase = item.text if is_person else f"{item.text} {head.text}"
        denial = denial_word(adjective.negation, "not")
        walk.mention(name, value, phrase, item, None if is_person else head, denial)
        stated.add(name)
    adjective.is_used = adjective.is_used or part in adjective.meaning
    if adjective.negation is not None:
        adjective.negation.is_spent = True
    return stated
