"""Sentence -> attributes."""
