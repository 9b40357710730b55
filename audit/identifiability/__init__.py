"""How many circuits, interpretations, algorithms and mappings fit equally well."""
