"""Metrics: pure functions on features, logits and verdicts; who extracts the features is the caller's business."""
