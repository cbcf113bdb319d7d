"""Photographs: finding the face, cutting it out as FFHQ's faces are, and putting an edited face back in its place."""
