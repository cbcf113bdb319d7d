"""Operations of StyleGAN2, each one public function with first and second derivatives.

`impl` selects the implementation of an op: `'ref'` is the plain form as published, `'torch'` a faster one in PyTorch,
`'cpp'` or `'cuda'`, where an op has them, compiled kernels that must be there, and `'auto'` the fastest at hand.
"""
