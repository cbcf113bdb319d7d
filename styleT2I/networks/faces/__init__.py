"""Networks and rules that read faces: attributes, parts, regions."""
