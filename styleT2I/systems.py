"""The address of `open_text_gan` in model cards written before version 0.2; see `generation.systems`."""

from styleT2I.generation.systems import StyleT2ISystem, TextGAN, TextToImage, open_text_gan

__all__ = ["StyleT2ISystem", "TextGAN", "TextToImage", "open_text_gan"]
