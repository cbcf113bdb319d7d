"""Data sets of captioned pictures with attributes and region masks."""
