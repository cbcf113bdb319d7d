"""Files of words and sentences: word vectors, sentence features, and the words that a model reads."""
