"""Readers and writers of other projects' checkpoint layouts."""
