"""Suite `systems`: all text-to-image systems on the same sentences."""
