"""The word lists of small CLIPs: that of MiniFaces' captions and vocabulary, and those of any vocabulary."""

from styleT2I.attributes.vocabulary import load_vocabulary, read_lexicon
from styleT2I.attributes.wording import caption_words
from styleT2I.torch_utils.words import plain_words


def grammar_words(vocabulary: str = "minifaces") -> tuple[str, ...]:
    """Return the sorted words of a vocabulary's sentences: its phrases and synonyms, captions, function words.

    Example:
        >>> {"lipstick", "wearing", "the"} <= set(grammar_words())
        True
    """
    return tuple(sorted({*vocabulary_words(vocabulary), *_split(caption_words.all_words())}))


def vocabulary_words(vocabulary: str) -> set[str]:
    """Return the words of a vocabulary's phrases and synonyms and the English function words between them."""
    vocabulary = load_vocabulary(vocabulary)
    texts = []
    for attribute in vocabulary:
        for side in (attribute.true, attribute.false):
            texts += [*side.phrases, side.object, *side.nouns, *side.pronouns, *side.things]
            texts += [word for words in side.adjectives.values() for word in words]
    for part in vocabulary.parts.values():
        texts += [word for words in part.values() for word in words]
    for words in read_lexicon("english").values():
        texts += words
    return _split(texts)


def _split(texts):
    return {word for text in texts for word in plain_words(text)}


def tokenizer_spec(vocabulary: str = "minifaces") -> dict:
    """Return the entry `tokenizer` of a CLIP config: {"kind": "words", "words": [...]}, plain JSON.

    `networks.clip.tokenizers.build_tokenizer` makes the tokenizer from it; a trained CLIP keeps its own copy, so
    that a later vocabulary leaves its ids alone.
    """
    return {"kind": "words", "words": list(grammar_words(vocabulary))}
