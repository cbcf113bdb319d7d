"""Audit of a face classifier: faces of our model, one attribute edited and all else held, through the classifier."""
