"""The attribute vocabulary, sentences to attributes, attributes to sentences."""
