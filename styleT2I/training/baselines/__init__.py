"""Training of the earlier text-to-image systems."""
