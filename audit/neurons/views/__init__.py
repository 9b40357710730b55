"""Other views of a label: ranges, compositions, perturbations, seeds."""
