"""Score edges per example; keep the matrix on disk."""
