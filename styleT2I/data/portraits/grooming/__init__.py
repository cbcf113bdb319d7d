"""Hair, brows and beards."""
