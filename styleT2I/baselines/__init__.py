"""Text-to-image baselines to compare with."""
