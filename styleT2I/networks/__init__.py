"""Network architectures, one a file; `registry` builds them by kind."""
