"""Suite `compositions`: rare combinations beside their frequent twins."""
