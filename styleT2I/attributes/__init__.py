"""Attributes: the closed vocabularies, sentence -> attributes, attributes -> sentence, and the word-level tokenizer."""
