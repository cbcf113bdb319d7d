"""What a whole model is held to, suite by suite; each returns metrics with everything needed to read them."""
