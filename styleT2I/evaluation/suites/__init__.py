"""One file or folder per suite of `python -m styleT2I.evaluate`."""
