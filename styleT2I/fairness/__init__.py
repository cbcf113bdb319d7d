"""Auditing a model over attribute combinations."""
