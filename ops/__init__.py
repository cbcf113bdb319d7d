"""Tensor operations of StyleGAN2, each with a plain-PyTorch twin; installed as `styleT2I.ops`."""
