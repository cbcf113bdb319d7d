"""The head: shape, skin, eyes, mouth, wrinkles."""
