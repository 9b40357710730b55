"""What all gradient methods share: one differentiated run and its contraction to edges."""
