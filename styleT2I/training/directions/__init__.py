"""Text-to-Direction and Attribute-to-Direction."""
