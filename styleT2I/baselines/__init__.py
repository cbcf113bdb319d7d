"""Earlier text-to-image systems, as baselines."""
