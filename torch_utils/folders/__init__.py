"""Folders of results: staged and moved whole, and held by one run at a time."""
