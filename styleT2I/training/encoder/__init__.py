"""Training of encoders of images into the latents of a generator."""
