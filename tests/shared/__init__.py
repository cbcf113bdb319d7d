"""Trainings that several processes share: processes to run them in, and small ones of every kind."""
