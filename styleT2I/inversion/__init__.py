"""Inversion: the latent, and where asked for the bent generator, that draw a given image again."""
