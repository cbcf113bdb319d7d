"""unCLIP (Ramesh et al. 2022, DALL-E 2): a prior from captions to CLIP image embeddings, a decoder to images."""
