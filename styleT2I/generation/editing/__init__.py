"""Moving given faces along attribute directions."""
