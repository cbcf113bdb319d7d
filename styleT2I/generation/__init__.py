"""Everything between a sentence and an image."""
