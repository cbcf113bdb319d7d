"""CLIP: towers, tokenizers, loading."""
