"""The trainings of unCLIP's networks: both priors, the decoder and the upsampler."""
