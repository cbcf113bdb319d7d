"""The page for a browser on this machine: `python -m styleT2I.app`."""
