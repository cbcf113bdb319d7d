"""Training of attribute classifiers and segmenters."""
