"""Metrics that trainings log and suites report."""
