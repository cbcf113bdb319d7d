"""Intervals, hypothesis tests, power, and correction for a judge's errors."""
