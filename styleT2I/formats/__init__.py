"""Reading and writing weights without executing anything they contain."""
