"""Evaluation of a whole model, suite by suite; each returns metrics with all that is needed to interpret them."""
