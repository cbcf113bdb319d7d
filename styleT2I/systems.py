"""The address of `open_text_gan` in model cards written before version 0.2; the function is `open_system` now."""

from styleT2I.generation.systems.interface import open_system as open_text_gan

__all__ = ["open_text_gan"]
