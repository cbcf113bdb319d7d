"""StyleGAN2's generator and discriminator."""
