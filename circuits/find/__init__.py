"""From scores, or by search, to a circuit."""
