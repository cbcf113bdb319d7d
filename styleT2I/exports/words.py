"""What a sentence needs outside Python: the tokenizer's words, and the phrases by which attributes are asked for."""

from __future__ import annotations

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import Vocabulary, read_heard, read_lexicon
from styleT2I.attributes.wording.sentences import phrase
from styleT2I.generation.model import Model

UNCLEAR = (
    "no",
    "without",
    "not",
    "neither",
    "nor",
    "or",
    "unstated",
    "absent",
)  # roles of words that turn a phrase round


def described_words(model: Model) -> dict:
    """The entries of onnx.json that are about words; {} for a model without a CLIP, or one without a vocabulary.

    "tokenizer": as the CLIP's config has it, with its context_length. "attributes": name -> phrase, that phrase's
    CLIP features, the opposite's phrase, and the steps in W that strengths 1 and -1 stand for (None: not measured).
    "exclusive": names of which at most one is on. "phrases": words -> what they ask for, read by the parser each alone.
    "unclear": words that turn phrases round, beside which phrases alone do not tell what is meant.
    """
    if not model.has("clip"):
        return {}
    clip = model.network("clip")
    told: dict = {"tokenizer": {**clip.config.tokenizer, "context_length": clip.context_length}}
    vocabulary = model.vocabulary
    if not model.has("a2d") or vocabulary is None:
        return told
    info = model.info("a2d")
    names = [name for name in vocabulary.names if name in info.get("attributes", vocabulary.names)]
    features = clip.encode_text([phrase(name, True, vocabulary) for name in names])
    strengths = info.get("strengths") or {}
    told["attributes"] = {
        name: {
            "phrase": phrase(name, True, vocabulary),
            "opposite": phrase(name, False, vocabulary),
            "features": row.tolist(),
            "strengths": strengths.get(name),
        }
        for name, row in zip(names, features, strict=True)
    }
    told["exclusive"] = [
        list(group.attributes) for group in vocabulary.exclusive if set(group.attributes) <= set(names)
    ]
    told["phrases"] = phrases_read(vocabulary, names)
    told["unclear"] = unclear_words()
    return told


def phrases_read(vocabulary: Vocabulary, names: list[str]) -> dict[str, dict[str, bool]]:
    """The vocabulary's words and phrases, and what the parser reads in each: "grandpa" -> {"he": True, "old": True}.

    Those that mean nothing alone, or an attribute that is not among names, are left out.
    """
    read = {term: dict(parse(term, vocabulary).attributes) for term in vocabulary.terms}
    return {term: found for term, found in read.items() if found and set(found) <= set(names)}


def unclear_words() -> list[str]:
    """Words and phrases of denial, alternatives and what is not so: "not", "never", "or", "used to"."""
    words: dict[str, None] = {}
    for lexicon in (read_lexicon("english"), read_heard("english")):
        for role in UNCLEAR:
            words |= dict.fromkeys(lexicon.get(role, ()))
    return list(words)
