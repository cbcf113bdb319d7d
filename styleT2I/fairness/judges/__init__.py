"""Who decides which attributes an image shows."""
