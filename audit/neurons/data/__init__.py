"""What a neuron audit reads: units, concepts, probing sets, label files."""
