"""What is in a portrait, and how it is drawn at random."""
