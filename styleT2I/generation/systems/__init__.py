"""One interface over every system that draws a sentence, and the systems behind it."""

from styleT2I.generation.systems.interface import Drawing, StyleT2ISystem, TextToImage, open_system

__all__ = ["Drawing", "StyleT2ISystem", "TextToImage", "open_system"]
