"""MiniFaces: a procedural world of captioned faces."""
