"""StyleGAN2 generators of other projects, read and written."""
