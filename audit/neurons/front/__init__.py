"""From a probing set to an audit of neurons or labels."""
