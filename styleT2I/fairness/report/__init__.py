"""The audit's HTML page and CSV files."""
