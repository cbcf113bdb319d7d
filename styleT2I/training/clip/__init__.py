"""Training of CLIP."""
