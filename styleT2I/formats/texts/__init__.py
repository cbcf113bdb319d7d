"""Files of words and sentences: word vectors and sentence features."""
