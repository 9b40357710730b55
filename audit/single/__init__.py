"""The audit of one circuit: discover, perturb, judge."""
