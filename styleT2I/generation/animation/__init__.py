"""Videos of faces: paths of latents, their frames, and files that loop."""
