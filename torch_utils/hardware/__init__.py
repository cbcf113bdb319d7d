"""Devices that a user names, the memory of them, and CUDA graphs."""
