"""What a whole model is held to, suite by suite; each returns figures with everything needed to read them."""
