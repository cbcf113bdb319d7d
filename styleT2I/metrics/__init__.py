"""Metrics: pure functions on features, logits and verdicts; the caller extracts the features."""
