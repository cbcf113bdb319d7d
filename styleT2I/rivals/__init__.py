"""Ways of others to steer a generator: directions for attributes, latents for sentences. None needs a training."""
