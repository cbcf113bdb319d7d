"""Finished cells of an audit: read back, brought together, as a table per image."""
