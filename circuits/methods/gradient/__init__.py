"""Methods that approximate patching by gradients or relevance."""
