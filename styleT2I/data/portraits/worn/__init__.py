"""Clothes, glasses, jewellery and hats."""
