"""Portraits: a rendered three-dimensional world of faces with truthful labels."""
