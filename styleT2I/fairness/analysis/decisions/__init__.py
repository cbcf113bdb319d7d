"""From evidence to verdicts on the limits that a plan declares."""
