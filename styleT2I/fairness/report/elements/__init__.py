"""What the sections of the report are built of: HTML and SVG elements, columns of tables."""
