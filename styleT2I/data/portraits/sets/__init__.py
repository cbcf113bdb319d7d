"""Rendered sets on disk."""
