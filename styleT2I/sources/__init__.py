"""Where weights come from: files, addresses, the Hugging Face Hub and a registry of well-known checkpoints."""
