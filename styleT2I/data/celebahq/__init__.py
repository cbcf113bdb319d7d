"""CelebA-HQ with its annotations, as released: CelebAMask-HQ."""
