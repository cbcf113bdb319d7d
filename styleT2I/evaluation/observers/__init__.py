"""Networks that score images for an evaluation."""
