"""Compositional Attribute Adjustment: its settings (without torch), its steps, and the search for their lengths."""

from styleT2I.generation.adjustment.config import AdjustmentConfig

__all__ = ["AdjustmentConfig"]
