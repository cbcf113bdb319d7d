"""Models in forms that run without PyTorch."""
