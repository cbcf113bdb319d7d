"""Pure metric functions over features, logits and images."""
