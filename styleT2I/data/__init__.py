"""Data sets of captioned images with attributes and region masks."""
