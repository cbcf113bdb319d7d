"""From outcomes to comparisons and their verdicts."""
