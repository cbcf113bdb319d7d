"""Attributes -> sentences and captions."""
