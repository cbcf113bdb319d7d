"""Network architectures, one per file; `registry` builds them by kind."""
