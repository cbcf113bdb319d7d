"""Operations of StyleGAN2, each one public function with first and second derivatives.

`impl` selects the implementation of an op: `'ref'` is the plain-PyTorch one, `'auto'` the fastest at hand.
"""
